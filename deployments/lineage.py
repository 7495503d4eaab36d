"""Which commits a deployment brought, and how it relates to the one before it.

Plain functions over a commit graph: no database, no HTTP. Every commit carries a `generation` that is higher than
those of its parents (see `generation_of`), so a walk that always takes the highest commit next knows that nothing
it has still to visit can reach what it has visited. That is what keeps the work to what is new: `git rev-list
B --not TIPS` and `git merge-base` walk the same way (Git, gitformat-commit-graph, "generation numbers").
"""

import heapq
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Node:
    """A commit as the graph knows it. `parents` is None where nobody told them."""

    sha: str
    parents: tuple[str, ...] | None
    generation: int


class Graph(Protocol):
    """A commit graph, which need not be complete."""

    def node(self, sha: str) -> Node | None:
        """Return the commit, or None where it is not known."""

    def lowest_child(self, sha: str) -> int | None:
        """Return the lowest generation of the known commits that name this unknown one as their parent."""


class Relation(StrEnum):
    """How a commit stands to the one deployed before it."""

    SAME = "redeploy"
    DESCENDANT = "forward"
    ANCESTOR = "rollback"
    NEITHER = "diverged"
    UNKNOWN = "unknown"


# A commit on the edge of what is known of a set: its generation and its hash.
Frontier = list[tuple[int, str]]


@dataclass(slots=True)
class NewCommits:
    """What is reachable from a commit and from nothing that was deployed before."""

    commits: list[str] = field(default_factory=list)  # highest generation first
    missing: set[str] = field(default_factory=set)  # unknown commits that it leads to
    boundary: set[str] = field(default_factory=set)  # deployed before, with a child among the new ones
    # What the walk learnt about the baseline: commits that belong to it, where it stopped, what is unknown of it.
    baseline: list[str] = field(default_factory=list)
    frontier: Frontier = field(default_factory=list)
    baseline_missing: set[str] = field(default_factory=set)


def generation_of(committed_at: int | None, parent_generations: Iterable[int]) -> int:
    """Return the generation of a commit: Git's corrected commit date, in seconds.

    That is the committer date, or one more than the highest generation of its parents where that is later.
    """
    return max(committed_at or 0, max(parent_generations, default=0) + 1)


def new_commits(
    tip: str, graph: Graph, is_deployed: Callable[[str], bool], frontier: Frontier, limit: int | None = None
) -> NewCommits:
    """Return the commits of `git rev-list TIP --not EARLIER`, for what the graph knows.

    `is_deployed` tells whether a commit is known to be reachable from something deployed earlier. It need not
    know the ancestors of the baseline, which may be ten years of history: `frontier` has those commits from
    which the unmarked rest of the baseline is reached, and the walk goes down from there only as far as
    undecided commits force it to. With a limit it ends when it has found so many, the highest of them.
    """
    if is_deployed(tip):
        return NewCommits(boundary={tip}, frontier=frontier)
    start = graph.node(tip)
    if start is None:
        return NewCommits(missing={tip}, frontier=frontier)
    return _Walk(graph, is_deployed, frontier).go(start, limit)


class _Walk:
    """Goes down from a new tip and from the edge of the baseline at once, the highest commit first.

    When a commit is taken, everything that could reach it has been taken before: if the baseline has not
    claimed it by then, it is new.
    """

    def __init__(self, graph: Graph, is_deployed: Callable[[str], bool], frontier: Frontier) -> None:
        self.graph = graph
        self.is_deployed = is_deployed
        self.heap = [(-generation, sha) for generation, sha in frontier]
        heapq.heapify(self.heap)
        self.baseline = {sha for _, sha in frontier}
        self.undecided: set[str] = set()
        self.found = NewCommits()

    def go(self, start: Node, limit: int | None) -> NewCommits:
        """Walk until nothing is undecided, or until so many commits have been found."""
        self._queue_undecided(start)
        while self.undecided and (limit is None or len(self.found.commits) < limit):
            _, sha = heapq.heappop(self.heap)
            node = self.graph.node(sha)
            if node is None:  # of the frontier, and deleted meanwhile
                continue
            if sha in self.baseline:
                self._take_as_baseline(node)
            else:
                self._take_as_new(node)
        self.found.frontier = sorted((-negative, sha) for negative, sha in self.heap)
        return self.found

    def _queue_undecided(self, node: Node) -> None:
        if node.sha not in self.baseline and node.sha not in self.undecided:
            self.undecided.add(node.sha)
            heapq.heappush(self.heap, (-node.generation, node.sha))

    def _take_as_new(self, node: Node) -> None:
        self.undecided.discard(node.sha)
        self.found.commits.append(node.sha)
        if node.parents is None:
            self.found.missing.add(node.sha)
        for parent in node.parents or ():
            if parent in self.baseline or self.is_deployed(parent):
                self.found.boundary.add(parent)
            elif known := self.graph.node(parent):
                self._queue_undecided(known)
            else:
                self.found.missing.add(parent)

    def _take_as_baseline(self, node: Node) -> None:
        self.found.baseline.append(node.sha)
        if node.parents is None:
            self.found.baseline_missing.add(node.sha)
        for parent in node.parents or ():
            known = self.graph.node(parent)
            if known is None:
                # Even where it was deployed by itself since: when it arrives, it belongs to the baseline.
                self.found.baseline_missing.add(parent)
            elif parent in self.undecided:
                self.undecided.discard(parent)
                self.baseline.add(parent)
            elif parent not in self.baseline and not self.is_deployed(parent):
                self.baseline.add(parent)
                heapq.heappush(self.heap, (-known.generation, parent))


def is_ancestor(ancestor: Node, descendant: Node, graph: Graph) -> bool:
    """Tell whether one commit is known to be reachable from another, like `git merge-base --is-ancestor`.

    Visits only commits of a generation above the ancestor's.
    """
    if ancestor.sha == descendant.sha:
        return True
    stack, seen = [descendant], {descendant.sha}
    while stack:
        for parent in stack.pop().parents or ():
            if parent == ancestor.sha:
                return True
            if parent in seen:
                continue
            seen.add(parent)
            node = graph.node(parent)
            if node is not None and node.generation > ancestor.generation:
                stack.append(node)
    return False


def leading_to(ancestor: str, tips: Iterable[str], graph: Graph) -> set[str]:
    """Return those of the tips from which an older commit is known to be reachable, in one walk from all of them."""
    end = graph.node(ancestor)
    if end is None:
        return set()
    children: dict[str, list[str]] = {}
    stack = [node for tip in set(tips) if (node := graph.node(tip)) is not None]
    seen = {node.sha for node in stack}
    while stack:
        node = stack.pop()
        if node.generation <= end.generation:
            continue
        for parent in node.parents or ():
            children.setdefault(parent, []).append(node.sha)
            if parent not in seen and (known := graph.node(parent)) is not None:
                seen.add(parent)
                stack.append(known)
    above: set[str] = set()
    waiting = [ancestor]
    while waiting:
        fresh = [child for child in children.get(waiting.pop(), ()) if child not in above]
        above.update(fresh)
        waiting += fresh
    return above.intersection(tips)


def relation(tip: str, previous: str, graph: Graph, *, is_complete: bool) -> tuple[Relation, set[str]]:
    """Tell how a commit stands to the one deployed before, and which missing commits keep that from being known.

    `is_complete` says that no commit of the graph has an unknown parent.
    """
    if tip == previous:
        return Relation.SAME, set()
    tip_node, previous_node = graph.node(tip), graph.node(previous)
    if tip_node and previous_node:
        # Only the one of the higher generation can be the descendant.
        if tip_node.generation > previous_node.generation:
            if is_ancestor(previous_node, tip_node, graph):
                return Relation.DESCENDANT, set()
        elif is_ancestor(tip_node, previous_node, graph):
            return Relation.ANCESTOR, set()
        if is_complete:
            return Relation.NEITHER, set()
    return _Comparison(tip, previous, graph).go()


_TIP, _PREVIOUS, _BOTH = 1, 2, 3


class _Comparison:
    """Tells the same where parts of the history are missing: walks down from both commits, the highest first.

    A missing commit that only one of them leads to may have the other among its ancestors. One that both lead to
    cannot: it would be its own. So the walk may end when all that is left is reachable from both, or when a missing
    commit has been found that will stay one-sided: then the answer is not known, however long the history.
    """

    def __init__(self, tip: str, previous: str, graph: Graph) -> None:
        self.tip, self.previous, self.graph = tip, previous, graph
        self.sides = {tip: _TIP, previous: _PREVIOUS}
        self.heap: list[tuple[int, str]] = []
        self.one_sided = 0  # how many on the heap
        self.missing: list[str] = []
        self.floor: float = -1  # below this generation nothing more can be learnt of the missing commit looked at

    def go(self) -> tuple[Relation, set[str]]:
        """Return how the two relate, and which missing commits keep that from being known."""
        for sha in (self.tip, self.previous):
            self._reach(sha)
        while self.heap and not self._is_decided():
            self._step()
        if self.sides[self.previous] == _BOTH:
            return Relation.DESCENDANT, set()
        if self.sides[self.tip] == _BOTH:
            return Relation.ANCESTOR, set()
        undecided = {sha for sha in self.missing if self.sides[sha] != _BOTH}
        return (Relation.UNKNOWN, undecided) if undecided else (Relation.NEITHER, set())

    def _is_decided(self) -> bool:
        if _BOTH in (self.sides[self.tip], self.sides[self.previous]):
            return True
        while self.missing and self.sides[self.missing[0]] == _BOTH:
            self.missing.pop(0)
            self.floor = -1
        if not self.missing:
            return self.one_sided == 0
        if self.floor < 0:
            self.floor = self._floor(self.missing[0])
        return -self.heap[0][0] < self.floor

    def _floor(self, missing: str) -> float:
        """Return the generation below which nothing leads to the missing commit, nor to either of the two."""
        node = self.graph.node(missing)
        lowest = self.graph.lowest_child(missing) if node is None else node.generation
        ends = (self.graph.node(sha) for sha in (self.tip, self.previous))
        generations = [end.generation for end in ends if end is not None]
        return min(generations if lowest is None else [*generations, lowest], default=math.inf)

    def _step(self) -> None:
        _, sha = heapq.heappop(self.heap)
        sides = self.sides[sha]
        self.one_sided -= sides != _BOTH
        node = self.graph.node(sha)
        assert node is not None, "only known commits are on the heap"
        if node.parents is None:
            self.missing.append(sha)
        for parent in node.parents or ():
            before = self.sides.get(parent, 0)
            self.sides[parent] = before | sides
            if before == 0:
                self._reach(parent)
            elif before | sides != before and self.graph.node(parent) is not None:
                self.one_sided -= 1

    def _reach(self, sha: str) -> None:
        node = self.graph.node(sha)
        if node is None:
            self.missing.append(sha)
            return
        heapq.heappush(self.heap, (-node.generation, sha))
        self.one_sided += self.sides[sha] != _BOTH


def touches_path(files: Iterable[str], path: str) -> bool:
    """Tell whether a commit touched a file under a directory: `api` does not contain `api-v2/x`."""
    prefix = f"{path}/"
    return any(file.startswith(prefix) or file == path for file in files)


def order_parents_first(shas: Sequence[str], parents_of: Callable[[str], Sequence[str]]) -> list[str]:
    """Return the commits with parents before children. Those in a cycle, which Git rules out, are left out."""
    among = set(shas)
    waiting: dict[str, int] = {}
    children: dict[str, list[str]] = {}
    ready: list[str] = []
    for sha in shas:
        inside = {parent for parent in parents_of(sha) if parent in among}
        waiting[sha] = len(inside)
        for parent in inside:
            children.setdefault(parent, []).append(sha)
        if not inside:
            ready.append(sha)
    ordered = []
    while ready:
        sha = ready.pop()
        ordered.append(sha)
        for child in children.get(sha, ()):
            waiting[child] -= 1
            if waiting[child] == 0:
                ready.append(child)
    return ordered
