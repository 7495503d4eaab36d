"""Makes up a whole history and loads it."""

import datetime
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from deployments.generating.deployment_rows import write_track
from deployments.generating.failure_rows import write_failures
from deployments.generating.histories import PlannedRepository, PlannedTrack, number_things, plan_repository
from deployments.generating.loading import Loader, loading
from deployments.generating.moments import DAY, Calendar, Moments
from deployments.generating.organisation import found
from deployments.generating.repository_rows import write_repository
from deployments.generating.texts import hashes
from deployments.models import (
    Change,
    Commit,
    Deployment,
    DeploymentOrigin,
    DeploymentStatus,
    FailureFinding,
    HistoryGap,
    Incident,
    PullRequest,
    PullRequestCommit,
    PullRequestReview,
    ShippedCommit,
    Track,
    Workspace,
)
from deployments.signals import tell_days_changed
from deployments.waiting import MOST_COMMITS

_TABLES = (
    Commit, PullRequest, PullRequestCommit, PullRequestReview, Deployment, DeploymentStatus, DeploymentOrigin,
    ShippedCommit, Change, HistoryGap, Incident, FailureFinding,
)  # fmt: skip
# What is written at once: large enough not to be slow, small enough for the memory and for what belongs together to
# lie together on the disk.
_MOST_PARTS, _DEPLOYMENTS_IN_A_PART = 50, 40_000

# Called with the name of a step, how many of what it has to do are done, and how many there are.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Wish:
    """What history is wanted. The same wish makes the same history."""

    deployments: int
    applications: int
    years: int
    last_day: datetime.date
    seed: int


def make_history(workspace: Workspace, wish: Wish, progress: Progress, *, is_new: bool) -> None:
    """Fill an empty workspace with a made-up history, in one transaction.

    Of the days of a new workspace nobody can have made anything yet, so nobody is told of them.
    """
    first_day = wish.last_day - datetime.timedelta(days=round(365.25 * wish.years) - 1)
    parts = min(_MOST_PARTS, 1 + wish.deployments // _DEPLOYMENTS_IN_A_PART)
    calendar = Calendar(first_day, wish.last_day, parts=parts)
    with loading(_TABLES, wish.deployments) as loader:
        households = found(workspace, calendar, wish.deployments, wish.applications, wish.seed)
        repositories = []
        for number, household in enumerate(households):
            rng = np.random.default_rng([wish.seed, 2, number])
            repositories.append(plan_repository(rng, calendar, household))
            progress("repositories", number + 1, len(households))
        next_id = {"commit": Commit, "pull_request": PullRequest, "deployment": Deployment}
        number_things(repositories, calendar, {name: loader.next_id[table] for name, table in next_id.items()})
        for planned in repositories:
            _store_tracks(planned)
        _write(loader, repositories, len(calendar.parts), wish.deployments, progress)
        for name, table in next_id.items():
            loader.next_id[table] += sum(_numbered(planned, name) for planned in repositories)
        if not is_new:
            _tell(repositories)


def _write(
    loader: Loader, repositories: list[PlannedRepository], parts: int, deployments: int, progress: Progress
) -> None:
    """Write all rows, part by part: as they would have arrived, so that what is of one time lies together."""
    written = 0
    for part in range(parts):
        for planned in repositories:
            write_repository(loader, planned, part)
        for planned in repositories:
            for track in planned.tracks:
                write_track(loader, planned, track, part)
                chosen = track.deployments.of_part(part)
                written += chosen.stop - chosen.start
            progress("deployments", written, deployments)
    for planned in repositories:
        for track in planned.tracks:
            write_failures(loader, planned, track)


def _store_tracks(planned: PlannedRepository) -> None:
    """Store the tracks with what is known of their baselines and of what waits, and where the main branch stands."""
    for track in planned.tracks:
        track.track.baseline_frontier = _frontier(planned, track)
        track.track.waiting_changes, track.track.waiting_since = _waiting(planned, track)
    Track.objects.bulk_create(track.track for track in planned.tracks)
    repository = planned.household.repository
    repository.default_branch = "main"
    if planned.household.sends_commits:
        repository.default_branch_sha = hashes(planned.shas, planned.last_commit[-1:].astype(np.int64))[0]
    repository.save(update_fields=["default_branch", "default_branch_sha"])


def _waiting(planned: PlannedRepository, track: PlannedTrack) -> tuple[int | None, datetime.datetime | None]:
    """Return how many changes wait for the track, and since when the oldest one that is looked at does."""
    if track.counts is None or track.history.first < 0:
        return None, None
    newest = planned.last_commit[-1]
    deployed = int(track.history.highest[-1])
    is_capped = newest - planned.last_commit[deployed] > MOST_COMMITS
    looked_at = (planned.last_commit > newest - MOST_COMMITS - 1) if is_capped else slice(None)
    counts = track.counts.copy()
    counts[: deployed + 1] = False
    waiting = planned.landings["at"][looked_at][counts[looked_at]]
    if not len(waiting):
        return (MOST_COMMITS + 1 if is_capped else 0), None
    since = datetime.datetime.fromtimestamp(int(waiting[0]), datetime.UTC)
    return (MOST_COMMITS + 1 if is_capped else len(waiting)), since


def _frontier(planned: PlannedRepository, track: PlannedTrack) -> list[list[object]]:
    """Return the commit below the baseline, with its generation: there walking stopped."""
    if track.counts is None or track.history.first < 0:
        return []
    position = int(track.history.position[track.history.first])
    place = int(planned.last_commit[position]) - 1
    landing = int(np.searchsorted(planned.last_commit, place))
    generation = int(planned.landings["at"][landing]) - (int(planned.last_commit[landing]) - place)
    return [[generation, hashes(planned.shas, np.array([place]))[0]]]


def _numbered(planned: PlannedRepository, name: str) -> int:
    if name == "deployment":
        return sum(int(track.deployments.bounds[-1]) for track in planned.tracks)
    if not planned.household.sends_commits:
        return 0
    if name == "pull_request":
        return int(planned.pull_requests.bounds[-1])
    return int(planned.commits.bounds[-1] + planned.branch_commits.bounds[-1])


def _tell(repositories: list[PlannedRepository]) -> None:
    """Tell of every day on which anything was deployed, wherever days begin: of the first and last moment of each."""
    moments: dict[int, list[Moments]] = {}
    for planned in repositories:
        for track in planned.tracks:
            moments.setdefault(track.track.environment_id, []).append(track.history.at)
    for environment_id, parts in moments.items():
        ordered = np.sort(np.concatenate(parts))
        is_first = np.diff(ordered // DAY, prepend=-1) > 0
        edges = ordered[is_first | np.append(is_first[1:], True)]
        tell_days_changed(
            (environment_id, datetime.datetime.fromtimestamp(moment, datetime.UTC), None) for moment in edges.tolist()
        )
