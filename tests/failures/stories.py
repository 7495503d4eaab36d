"""Tells Slipway of deployments and commits, and reads back what it found of failures."""

import datetime as dt
from typing import Any

from deployments.catalog import Catalog
from deployments.changes import derive_changes, tracks_with_pending_work
from deployments.commits import CommitReport, record_commits
from deployments.models import Deployment, FailureFinding, FailureRules, Track, Workspace
from deployments.processing import judge_everything
from deployments.recording import DeploymentReport, record_deployment
from deployments.verdicts import rules_of

START = dt.datetime(2026, 3, 2, 12, 0, tzinfo=dt.UTC)
REPOSITORY = "acme/shop"


def sha(name: int | str) -> str:
    """Return the hash of a commit by its number or name."""
    return f"{name:040x}" if isinstance(name, int) else name.encode().hex().ljust(40, "0")


def at(hour: float) -> dt.datetime:
    return START + dt.timedelta(hours=hour)


class Shop:
    """An application in production. Commits have numbers or names, deployments the hour at which they took place."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.catalog = Catalog(workspace)
        self.count = 0

    def commit(self, name: int | str, *parents: int | str, message: str = "Change", day: int | None = None) -> str:
        """Tell of a commit, made later than all before it."""
        self.count += 1
        moment = START - dt.timedelta(days=100) + dt.timedelta(minutes=self.count if day is None else day)
        report = CommitReport(sha(name), tuple(map(sha, parents)), moment, moment, message=message)
        record_commits(self.catalog.repository(REPOSITORY), [report])
        return sha(name)

    def line(self, *names: int | str) -> None:
        """Tell of commits that follow one another."""
        for before, name in zip((None, *names), names, strict=False):
            self.commit(name, *([] if before is None else [before]))

    def deploy(self, hour: float, commit: int | str, version: str = "", **fields: Any) -> Deployment:
        """Report a deployment."""
        report = DeploymentReport(
            REPOSITORY,
            fields.pop("app", "shop"),
            fields.pop("environment", "production"),
            version or f"v{commit}",
            sha(commit),
            deployed_at=at(hour),
            **fields,
        )
        return record_deployment(self.catalog, report, reported_at=at(hour)).deployment

    def set_rules(self, **fields: Any) -> FailureRules:
        rules = rules_of(self.workspace.pk)
        for name, value in fields.items():
            setattr(rules, name, value)
        rules.save()
        return rules

    def work(self) -> None:
        """Work out everything, as the sweep does."""
        for track_id in tracks_with_pending_work():
            derive_changes(track_id)
        judge_everything()

    def found(self) -> set[tuple[float, str, float | None]]:
        """Return what was found: the hour of the failed deployment, the reason, and the hour of the repair."""
        return {
            (hour_of(row.deployment), row.reason, row.repair and hour_of(row.repair))
            for row in FailureFinding.objects.filter(deployment__workspace=self.workspace).select_related(
                "deployment", "repair"
            )
        }

    def failed(self) -> dict[float, float | None]:
        """Return the hour of each deployment that counts as failed, and of the one that repaired it."""
        rows = Deployment.objects.filter(workspace=self.workspace, has_failed=True).select_related("repaired_by")
        return {hour_of(row): row.repaired_by and hour_of(row.repaired_by) for row in rows}

    def rework(self) -> set[float]:
        """Return the hours of the unplanned deployments."""
        return {hour_of(row) for row in Deployment.objects.filter(workspace=self.workspace, is_rework=True)}

    def everything(self) -> list[tuple[Any, ...]]:
        """Return all that was found, as something that can be compared."""
        rows = Deployment.objects.filter(workspace=self.workspace).order_by("deployed_at")
        fields = [
            (row.deployed_at, row.has_failed, row.repaired_at, row.is_rework, row.refers_back and row.counts)
            for row in rows
        ]
        findings = FailureFinding.objects.filter(deployment__workspace=self.workspace)
        said = findings.values_list("deployment__deployed_at", "reason", "repair__deployed_at", "why", "repaired_at")
        return [fields, sorted(said, key=str), sorted(self.failed().items())]

    def judge_anew(self) -> None:
        """Find every verdict from scratch."""
        Track.objects.filter(application__workspace=self.workspace).update(judging_pending=True)
        judge_everything()


def hour_of(row: Deployment) -> float:
    return (row.deployed_at - START).total_seconds() / 3600
