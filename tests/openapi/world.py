"""A workspace in which there is something behind every address of the API."""

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone

from deployments.models import (
    DeploymentSecret,
    FailureFinding,
    HistoryGap,
    Incident,
    Job,
    JobStatus,
    Overruling,
    PullRequest,
    Scope,
    Team,
    TeamMember,
    WebhookDelivery,
    Workspace,
)
from deployments.webhooks import subscriptions
from metrics.badges import Badge, token_of
from metrics.models import Metric
from tests.factories import (
    NOON,
    make_change,
    make_deployment,
    make_key,
    make_track,
    make_user,
    make_workspace,
    recently,
)

_HOUR = dt.timedelta(hours=1)


@dataclass
class World:
    """What requests can name, and what they are authenticated with."""

    workspace: Workspace
    key: str
    secret: str
    ids: dict[str, list[Any]] = field(default_factory=dict)

    def named_by(self, parameter: str, path: str) -> list[Any]:
        """Return what a parameter of a path can name."""
        return self.ids[_kind(parameter, path)]


def _kind(name: str, path: str) -> str:
    if name != "id":
        return name
    return next(kind for kind in ("deployments", "incidents", "webhooks") if f"/v1/{kind}/" in path)


def make_world() -> World:
    workspace = make_workspace()
    make_user(workspace, "ada@example.com")
    world = World(
        workspace, make_key(workspace, scopes=list(Scope.values)), DeploymentSecret.rotate(workspace, _HOUR)
    )
    world.ids = {
        "deployments": _deployments(workspace),
        "incidents": _incidents(workspace),
        "job_id": [str(job.pk) for job in _jobs(workspace)],
        "workspace_id": [str(workspace.pk)],
        "token": [token_of(workspace, Badge(metric=Metric.CHANGE_LEAD_TIME, days=30))],
        **_webhooks(workspace),
    }
    return world


def _deployments(workspace: Workspace) -> list[int]:
    track = make_track(workspace, app="backend-api")
    begin = recently() - 20 * _HOUR
    first = make_deployment(track, begin, change_kind="baseline")
    failed = make_deployment(track, begin + _HOUR, has_failed=True, repaired_at=begin + 3 * _HOUR, sources=["github"])
    repair = make_deployment(track, begin + 3 * _HOUR, change_kind="rollback", is_rework=True)
    failed.repaired_by = repair
    failed.save()
    pull_request = PullRequest.objects.create(
        repository=track.application.repository, number=7, title="Pay faster", opened_at=begin, facts_at=begin
    )
    make_change(failed, 5 * _HOUR)
    make_change(failed, 9 * _HOUR, pull_request=pull_request, coding_seconds=60, review_seconds=60)
    HistoryGap.objects.create(repository=track.application.repository, deployment=failed, sha="f" * 40)
    FailureFinding.objects.create(
        deployment=failed, reason=FailureFinding.Reason.ROLLBACK, repair=repair, why="It was rolled back."
    )
    Overruling.objects.create(deployment=failed, verdict=Overruling.Verdict.values[0], holds=False, reason="No.")
    team = Team.objects.create(workspace=workspace, name="Checkout")
    team.applications.add(track.application)
    TeamMember.objects.create(team=team, name="Ada")
    workspace.default_application, workspace.default_environment = track.application, track.environment
    workspace.save()
    archived = make_deployment(track, begin + 4 * _HOUR, archived_at=timezone.now(), state="failure")
    return [failed.pk, first.pk, repair.pk, archived.pk]


def _incidents(workspace: Workspace) -> list[int]:
    cause = workspace.deployments.get(has_failed=True)
    place = {"application": cause.application, "environment": cause.environment}
    open_one = Incident.objects.create(
        workspace=workspace, title="Checkout is down", started_at=NOON, cause=cause, source="api", **place
    )
    of_issue = Incident.objects.create(
        workspace=workspace,
        title="Slow",
        started_at=recently(),
        resolved_at=timezone.now(),
        source=Incident.Source.GITHUB,
        external_id="17",
        repository=cause.application.repository,
    )
    return [open_one.pk, of_issue.pk]


def _jobs(workspace: Workspace) -> list[Job]:
    """Return enough jobs for all requests that end or delete one."""
    log = "2026-03-02T12:00:00.000000Z stored\n2026-03-02T12:00:01.000000Z done\n"
    return [
        Job.objects.create(workspace=workspace, payload={}, status=status, log=log, error="" if number % 2 else "No.")
        for number, status in enumerate([*JobStatus.values] * 8)
    ]


def _webhooks(workspace: Workspace) -> dict[str, list[int]]:
    row = subscriptions.create(
        workspace, url="https://hooks.example.com/", events=["deployment"], secret="s" * 20, created_by=None
    )
    delivered = WebhookDelivery.objects.filter(subscription=row).latest("pk")
    delivered.request_headers = {"X-GitHub-Event": "ping"}
    delivered.response_status, delivered.response_body, delivered.attempts = 200, "ok", 1
    delivered.attempted_at, delivered.duration_seconds, delivered.state = timezone.now(), 0.1, "delivered"
    delivered.save()
    waiting = subscriptions.ping(row)
    return {"webhooks": [row.pk], "delivery_id": [delivered.pk, waiting.pk]}
