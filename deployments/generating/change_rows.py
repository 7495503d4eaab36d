"""Writes out what deployments shipped: marks, changes, and the gaps where nobody told of commits."""

import itertools

import numpy as np
from numpy.typing import NDArray

from deployments.generating import texts
from deployments.generating.histories import PlannedRepository, PlannedTrack
from deployments.generating.landings import Style
from deployments.generating.loading import Loader
from deployments.generating.outcomes import BASELINE, REDEPLOY, UNKNOWN, Indices
from deployments.models import Change, HistoryGap, ShippedCommit

_OUTCOMES = np.array([ShippedCommit.Outcome.OUTSIDE_PATH.value, ShippedCommit.Outcome.CHANGE.value], object)


def write_gaps(loader: Loader, planned: PlannedRepository, track: PlannedTrack, chosen: slice) -> None:
    """Write which commits nobody told of that deployments lead to."""
    entries = np.arange(chosen.start, chosen.stop)
    kind = track.history.kind[chosen]
    previous = track.history.previous[chosen]
    for wanted, of, concerns_kind_only in (
        (np.isin(kind, (BASELINE, UNKNOWN)), entries, 0),
        (np.isin(kind, (REDEPLOY, UNKNOWN)), entries, 1),
        (kind == UNKNOWN, previous, 1),
    ):
        position = track.history.position[of[wanted]]
        loader.add(
            HistoryGap, len(position), repository_id=planned.household.repository.pk,
            deployment_id=track.deployments.ids(entries[wanted]), concerns_kind_only=concerns_kind_only,
            sha=texts.hashes(planned.shas, planned.last_commit[position]),
        )  # fmt: skip


def write_marks(
    loader: Loader, planned: PlannedRepository, track: PlannedTrack, counts: NDArray[np.bool_], chosen: slice
) -> None:
    history = track.history
    first = history.first
    if first < 0 or chosen.stop <= first:
        return
    baseline = int(history.position[first])
    if chosen.start <= first:
        loader.add(
            ShippedCommit, 1, track_id=track.track.pk, deployment_id=track.deployments.ids(np.array([first])),
            commit_id=planned.commits.ids(planned.last_commit[baseline : baseline + 1].astype(np.int64)),
            outcome=ShippedCommit.Outcome.BASELINE.value,
        )  # fmt: skip
    below = max(baseline, int(history.highest[chosen.start - 1]) if chosen.start else -1)
    positions = np.arange(below + 1, int(history.highest[chosen.stop - 1]) + 1)
    if not len(positions):
        return
    entries = chosen.start + np.searchsorted(history.highest[chosen], positions, side="left")
    commits = planned.landings["commits"][positions]
    places = np.arange(planned.last_commit[below] + 1, planned.last_commit[positions[-1]] + 1, dtype=np.int64)
    deployments = track.deployments.ids(entries)
    loader.add(
        ShippedCommit, len(places), track_id=track.track.pk, commit_id=planned.commits.ids(places),
        deployment_id=np.repeat(deployments, commits),
        outcome=_OUTCOMES[np.repeat(counts[positions], commits).astype(np.int8)].tolist(),
    )  # fmt: skip
    counting = counts[positions]
    _write_changes(loader, planned, positions[counting], deployments[counting], history.at[entries[counting]])


def _write_changes(
    loader: Loader, planned: PlannedRepository, positions: Indices, deployments: Indices, deployed_at: Indices
) -> None:
    rows = planned.landings[positions]
    is_pull_request = rows["style"] != Style.SINGLE
    place = planned.pull_request_place[positions].astype(np.int64)
    started, opened, ready, merged = (rows[name] for name in ("first_commit_at", "opened_at", "ready_at", "at"))
    reviewed = np.where(rows["reviewed_at"] > 0, rows["reviewed_at"], merged)
    ends = (started, opened, ready, reviewed, merged, deployed_at)
    coding, draft, waiting, review, deploying = (
        texts.or_none(until - since, is_pull_request) for since, until in itertools.pairwise(ends)
    )
    lead = deployed_at - started
    loader.add(
        Change, len(rows), deployment_id=deployments,
        commit_id=planned.commits.ids(planned.last_commit[positions].astype(np.int64)),
        pull_request_id=texts.or_none(planned.pull_requests.ids(place), is_pull_request),
        started_at=texts.times(started), lead_time_seconds=np.maximum(lead, 0), clock_was_ahead=lead < 0,
        coding_seconds=coding, draft_seconds=draft, waiting_for_review_seconds=waiting, review_seconds=review,
        waiting_for_deployment_seconds=deploying, files_are_unknown=0,
    )  # fmt: skip
