"""The lineage core against brute force, on random commit graphs."""

from collections.abc import Iterator
from itertools import combinations, product
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.lineage import (
    Frontier,
    Node,
    Relation,
    generation_of,
    new_commits,
    order_parents_first,
    relation,
    touches_path,
)


class Graph:
    """A commit graph in memory; hidden commits are not known."""

    def __init__(self, parents: list[list[int]], dates: list[int], hidden: set[int] = frozenset()) -> None:  # type: ignore[assignment]
        self.parents = {str(number): tuple(map(str, above)) for number, above in enumerate(parents)}
        self.nodes: dict[str, Node] = {}
        for number in range(len(parents)):
            sha = str(number)
            if number in hidden:
                continue
            known = [self.nodes[parent].generation for parent in self.parents[sha] if parent in self.nodes]
            self.nodes[sha] = Node(sha, self.parents[sha], generation_of(dates[number], known))

    def node(self, sha: str) -> Node | None:
        return self.nodes.get(sha)

    def lowest_child(self, sha: str) -> int | None:
        return min((node.generation for node in self.nodes.values() if sha in (node.parents or ())), default=None)

    def reachable(self, sha: str) -> set[str]:
        """Everything that is known to be reachable, the commit itself included."""
        seen, stack = set(), [sha]
        while stack:
            commit = stack.pop()
            if commit in seen or commit not in self.nodes:
                continue
            seen.add(commit)
            stack += self.parents[commit]
        return seen


@st.composite
def graphs(draw: st.DrawFn, hide: bool = False) -> Graph:
    size = draw(st.integers(1, 14))
    parents = [
        draw(st.lists(st.integers(0, number - 1), max_size=3, unique=True)) if number else []
        for number in range(size)
    ]
    dates = draw(st.lists(st.integers(0, 20), min_size=size, max_size=size))
    hidden = draw(st.sets(st.integers(0, size - 1), max_size=3)) if hide else set()
    return Graph(parents, dates, hidden)


@given(st.data())
def test_a_deployment_ships_what_is_reachable_from_it_and_from_nothing_before(data: st.DataObject) -> None:
    graph = data.draw(graphs())
    tips = data.draw(st.lists(st.sampled_from(sorted(graph.nodes)), min_size=1, max_size=8))
    deployed = {tips[0]}
    frontier: Frontier = sorted((graph.nodes[parent].generation, parent) for parent in graph.parents[tips[0]])
    earlier = graph.reachable(tips[0])
    for tip in tips[1:]:
        found = new_commits(tip, graph, deployed.__contains__, frontier)
        assert set(found.commits) == graph.reachable(tip) - earlier
        assert set(found.baseline) <= graph.reachable(tips[0])
        assert not found.missing
        deployed |= {*found.commits, *found.baseline}
        frontier = found.frontier
        earlier |= graph.reachable(tip)


def true_relation(tip: str, previous: str, graph: Graph) -> Relation:
    """Say how two commits of a graph that is wholly known relate."""
    if tip == previous:
        return Relation.SAME
    if previous in graph.reachable(tip):
        return Relation.DESCENDANT
    return Relation.ANCESTOR if tip in graph.reachable(previous) else Relation.NEITHER


@given(st.data())
def test_a_complete_graph_says_exactly_how_two_commits_relate(data: st.DataObject) -> None:
    graph = data.draw(graphs())
    tip, previous = (data.draw(st.sampled_from(sorted(graph.nodes))) for _ in range(2))
    expected = true_relation(tip, previous, graph)
    assert relation(tip, previous, graph, is_complete=True)[0] == expected
    assert relation(tip, previous, graph, is_complete=False)[0] == expected


@st.composite
def graphs_with_gaps(draw: st.DrawFn) -> tuple[list[list[int]], list[int], set[int]]:
    """Parents and dates of commits, and which of them nobody told of: few, so that all can be tried."""
    size = draw(st.integers(2, 6))
    parents = [
        draw(st.lists(st.integers(0, number - 1), max_size=2, unique=True)) if number else []
        for number in range(size)
    ]
    dates = draw(st.lists(st.integers(0, 6), min_size=size, max_size=size))
    return parents, dates, draw(st.sets(st.integers(0, size - 1), max_size=2))


def completions(graph: Graph, hidden: set[int]) -> Iterator[Graph]:
    """Return every graph without circles that the known part of this one may be a part of."""
    others = sorted(graph.parents, key=int)
    possible = [
        [
            subset
            for size in range(len(others))
            for subset in combinations([one for one in others if one != str(gap)], size)
        ]
        for gap in hidden
    ]
    for choice in product(*possible):
        parents = dict(graph.parents) | dict(zip(map(str, hidden), choice, strict=True))
        if len(order_parents_first(others, parents.__getitem__)) == len(others):
            whole = Graph([], [])
            whole.parents = parents
            whole.nodes = {sha: Node(sha, above, 0) for sha, above in parents.items()}
            yield whole


@given(graphs_with_gaps(), st.data())
def test_how_two_commits_relate_is_unknown_exactly_where_what_is_missing_could_decide_it(
    told: tuple[list[list[int]], list[int], set[int]], data: st.DataObject
) -> None:
    parents, _, hidden = told
    graph = Graph(*told)
    tip, previous = (str(data.draw(st.integers(0, len(parents) - 1))) for _ in range(2))
    possible = {true_relation(tip, previous, whole) for whole in completions(graph, hidden)}
    said, missing = relation(tip, previous, graph, is_complete=False)
    assert said == (possible.pop() if len(possible) == 1 else Relation.UNKNOWN)
    assert bool(missing) == (said == Relation.UNKNOWN)
    assert missing <= {str(number) for number in hidden}


@given(graphs(hide=True), st.data())
def test_where_commits_are_missing_a_deployment_ships_what_is_known(graph: Graph, data: st.DataObject) -> None:
    tips = data.draw(st.lists(st.sampled_from(sorted(graph.parents)), min_size=1, max_size=8))
    earlier = graph.reachable(tips[0])
    deployed = earlier | {tips[0]}
    for tip in tips[1:]:
        found = new_commits(tip, graph, deployed.__contains__, [])
        new = graph.reachable(tip) - earlier
        assert set(found.commits) == new
        named = {parent for sha in new for parent in graph.parents[sha]} | {tip}
        assert found.missing == named - graph.nodes.keys() - deployed
        assert found.boundary == (named - new - found.missing)
        earlier |= new
        deployed |= {*new, tip}


class Counting(Graph):
    """Counts how many commits are looked at."""

    def node(self, sha: str) -> Node | None:
        self.seen.add(sha)
        return super().node(sha)

    seen: ClassVar[set[str]] = set()


@pytest.mark.parametrize(
    ("tip", "previous"),
    [("5001", "4999"), ("4999", "5001"), ("5000", "4999"), ("4999", "5000")],
)
def test_to_see_that_something_is_not_known_takes_no_walk_down_a_long_history(tip: str, previous: str) -> None:
    # A long line; 5000 leads to 5001, which nobody told of.
    graph = Counting([[], *([number] for number in range(4999))], list(range(5000)))
    graph.nodes["5000"] = Node("5000", ("5001",), 5000)
    graph.seen.clear()
    said, missing = relation(tip, previous, graph, is_complete=False)
    assert (said, missing) == (Relation.UNKNOWN, {"5001"})
    assert len(graph.seen) < 10


def test_a_line_of_known_commits_below_a_gap_is_no_reason_to_doubt() -> None:
    graph = Graph([[], [0], [1], [1]], [1, 2, 3, 4], hidden={0})
    assert relation("2", "3", graph, is_complete=False) == (Relation.NEITHER, set())
    assert relation("3", "1", graph, is_complete=False) == (Relation.DESCENDANT, set())


@given(st.data())
def test_parents_come_first_and_circles_are_left_out(data: st.DataObject) -> None:
    graph = data.draw(graphs())
    parents = {sha: list(graph.parents[sha]) for sha in graph.nodes}
    parents |= {"x": ["y"], "y": ["x"]}
    shas = data.draw(st.permutations(sorted(parents)))
    ordered = order_parents_first(shas, parents.__getitem__)
    assert set(ordered) == set(graph.nodes)
    assert all(ordered.index(parent) < ordered.index(sha) for sha in ordered for parent in parents[sha])


def test_a_path_ends_at_a_boundary() -> None:
    assert touches_path(["api/main.py"], "api")
    assert touches_path(["services/api/x"], "services/api")
    assert not touches_path(["api-v2/main.py", "web/api/x"], "api")
