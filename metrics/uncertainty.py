"""How far a number may be from what it stands for. Plain functions over plain data.

All ranges are of 95 %: where the same process went on for long, 19 of 20 such ranges would hold its true value.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

_Z = 1.959963984540054  # the 97.5th percentile of the normal distribution
# Below so many observations a median has no range of 95 %: even all of them together hold it less often.
_FEWEST_FOR_A_MEDIAN = 6

Range = tuple[float, float]


def rate_range(part: int, whole: int) -> Range | None:
    """Return the range of a share: Wilson's score interval (1927); None where there is nothing to take a share of.

    Unlike the textbook's it never leaves 0 to 1 and is not empty where none or all are part.
    """
    if not whole:
        return None
    share, square = part / whole, _Z * _Z
    centre = (share + square / (2 * whole)) / (1 + square / whole)
    half = _Z * math.sqrt(share * (1 - share) / whole + square / (4 * whole * whole)) / (1 + square / whole)
    low = 0.0 if part == 0 else max(0.0, centre - half)
    high = 1.0 if part == whole else min(1.0, centre + half)
    return low, high


def count_range(count: int) -> Range:
    """Return the range of the expected number behind a count of independent events.

    Byar's approximation of Poisson's exact limits (Breslow and Day, 1987, volume II, page 69).
    """
    low = count * (1 - 1 / (9 * count) - _Z / (3 * math.sqrt(count))) ** 3 if count else 0.0
    above = count + 1
    high = above * (1 - 1 / (9 * above) + _Z / (3 * math.sqrt(above))) ** 3
    return max(0.0, low), high


def median_ranks(count: int) -> tuple[int, int] | None:
    """Return the places, from 0, of the values between which the median lies; None where there are too few.

    Of values in order; the binomial distribution alone decides, whatever theirs is (Conover, 1999, section 3.2).
    """
    if count < _FEWEST_FOR_A_MEDIAN:
        return None
    if count > 100:
        low = math.floor(count / 2 - _Z * math.sqrt(count) / 2 - 0.5)
        return max(0, low), min(count - 1, count - 1 - low)
    below, term = 0.0, 0.5**count
    low = -1
    while below + term <= 0.025:
        below += term
        low += 1
        term = term * (count - low) / (low + 1)
    return (low, count - 1 - low) if low >= 0 else (0, count - 1)


def median_range(ordered: Sequence[float]) -> Range | None:
    """Return the range of the median of values in order; None where there are too few."""
    ranks = median_ranks(len(ordered))
    return None if ranks is None else (ordered[ranks[0]], ordered[ranks[1]])


def rates_differ(part: int, whole: int, other_part: int, other_whole: int) -> bool:
    """Tell whether two shares differ by more than noise: Newcombe's interval of the difference (1998, method 10)."""
    here, there = rate_range(part, whole), rate_range(other_part, other_whole)
    if here is None or there is None:
        return False
    share, other = part / whole, other_part / other_whole
    difference = share - other
    low = difference - math.hypot(share - here[0], there[1] - other)
    high = difference + math.hypot(here[1] - share, other - there[0])
    return low > 0 or high < 0


def counts_differ(count: int, length: float, other: int, other_length: float) -> bool:
    """Tell whether two counts, over periods of these lengths, differ in their rate by more than noise.

    Given their sum, one of them follows the binomial distribution with the share of its length (Przyborowski and
    Wilenski, 1940), so the rates differ where that share lies outside the range of the share observed.
    """
    total = count + other
    if not total or not length or not other_length:
        return False
    observed = rate_range(count, total)
    expected = length / (length + other_length)
    return observed is not None and not observed[0] <= expected <= observed[1]


def ranges_apart(here: Range | None, there: Range | None) -> bool:
    """Tell whether two ranges have nothing in common: then what they hold differs by more than noise."""
    return here is not None and there is not None and (here[0] > there[1] or here[1] < there[0])


@dataclass(frozen=True, slots=True)
class Sample:
    """How many values there are, their mean and their variance (of a sample: n − 1)."""

    count: int
    mean: float
    variance: float


def means_differ(here: Sample, there: Sample) -> bool:
    """Tell whether two means differ by more than noise: Welch's test (1947), at 95 %."""
    if min(here.count, there.count) < 2:
        return False
    parts = here.variance / here.count, there.variance / there.count
    error = sum(parts)
    if not error:
        return here.mean != there.mean
    freedom = error * error / (parts[0] ** 2 / (here.count - 1) + parts[1] ** 2 / (there.count - 1))
    return abs(here.mean - there.mean) > _student(freedom) * math.sqrt(error)


def _student(freedom: float) -> float:
    """Return the 97.5th percentile of Student's distribution, for the most part (Abramowitz and Stegun, 26.7.5)."""
    if freedom < 3:
        return 12.706  # of one degree of freedom: rather too much than too little
    z = _Z
    return (
        z
        + (z**3 + z) / (4 * freedom)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3)
    )
