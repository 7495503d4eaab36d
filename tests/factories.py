"""Makes things for tests: plain functions with defaults."""

import datetime as dt
import itertools
from typing import Any

from deployments.models import (
    ApiKey,
    Application,
    Change,
    Commit,
    Deployment,
    DeploymentStatus,
    Environment,
    Membership,
    Repository,
    Track,
    User,
    Workspace,
)

NOON = dt.datetime(2026, 3, 2, 12, 0, tzinfo=dt.UTC)  # a Monday
_numbers = itertools.count(1)


def make_workspace(name: str = "Acme", **fields: Any) -> Workspace:
    return Workspace.objects.create(name=name, slug=fields.pop("slug", f"{name.lower()}-{next(_numbers)}"), **fields)


def make_user(workspace: Workspace | None = None, email: str | None = None, password: str = "correct horse") -> User:
    user = User.objects.create_user(email or f"person{next(_numbers)}@example.com", password)
    if workspace is not None:
        Membership.objects.create(user=user, workspace=workspace, role=Membership.Role.OWNER)
    return user


def make_key(workspace: Workspace, **fields: Any) -> str:
    """Return the text of a new API key."""
    return ApiKey.create(workspace=workspace, name=fields.pop("name", "CI"), **fields)[1]


def make_track(
    workspace: Workspace, app: str = "api", environment: str = "production", repository: str = "acme/backend"
) -> Track:
    repo, _ = Repository.objects.get_or_create(workspace=workspace, full_name=repository)
    application, _ = Application.objects.get_or_create(workspace=workspace, repository=repo, name=app)
    env = Environment.objects.filter(workspace=workspace, name=environment).first() or Environment.objects.create(
        workspace=workspace, name=environment
    )
    return Track.objects.get_or_create(application=application, environment=env)[0]


def make_deployment(track: Track, deployed_at: dt.datetime = NOON, **fields: Any) -> Deployment:
    """Return a deployment as if it had been reported and worked out, without any change."""
    state = fields.setdefault("state", "success")
    number = next(_numbers)
    deployment = Deployment.objects.create(
        workspace=track.application.workspace,
        track=track,
        application=track.application,
        environment=track.environment,
        deployed_at=deployed_at,
        version=fields.pop("version", f"v{number}"),
        commit_sha=fields.pop("commit_sha", f"{number:040x}"),
        reached_environment=fields.pop("reached_environment", state == "success"),
        change_kind=fields.pop("change_kind", "forward"),
        **fields,
    )
    DeploymentStatus.objects.create(deployment=deployment, state=state, created_at=deployed_at)
    return deployment


def make_change(deployment: Deployment, lead_time: dt.timedelta | None, **fields: Any) -> Change:
    """Return one commit that the deployment shipped, begun `lead_time` before it."""
    number = next(_numbers)
    started_at = None if lead_time is None else deployment.deployed_at - lead_time
    commit = Commit.objects.create(
        repository=deployment.application.repository,
        sha=f"{number:040x}",
        parents="",
        generation=int(deployment.deployed_at.timestamp()),
        authored_at=started_at,
        committed_at=started_at,
        author="Ada",
        message=fields.pop("message", f"Change {number}"),
    )
    Deployment.objects.filter(pk=deployment.pk).update(changes_count=deployment.changes.count() + 1)
    return Change.objects.create(
        deployment=deployment,
        commit=commit,
        started_at=started_at,
        lead_time_seconds=None if lead_time is None else int(lead_time.total_seconds()),
        **fields,
    )


HOUR = dt.timedelta(hours=1)


def recently() -> dt.datetime:
    """Return a moment that every default period contains."""
    return dt.datetime.now(dt.UTC) - HOUR
