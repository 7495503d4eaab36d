"""Rows of which it is known how many each day has: to show a page of them nobody has to count or to sort them all."""

import datetime
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from django.db.models import QuerySet

from metrics.periods import Period
from metrics.raw_days import runs
from metrics.selections import Selection

Of = Callable[[Selection], "QuerySet[Any]"]


class CountedRows:
    """The rows of a selection in the order of `of`, which returns them for it, or for the same of fewer days.

    `per_day` says how many each day has; where it is not known they are counted. Where there may be many (`walk`),
    the order has to be that of the days, the newest first: then a page reads no days but those that it lies on.
    """

    def __init__(
        self, of: Of, selection: Selection, per_day: Mapping[datetime.date, int] | None, *, walk: bool = False
    ) -> None:
        self._of = of
        self._selection = selection
        self._per_day = None if per_day is None else {day: number for day, number in per_day.items() if number}
        self._walk = walk

    def __len__(self) -> int:
        """Return how many rows there are. Causes a query where that is not known."""
        return self._of(self._selection).count() if self._per_day is None else sum(self._per_day.values())

    def __iter__(self) -> Iterator[Any]:
        return iter(self[: len(self)])

    def __getitem__(self, part: slice) -> list[Any]:
        """Return the rows from one place to another."""
        if self._per_day is None:
            return list(self._of(self._selection)[part])
        start, stop = part.start or 0, min(part.stop, len(self))
        if not self._walk or start >= stop:
            return list(self._of(self._selection)[start:stop]) if start < stop else []
        return self._walked(start, stop, self._per_day)

    def _walked(self, start: int, stop: int, per_day: Mapping[datetime.date, int]) -> list[Any]:
        seen = skipped = 0
        wanted = []
        for day in sorted(per_day, reverse=True):
            if seen + per_day[day] <= start:
                skipped = seen + per_day[day]
            elif seen < stop:
                wanted.append(day)
            seen += per_day[day]
        found: list[Any] = []
        offset = start - skipped
        for first, last in reversed(runs(wanted)):
            of_run = self._of(replace(self._selection, period=Period(first, last, self._selection.period.zone)))
            found += of_run[offset : offset + stop - start - len(found)]
            offset = 0
        return found
