"""These are the deployments that the dashboard shows, from wherever they were heard of."""

import datetime as dt
from typing import Any

import pytest
import time_machine

from deployments.models import Deployment, Environment
from tests.factories import make_deployment, make_track
from tests.github.hooks import Github, Repo, at, iso, work
from tests.github_style.client import SHA, GithubClient
from tests.machines import Machine

pytestmark = pytest.mark.django_db


def github_deployment(
    repo: Repo, hours: float, state: str | None = None, **fields: Any
) -> tuple[str, dict[str, Any]]:
    """Return GitHub's event of a deployment, or of a status of it."""
    deployment = {
        "id": 9_000_000_001, "sha": SHA, "ref": "main", "task": "deploy", "environment": "production",
        "original_environment": "production", "production_environment": True, "transient_environment": False,
        "created_at": iso(at(0)), "updated_at": iso(at(hours)), "creator": {"login": "ada"}, "description": "Ship it",
        "payload": {}, **fields,
    }  # fmt: skip
    payload = {"action": "created", "deployment": deployment, "repository": repo.json(at(hours))}
    if state is None:
        return "deployment", payload
    status = {
        "id": 9_000_000_100 + int(hours * 60), "state": state, "environment": "production",
        "created_at": iso(at(hours)), "log_url": "", "environment_url": "", "description": "",
    }  # fmt: skip
    return "deployment_status", {**payload, "deployment_status": status}


def test_a_success_is_worked_out_by_a_worker(api: GithubClient, ci: Machine) -> None:
    before = api.deploy(ref="a" * 40)
    commits = [{"sha": "b" * 40, "parents": ["a" * 40], "authoredAt": "2026-03-01T12:00:00Z", "message": "Fix"}]
    ci.deploy(repositoryFullName="acme/shop", app="other", environment="qa", commitHash="b" * 40, commits=commits)
    after = api.deploy(ref="b" * 40)
    work()

    rows = {row.pk: row for row in Deployment.objects.all()}
    assert rows[before["id"]].change_kind == "baseline"
    assert (rows[after["id"]].change_kind, rows[after["id"]].changes_count) == ("forward", 1)
    assert not Deployment.objects.filter(lineage_pending=True).exists()


def test_a_failure_is_judged(api: GithubClient) -> None:
    api.deploy("in_progress", "failure")
    work()

    row = Deployment.objects.get()
    assert (row.has_failed, row.verdict_pending) == (True, False)


def test_the_dashboard_shows_it_with_its_history(api: GithubClient, pages: Any) -> None:
    created = api.deploy("in_progress", "success", payload={"version": "v7"})
    text = pages.get(f"/deployments/{created['id']}/").content.decode()

    assert "v7" in text
    assert "in progress" in text
    assert "success" in text


def test_it_is_read_back_on_v1_too(api: GithubClient, ci: Machine) -> None:
    created = api.deploy(payload={"app": "web", "version": "v7"})
    body = ci.get(f"/v1/deployments/{created['id']}").json()

    assert (body["app"], body["version"], body["state"], body["sources"]) == ("web", "v7", "success", ["api"])


def test_what_was_reported_on_v1_appears_here(api: GithubClient, ci: Machine) -> None:
    row = ci.deploy(repositoryFullName="acme/shop", app="web", environment="staging", description="By CI")
    shown = api.get(api.path(row.pk)).json()

    assert api.ids("?task=deploy&environment=staging") == [row.pk]
    assert (shown["sha"], shown["ref"], shown["task"]) == (row.commit_sha, row.commit_sha, "deploy")
    assert (shown["payload"], shown["description"], shown["creator"]) == ({}, "By CI", None)
    assert (shown["original_environment"], shown["production_environment"]) == ("staging", False)
    status = api.get(f"{api.path(row.pk)}/statuses").json()[0]
    assert (status["state"], status["environment"], status["creator"]) == ("success", "staging", None)


def test_a_report_on_v1_goes_on_with_what_began_here(api: GithubClient, ci: Machine) -> None:
    created = api.create(payload={"app": "web", "version": "v7"})
    row = ci.deploy(repositoryFullName="acme/shop", app="web", version="v7", commitHash=SHA)

    assert row.pk == created["id"]
    assert api.states_of(row.pk) == ["success"]


def test_a_status_here_goes_on_with_what_began_on_v1(api: GithubClient, ci: Machine) -> None:
    row = ci.deploy(repositoryFullName="acme/shop", state="in_progress")
    api.status(row.pk, "success")
    row.refresh_from_db()

    assert row.reached_environment
    assert api.states_of(row.pk) == ["in_progress", "success"]


def test_what_githubs_webhooks_told_appears_here(api: GithubClient, github: Github, repo: Repo) -> None:
    payload = {"app": "web", "monorepo_path": "web/"}
    github.tell(
        github_deployment(repo, 0, payload=payload, transient_environment=True),
        github_deployment(repo, 0.5, "waiting", payload=payload),
        github_deployment(repo, 1, "success", payload=payload),
    )
    (shown,) = api.get(api.deployments).json()

    assert (shown["ref"], shown["description"], shown["payload"]) == ("main", "Ship it", payload)
    assert (shown["transient_environment"], shown["production_environment"]) == (True, True)
    assert shown["creator"]["login"] == "ada"
    assert api.states_of(shown["id"]) == ["pending", "success"]
    assert Deployment.objects.get().monorepo_path == "web"


def test_what_is_created_at_github_and_here_is_one(api: GithubClient, github: Github, repo: Repo) -> None:
    with time_machine.travel(at(0.1), tick=False) as clock:
        created = api.create(ref="main", sha=SHA)
        github.tell(github_deployment(repo, 0))
        clock.shift(dt.timedelta(minutes=10))
        github.tell(github_deployment(repo, 0.2, "success"))
        api.status(created["id"], "success")
    row = Deployment.objects.get()

    assert row.pk == created["id"]
    assert sorted(row.sources) == ["api", "github"]
    assert row.reached_environment
    assert row.deployed_at == at(0.2)
    assert api.get(api.path(row.pk)).json()["description"] == "Ship it"


def test_so_it_is_the_other_way_round(api: GithubClient, github: Github, repo: Repo) -> None:
    with time_machine.travel(at(0.1), tick=False):
        github.tell(github_deployment(repo, 0))
        created = api.create(ref="main", sha=SHA, payload={"version": "v7"})
        api.status(created["id"], "success")
        github.tell(github_deployment(repo, 0.2, "success"))
    row = Deployment.objects.get()

    assert row.pk == created["id"]
    assert (row.version, row.author, row.creator) == ("v7", "ada", "github-actions")
    assert created["payload"] == {"version": "v7"}


def test_two_here_and_one_at_github_are_two(api: GithubClient, github: Github, repo: Repo) -> None:
    with time_machine.travel(at(0.1), tick=False):
        first = api.create(ref=SHA)
        github.tell(github_deployment(repo, 0))
        second = api.create(ref=SHA)

    assert first["id"] != second["id"]
    assert Deployment.objects.count() == 2


def test_the_id_stays_when_it_turns_out_to_be_what_is_there(api: GithubClient, github: Github, repo: Repo) -> None:
    with time_machine.travel(at(0.1), tick=False):
        github.tell(github_deployment(repo, 0))
        created = api.create(ref=SHA, environment="staging")
        api.status(created["id"], "success", environment="production")

    assert api.ids() == [created["id"]]
    assert Deployment.objects.get().environment.name == "production"


def test_a_status_here_on_what_only_github_told(api: GithubClient, github: Github, repo: Repo) -> None:
    github.tell(github_deployment(repo, 0))
    row = Deployment.objects.get()
    api.status(row.pk, "success")
    row.refresh_from_db()

    assert row.reached_environment
    assert sorted(row.sources) == ["api", "github"]


def test_a_person_who_chose_what_is_production_is_not_overruled(api: GithubClient, workspace: Any) -> None:
    environment = Environment.objects.create(
        workspace=workspace, name="eu", is_production=False, is_production_is_pinned=True
    )
    created = api.create(environment="eu", production_environment=True)
    environment.refresh_from_db()

    assert not environment.is_production
    assert created["production_environment"] is True


def test_an_imported_one_can_get_a_status(api: GithubClient, workspace: Any) -> None:
    track = make_track(workspace, repository="acme/shop")
    row = make_deployment(track, source="git", sources=["git"], deployed_at=at(0))
    api.status(row.pk, "inactive")
    row.refresh_from_db()

    assert (row.state, row.deployed_at, row.reached_environment) == ("inactive", at(0), True)


def test_a_former_name_leads_to_the_repository(api: GithubClient, github: Github, repo: Repo) -> None:
    created = api.create()
    renamed = Repo("acme/store", repo.github_id)
    changes = {"repository": {"name": {"from": "shop"}}}
    payload = {"action": "renamed", "changes": changes, "repository": renamed.json(at(2), updated_at=iso(at(2)))}
    github.tell(("repository", {"action": "edited", "repository": repo.json(at(0))}), ("repository", payload))

    assert api.get(api.path(created["id"])).json()["repository_url"].endswith("/repos/acme/store")
