"""Imports a clone as a person does, and holds every deployment against what Git says."""

from io import StringIO
from pathlib import Path

from django.core.management import call_command

from deployments.models import Deployment
from tests.lineage.histories import expected_of


def import_git(path: Path, tags: str = "*", app: str = "app", **options: object) -> str:
    out = StringIO()
    call_command(
        "import_git", str(path), repository="acme/app", app=app, environment="production", tags=tags,
        stdout=out, stderr=out, **options,
    )  # fmt: skip
    return out.getvalue()


def assert_as_git_says(path: Path, under: str = "") -> list[Deployment]:
    deployments = list(Deployment.objects.in_track_order())  # type: ignore[attr-defined]
    moments = [(row.commit_sha, int(row.deployed_at.timestamp())) for row in deployments]
    for deployment, expected in zip(deployments, expected_of(path, moments, under), strict=True):
        shipped = dict(deployment.changes.values_list("commit__sha", "lead_time_seconds"))
        assert (deployment.version, shipped) == (deployment.version, expected.changes)
        assert (deployment.version, deployment.change_kind) == (deployment.version, expected.kind)
        assert deployment.changes_count == len(expected.changes)
        assert deployment.history_is_complete
    return deployments
