"""Why the lead time moved: the parts add up to the whole, and say where to look."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.reasons import Tally, in_a_sentence, reasons, split

HOUR = 3600.0


def tally(staged: int = 0, stages: tuple[float, ...] = (0, 0, 0, 0, 0), single: int = 0, hours: float = 0) -> Tally:
    """A tally of so many changes whose stages, or which as single commits, took so many hours each."""
    lengths = tuple(HOUR * length * staged for length in stages)
    return Tally(staged, lengths, single, HOUR * hours * single)  # type: ignore[arg-type]


counts = st.integers(0, 40)
seconds = st.integers(0, 10**7)


@st.composite
def tallies(draw: st.DrawFn) -> Tally:
    staged, single = draw(counts), draw(counts)
    stages = tuple(float(draw(seconds)) if staged else 0.0 for _ in range(5))
    return Tally(staged, stages, single, float(draw(seconds)) if single else 0.0)  # type: ignore[arg-type]


periods = st.dictionaries(st.integers(1, 6), tallies())


@given(periods, periods)
def test_the_parts_add_up_to_the_change_of_the_mean(before: dict[int, Tally], now: dict[int, Tally]) -> None:
    move = split(before, now)
    if move is None:
        assert not all(sum(tally.changes for tally in side.values()) for side in (before, now))
        return
    size = pytest.approx(move.change, abs=1e-3)
    assert sum(part.total for part in move.parts.values()) == size
    assert sum(reason.total for reason in reasons(move)) == size
    for part in move.parts.values():
        if part.before.mean is None or part.now.mean is None:
            assert part.slower == 0
        else:
            share = (part.before.share + part.now.share) / 2
            assert part.slower == pytest.approx(share * (part.now.mean - part.before.mean), abs=1e-3)


@given(periods, periods)
def test_backwards_it_is_the_same_with_the_other_sign(before: dict[int, Tally], now: dict[int, Tally]) -> None:
    move, back = split(before, now), split(now, before)
    if move is None or back is None:
        assert move is back
        return
    for key, part in move.parts.items():
        other = back.parts[key]
        assert [*part.stages, part.single, part.kinds, part.mix] == pytest.approx(
            [-value for value in (*other.stages, other.single, other.kinds, other.mix)], abs=1e-6
        )


def test_of_one_application_with_pull_requests_only_it_is_the_change_of_each_stage() -> None:
    move = split({1: tally(10, (2, 0, 5, 1, 4))}, {1: tally(20, (3, 0, 4, 1, 11))})
    assert move is not None
    assert move.parts[1].stages == pytest.approx((HOUR, 0, -HOUR, 0, 7 * HOUR))
    assert (move.parts[1].single, move.parts[1].kinds, move.parts[1].mix) == (0, 0, 0)


def test_the_sentence_names_stage_and_application() -> None:
    before = {1: tally(10, (2, 0, 1, 1, 4)), 2: tally(10, (1, 0, 1, 1, 1))}
    now = {1: tally(10, (2, 0, 1, 1, 18)), 2: tally(10, (3, 0, 1, 1, 1))}
    move = split(before, now)
    assert move is not None
    told = in_a_sentence(move, {1: "billing", 2: "web"})
    assert told == "+8 h: +7 h waiting for deployment, all in billing; +1 h coding, all in web."


def test_more_of_the_slow_application_is_mix_and_nobody_became_slower() -> None:
    before = {1: tally(single=90, hours=1), 2: tally(single=10, hours=50)}
    now = {1: tally(single=50, hours=1), 2: tally(single=50, hours=50)}
    move = split(before, now)
    assert move is not None
    assert [part.slower for part in move.parts.values()] == [0, 0]
    assert in_a_sentence(move, {1: "web", 2: "billing"}).startswith("+19 h 36 min: +19 h 36 min another mix of app")


def test_an_application_that_is_new_has_not_become_slower() -> None:
    move = split({1: tally(single=10, hours=1)}, {1: tally(single=10, hours=1), 2: tally(single=10, hours=5)})
    assert move is not None
    assert move.parts[2].slower == 0
    assert move.change == pytest.approx(2 * HOUR)
    assert sum(part.mix for part in move.parts.values()) == pytest.approx(2 * HOUR)


def test_without_changes_before_there_is_nothing_to_compare() -> None:
    assert split({}, {1: tally(single=1, hours=1)}) is None
    assert split({1: Tally()}, {1: tally(single=1, hours=1)}) is None


def test_where_nothing_changed_it_says_so() -> None:
    same = {1: tally(single=10, hours=1)}
    move = split(same, same)
    assert move is not None
    assert in_a_sentence(move, {1: "web"}) == "Nothing changed."


def test_many_applications_are_counted_and_not_listed() -> None:
    before = {key: tally(single=10, hours=1) for key in range(1, 7)}
    now = {key: tally(single=10, hours=2) for key in range(1, 7)}
    move = split(before, now)
    assert move is not None
    told = in_a_sentence(move, {key: f"app {key}" for key in before})
    assert told == "+1 h: +1 h changes without a pull request, across 6 applications."
