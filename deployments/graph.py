"""The commit graph of a repository as one track sees it, read from the database a window at a time."""

import datetime
from dataclasses import dataclass
from typing import Any

from django.db.models import F, FilteredRelation, Min, Q

from deployments.lineage import Node
from deployments.models import Commit, Deployment, MissingParent, Track

# Where a deployment stands on its track.
Position = tuple[datetime.datetime, int]

_FIRST_WINDOW = 32
_WINDOW_GROWTH = 4
_LARGEST_WINDOW = 16384


@dataclass(frozen=True, slots=True)
class CommitFacts:
    """What attributing a commit needs of it."""

    id: int
    is_merge: bool
    started_at: datetime.datetime | None  # the author date; of what is known from a push only, the one that has


class TrackGraph:
    """A commit graph that knows which deployment of a track brought which commit.

    Walks go from a commit down to its ancestors, so a look-up brings a window of commits of the same or a lower
    generation with it. Windows grow while a walk goes on: few queries for a long walk, few rows for a short one.
    """

    def __init__(self, track: Track, repository_id: int) -> None:
        self._track = track
        self._repository_id = repository_id
        self._nodes: dict[str, Node | None] = {}
        self._facts: dict[str, CommitFacts] = {}
        self._owners: dict[str, Position] = {}
        self._positions: dict[int, Position] = {}
        self._window = _FIRST_WINDOW
        # Generations of which every commit has been read: from just above the first to the second.
        self._read: list[tuple[int, int]] = []
        self._is_complete: bool | None = None

    def begin_walk(self) -> None:
        """Read small windows again: another walk begins."""
        self._window = _FIRST_WINDOW

    def prepare(self, shas: list[str]) -> None:
        """Read at once what lies between several commits of which each will be walked from."""
        rows = list(self._commits().filter(sha__in=shas))
        if len(rows) < 2:
            return
        generations = [row[3] for row in rows]
        self._read_window(max(generations), min(generations), _LARGEST_WINDOW)

    def node(self, sha: str) -> Node | None:
        """Return the commit, or None where it is not known."""
        if sha not in self._nodes:
            self._load(sha)
        return self._nodes[sha]

    def lowest_child(self, sha: str) -> int | None:
        """Return the lowest generation of the known commits that name this unknown one as their parent."""
        children = MissingParent.objects.filter(repository_id=self._repository_id, sha=sha)
        lowest: int | None = children.aggregate(lowest=Min("child__generation"))["lowest"]
        return lowest

    def facts(self, sha: str) -> CommitFacts:
        """Return what is known of a commit that `node` has found."""
        return self._facts[sha]

    def owner(self, sha: str) -> Position | None:
        """Return the position of the deployment that brought the commit to the track, if any did."""
        self.node(sha)
        return self._owners.get(sha)

    def set_owner(self, sha: str, position: Position | None) -> None:
        """Note that a deployment brings the commit, or that none does."""
        if position is None:
            self._owners.pop(sha, None)
        else:
            self._owners[sha] = position

    @property
    def is_complete(self) -> bool:
        """Whether every parent that a commit of the repository names is known."""
        if self._is_complete is None:
            self._is_complete = not MissingParent.objects.filter(repository_id=self._repository_id).exists()
        return self._is_complete

    def _load(self, sha: str) -> None:
        """Read a commit and a window below it, down to what has been read before."""
        rows = list(self._commits().filter(sha=sha))
        self._add(rows)
        if not rows:
            self._nodes[sha] = None
            return
        top = rows[0][3]
        self._read_window(top, max((highest for _, highest in self._read if highest < top), default=-1), self._window)
        self._window = min(_WINDOW_GROWTH * self._window, _LARGEST_WINDOW)

    def _read_window(self, top: int, bottom: int, limit: int) -> None:
        """Read the highest commits of the generations above `bottom` up to `top`; remember how far that went."""
        window = self._commits().filter(generation__lte=top, generation__gt=bottom)
        rows = list(window.order_by("-generation")[:limit])
        self._add(rows)
        if len(rows) == limit:
            bottom = rows[-1][3]  # of this generation there may be more
        self._read.append((bottom, top))

    def _commits(self) -> Any:
        mark = FilteredRelation("shipped_commits", condition=Q(shipped_commits__track=self._track))
        return (
            Commit.objects.filter(repository_id=self._repository_id)
            .annotate(mark=mark, owner_id=F("mark__deployment_id"))
            .values_list("id", "sha", "parents", "generation", "authored_at", "committed_at", "owner_id")
        )

    def _add(self, rows: Any) -> None:
        owned: list[tuple[str, int]] = []
        for id_, sha, parents, generation, authored_at, committed_at, owner_id in rows:
            if self._nodes.get(sha) is not None:
                continue
            parent_shas = None if parents is None else tuple(parents.split())
            self._nodes[sha] = Node(sha, parent_shas, generation)
            self._facts[sha] = CommitFacts(id_, len(parent_shas or ()) > 1, authored_at or committed_at)
            if owner_id is not None:
                owned.append((sha, owner_id))
        unknown = {owner_id for _, owner_id in owned} - self._positions.keys()
        if unknown:
            positions = Deployment.objects.filter(pk__in=unknown).values_list("deployed_at", "id")
            self._positions.update((position[1], position) for position in positions)
        self._owners.update((sha, self._positions[owner_id]) for sha, owner_id in owned)


def position_of(deployment: Deployment) -> Position:
    """Return where a deployment stands on its track: by time, then by id."""
    return (deployment.deployed_at, deployment.pk)
