"""The formulas of the DORA metrics. Plain functions over plain data.

Definitions: dora.dev, "DORA's software delivery performance metrics" (January 2026); see docs/metrics.md.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metrics import uncertainty
from metrics.packing import SortedParts
from metrics.uncertainty import Range

Values = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Spread:
    """How values lie: exact percentiles, the mean, and the range of 95 % of the median. All None without values.

    A percentile is interpolated between the two nearest of the values, as SQL's `percentile_cont` does (ISO/IEC
    9075-2; Hyndman and Fan's definition 7). So the median of an even number of values lies half-way.
    """

    count: int
    median: float | None
    p90: float | None
    mean: float | None
    median_range: Range | None


def spread(parts: Sequence[Values]) -> Spread:
    """Return how the values of all parts together lie. Whole numbers, those of each part in order."""
    values = SortedParts(parts)
    count = len(values)
    if not count:
        return Spread(0, None, None, None, None)
    around = uncertainty.median_range(values)
    return Spread(
        count,
        _between(values, 0.5, count),
        _between(values, 0.9, count),
        sum(int(part.sum()) for part in parts) / count,
        around and (float(around[0]), float(around[1])),
    )


def _ranks(fraction: float, count: int) -> tuple[int, int]:
    rank = fraction * (count - 1)
    return math.floor(rank), math.ceil(rank)


def _between(found: SortedParts, fraction: float, count: int) -> float:
    below, above = _ranks(fraction, count)
    return float(found[below] + (found[above] - found[below]) * (fraction * (count - 1) - below))


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of deployments, 0 to 1, with its sample and its range of 95 %. `value` is None where there are none."""

    value: float | None
    part: int
    whole: int
    range: Range | None


def rate(part: int, whole: int) -> Rate:
    """Return what share of the whole a part is."""
    return Rate(part / whole if whole else None, part, whole, uncertainty.rate_range(part, whole))


def deployment_frequency(deployments: int, days: int) -> float | None:
    """Return deployments per day of `days` days; None where there were none: no data is not zero."""
    return deployments / days if deployments and days else None


def coverage(measured: int, expected: int) -> float | None:
    """Return the share of what should have been measured that was, 0 to 1; None where nothing should have been."""
    return measured / expected if expected else None
