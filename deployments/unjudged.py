"""Marks the deployments whose verdicts have to be found anew, which `deployments.verdicts` does."""

import datetime
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.db.models import OuterRef, Q, Subquery

from deployments.models import Deployment, DeploymentState
from deployments.signals import tell_days_changed

_CHUNK = 5_000
# States in which a deployment may have failed without having reached its environment.
_MAY_HAVE_FAILED = (DeploymentState.FAILURE, DeploymentState.ERROR, DeploymentState.INACTIVE)


@dataclass(frozen=True, slots=True)
class _Changed:
    """What is other than it was on a track, as far as it bears on the verdicts on other deployments."""

    ids: set[int]
    versions: set[str]
    commits: set[str]
    first: datetime.datetime
    last: datetime.datetime
    before_first: datetime.datetime | None  # when what ran before the first one was deployed


def may_have_failed() -> Q:
    """Return what tells the deployments that count as failed or may, though they shipped nothing that tells."""
    return Q(has_failed=True) | Q(reached_environment=False, state__in=_MAY_HAVE_FAILED)


def mark_unjudged(track_id: int, deployment_ids: Collection[int]) -> None:
    """Have the verdicts found anew on deployments of a track that changed, and on those that depend on them.

    These are the next ones that reached the environment, later ones that refer back or return to the same, and
    those around them that failed. The days of those that changed are told of. The caller holds the track.
    """
    changed = _read(deployment_ids)
    if changed is None:
        return
    rows = Deployment.objects.filter(track=track_id, verdict_pending=False)
    ordered = sorted(changed.ids)
    for start in range(0, len(ordered), _CHUNK):
        rows.filter(pk__in=ordered[start : start + _CHUNK]).update(verdict_pending=True)
    returning = Q(refers_back=True) | Q(commit_sha__in=changed.commits) | Q(version__in=changed.versions)
    near = rows if changed.before_first is None else rows.filter(deployed_at__gte=changed.before_first)
    near.filter(
        Q(returning, deployed_at__gte=changed.first) | Q(may_have_failed(), deployed_at__lte=changed.last)
    ).update(verdict_pending=True)


def _read(deployment_ids: Collection[int]) -> _Changed | None:
    beside = Deployment.objects.reached().filter(track=OuterRef("track"))
    following = beside.filter(
        Q(deployed_at__gt=OuterRef("deployed_at")) | Q(deployed_at=OuterRef("deployed_at"), id__gt=OuterRef("id")),
        deployed_at__gte=OuterRef("deployed_at"),
    ).in_track_order()
    previous = beside.filter(
        Q(deployed_at__lt=OuterRef("deployed_at")) | Q(deployed_at=OuterRef("deployed_at"), id__lt=OuterRef("id")),
        deployed_at__lte=OuterRef("deployed_at"),
    ).newest_first()
    found: list[tuple[Any, ...]] = []
    ordered = sorted(deployment_ids)
    for start in range(0, len(ordered), _CHUNK):
        rows = Deployment.objects.filter(pk__in=ordered[start : start + _CHUNK]).annotate(
            following_id=Subquery(following.values("id")[:1]),
            previous_at=Subquery(previous.values("deployed_at")[:1]),
        )
        found += rows.values_list(
            "deployed_at",
            "id",
            "environment_id",
            "version",
            "commit_sha",
            "following_id",
            "previous_at",
            "application_id",
        )
    if not found:
        return None
    tell_days_changed((row[2], row[0], row[7]) for row in found)
    first, last = min(found), max(found)
    return _Changed(
        ids={row[1] for row in found} | {row[5] for row in found if row[5] is not None},
        versions={row[3] for row in found},
        commits={row[4] for row in found},
        first=first[0],
        last=last[0],
        before_first=first[6],
    )
