"""The lineage core against brute force, on random commit graphs."""

from hypothesis import given, settings
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


@settings(max_examples=400, deadline=None)
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


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_a_complete_graph_says_exactly_how_two_commits_relate(data: st.DataObject) -> None:
    graph = data.draw(graphs())
    tip, previous = (data.draw(st.sampled_from(sorted(graph.nodes))) for _ in range(2))
    expected = (
        Relation.SAME if tip == previous
        else Relation.DESCENDANT if previous in graph.reachable(tip)
        else Relation.ANCESTOR if tip in graph.reachable(previous)
        else Relation.NEITHER
    )  # fmt: skip
    assert relation(tip, previous, graph, is_complete=True)[0] == expected
    assert relation(tip, previous, graph, is_complete=False)[0] == expected


@settings(max_examples=600, deadline=None)
@given(st.data())
def test_what_a_gap_could_change_is_unknown_and_the_rest_is_as_in_the_whole_graph(
    data: st.DataObject,
) -> None:
    size = data.draw(st.integers(2, 10))
    parents = [
        data.draw(st.lists(st.integers(0, number - 1), max_size=2, unique=True)) if number else []
        for number in range(size)
    ]
    dates = data.draw(st.lists(st.integers(0, 9), min_size=size, max_size=size))
    hidden = data.draw(st.sets(st.integers(0, size - 1), max_size=3))
    graph, whole = Graph(parents, dates, hidden), Graph(parents, dates)
    tip, previous = (str(data.draw(st.integers(0, size - 1))) for _ in range(2))
    told, missing = relation(tip, previous, graph, is_complete=False)
    truth, _ = relation(tip, previous, whole, is_complete=True)
    if told is Relation.UNKNOWN:
        assert missing
        assert missing <= {str(number) for number in hidden}
    else:
        assert told == truth


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
