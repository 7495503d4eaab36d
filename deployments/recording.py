"""Records deployments, however they were reported. Repeating a report changes nothing."""

import dataclasses
import datetime
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Max
from django.utils import timezone

from deployments.catalog import Catalog
from deployments.commits import CommitReport, record_commits
from deployments.models import (
    Application,
    Deployment,
    DeploymentState,
    DeploymentStatus,
    Repository,
    Track,
)
from deployments.models.deployments import FAILED_STATES, UNFINISHED_STATES
from deployments.origins import (
    add_own_origin,
    find_same,
    is_told_elsewhere,
    judge_attempt,
    keep_own_origin,
    settle,
)
from deployments.signals import deployment_reported

Source = Deployment.Source


@dataclass(slots=True)
class DeploymentReport:
    """One report of a deployment, whatever its source. Texts are trimmed; times are aware."""

    repository: str
    app: str
    environment: str
    version: str
    commit_sha: str
    description: str = ""
    author: str = ""
    deployed_at: datetime.datetime | None = None
    monorepo_path: str | None = None
    state: str = DeploymentState.SUCCESS
    environment_url: str = ""
    log_url: str = ""
    fixes_version: str = ""
    commits: tuple[CommitReport, ...] = ()

    def to_payload(self) -> dict[str, Any]:
        """Return it as a job keeps it. Fields that say nothing are left out."""
        payload = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name != "commits" and getattr(self, field.name) not in ("", None)
        }
        if self.monorepo_path == "":
            payload["monorepo_path"] = ""
        if self.deployed_at is not None:
            payload["deployed_at"] = self.deployed_at.isoformat()
        if self.commits:
            payload["commits"] = [_commit_to_payload(commit) for commit in self.commits]
        return payload

    @classmethod
    def from_payload(cls, payload: dict[str, Any]) -> "DeploymentReport":
        """Return the report that a job keeps."""
        fields = dict(payload)
        fields["deployed_at"] = _time(fields.get("deployed_at"))
        fields["commits"] = tuple(_commit_from_payload(commit) for commit in fields.get("commits", ()))
        return cls(**fields)


def _time(text: str | None) -> datetime.datetime | None:
    return None if text is None else datetime.datetime.fromisoformat(text)


def _commit_to_payload(commit: CommitReport) -> dict[str, Any]:
    payload: dict[str, Any] = {"sha": commit.sha}
    for name in ("authored_at", "committed_at"):
        if (moment := getattr(commit, name)) is not None:
            payload[name] = moment.isoformat()
    for name in ("parents", "files"):
        if (names := getattr(commit, name)) is not None:
            payload[name] = list(names)
    for name in ("author", "message"):
        if text := getattr(commit, name):
            payload[name] = text
    return payload


def _commit_from_payload(payload: dict[str, Any]) -> CommitReport:
    parents, files = payload.get("parents"), payload.get("files")
    return CommitReport(
        sha=payload["sha"],
        parents=None if parents is None else tuple(parents),
        authored_at=_time(payload.get("authored_at")),
        committed_at=_time(payload.get("committed_at")),
        author=payload.get("author", ""),
        message=payload.get("message", ""),
        files=None if files is None else tuple(files),
    )


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a report."""

    deployment: Deployment
    outcome: str  # a sentence for the job's log


def record_deployment(
    catalog: Catalog,
    report: DeploymentReport,
    *,
    reported_at: datetime.datetime,
    source: str = Source.API,
) -> Recorded:
    """Record a deployment, or the next status of one that is known. The caller holds a transaction.

    Its commits are recorded apart, by `record_reported_commits`, and its track is held by `hold_tracks`.
    Where the report states no time, the deployment took place when it was reported.
    """
    track = _track(catalog, report)
    known = _find(track, report, reported_at)
    if known is None and source == Source.API and is_told_elsewhere(catalog, track):
        known = find_same(track, report.commit_sha, report.deployed_at or reported_at, source)
    if known is None:
        deployment = _create(track, report, reported_at, source)
        outcome = f"Recorded deployment {deployment.pk}"
    elif known.sources == [source]:
        deployment = known
        outcome = _update(deployment, report, reported_at)
    else:
        deployment = known
        outcome = _join(deployment, report, reported_at, source)
    if report.monorepo_path is not None:
        follow_monorepo_path(track.application, report.monorepo_path)
    return Recorded(deployment, outcome)


def hold_tracks(catalog: Catalog, reports: Sequence[DeploymentReport]) -> None:
    """Lock the tracks that reports are about: else two workers could each begin the deployment that both heard of.

    The caller holds a transaction.
    """
    ids = {_track(catalog, report).pk for report in reports}
    # In one order, so that two workers never wait for one another; and only against others that record here.
    list(Track.objects.select_for_update(no_key=True).filter(pk__in=ids).order_by("pk").values_list("pk"))


def _track(catalog: Catalog, report: DeploymentReport) -> Track:
    application = catalog.application(catalog.repository(report.repository), report.app)
    return catalog.track(application, catalog.environment(report.environment))


def record_reported_commits(catalog: Catalog, reports: Sequence[DeploymentReport]) -> None:
    """Record the commits that reports bring with them, each repository's at once. The caller holds a transaction."""
    commits: dict[int, list[CommitReport]] = {}
    repositories: dict[int, Repository] = {}
    for report in reports:
        if report.commits:
            repository = catalog.repository(report.repository)
            repositories[repository.pk] = repository
            commits.setdefault(repository.pk, []).extend(infer_parents(report.commits))
    for repository_id in sorted(commits):  # in one order, so that two workers never wait for one another
        record_commits(repositories[repository_id], commits[repository_id])


def infer_parents(commits: tuple[CommitReport, ...]) -> list[CommitReport]:
    """Take a list in which no commit names its parents for what a push is: a line, oldest first."""
    if any(commit.parents is not None for commit in commits):
        return list(commits)
    line = [commits[0]]
    for before, commit in itertools.pairwise(commits):
        line.append(dataclasses.replace(commit, parents=(before.sha,), parents_are_inferred=True))
    return line


def _find(track: Track, report: DeploymentReport, reported_at: datetime.datetime) -> Deployment | None:
    """Return the deployment that the report is about, where it is known.

    That is the one of the same version at the same stated time. Otherwise a report goes on with a deployment of
    the version that has not ended; and `inactive` is said of the latest one, since no deployment begins with it.
    That one is under way may be heard of after its end: then it is the first to be heard of since.
    """
    same = Deployment.objects.filter(track=track, version=report.version, commit_sha=report.commit_sha)
    if report.deployed_at is not None:
        stated = same.filter(deployed_at=report.deployed_at, deployed_at_is_stated=True).first()
        if stated is not None:
            return stated
        same = same.filter(deployed_at_is_stated=False)
    if report.state == DeploymentState.INACTIVE and report.deployed_at is None:
        return same.newest_first().first()
    unfinished = same.filter(state__in=UNFINISHED_STATES).newest_first().first()
    if unfinished is not None or report.state not in UNFINISHED_STATES:
        return unfinished
    heard_of_since = same.annotate(last_heard_at=Max("statuses__created_at")).filter(last_heard_at__gt=reported_at)
    return heard_of_since.order_by("last_heard_at").first()


def _create(track: Track, report: DeploymentReport, reported_at: datetime.datetime, source: str) -> Deployment:
    reached = DeploymentStatus.reaches_environment([report.state])
    deployment = Deployment.objects.create(
        workspace=track.application.workspace,
        track=track,
        application=track.application,
        environment=track.environment,
        version=report.version,
        commit_sha=report.commit_sha,
        description=report.description,
        author=report.author,
        monorepo_path=report.monorepo_path,
        environment_url=report.environment_url,
        log_url=report.log_url,
        fixes_version=report.fixes_version,
        state=report.state,
        reached_environment=reached,
        lineage_pending=reached,
        verdict_pending=report.state in FAILED_STATES,
        deployed_at=report.deployed_at or reported_at,
        deployed_at_is_stated=report.deployed_at is not None,
        source=source,
        sources=[source],
    )
    status = _add_status(deployment, report, reported_at)
    deployment_reported.send(sender=None, deployment=deployment, status=status, is_new=True)
    return deployment


def _add_status(deployment: Deployment, report: DeploymentReport, reported_at: datetime.datetime) -> DeploymentStatus:
    return DeploymentStatus.objects.create(
        deployment=deployment,
        state=report.state,
        description=report.description,
        environment_url=report.environment_url,
        log_url=report.log_url,
        created_at=reported_at,
    )


def _update(
    deployment: Deployment, report: DeploymentReport, reported_at: datetime.datetime, *, is_new_source: bool = False
) -> str:
    for name in ("description", "author", "environment_url", "log_url"):
        if text := getattr(report, name):
            setattr(deployment, name, text)
    if report.monorepo_path is not None and report.monorepo_path != deployment.monorepo_path:
        deployment.monorepo_path = report.monorepo_path
        deployment.lineage_pending = True
    if report.fixes_version and report.fixes_version != deployment.fixes_version:
        deployment.fixes_version = report.fixes_version
        deployment.verdict_pending = True
    if report.state == deployment.state and not is_new_source:
        deployment.save()
        return f"Deployment {deployment.pk} is known already"
    status = _add_status(deployment, report, reported_at)
    _apply_statuses(deployment, report, reported_at)
    deployment.save()
    deployment_reported.send(sender=None, deployment=deployment, status=status, is_new=False)
    return f"Deployment {deployment.pk} is now {deployment.state}"


def _join(deployment: Deployment, report: DeploymentReport, reported_at: datetime.datetime, source: str) -> str:
    """Add a report to a deployment that was heard of from elsewhere too."""
    others = ", ".join(Source(other).label for other in deployment.sources if other != source)
    keep_own_origin(deployment)
    outcome = _update(deployment, report, reported_at, is_new_source=source not in deployment.sources)
    succeeded = report.state == DeploymentState.SUCCESS
    add_own_origin(
        deployment,
        version=report.version,
        reached_at=(report.deployed_at or reported_at) if succeeded else None,
        is_stated=report.deployed_at is not None,
        source=source,
    )
    settle(deployment)
    deployment.save()
    return f"{outcome}; heard of from {others} too"


def _apply_statuses(deployment: Deployment, report: DeploymentReport, reported_at: datetime.datetime) -> None:
    """Bring the deployment in line with its history of statuses, in the order in which they were reported."""
    was_reached = deployment.reached_environment
    was_unfinished = deployment.state in UNFINISHED_STATES
    states = list(deployment.statuses.order_by("created_at", "id").values_list("state", flat=True))
    deployment.state = states[-1]
    deployment.reached_environment = DeploymentStatus.reaches_environment(states)
    if report.deployed_at is not None and not deployment.deployed_at_is_stated:
        deployment.deployed_at = report.deployed_at
        deployment.deployed_at_is_stated = True
    elif was_unfinished and not deployment.deployed_at_is_stated:
        deployment.deployed_at = reported_at  # it was under way until now
    if deployment.reached_environment != was_reached:
        deployment.lineage_pending = True
    judge_attempt(deployment)


def follow_monorepo_path(application: Application, reported: str) -> None:
    """Keep the application's path at the one that its latest deployment reported, unless a person chose it."""
    if application.monorepo_path_is_pinned or reported == application.monorepo_path:
        return
    latest = application.deployments.exclude(monorepo_path=None).newest_first().first()
    if latest is None or latest.monorepo_path == application.monorepo_path:
        return
    application.monorepo_path = latest.monorepo_path or ""
    application.save(update_fields=["monorepo_path"])
    # Only deployments that named no path of their own go by the application's.
    silent = application.deployments.filter(monorepo_path=None)
    application.tracks.filter(pk__in=silent.values("track_id")).update(rebuild_pending=True)


def archive(deployment: Deployment) -> None:
    """Take a deployment out of the metrics; it stays in the history. The caller rings the bell."""
    _set_archived(deployment, timezone.now())


def restore(deployment: Deployment) -> None:
    """Bring an archived deployment back into the metrics. The caller rings the bell."""
    _set_archived(deployment, None)


def _set_archived(deployment: Deployment, moment: datetime.datetime | None) -> None:
    if (deployment.archived_at is None) == (moment is None):
        return
    deployment.archived_at = moment
    deployment.lineage_pending = True
    deployment.verdict_pending = True
    deployment.save(update_fields=["archived_at", "lineage_pending", "verdict_pending"])


def newest_known_commit(application: Application) -> str | None:
    """Return the newest known commit of the default branch of the application's repository.

    Where nobody told of branches, that is the newest commit of all, and where nobody told of commits, the one
    that was deployed last.
    """
    repository = application.repository
    if repository.default_branch_sha:
        return repository.default_branch_sha
    newest = repository.commits.order_by("-generation").values_list("sha", flat=True).first()
    if newest is not None:
        return newest
    return application.deployments.newest_first().values_list("commit_sha", flat=True).first()
