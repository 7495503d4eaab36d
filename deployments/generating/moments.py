"""When work is done: on weekdays, in working hours, less in summer and hardly at the end of the year."""

import datetime

import numpy as np
from numpy.typing import NDArray

Moments = NDArray[np.int64]  # seconds since 1970

HOUR = 3_600
DAY = 24 * HOUR
# How much of a day's work begins in each hour of UTC, of people in Central Europe.
_HOURS = np.array([1, 0.5, 0.3, 0.3, 0.5, 2, 12, 45, 80, 95, 90, 60, 85, 95, 90, 75, 45, 18, 8, 5, 4, 3, 2, 1])
# From Monday to Sunday.
_WEEKDAYS = np.array([0.95, 1.1, 1.1, 1.1, 0.75, 0.04, 0.04])
_HOUR_SHARES = np.cumsum(_HOURS) / _HOURS.sum()


def climb(moments: Moments, step: int = 1) -> Moments:
    """Return the moments, each at least `step` seconds after the one before."""
    offsets = np.arange(len(moments), dtype=np.int64) * step
    return np.maximum.accumulate(moments - offsets) + offsets if len(moments) else moments


def uniform(rng: np.random.Generator, low: int, high: int, count: int) -> Moments:
    """Return whole numbers of seconds between two."""
    return rng.integers(low, high, count, dtype=np.int64)


def at_work(rng: np.random.Generator, moments: Moments) -> Moments:
    """Put off to the next morning of work what would happen at night or on a weekend, but for one in twenty."""
    time_of_day = moments % DAY
    midnight = moments - time_of_day
    morning = midnight + 7 * HOUR + uniform(rng, 0, 3 * HOUR, len(moments))
    later = np.where(time_of_day >= 17 * HOUR, morning + DAY, np.where(time_of_day < 6 * HOUR, morning, moments))
    weekday = (later // DAY + 3) % 7  # 1 January 1970 was a Thursday
    later = later + np.where(weekday >= 5, (7 - weekday) * DAY, 0)
    return np.where(rng.random(len(moments)) < 0.05, moments, later)


class Calendar:
    """The days of a history, from the first on, and how much is done on each."""

    def __init__(self, first: datetime.date, last: datetime.date, *, parts: int = 1) -> None:
        days = (last - first).days + 1
        self.start = int(datetime.datetime.combine(first, datetime.time(), datetime.UTC).timestamp())
        self.end = self.start + days * DAY
        dates = [first + datetime.timedelta(days=number) for number in range(days)]
        growth = 0.85 + 0.15 * np.minimum(1, np.arange(days) / (0.5 * days))
        weights = _WEEKDAYS[[date.weekday() for date in dates]] * np.array([_season(date) for date in dates]) * growth
        self._until = np.concatenate([[0.0], np.cumsum(weights)])
        # The ends of parts of the history that are about as long as one another.
        edges = self.start + np.arange(1, parts + 1) * (days * DAY // parts)
        edges[-1] += 100 * DAY
        self.parts = edges.astype(np.int64)

    def sample(self, rng: np.random.Generator, count: int, start: int, end: int) -> Moments:
        """Return so many moments of work between two, in order."""
        low, high = (self._work_until(moment) for moment in (start, end))
        work = np.sort(rng.uniform(low, high, count))
        day = np.clip(np.searchsorted(self._until, work, side="right") - 1, 0, len(self._until) - 2)
        hour = np.searchsorted(_HOUR_SHARES, rng.random(count), side="right")
        moments = self.start + day * DAY + hour * HOUR + uniform(rng, 0, HOUR, count)
        return np.sort(np.clip(moments, start, max(start, end - 1))).astype(np.int64)

    def _work_until(self, moment: int) -> float:
        days = (moment - self.start) / DAY
        return float(np.interp(days, np.arange(len(self._until)), self._until))

    def part_of(self, moments: Moments) -> NDArray[np.int64]:
        """Return the number of the part of the history that each moment lies in."""
        return np.searchsorted(self.parts, moments, side="right")


def _season(date: datetime.date) -> float:
    if (date.month, date.day) >= (12, 20) or (date.month, date.day) <= (1, 3):
        return 0.25
    return 0.75 if date.month in (7, 8) else 1.0
