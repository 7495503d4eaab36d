"""Writes out the deployments of tracks."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from deployments.generating import texts
from deployments.generating.change_rows import write_gaps, write_marks
from deployments.generating.histories import PlannedRepository, PlannedTrack
from deployments.generating.loading import Loader
from deployments.generating.outcomes import BASELINE, KINDS, UNKNOWN, Indices
from deployments.models import Deployment, DeploymentOrigin, DeploymentStatus

_GITHUB, _API = Deployment.Source.GITHUB.value, Deployment.Source.API.value


def write_track(loader: Loader, planned: PlannedRepository, track: PlannedTrack, part: int) -> None:
    """Write what was deployed on a track in a part, and what it shipped."""
    chosen = track.deployments.of_part(part)
    if chosen.start == chosen.stop:
        return
    _write_deployments(loader, planned, track, chosen)
    if track.counts is None:
        write_gaps(loader, planned, track, chosen)
    else:
        write_marks(loader, planned, track, track.counts, chosen)


def _write_deployments(loader: Loader, planned: PlannedRepository, track: PlannedTrack, chosen: slice) -> None:
    member = track.member
    ids = track.deployments.ids(np.arange(chosen.start, chosen.stop))
    position = track.history.position[chosen].astype(np.int64)
    reached = track.history.reached[chosen]
    told: dict[str, Any] = {
        "version": texts.versions(planned, position),
        "state": np.where(reached, "success", "failure").tolist(),
        "at": texts.times(track.history.at[chosen]),
        "source": _GITHUB if member.is_reported_by_github else _API,
    }
    people = planned.household.people
    authors = planned.landings["author"][position] % (len(people) - 1)
    loader.add(
        Deployment, len(ids), id=ids, workspace_id=planned.household.repository.workspace_id,
        track_id=track.track.pk, application_id=member.application.pk, environment_id=track.track.environment_id,
        version=told["version"], commit_sha=texts.hashes(planned.shas, planned.last_commit[position]),
        author=[people[author] for author in authors.tolist()], monorepo_path=member.path or None,
        state=told["state"], reached_environment=reached, deployed_at=told["at"], created_at=told["at"],
        deployed_at_is_stated=int(member.states_times), source=told["source"], sources=f'["{told["source"]}"]',
        ref="main" if member.is_reported_by_github else "",
        fixes_version=_fixes_versions(planned, track.history.fixes[chosen]), **_derived(track, ids, chosen),
    )  # fmt: skip
    external = ids if member.is_reported_by_github else None
    loader.add(
        DeploymentStatus, len(ids), deployment_id=ids, state=told["state"], created_at=told["at"],
        external_id=external,
    )  # fmt: skip
    if external is not None:
        loader.add(
            DeploymentOrigin, len(ids), deployment_id=ids, application_id=member.application.pk,
            source=told["source"], external_id=[str(number) for number in ids.tolist()], version=told["version"],
            reached_at=[moment if good else None for moment, good in zip(told["at"], reached.tolist(), strict=True)],
        )  # fmt: skip


def _fixes_versions(planned: PlannedRepository, fixes: NDArray[np.int32]) -> list[str]:
    versions = [""] * len(fixes)
    named = np.flatnonzero(fixes >= 0)
    for place, version in zip(named.tolist(), texts.versions(planned, fixes[named]), strict=True):
        versions[place] = version
    return versions


def _derived(track: PlannedTrack, ids: Indices, chosen: slice) -> dict[str, Any]:
    """Return what is worked out of deployments, never told."""
    history, verdicts = track.history, track.verdicts
    kind = history.kind[chosen]
    by = verdicts.repaired_by[chosen].astype(np.int64)
    is_unknown = (kind == UNKNOWN) | ((kind == BASELINE) & (track.counts is None))
    return {
        "change_kind": [KINDS[number] for number in kind.tolist()],
        "changes_count": history.changes_count(chosen),
        "history_is_complete": ~is_unknown,
        "has_failed": verdicts.has_failed[chosen],
        "repaired_at": texts.times(verdicts.repaired_at[chosen]),
        "repaired_by_id": texts.or_none(track.deployments.ids(by), by >= 0),
        "is_rework": verdicts.is_rework[chosen],
        "refers_back": verdicts.refers_back[chosen],
    }
