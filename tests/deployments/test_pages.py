"""The pages, through a logged-in browser's requests."""

import datetime as dt

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from deployments.models import ApiKey, Deployment, Environment, Job, User, Workspace
from tests import factories

PATHS = ["/", "/deployments/", "/applications/", "/environments/", "/jobs/", "/settings/", "/settings/api-keys/",
         "/settings/github/", "/settings/github/live/", "/settings/github/connections/add/",
         "/settings/teams/", "/settings/teams/add/", "/settings/calendar/", "/waiting/"]  # fmt: skip


@pytest.fixture
def deployment(workspace: Workspace) -> Deployment:
    deployment = factories.make_deployment(factories.make_track(workspace), factories.recently(), version="v7")
    factories.make_change(deployment, factories.HOUR, message="Mend the door")
    return deployment


@pytest.mark.parametrize("path", PATHS)
def test_no_page_without_logging_in(db: None, client: Client, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer["Location"]) == (302, f"/login/?next={path}")


@pytest.mark.parametrize("path", PATHS)
def test_every_page_shows_an_empty_workspace_and_a_full_one(pages: Client, workspace: Workspace, path: str) -> None:
    assert pages.get(path).status_code == 200
    factories.make_change(factories.make_deployment(factories.make_track(workspace)), factories.HOUR)
    assert pages.get(path).status_code == 200


@pytest.mark.parametrize(
    "path",
    ["", "teams/", "calendar/", "failures/", "api-keys/", "github/", "webhooks/", "webhooks/add/", "digests/"],
)
def test_every_page_of_the_settings_is_marked_as_one(pages: Client, path: str) -> None:
    assert 'aria-current="page">Settings</a>' in pages.get(f"/settings/{path}").content.decode()


def test_the_page_of_a_deployment_says_what_it_shipped(pages: Client, deployment: Deployment) -> None:
    text = pages.get(f"/deployments/{deployment.pk}/").content.decode()
    for expected in ("v7", "Mend the door", "1 h", "It contains what ran before, and adds to it."):
        assert expected in text


def test_what_belongs_to_others_is_not_found(client: Client, deployment: Deployment) -> None:
    other = factories.make_workspace("Other")
    client.force_login(factories.make_user(other))
    job = Job.objects.create(workspace=deployment.workspace, payload={})
    key = ApiKey.create(workspace=deployment.workspace, name="CI")[0]
    for path in (
        f"/deployments/{deployment.pk}/", f"/applications/{deployment.application_id}/",
        f"/environments/{deployment.environment_id}/", f"/jobs/{job.pk}/",
    ):  # fmt: skip
        assert client.get(path).status_code == 404
    for path in (
        f"/deployments/{deployment.pk}/archive/", f"/jobs/{job.pk}/withdraw/", f"/settings/api-keys/{key.pk}/revoke/",
    ):  # fmt: skip
        assert client.post(path).status_code == 404
    assert "v7" not in client.get("/deployments/").content.decode()


def test_somebody_without_a_workspace_is_told_what_to_do(client: Client, db: None) -> None:
    client.force_login(factories.make_user())
    answer = client.get("/")
    assert answer.status_code == 403
    assert "You are in no workspace yet" in answer.content.decode()


def test_a_member_of_two_workspaces_switches_between_them(client: Client, deployment: Deployment) -> None:
    other = factories.make_workspace("Aardvark")
    person = factories.make_user(other)
    person.workspaces.add(deployment.workspace)
    client.force_login(person)
    assert "v7" not in client.get("/deployments/").content.decode()
    client.post(reverse("deployments:switch-workspace"), {"workspace": str(deployment.workspace.pk)})
    assert "v7" in client.get("/deployments/").content.decode()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("state=success", True), ("state=failure", False), ("q=v7", True), ("q=v8", False), ("author=ADA", True),
        ("author=bob", False), ("change_kind=forward", True), ("change_kind=rollback", False),
        ("from=2000-01-01&to=2001-01-01", False), ("from=2000-01-01", True), ("reached=yes", True),
        ("before=nonsense", True), ("from=nonsense", True), ("archived=yes", False),
    ],
)  # fmt: skip
def test_filters_of_the_list(pages: Client, deployment: Deployment, query: str, found: bool) -> None:
    Deployment.objects.update(author="Ada")
    answer = pages.get(f"/deployments/?{query}")
    assert answer.status_code == 200
    assert (f"/deployments/{deployment.pk}/" in answer.content.decode()) is found


def test_pages_of_the_list_show_every_deployment_once(pages: Client, workspace: Workspace) -> None:
    track = factories.make_track(workspace)
    made = {factories.make_deployment(track, factories.NOON).pk for _ in range(60)}
    made |= {factories.make_deployment(track, factories.NOON + dt.timedelta(minutes=n)).pk for n in range(60)}
    address, seen = "/deployments/", []
    while address:
        answer = pages.get(address)
        seen += [row.pk for row in answer.context["deployments"]]
        address = answer.context["older"] and "/deployments/" + answer.context["older"]
    assert sorted(seen) == sorted(made)
    assert len(seen) == len(made)


@pytest.mark.parametrize("path", ["/", "/deployments/", "/applications/", "/environments/", "/jobs/"])
def test_a_page_costs_the_same_queries_for_one_row_and_for_thirty(
    pages: Client, workspace: Workspace, path: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    def add(number: int) -> None:
        track = factories.make_track(workspace, f"app-{number}", f"production-{number}", f"acme/{number}")
        deployment = factories.make_deployment(track, factories.recently())
        Job.objects.create(workspace=workspace, payload={}, deployment=deployment)

    add(0)
    pages.get(path)
    with django_assert_max_num_queries(100) as one:
        pages.get(path)
    for number in range(1, 30):
        add(number)
    with django_assert_max_num_queries(len(one)):
        pages.get(path)


def test_a_key_is_shown_once_and_can_be_revoked(pages: Client, workspace: Workspace) -> None:
    answer = pages.post("/settings/api-keys/", {"name": "CI", "scopes": ["deployments:write"]})
    text = answer.context["new_key"]
    assert text in answer.content.decode()
    assert text not in pages.get("/settings/api-keys/").content.decode()
    key = ApiKey.objects.get()
    assert (key.scopes, key.digest) == (["deployments:write"], ApiKey.digest_of(text))
    pages.post(f"/settings/api-keys/{key.pk}/revoke/")
    key.refresh_from_db()
    assert key.revoked_at is not None


def test_an_environment_is_production_as_a_person_says(pages: Client, workspace: Workspace) -> None:
    environment = Environment.objects.create(workspace=workspace, name="qa")
    pages.post(f"/environments/{environment.pk}/", {"is_production": "on"})
    environment.refresh_from_db()
    assert environment.is_production


def test_another_path_has_the_changes_worked_out_anew(pages: Client, deployment: Deployment) -> None:
    path = f"/applications/{deployment.application_id}/"
    pages.post(path, {"monorepo_path": "./services//api/", "monorepo_path_is_pinned": "on"})
    deployment.track.refresh_from_db()
    assert deployment.track.rebuild_pending
    assert deployment.track.application.monorepo_path == "services/api"
    assert "must stay inside" in pages.post(path, {"monorepo_path": "../x"}).content.decode()


def test_the_settings_refuse_what_is_no_time_zone(pages: Client, workspace: Workspace) -> None:
    answer = pages.post("/settings/", {"name": "Acme", "time_zone": "Mars/Base"})
    assert "is no IANA time zone" in answer.content.decode()
    pages.post("/settings/", {"name": "Acme", "time_zone": "Europe/Berlin"})
    workspace.refresh_from_db()
    assert workspace.time_zone == "Europe/Berlin"


def test_archiving_leaves_the_metrics_and_restoring_brings_back(pages: Client, deployment: Deployment) -> None:
    pages.post(f"/deployments/{deployment.pk}/archive/")
    deployment.refresh_from_db()
    assert deployment.archived_at is not None
    assert f"/deployments/{deployment.pk}/" in pages.get("/deployments/?archived=yes").content.decode()
    pages.post(f"/deployments/{deployment.pk}/restore/")
    deployment.refresh_from_db()
    assert deployment.archived_at is None


def test_wrong_filters_of_the_overview_are_told_and_the_rest_is_shown(pages: Client, deployment: Deployment) -> None:
    answer = pages.get("/?from=never&environment=production&interval=eon")
    text = answer.content.decode()
    assert answer.status_code == 200
    assert "Must be a date" in text
    assert "Must be day, week or month" in text
    assert "Deployment frequency" in text


def test_logging_in_takes_the_address_in_any_case_and_counts_failures(
    client: Client, person: User, settings: object
) -> None:
    settings.SLIPWAY_FAILED_AUTH_RATE_LIMIT = "2/minute"  # type: ignore[attr-defined]
    for _ in range(2):
        answer = client.post("/login/", {"username": "ada@example.com", "password": "wrong"})
        assert answer.status_code == 200
    text = client.post("/login/", {"username": "ada@example.com", "password": "wrong"}).content.decode()
    assert "too many attempts" in text
    answer = client.post("/login/", {"username": "Ada@Example.com", "password": "correct horse"})
    assert (answer.status_code, answer["Location"]) == (302, "/")


def test_a_page_that_there_is_not_says_so(pages: Client) -> None:
    answer = pages.get("/nothing/")
    assert answer.status_code == 404
    assert "There is no such page" in answer.content.decode()


def test_pages_come_with_a_strict_policy(pages: Client) -> None:
    policy = pages.get("/")["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
