"""From where deployments were heard of: one that several sources tell of is one deployment.

CI reports it, GitHub calls it a deployment, a release was published or a branch pushed for it: each source has words
of its own for the same thing. What they have in common is the track, the commit, and about the time.
"""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings
from django.db.models import F, Q

from deployments.catalog import Catalog
from deployments.models import (
    Application,
    Change,
    Deployment,
    DeploymentOrigin,
    DeploymentState,
    DeploymentStatus,
    Environment,
    HistoryGap,
    ShippedCommit,
    Track,
)

Source = Deployment.Source
# Whose version is believed where several tell one: who says more about what was deployed comes first.
_PRECEDENCE: list[str] = [
    Source.API, Source.GIT, Source.RELEASE, Source.TAG, Source.GITHUB, Source.WORKFLOW, Source.MERGE, Source.PUSH,
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class StatusReport:
    """One status in GitHub's history of a deployment."""

    external_id: int
    state: str
    created_at: datetime.datetime
    description: str = ""
    environment: str = ""
    environment_url: str = ""
    log_url: str = ""


@dataclass(frozen=True, slots=True)
class OriginReport:
    """A deployment as something at GitHub tells of it.

    Without `reached_at` it has reached nothing yet, and its statuses say what became of it.
    """

    source: str
    external_id: str
    application: Application
    environment: str
    version: str
    commit_sha: str
    told_at: datetime.datetime
    reached_at: datetime.datetime | None = None
    status: StatusReport | None = None
    author: str = ""
    description: str = ""
    log_url: str = ""
    ref: str = ""
    task: str = ""
    monorepo_path: str | None = None
    is_transient: bool = False
    is_production: bool = False


def record_origin(catalog: Catalog, report: OriginReport) -> Deployment:
    """Record a deployment that GitHub tells of, or add to one that is known. The caller holds a transaction."""
    environment = catalog.environment(report.environment)
    track = catalog.track(report.application, environment)
    Track.objects.select_for_update(no_key=True).get(pk=track.pk)
    origin = _known_origin(report)
    deployment = origin.deployment if origin else _join(track, report) or _create(track, report)
    if origin is None:
        origin = DeploymentOrigin.objects.create(
            deployment=deployment,
            application=report.application,
            source=report.source,
            external_id=report.external_id,
            version=report.version,
            reached_at=report.reached_at,
        )
        if report.source not in deployment.sources:
            deployment.sources = [*deployment.sources, report.source]
    _add_status(deployment, report)
    _follow_statuses(catalog, deployment, origin)
    if report.is_production:
        catalog.mark_as_production(deployment.environment)
    deployment.save()
    return deployment


def _known_origin(report: OriginReport) -> DeploymentOrigin | None:
    rows = DeploymentOrigin.objects.select_related("deployment__environment", "deployment__track")
    return rows.filter(application=report.application, source=report.source, external_id=report.external_id).first()


def find_same(track: Track, commit_sha: str, moment: datetime.datetime, source: str) -> Deployment | None:
    """Return the deployment that another source told of and that this source has not yet told the end of."""
    window = datetime.timedelta(seconds=settings.SLIPWAY_SAME_DEPLOYMENT_SECONDS)
    near = Deployment.objects.filter(
        track=track, commit_sha=commit_sha, deployed_at__range=(moment - window, moment + window)
    )
    candidates = [row for row in near if source not in row.sources or _is_awaited(row, source)]
    return min(candidates, key=lambda row: (abs(row.deployed_at - moment), row.pk), default=None)


def _is_awaited(deployment: Deployment, source: str) -> bool:
    """Tell whether a source that takes part in several has told of the deployment, but not of its success."""
    if len(deployment.sources) < 2 or source != Source.API:
        return False
    return deployment.origins.filter(source=source, reached_at=None).exists()


def _join(track: Track, report: OriginReport) -> Deployment | None:
    deployment = find_same(track, report.commit_sha, report.reached_at or report.told_at, report.source)
    if deployment is None:
        return None
    keep_own_origin(deployment)
    for name in ("author", "description", "log_url", "ref", "task"):
        if not getattr(deployment, name):
            setattr(deployment, name, getattr(report, name))
    return deployment


def keep_own_origin(deployment: Deployment) -> None:
    """Write down what the only source so far told: from now on there are several."""
    if deployment.origins.exists():
        return
    DeploymentOrigin.objects.create(
        deployment=deployment,
        application_id=deployment.application_id,
        source=deployment.source,
        external_id=f"deployment:{deployment.pk}",
        version=deployment.version,
        reached_at=deployment.deployed_at if deployment.reached_environment else None,
        reached_at_is_stated=deployment.reached_environment and deployment.deployed_at_is_stated,
    )


def _create(track: Track, report: OriginReport) -> Deployment:
    reached = report.reached_at is not None
    deployment = Deployment.objects.create(
        workspace=track.application.workspace,
        track=track,
        application=track.application,
        environment=track.environment,
        version=report.version,
        commit_sha=report.commit_sha,
        author=report.author,
        description=report.description,
        log_url=report.log_url,
        ref=report.ref,
        task=report.task,
        is_transient=report.is_transient,
        monorepo_path=report.monorepo_path,
        state=DeploymentState.SUCCESS if reached else DeploymentState.PENDING,
        reached_environment=reached,
        lineage_pending=reached,
        deployed_at=report.reached_at or report.told_at,
        source=report.source,
        sources=[report.source],
    )
    if reached:
        DeploymentStatus.objects.create(
            deployment=deployment, state=DeploymentState.SUCCESS, created_at=deployment.deployed_at
        )
    return deployment


def _add_status(deployment: Deployment, report: OriginReport) -> None:
    status = report.status
    if status is None:
        return
    DeploymentStatus.objects.get_or_create(
        deployment=deployment,
        external_id=status.external_id,
        defaults={
            "state": status.state,
            "description": status.description,
            "environment_url": status.environment_url,
            "environment_name": status.environment,
            "log_url": status.log_url,
            "created_at": status.created_at,
        },
    )


def _follow_statuses(catalog: Catalog, deployment: Deployment, origin: DeploymentOrigin) -> None:
    """Bring a deployment in line with all statuses that are known of it, in whatever order they arrived."""
    statuses = list(deployment.statuses.order_by("created_at", F("external_id").asc(nulls_first=True), "id"))
    told = [status for status in statuses if status.external_id is not None]
    if told:
        origin.reached_at = next((s.created_at for s in told if s.state == DeploymentState.SUCCESS), None)
        origin.save(update_fields=["reached_at"])
        for name in ("environment_url", "log_url"):
            if text := next((getattr(s, name) for s in reversed(told) if getattr(s, name)), ""):
                setattr(deployment, name, text)
        if named := next((s.environment_name for s in reversed(told) if s.environment_name), ""):
            _move_to_environment(deployment, catalog.environment(named))
    apply_states(deployment, [status.state for status in statuses])
    if told and not any(found.reached_at for found in deployment.origins.all()):
        move_in_time(deployment, told[-1].created_at)  # it is under way, or failed, until now
    settle(deployment)


def apply_states(deployment: Deployment, states: Iterable[str]) -> None:
    """Set what follows from the states of a deployment, oldest first. The caller saves."""
    states = list(states)
    if not states:
        return
    reached = DeploymentStatus.reaches_environment(states)
    deployment.state = states[-1]
    if reached != deployment.reached_environment:
        deployment.reached_environment = reached
        deployment.lineage_pending = True


def settle(deployment: Deployment) -> None:
    """Set the version and the time that follow from all that told of a deployment. The caller saves.

    A stated time counts before any other, else the first time that anybody told of success.
    """
    origins = list(deployment.origins.all())
    if not origins:
        return
    best = min(origins, key=lambda origin: (_PRECEDENCE.index(origin.source), origin.pk))
    deployment.version = best.version
    stated = [origin.reached_at for origin in origins if origin.reached_at and origin.reached_at_is_stated]
    told = [origin.reached_at for origin in origins if origin.reached_at]
    deployment.deployed_at_is_stated = bool(stated)
    if stated or told:
        move_in_time(deployment, min(stated or told))


def move_in_time(deployment: Deployment, moment: datetime.datetime) -> None:
    """Give a deployment another place on its track; what stood between is worked out anew. The caller saves."""
    if deployment.deployed_at == moment:
        return
    between = Deployment.objects.reached().filter(
        track_id=deployment.track_id,
        deployed_at__range=(min(deployment.deployed_at, moment), max(deployment.deployed_at, moment)),
    )
    if deployment.counts and between.exclude(pk=deployment.pk).exists():
        Track.objects.filter(pk=deployment.track_id).update(rebuild_pending=True)
    deployment.deployed_at = moment
    deployment.lineage_pending = deployment.lineage_pending or deployment.reached_environment


def _move_to_environment(deployment: Deployment, environment: Environment) -> None:
    """Move a deployment to the environment that its latest status names. Both tracks are worked out anew."""
    if deployment.environment_id == environment.pk:
        return
    application = deployment.application
    track, _ = Track.objects.get_or_create(application=application, environment=environment)
    if deployment.change_kind:
        Track.objects.filter(Q(pk=deployment.track_id) | Q(pk=track.pk)).update(rebuild_pending=True)
        for model in (ShippedCommit, Change, HistoryGap):
            model.objects.filter(deployment=deployment).delete()
    deployment.track, deployment.environment = track, environment
    deployment.lineage_pending = deployment.lineage_pending or deployment.reached_environment
