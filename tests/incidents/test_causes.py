"""The cause of an incident: found by the rules, or said by somebody, and kept whatever is heard later."""

import datetime as dt
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.test import Client

from deployments.models import ApiKey, Incident, Workspace
from deployments.origins import unite
from tests.factories import HOUR, NOON, make_deployment, make_key, make_track
from tests.github.hooks import Github, Repo, at
from tests.incidents.conftest import make_body
from tests.machines import Machine, assert_problem, faults_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def github(workspace: Workspace) -> Github:
    return Github(workspace)


@pytest.fixture
def repo() -> Repo:
    return Repo()


class TestOverTheApi:
    def test_the_deployment_before_it_is_found_and_has_failed_until_it_is_resolved(
        self, monitor: Machine, workspace: Workspace
    ) -> None:
        before = make_deployment(make_track(workspace), NOON + dt.timedelta(minutes=10), version="v2")
        make_deployment(make_track(workspace), NOON + HOUR, version="v3")

        shown = monitor.post("/v1/incidents", make_body()).json()

        assert (shown["causeDeployment"], shown["causeIsPinned"]) == (before.pk, False)
        before.refresh_from_db()
        assert (before.has_failed, before.repaired_at) == (True, None)
        monitor.request("PATCH", f"/v1/incidents/{shown['id']}", {"resolvedAt": "2026-03-02T14:00:00Z"})
        before.refresh_from_db()
        assert before.repaired_at == NOON + 2 * HOUR

    def test_blame_moves_with_what_is_said(self, monitor: Machine, workspace: Workspace) -> None:
        first, second = (make_deployment(make_track(workspace), NOON - n * HOUR, version=f"w{n}") for n in (2, 1))
        shown = monitor.post("/v1/incidents", make_body(causeDeployment=first.pk)).json()
        path = f"/v1/incidents/{shown['id']}"

        def failed() -> list[bool]:
            for row in (first, second):
                row.refresh_from_db()
            return [first.has_failed, second.has_failed]

        assert failed() == [True, False]
        monitor.request("PATCH", path, {"causeDeployment": second.pk})
        assert failed() == [False, True]
        monitor.request("PATCH", path, {"causeDeployment": "none"})
        assert failed() == [False, False]
        monitor.request("PATCH", path, {"causeDeployment": first.pk})
        monitor.request("DELETE", path)
        assert failed() == [False, False]
        monitor.post(f"{path}/restore")
        assert failed() == [True, False]


class TestOfGithubIssues:
    def tell(self, github: Github, repo: Repo, *, closed: float | None = None, hours: float = 5) -> Incident:
        action = "edited" if closed is None else "closed"
        github.tell(repo.issue(action, hours, "incident", closed=closed))
        return Incident.objects.get()

    @pytest.fixture
    def deployments(self, github: Github, repo: Repo, workspace: Workspace) -> list[Any]:
        """Two deployments before the issue was opened, of the application of its repository."""
        github.tell(repo.repository("edited", 0))
        track = make_track(workspace, app="shop", repository="acme/shop")
        return [make_deployment(track, at(hours), version=f"v{hours}") for hours in (-2, 0)]

    def test_an_issue_told_of_many_times_is_one_incident_with_one_cause(
        self, github: Github, repo: Repo, deployments: list[Any]
    ) -> None:
        for hours in (2, 3, 4, 4, 3):
            github.tell(repo.issue("edited", hours, "incident"))

        row = Incident.objects.get()
        assert (row.cause, row.cause_is_pinned, row.cause_pending) == (deployments[1], False, False)

    def test_what_somebody_said_outlives_later_events(
        self, github: Github, repo: Repo, deployments: list[Any], pages: Client
    ) -> None:
        row = self.tell(github, repo)
        pages.post(f"/incidents/{row.pk}/link/", {"deployment": deployments[0].pk})

        row = self.tell(github, repo, closed=7, hours=8)

        assert (row.cause, row.cause_is_pinned, row.resolved_at) == (deployments[0], True, at(7))
        deployments[0].refresh_from_db()
        assert (deployments[0].has_failed, deployments[0].repaired_at) == (True, at(7))

    def test_that_none_caused_it_outlives_later_events_too(
        self, github: Github, repo: Repo, deployments: list[Any], pages: Client
    ) -> None:
        row = self.tell(github, repo)
        pages.post(f"/incidents/{row.pk}/link/", {"deployment": "none"})

        assert self.tell(github, repo, closed=7, hours=8).cause is None

    def test_where_it_was_is_said_by_people_and_kept(
        self, github: Github, repo: Repo, deployments: list[Any], workspace: Workspace, key: str
    ) -> None:
        other = make_deployment(make_track(workspace, app="api"), at(0.5))
        row = self.tell(github, repo)
        monitor = Machine(key)

        monitor.request("PATCH", f"/v1/incidents/{row.pk}", {"app": "api"})
        shown = monitor.get(f"/v1/incidents/{self.tell(github, repo, hours=9).pk}").json()

        assert (shown["app"], shown["repository"], shown["causeDeployment"]) == ("api", "acme/shop", other.pk)

    def test_the_label_taken_off_nothing_is_to_blame(
        self, github: Github, repo: Repo, deployments: list[Any]
    ) -> None:
        self.tell(github, repo)
        deployments[1].refresh_from_db()
        assert deployments[1].has_failed

        github.tell(repo.issue("unlabeled", 9, label="incident"))

        deployments[1].refresh_from_db()
        assert not deployments[1].has_failed

    def test_what_the_issue_decides_is_not_changed_elsewhere(
        self, github: Github, repo: Repo, deployments: list[Any], key: str
    ) -> None:
        path = f"/v1/incidents/{self.tell(github, repo).pk}"
        monitor = Machine(key)

        answer = monitor.request("PATCH", path, {"title": "x", "resolvedAt": None, "url": "nothing", "app": "moon"})

        assert faults_of(answer) == {
            ("title", "decided_by_issue"),
            ("resolvedAt", "decided_by_issue"),
            ("url", "invalid"),
            ("app", "does_not_exist"),
        }
        assert_problem(monitor.request("DELETE", path), 409)
        assert_problem(monitor.post(f"{path}/restore"), 409)


def test_a_cause_that_turns_out_to_be_another_deployment_too_stays_one(workspace: Workspace) -> None:
    track = make_track(workspace)
    kept, other = (make_deployment(track, version="v1", source=source) for source in ("api", "github"))
    row = Incident.objects.create(
        workspace=workspace, title="x", started_at=NOON, cause=other, cause_is_pinned=True, source="person"
    )

    unite(kept, other)

    row.refresh_from_db()
    assert (row.cause, row.cause_pending) == (kept, True)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (["deployments:write"], ["deployments:write", "incidents:write"]),
        (["deployments:read", "metrics:read"], ["deployments:read", "metrics:read", "incidents:read"]),
        (["metrics:read"], ["metrics:read"]),
        (["deployments:read", "incidents:read"], ["deployments:read", "incidents:read"]),
        ([], []),
    ],
)
def test_a_key_from_before_may_do_with_incidents_what_it_may_do_with_deployments(
    workspace: Workspace, before: list[str], after: list[str]
) -> None:
    make_key(workspace, scopes=before)

    import_module("deployments.migrations.0004_incident_scopes").give(apps, None)

    assert ApiKey.objects.get().scopes == after
