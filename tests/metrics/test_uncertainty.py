"""Ranges of 95 %: against exact sums of the distributions, and against published examples."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics import uncertainty


def test_two_failures_in_nine_deployments_may_be_a_rate_of_6_to_55_per_cent() -> None:
    found = uncertainty.rate_range(2, 9)
    assert found is not None
    assert [round(end * 100) for end in found] == [6, 55]
    assert uncertainty.rate_range(0, 0) is None


@given(st.integers(1, 5000).flatmap(lambda whole: st.tuples(st.integers(0, whole), st.just(whole))))
def test_the_range_of_a_rate_holds_it_and_stays_between_none_and_all(sample: tuple[int, int]) -> None:
    part, whole = sample
    found = uncertainty.rate_range(part, whole)
    assert found is not None
    assert 0 <= found[0] <= part / whole <= found[1] <= 1
    mirrored = uncertainty.rate_range(whole - part, whole)
    assert mirrored == pytest.approx((1 - found[1], 1 - found[0]))


@pytest.mark.parametrize(
    ("count", "low", "high"), [(0, 0, 3.689), (1, 0.025, 5.572), (10, 4.795, 18.39), (100, 81.36, 121.6)]
)
def test_the_range_of_a_count_is_that_of_poisson(count: int, low: float, high: float) -> None:
    # The exact limits, as tables have them (Pearson and Hartley, table 40).
    assert uncertainty.count_range(count) == pytest.approx((low, high), rel=0.02, abs=0.04)


@pytest.mark.parametrize("count", [*range(6, 130), 500, 2001])
def test_the_ranks_around_a_median_hold_it_in_95_of_100_cases_and_are_no_wider_than_needed(count: int) -> None:
    ranks = uncertainty.median_ranks(count)
    assert ranks is not None
    low, high = ranks
    assert low + high == count - 1

    def held(low: int) -> float:  # the chance that the median lies between the value of this rank and its mirror
        return 1 - 2 * sum(math.comb(count, below) for below in range(low + 1)) / 2**count

    assert held(low) >= 0.95 - 0.003
    assert held(low + 2) < 0.95


def test_of_fewer_than_six_values_a_median_may_be_anything() -> None:
    assert uncertainty.median_ranks(5) is None


def test_a_change_of_rate_is_told_only_where_it_is_more_than_noise() -> None:
    assert not uncertainty.rates_differ(1, 4, 0, 4)
    assert not uncertainty.rates_differ(0, 0, 5, 9)
    assert uncertainty.rates_differ(90, 400, 40, 400)
    # Newcombe (1998), table II, (a): 56/70 and 48/80 differ, by 0.0524 to 0.3339.
    assert uncertainty.rates_differ(56, 70, 48, 80)


@given(st.integers(0, 300), st.integers(0, 300), st.integers(1, 90))
def test_counts_differ_whichever_is_looked_at_first(count: int, other: int, days: int) -> None:
    assert uncertainty.counts_differ(count, days, other, days) == uncertainty.counts_differ(other, days, count, days)
    assert not uncertainty.counts_differ(count, days, count, days)


def test_a_frequency_rises_by_more_than_noise() -> None:
    assert not uncertainty.counts_differ(12, 30, 9, 30)
    assert uncertainty.counts_differ(60, 30, 30, 30)
