"""The formulas, against independent ones."""

import statistics

from hypothesis import given
from hypothesis import strategies as st

from metrics import dora

numbers = st.lists(st.integers(0, 10**9), min_size=1, max_size=60)


@given(numbers)
def test_the_median_is_that_of_the_standard_library(values: list[int]) -> None:
    assert dora.median(sorted(values)) == statistics.median(values)


@given(st.lists(st.integers(0, 10**6), min_size=2, max_size=60))
def test_the_90th_percentile_is_the_inclusive_quantile_of_the_standard_library(values: list[int]) -> None:
    expected = statistics.quantiles(values, n=10, method="inclusive")[8]
    got = dora.percentile(sorted(values), 0.9)
    assert got is not None
    assert abs(got - expected) < 1e-6 * (1 + expected)


@given(numbers)
def test_percentiles_lie_among_the_values_and_rise(values: list[int]) -> None:
    ordered = sorted(values)
    told = [dora.percentile(ordered, step / 10) or 0 for step in range(11)]
    assert told == sorted(told)
    assert (told[0], told[-1]) == (ordered[0], ordered[-1])


def test_no_data_is_not_zero() -> None:
    assert dora.median([]) is None
    assert dora.mean([]) is None
    assert dora.deployment_frequency(0, 30) is None
    assert dora.coverage(0, 0) is None
    assert dora.coverage(0, 4) == 0
