"""Creates deployments and adds to the history of their statuses at once, as GitHub's API does.

What follows for changes, verdicts and metrics is left to a worker, by the marks that `origins` sets.
"""

import datetime
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from deployments.catalog import Catalog
from deployments.models import Deployment, DeploymentState, DeploymentStatus, Environment, Repository, Track
from deployments.names import name_key
from deployments.origins import (
    add_own_origin,
    apply_states,
    complete,
    find_untold,
    is_told_elsewhere,
    keep_own_origin,
    move_in_time,
    move_to_environment,
    settle,
    statuses_in_order,
)
from deployments.recording import archive, follow_monorepo_path
from deployments.signals import deployment_reported

_API = Deployment.Source.API


class StillActive(Exception):
    """A deployment is what runs in its environment, and others are known there: it cannot be deleted."""


@dataclass(frozen=True, slots=True)
class NewDeployment:
    """A deployment that is about to begin. Without `app` it is of the application called like the repository."""

    environment: str
    version: str
    commit_sha: str
    ref: str
    task: str
    description: str = ""
    payload: Any = None
    app: str = ""
    author: str = ""
    creator: str = ""
    monorepo_path: str | None = None
    is_transient: bool = False
    is_production: bool = False

    # The names that `origins` has for what completes a deployment.
    @property
    def log_url(self) -> str:
        return ""

    @property
    def original_environment(self) -> str:
        return self.environment

    @property
    def production_environment(self) -> bool:
        return self.is_production


@dataclass(frozen=True, slots=True)
class NewStatus:
    """What is to be added to a deployment's history. Without `environment` it stays where it is."""

    state: str
    description: str = ""
    environment: str = ""
    environment_url: str = ""
    log_url: str = ""
    creator: str = ""
    makes_others_inactive: bool = True


def create_deployment(
    catalog: Catalog, repository: Repository, new: NewDeployment, *, now: datetime.datetime
) -> Deployment:
    """Record a deployment that has reached nothing yet. The caller holds a transaction, and rings the bell after it.

    Where another source told of the same deployment it is that one, see `origins`.
    """
    application = (
        catalog.application(repository, new.app)
        if new.app
        else catalog.default_application(repository, repository.short_name)
    )
    environment = catalog.environment(new.environment)
    track = catalog.track(application, environment)
    _hold(Track.objects.filter(pk=track.pk))
    if new.is_production:
        catalog.mark_as_production(environment)
    known = find_untold(track, new.commit_sha, now, _API) if is_told_elsewhere(catalog, track) else None
    deployment = _join(known, new) if known else _create(track, new, now)
    if new.monorepo_path is not None:
        follow_monorepo_path(application, new.monorepo_path)
    if known is None:
        deployment_reported.send(sender=None, deployment=deployment, status=None, is_new=True)
    return deployment


def _hold(tracks: QuerySet[Track]) -> None:
    # In one order, so that two requests never wait for one another.
    list(tracks.select_for_update(no_key=True).order_by("pk").values_list("pk"))


def _join(known: Deployment, new: NewDeployment) -> Deployment:
    keep_own_origin(known)
    complete(known, new)
    known.creator = known.creator or new.creator
    add_own_origin(known, version=new.version)
    settle(known)
    known.save()
    return known


def _create(track: Track, new: NewDeployment, now: datetime.datetime) -> Deployment:
    return Deployment.objects.create(
        workspace=track.application.workspace,
        track=track,
        application=track.application,
        environment=track.environment,
        version=new.version,
        commit_sha=new.commit_sha,
        ref=new.ref,
        task=new.task,
        description=new.description,
        payload=new.payload,
        original_environment=new.environment,
        production_environment=new.is_production,
        is_transient=new.is_transient,
        monorepo_path=new.monorepo_path,
        author=new.author,
        creator=new.creator,
        state=DeploymentState.PENDING,
        deployed_at=now,
        created_at=now,
        source=_API,
        sources=[_API],
    )


def add_status(
    catalog: Catalog, deployment: Deployment, new: NewStatus, *, now: datetime.datetime
) -> DeploymentStatus:
    """Add a status, and what follows from it. The caller holds a transaction, and rings the bell after it.

    Raises Deployment.DoesNotExist where it has gone meanwhile.
    """
    target = catalog.environment(new.environment) if new.environment else deployment.environment
    catalog.track(deployment.application, target)
    repository = deployment.application.repository
    _hold_environments(repository, {deployment.environment_id, target.pk})
    rows = Deployment.objects.live().select_related("application__repository", "environment")
    deployment = rows.get(pk=deployment.pk)  # as it is now that nobody changes it
    if name_key(target.name) != deployment.environment.name_key:
        deployment = move_to_environment(catalog, deployment, target)
    status = DeploymentStatus.objects.create(
        deployment=deployment,
        state=new.state,
        description=new.description,
        environment_name=new.environment or environment_name(deployment),
        environment_url=new.environment_url,
        log_url=new.log_url,
        creator=new.creator,
        created_at=now,
    )
    for name in ("environment_url", "log_url"):
        if text := getattr(new, name):
            setattr(deployment, name, text)
    _follow_status(deployment, status)
    deployment.save()
    deployment_reported.send(sender=None, deployment=deployment, status=status, is_new=False)
    if new.state == DeploymentState.SUCCESS and new.makes_others_inactive:
        _make_inactive(_prior(repository, deployment), new.creator, now)
    return status


def _hold_environments(repository: Repository, environments: Collection[int]) -> None:
    _hold(Track.objects.of_repository(repository).filter(environment__in=environments))


def environment_name(deployment: Deployment) -> str:
    """Return what its environment is called, as whoever created it wrote the name."""
    spelled = deployment.original_environment
    return spelled if name_key(spelled) == deployment.environment.name_key else deployment.environment.name


def is_production(deployment: Deployment) -> bool:
    """Tell whether it is one to production: as whoever created it said, or else as its environment is."""
    said = deployment.production_environment
    return deployment.environment.is_production if said is None else said


def _follow_status(deployment: Deployment, latest: DeploymentStatus) -> None:
    """Bring a deployment in line with its history. The caller saves."""
    statuses = statuses_in_order(deployment)
    states = [status.state for status in statuses]
    succeeded = next((status.created_at for status in statuses if status.state == DeploymentState.SUCCESS), None)
    if deployment.sources == [_API] and not deployment.origins.exists():
        if not deployment.deployed_at_is_stated:
            # Before it counts: so nothing that stands between has to be worked out anew.
            move_in_time(deployment, succeeded or latest.created_at)
        apply_states(deployment, states)
        return
    keep_own_origin(deployment)
    add_own_origin(
        deployment,
        version=deployment.version,
        reached_at=latest.created_at if latest.state == DeploymentState.SUCCESS else None,
    )
    if not deployment.origins.exclude(reached_at=None).exists():
        move_in_time(deployment, latest.created_at)  # it is under way, or failed, until now
    settle(deployment)
    apply_states(deployment, states)


def _prior(repository: Repository, deployment: Deployment) -> list[Deployment]:
    """Return what a success replaces: GitHub's `auto_inactive`."""
    rows = Deployment.objects.live().filter(
        application__repository=repository,
        environment=deployment.environment_id,
        state=DeploymentState.SUCCESS,
        is_transient=False,
        pk__lt=deployment.pk,
    )
    rows = rows.exclude(production_environment=True).select_related("environment")
    return [row for row in rows if not is_production(row)]


def _make_inactive(replaced: Collection[Deployment], creator: str, now: datetime.datetime) -> None:
    """Say of deployments that another took their place: that changes nothing in what they reached."""
    DeploymentStatus.objects.bulk_create(
        DeploymentStatus(
            deployment=row,
            state=DeploymentState.INACTIVE,
            environment_name=environment_name(row),
            creator=creator,
            created_at=now,
        )
        for row in replaced
    )
    Deployment.objects.filter(pk__in=[row.pk for row in replaced]).update(state=DeploymentState.INACTIVE)


def delete_deployment(deployment: Deployment) -> None:
    """Archive a deployment, by GitHub's rule: an active one only where it is the only one in its environment.

    The caller holds a transaction, and rings the bell after it. Raises StillActive, and Deployment.DoesNotExist.
    """
    repository = deployment.application.repository
    _hold_environments(repository, {deployment.environment_id})
    deployment = Deployment.objects.live().get(pk=deployment.pk)
    others = Deployment.objects.live().filter(
        application__repository=repository, environment=deployment.environment_id
    )
    if deployment.state == DeploymentState.SUCCESS and others.exclude(pk=deployment.pk).exists():
        raise StillActive
    archive(deployment)


def delete_environment(repository: Repository, environment: Environment, now: datetime.datetime) -> None:
    """Leave an environment out of the repository's list until something is deployed to it again."""
    tracks = Track.objects.of_repository(repository).filter(environment=environment)
    tracks.update(environment_deleted_at=now)
