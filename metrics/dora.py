"""The formulas of the DORA metrics. Plain functions over plain data.

Definitions: dora.dev, "DORA's software delivery performance metrics" (January 2026); see docs/metrics.md.
"""

import math
from collections.abc import Sequence


def percentile(ordered: Sequence[float], fraction: float) -> float | None:
    """Return the value below which `fraction` of the values lie; None without values.

    Exact: interpolated between the two nearest of the values, which must be in order, as SQL's `percentile_cont`
    does (ISO/IEC 9075-2; Hyndman and Fan's definition 7). So the median of an even number lies half-way.
    """
    if not ordered:
        return None
    rank = fraction * (len(ordered) - 1)
    below, above = math.floor(rank), math.ceil(rank)
    return ordered[below] + (ordered[above] - ordered[below]) * (rank - below)


def median(ordered: Sequence[float]) -> float | None:
    """Return the value in the middle of values in order; None without values."""
    return percentile(ordered, 0.5)


def mean(values: Sequence[float]) -> float | None:
    """Return the arithmetic mean; None without values."""
    return math.fsum(values) / len(values) if values else None


def deployment_frequency(deployments: int, days: int) -> float | None:
    """Return deployments per day of a period of `days` days; None where there were none: no data is not zero."""
    return deployments / days if deployments else None


def coverage(measured: int, expected: int) -> float | None:
    """Return the share of what should have been measured that was, 0 to 1; None where nothing should have been."""
    return measured / expected if expected else None
