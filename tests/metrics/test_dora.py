"""The formulas, against independent ones."""

import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics import dora

numbers = st.lists(st.integers(0, 10**9), min_size=1, max_size=60)


def spread(*parts: list[int]) -> dora.Spread:
    return dora.spread([np.array(sorted(part), np.int64) for part in parts])


@given(numbers)
def test_the_median_and_mean_are_those_of_the_standard_library(values: list[int]) -> None:
    told = spread(values)
    assert (told.count, told.median) == (len(values), statistics.median(values))
    assert told.mean == pytest.approx(statistics.fmean(values))


@given(st.lists(st.integers(0, 10**6), min_size=2, max_size=60))
def test_the_90th_percentile_is_the_inclusive_quantile_of_the_standard_library(values: list[int]) -> None:
    assert spread(values).p90 == pytest.approx(statistics.quantiles(values, n=10, method="inclusive")[8])


@given(st.lists(numbers, max_size=5))
def test_values_may_come_in_parts(parts: list[list[int]]) -> None:
    whole = [value for part in parts for value in part]
    assert spread(*parts, []) == spread(sorted(whole))


def test_no_data_is_not_zero() -> None:
    assert spread([]) == dora.Spread(0, None, None, None, None)
    assert dora.deployment_frequency(0, 30) is None
    assert dora.deployment_frequency(3, 0) is None
    assert dora.coverage(0, 0) is None
    assert dora.coverage(0, 4) == 0
    assert dora.rate(0, 0) == dora.Rate(None, 0, 0, None)
    assert dora.rate(0, 4).value == 0
