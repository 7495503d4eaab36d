"""Works out what waits to be deployed: changes in a repository's default branch that are not on a track yet.

They are what a deployment of the branch's newest commit would ship now, by the rules of lineage. Tracks to count
again are marked `waiting_pending` in the transaction that changed what they depend on.
"""

import datetime
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from deployments.graph import TrackGraph
from deployments.grouping import Mark, NewChange, outcome_of, path_of, preview
from deployments.lineage import NewCommits, new_commits
from deployments.models import Commit, Deployment, PullRequest, Track

# No more commits are looked at. Of a track that lags further behind, only that is known.
MOST_COMMITS = 5_000
_CHUNK = 5_000
_LAST = datetime.datetime.max.replace(tzinfo=datetime.UTC)


@dataclass(frozen=True, slots=True)
class WaitingChange:
    """A change that is merged and not deployed. `since` is None where nobody dated it."""

    sha: str
    pull_request: PullRequest | None
    title: str
    author: str
    since: datetime.datetime | None


def tracks_to_count() -> list[int]:
    """Return the ids of the tracks for which other changes may wait than before."""
    return list(Track.objects.filter(waiting_pending=True).order_by("pk").values_list("pk", flat=True))


@transaction.atomic
def count_waiting(track_id: int) -> None:
    """Store how many changes wait for a track, and since when the first does, unless that is known."""
    # Whoever changes what it depends on marks the track in the same transaction, so holding the track is enough.
    tracks = _tracks().select_for_update(of=("self",), no_key=True)
    track = tracks.filter(pk=track_id, waiting_pending=True).first()
    if track is None:
        return
    found = _look(track)
    times = [since for since in found.since.values() if since is not None] if found else []
    Track.objects.filter(pk=track.pk).update(
        waiting_changes=found.number if found else None,
        waiting_since=min(times, default=None),
        waiting_pending=False,
    )


def waiting_on(track: Track, limit: int) -> list[WaitingChange]:
    """Return the changes that have waited longest for a track, the oldest first."""
    found = _look(_tracks().get(pk=track.pk))
    return [] if found is None else _rows(found, limit)


def is_more_than_known(waiting_changes: int | None) -> bool:
    """Tell whether so many commits wait that they were not all looked at."""
    return waiting_changes is not None and waiting_changes > MOST_COMMITS


def _tracks() -> Any:
    return Track.objects.select_related("application__repository", "application__workspace")


@dataclass(frozen=True, slots=True)
class _Found:
    number: int
    changes: list[NewChange]
    since: dict[int, datetime.datetime | None]  # by id of the commit of each change


def _look(track: Track) -> _Found | None:
    """Return what waits; None where nobody told of the branch, or where nothing is deployed."""
    tip = track.application.repository.default_branch_sha
    latest = Deployment.objects.reached().filter(track=track).newest_first().first()
    if not tip or latest is None:
        return None
    graph = TrackGraph(track, track.application.repository_id)
    found = _not_deployed(track, graph, tip)
    if tip in found.missing and graph.node(tip) is None:
        return None
    following = Deployment(pk=0, track=track, monorepo_path=latest.monorepo_path, deployed_at=_LAST)
    marks, dates = _marks(track, graph, following, found.commits)
    changes = preview(track, following, marks)
    is_capped = len(found.commits) > MOST_COMMITS
    return _Found(
        MOST_COMMITS + 1 if is_capped else len(changes),
        changes,
        {change.commit_id: _since(change, dates[change.commit_id]) for change in changes},
    )


def _since(change: NewChange, committed_at: datetime.datetime | None) -> datetime.datetime | None:
    """Return when a change was merged, or else committed."""
    merged_at = change.pull_request.merged_at if change.pull_request else None
    return merged_at or committed_at


def _not_deployed(track: Track, graph: TrackGraph, tip: str) -> NewCommits:
    frontier = [(generation, sha) for generation, sha in track.baseline_frontier]
    return new_commits(tip, graph, _is_deployed(track, graph), frontier, limit=MOST_COMMITS + 1)


def _is_deployed(track: Track, graph: TrackGraph) -> Callable[[str], bool]:
    def is_deployed(sha: str) -> bool:
        if graph.owner(sha) is not None:
            return True
        # An unknown commit is not marked, but it may be what was deployed.
        return graph.node(sha) is None and Deployment.objects.reached().filter(track=track, commit_sha=sha).exists()

    return is_deployed


def _marks(
    track: Track, graph: TrackGraph, following: Deployment, shas: list[str]
) -> tuple[list[Mark], dict[int, datetime.datetime | None]]:
    """Return what each commit would count as, and when it was committed, by its id."""
    facts = {graph.facts(sha).id: sha for sha in shas}
    files = _files(facts) if path_of(track, following) else {}
    marks, dates = [], {}
    for id_, committed_at, authored_at in _values(facts, "pk", "committed_at", "authored_at"):
        dates[id_] = committed_at or authored_at
        sha = facts[id_]
        node = graph.node(sha)
        assert node is not None, "a walk finds only known commits"
        outcome = outcome_of(track, following, is_merge=graph.facts(sha).is_merge, files=files.get(id_))
        marks.append(
            Mark(
                id_, sha, node.generation, following.pk, _LAST, outcome,
                has_files=files.get(id_) is not None, started_at=authored_at or committed_at,
            )
        )  # fmt: skip
    return marks, dates


def _files(ids: Iterable[int]) -> dict[int, str | None]:
    return dict(_values(ids, "pk", "files"))


def _values(ids: Iterable[int], *names: str) -> Iterable[Any]:
    ordered = sorted(ids)
    for start in range(0, len(ordered), _CHUNK):
        yield from Commit.objects.filter(pk__in=ordered[start : start + _CHUNK]).values_list(*names)


def _rows(found: _Found, limit: int) -> list[WaitingChange]:
    def age(change: NewChange) -> tuple[datetime.datetime, int]:
        return (found.since[change.commit_id] or _LAST, change.commit_id)

    oldest = sorted(found.changes, key=age)[:limit]
    commits = Commit.objects.in_bulk([change.commit_id for change in oldest])
    return [_row(change, commits[change.commit_id], found.since[change.commit_id]) for change in oldest]


def _row(change: NewChange, commit: Commit, since: datetime.datetime | None) -> WaitingChange:
    pull_request = change.pull_request
    if pull_request is None:
        return WaitingChange(commit.sha, None, commit.subject, commit.author, since)
    return WaitingChange(commit.sha, pull_request, pull_request.title, pull_request.author, since)
