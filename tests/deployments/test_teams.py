"""Teams: on their settings page, in the admin, and over HTTP."""

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from deployments.models import Application, Commit, Deployment, PullRequest, Repository, Team, User, Workspace
from tests import factories
from tests.factories import NOON
from tests.machines import Machine


@pytest.fixture
def applications(workspace: Workspace) -> list[Application]:
    return [factories.make_track(workspace, name).application for name in ("api", "web", "worker")]


def save(pages: Client, path: str, name: str, people: str = "", *applications: Application) -> str:
    fields = {"name": name, "people": people, "applications": [one.pk for one in applications]}
    return pages.post(path, fields, follow=True).content.decode()


def test_a_team_is_added_changed_and_removed(
    pages: Client, workspace: Workspace, applications: list[Application]
) -> None:
    api, web, worker = applications
    said = save(pages, "/settings/teams/add/", "Checkout", "Ada Lovelace\r\nada\r\n\r\n ADA \r\nGrace, H.", api, web)
    assert "“Checkout” is saved." in said
    team = Team.objects.get()
    assert team.workspace == workspace
    assert set(team.applications.all()) == {api, web}
    assert set(team.people.values_list("name", flat=True)) == {"Ada Lovelace", "ada", "Grace, H."}
    for text in ("Checkout", "api", "web", "Grace, H."):
        assert text in said

    page = pages.get(f"/settings/teams/{team.pk}/").content.decode()
    assert "Ada Lovelace\nGrace, H.\nada" in page
    save(pages, f"/settings/teams/{team.pk}/", "Pay & Go", "Grace, H.\nAlan", worker)
    team.refresh_from_db()
    assert (team.name, list(team.applications.all())) == ("Pay & Go", [worker])
    assert set(team.people.values_list("name", flat=True)) == {"Grace, H.", "Alan"}

    said = pages.post(f"/settings/teams/{team.pk}/remove/", follow=True).content.decode()
    assert "is removed" in said
    assert not Team.objects.exists()
    assert Application.objects.count() == 3


def test_what_cannot_be_saved_is_told(pages: Client, workspace: Workspace) -> None:
    Team.objects.create(workspace=workspace, name="Checkout")
    Team.objects.create(workspace=factories.make_workspace("Other"), name="Search")
    assert "already" not in save(pages, "/settings/teams/add/", "Search")
    assert "There is a team “checkOUT” already." in save(pages, "/settings/teams/add/", " checkOUT ")
    assert "is longer than 255 characters" in save(pages, "/settings/teams/add/", "Long", "x" * 256)
    assert "No more than 500 people" in save(pages, "/settings/teams/add/", "Many", "\n".join(map(str, range(501))))
    assert "This field is required" in save(pages, "/settings/teams/add/", "  ")
    assert Team.objects.filter(workspace=workspace).count() == 2


def test_applications_of_others_are_not_offered_and_not_taken(pages: Client, workspace: Workspace) -> None:
    other = factories.make_track(factories.make_workspace("Other"), "their-api").application
    assert "their-api" not in pages.get("/settings/teams/add/").content.decode()
    assert "Select a valid choice" in save(pages, "/settings/teams/add/", "Ours", "", other)
    team = Team.objects.create(workspace=other.workspace, name="Theirs")
    assert pages.get(f"/settings/teams/{team.pk}/").status_code == 404
    assert pages.post(f"/settings/teams/{team.pk}/remove/").status_code == 404


def test_people_who_were_seen_lately_are_suggested_until_they_are_in_a_team(
    pages: Client, workspace: Workspace
) -> None:
    workspace.bot_names = ["Jenkins"]
    workspace.save()
    track = factories.make_track(workspace)
    for author in ("grace", "Grace", "jenkins", "renovate[bot]", ""):
        factories.make_deployment(track, author=author)
    repository = track.application.repository
    Commit.objects.create(repository=repository, sha="a" * 40, generation=1, author="Alan Turing")
    PullRequest.objects.create(repository=repository, number=1, author="alan", opened_at=NOON, facts_at=NOON)
    PullRequest.objects.create(
        repository=repository, number=2, author="snyk", author_is_bot=True, opened_at=NOON, facts_at=NOON
    )
    Deployment.objects.create(
        workspace=(other := factories.make_workspace("Other")),
        track=(theirs := factories.make_track(other)),
        application=theirs.application,
        environment=theirs.environment,
        version="v1",
        commit_sha="a",
        author="mallory",
        deployed_at=NOON,
    )
    assert pages.get("/settings/teams/add/").context["suggestions"] == ["Grace", "alan", "Alan Turing"]
    save(pages, "/settings/teams/add/", "Checkout", "GRACE")
    page = pages.get("/settings/teams/")
    assert page.context["people_without_team"] == ["alan", "Alan Turing"]
    assert "alan, Alan Turing" in page.content.decode()


def test_the_pages_cost_the_same_queries_for_one_team_and_for_twenty(
    pages: Client, workspace: Workspace, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    def add(number: int) -> Team:
        team = Team.objects.create(workspace=workspace, name=f"Team {number}")
        team.people.create(name=f"person {number}")
        team.applications.add(
            factories.make_track(workspace, f"app-{number}", "production", f"acme/{number}").application
        )
        return team

    paths = ["/settings/teams/", f"/settings/teams/{add(0).pk}/"]
    with django_assert_max_num_queries(40) as one:
        answers = [pages.get(path) for path in paths]
    for number in range(1, 20):
        add(number)
    with django_assert_max_num_queries(len(one)):
        answers = [pages.get(path) for path in paths]
    assert "app-19" in answers[1].content.decode()


def test_teams_are_read_over_http(
    workspace: Workspace, applications: list[Application], django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    key = factories.make_key(workspace, scopes=["metrics:read"])
    assert Machine(key).get("/v1/teams").json() == {"results": []}
    team = Team.objects.create(workspace=workspace, name="Checkout")
    team.applications.set(applications[:2])
    team.people.create(name="Ada")
    Team.objects.create(workspace=workspace, name="Empty")
    Team.objects.create(workspace=factories.make_workspace("Other"), name="Theirs")
    with django_assert_max_num_queries(15):
        answer = Machine(key).get("/v1/teams")
    assert answer.json() == {
        "results": [
            {
                "name": "Checkout",
                "applications": [
                    {"app": "api", "repository": "acme/backend"},
                    {"app": "web", "repository": "acme/backend"},
                ],
                "people": ["Ada"],
            },
            {"name": "Empty", "applications": [], "people": []},
        ]
    }


def test_teams_need_the_scope_that_the_metrics_need(workspace: Workspace) -> None:
    assert Machine().get("/v1/teams").status_code == 401
    assert Machine(factories.make_key(workspace, scopes=["deployments:read"])).get("/v1/teams").status_code == 403


def test_an_operator_edits_a_team_and_cannot_mix_workspaces(client: Client, workspace: Workspace) -> None:
    client.force_login(User.objects.create_superuser("op@example.com", "x"))
    mine = factories.make_track(workspace).application
    theirs = factories.make_track(factories.make_workspace("Other")).application
    fields = {
        "workspace": str(workspace.pk),
        "name": "Checkout",
        "people-TOTAL_FORMS": "1",
        "people-INITIAL_FORMS": "0",
        "people-0-name": "Ada",
    }
    said = client.post("/admin/deployments/team/add/", {**fields, "applications": [theirs.pk]}).content.decode()
    assert "All have to be of the team&#x27;s workspace." in said
    client.post("/admin/deployments/team/add/", {**fields, "applications": [mine.pk]})
    team = Team.objects.get()
    assert (list(team.applications.all()), team.people.get().name_key) == ([mine], "ada")


def test_a_team_outlives_a_repository_that_is_renamed(pages: Client, workspace: Workspace) -> None:
    application = factories.make_track(workspace).application
    save(pages, "/settings/teams/add/", "Checkout", "", application)
    Repository.objects.update(full_name="acme/renamed")
    assert "api (acme/renamed)" in pages.get(f"/settings/teams/{Team.objects.get().pk}/").content.decode()
