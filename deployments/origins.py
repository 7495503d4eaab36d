"""From where deployments were heard of: one that several sources tell of is one deployment.

CI reports it, GitHub calls it a deployment, a release was published or a branch pushed for it: each source has words
of its own for the same thing. What they have in common is the track, the commit, and about the time.
"""

import datetime
from collections.abc import Iterable

from django.conf import settings
from django.db.models import F, Q, QuerySet

from deployments.catalog import Catalog
from deployments.models import (
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
from deployments.models.deployments import FAILED_STATES
from deployments.origin_reports import OriginReport, Told
from deployments.signals import deployment_reported

Source = Deployment.Source
# Whose version is believed where several tell one: who says more about what was deployed comes first.
_PRECEDENCE: list[str] = [
    Source.API, Source.GIT, Source.RELEASE, Source.TAG, Source.GITHUB, Source.WORKFLOW, Source.MERGE, Source.PUSH,
]  # fmt: skip


def record_origin(catalog: Catalog, report: OriginReport) -> Deployment:
    """Record a deployment that GitHub tells of, or add to one that is known. The caller holds a transaction."""
    environment = catalog.environment(report.environment)
    track = catalog.track(report.application, environment)
    catalog.told_elsewhere[track.pk] = True
    Track.objects.select_for_update(no_key=True).get(pk=track.pk)
    origin = _known_origin(report)
    status = None
    known = origin.deployment if origin else _join(track, report)
    deployment = known or _create(track, report)
    if report.is_production:
        catalog.mark_as_production(environment)
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
        status = _add_success(deployment, report)
    status = _add_status(deployment, report) or status
    created = deployment
    deployment = _at_its_environment(catalog, deployment, report.source)
    _follow_statuses(deployment, origin)
    if report.is_production:
        catalog.mark_as_production(deployment.environment)
    deployment.save()
    is_new = known is None and deployment is created
    if is_new or status is not None:
        deployment_reported.send(sender=None, deployment=deployment, status=status, is_new=is_new)
    return deployment


def _known_origin(report: OriginReport) -> DeploymentOrigin | None:
    rows = DeploymentOrigin.objects.select_related("deployment__environment", "deployment__track")
    return rows.filter(application=report.application, source=report.source, external_id=report.external_id).first()


def is_told_elsewhere(catalog: Catalog, track: Track) -> bool:
    """Tell whether anybody but the API tells of deployments of a track. Asked once in a batch."""
    if track.pk not in catalog.told_elsewhere:
        others = Deployment.objects.filter(track=track).exclude(source=Source.API)
        origins = DeploymentOrigin.objects.filter(application=track.application_id)
        catalog.told_elsewhere[track.pk] = others.exists() or origins.exists()
    return catalog.told_elsewhere[track.pk]


def find_same(track: Track, commit_sha: str, moment: datetime.datetime, *sources: str) -> Deployment | None:
    """Return the deployment that others told of and that none of these sources has yet told the end of."""
    candidates = [
        row
        for row in _near(track, commit_sha, moment)
        if all(source not in row.sources or _is_awaited(row, source) for source in sources)
    ]
    return _nearest(candidates, moment)


def _near(track: Track, commit_sha: str, moment: datetime.datetime) -> QuerySet[Deployment]:
    window = datetime.timedelta(seconds=settings.SLIPWAY_SAME_DEPLOYMENT_SECONDS)
    return Deployment.objects.filter(
        track=track, commit_sha=commit_sha, deployed_at__range=(moment - window, moment + window)
    )


def _nearest(candidates: list[Deployment], moment: datetime.datetime) -> Deployment | None:
    return min(candidates, key=lambda row: (abs(row.deployed_at - moment), row.pk), default=None)


def _is_awaited(deployment: Deployment, source: str) -> bool:
    """Tell whether a source that takes part in several has told of the deployment, but not of its success."""
    if len(deployment.sources) < 2 or source != Source.API:
        return False
    return deployment.origins.filter(source=source, reached_at=None).exists()


def find_untold(track: Track, commit_sha: str, moment: datetime.datetime, *sources: str) -> Deployment | None:
    """Return the deployment that others told of and that none of these sources has told anything of."""
    candidates = [row for row in _near(track, commit_sha, moment) if not set(sources) & set(row.sources)]
    return _nearest(candidates, moment)


def _join(track: Track, report: OriginReport) -> Deployment | None:
    # It may take long from the creation of a deployment until its end, which is what others tell of.
    moment = report.reached_at or (report.status.created_at if report.status else report.told_at)
    deployment = find_same(track, report.commit_sha, moment, report.source)
    if deployment is None:
        return None
    keep_own_origin(deployment)
    complete(deployment, report)
    return deployment


def complete(deployment: Deployment, told: Told) -> None:
    """Fill in what nobody has told of a deployment so far. The caller saves."""
    for name in ("author", "description", "log_url", "ref", "task", "original_environment", "payload"):
        if not getattr(deployment, name):
            setattr(deployment, name, getattr(told, name))
    if deployment.production_environment is None:
        deployment.production_environment = told.production_environment
    if deployment.monorepo_path is None and told.monorepo_path is not None:
        deployment.monorepo_path = told.monorepo_path
        deployment.lineage_pending = True


def unite(kept: Deployment, other: Deployment) -> None:
    """Make one deployment of two that turn out to be the same. The caller holds the tracks of both."""
    for row in (kept, other):
        keep_own_origin(row)
    own = other.origins.filter(external_id=_own_id(other))
    own.update(external_id=_own_id(kept))
    other.origins.update(deployment=kept, application=kept.application_id)
    other.statuses.update(deployment=kept)
    other.jobs.update(deployment=kept)
    other.incidents_caused.update(cause=kept, cause_pending=True)
    complete(kept, other)
    kept.sources = [*kept.sources, *(source for source in other.sources if source not in kept.sources)]
    if other.change_kind:
        Track.objects.filter(pk=other.track_id).update(rebuild_pending=True)
    other.delete()
    kept.lineage_pending = kept.lineage_pending or kept.reached_environment
    apply_states(kept, [status.state for status in statuses_in_order(kept)])
    settle(kept)
    kept.save()


def _own_id(deployment: Deployment) -> str:
    """Return the id of what a source without ids of its own told."""
    return f"deployment:{deployment.pk}"


def statuses_in_order(deployment: Deployment) -> list[DeploymentStatus]:
    """Return the history of a deployment, oldest first."""
    return list(deployment.statuses.order_by("created_at", F("external_id").asc(nulls_first=True), "id"))


def keep_own_origin(deployment: Deployment) -> None:
    """Write down what the only source so far told: from now on there are several."""
    if deployment.origins.exists():
        return
    DeploymentOrigin.objects.create(
        deployment=deployment,
        application_id=deployment.application_id,
        source=deployment.source,
        external_id=_own_id(deployment),
        version=deployment.version,
        reached_at=deployment.deployed_at if deployment.reached_environment else None,
        reached_at_is_stated=deployment.reached_environment and deployment.deployed_at_is_stated,
    )


def add_own_origin(
    deployment: Deployment,
    *,
    version: str,
    reached_at: datetime.datetime | None = None,
    is_stated: bool = False,
    source: str = Source.API,
) -> None:
    """Add what a source without ids of its own tells of a deployment that others told of. The caller saves."""
    if source not in deployment.sources:
        deployment.sources = [*deployment.sources, source]
    own, _ = DeploymentOrigin.objects.get_or_create(
        application=deployment.application,
        source=source,
        external_id=_own_id(deployment),
        defaults={"deployment": deployment, "version": version},
    )
    if reached_at is not None and own.reached_at is None:
        own.reached_at, own.reached_at_is_stated = reached_at, is_stated
    own.version = version
    own.save()


def _create(track: Track, report: OriginReport) -> Deployment:
    reached = report.reached_at is not None
    return Deployment.objects.create(
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
        payload=report.payload,
        original_environment=report.original_environment,
        production_environment=report.production_environment,
        monorepo_path=report.monorepo_path,
        state=DeploymentState.SUCCESS if reached else DeploymentState.PENDING,
        reached_environment=reached,
        lineage_pending=reached,
        deployed_at=report.reached_at or report.told_at,
        source=report.source,
        sources=[report.source],
    )


def _add_success(deployment: Deployment, report: OriginReport) -> DeploymentStatus | None:
    if report.reached_at is None:
        return None
    return DeploymentStatus.objects.create(
        deployment=deployment, state=DeploymentState.SUCCESS, created_at=report.reached_at
    )


def _add_status(deployment: Deployment, report: OriginReport) -> DeploymentStatus | None:
    """Add the status that a report tells of, and return it where it was not known."""
    status = report.status
    if status is None:
        return None
    row, is_new = DeploymentStatus.objects.get_or_create(
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
    return row if is_new else None


def _at_its_environment(catalog: Catalog, deployment: Deployment, source: str) -> Deployment:
    """Bring a deployment to where its latest status says that it is, and return it, or what it is there already."""
    named = next(
        (status.environment_name for status in reversed(statuses_in_order(deployment)) if status.environment_name), ""
    )
    environment = catalog.environment(named) if named and source == Source.GITHUB else deployment.environment
    if deployment.environment_id == environment.pk:
        return deployment
    return move_to_environment(catalog, deployment, environment)


def move_to_environment(catalog: Catalog, deployment: Deployment, environment: Environment) -> Deployment:
    """Bring a deployment elsewhere, and return it, or what it is there already. The caller saves."""
    track, _ = Track.objects.get_or_create(application=deployment.application, environment=environment)
    Track.objects.select_for_update(no_key=True).get(pk=track.pk)
    catalog.told_elsewhere[track.pk] = True
    same = find_untold(track, deployment.commit_sha, deployment.deployed_at, *deployment.sources)
    _leave_stated_time_to_others(deployment, track)
    _move_to(deployment, track)
    if same is None:
        return deployment
    deployment.save()
    # Whoever created it through the API goes on with the id that it was given.
    kept, other = (deployment, same) if Source.API in deployment.sources else (same, deployment)
    unite(kept, other)
    return kept


def _leave_stated_time_to_others(deployment: Deployment, track: Track) -> None:
    """Where the same version was there at the same stated time, its time is no more what tells it apart."""
    twins = Deployment.objects.filter(
        track=track,
        version=deployment.version,
        commit_sha=deployment.commit_sha,
        deployed_at=deployment.deployed_at,
        deployed_at_is_stated=True,
    )
    if deployment.deployed_at_is_stated and twins.exclude(pk=deployment.pk).exists():
        deployment.deployed_at_is_stated = False
        deployment.origins.update(reached_at_is_stated=False)


def _follow_statuses(deployment: Deployment, origin: DeploymentOrigin) -> None:
    """Bring a deployment in line with all statuses that are known of it, in whatever order they arrived."""
    statuses = statuses_in_order(deployment)
    told = [status for status in statuses if status.external_id is not None]
    if told and origin.source == Source.GITHUB:
        origin.deployment = deployment
        origin.reached_at = next((s.created_at for s in told if s.state == DeploymentState.SUCCESS), None)
        origin.save(update_fields=["reached_at"])
        for name in ("environment_url", "log_url"):
            if text := next((getattr(s, name) for s in reversed(told) if getattr(s, name)), ""):
                setattr(deployment, name, text)
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
    judge_attempt(deployment)


def judge_attempt(deployment: Deployment) -> None:
    """Have the verdict found on a deployment that failed without reaching its environment. The caller saves."""
    may_have_failed = (*FAILED_STATES, DeploymentState.INACTIVE)
    if not deployment.reached_environment and (deployment.has_failed or deployment.state in may_have_failed):
        deployment.verdict_pending = True


def settle(deployment: Deployment) -> None:
    """Set the version and the time that follow from all that told of a deployment. The caller saves.

    A stated time counts before any other, else the first time that anybody told of success.
    """
    origins = list(deployment.origins.all())
    if not origins:
        return
    best = min(origins, key=lambda origin: (_PRECEDENCE.index(origin.source), origin.pk))
    if deployment.version != best.version:
        deployment.version = best.version
        # Verdicts go by versions too, and by what is worked out.
        deployment.lineage_pending = deployment.lineage_pending or deployment.reached_environment
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


def _move_to(deployment: Deployment, track: Track) -> None:
    """Move a deployment to another track of its application. Both are worked out anew."""
    if deployment.change_kind:
        Track.objects.filter(Q(pk=deployment.track_id) | Q(pk=track.pk)).update(rebuild_pending=True)
        for model in (ShippedCommit, Change, HistoryGap):
            model.objects.filter(deployment=deployment).delete()
    deployment.track, deployment.environment = track, track.environment
    deployment.lineage_pending = deployment.lineage_pending or deployment.reached_environment
