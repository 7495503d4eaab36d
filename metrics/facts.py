"""What happened on each day, of whatever a selection is about: what reports add up."""

import datetime
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from metrics import dora, rollups, stored
from metrics.dora import Spread
from metrics.packing import DayNumbers, DaySums, add_up
from metrics.periods import days_between
from metrics.rollups import Progress
from metrics.selections import Selection
from metrics.slices import slice_of

Seconds = NDArray[np.int64]
STAGES = ("coding", "draft", "waiting_for_review", "review", "waiting_for_deployment")

__all__ = ["STAGES", "DayFacts", "Facts", "Progress", "Seconds", "load", "spread_of"]


@dataclass(slots=True)
class DayFacts:
    """One day of the workspace over the chosen environments and slice. Times are in seconds.

    A deployment belongs to the day of its `deployed_at`; its changes and its failure belong to that day too,
    whenever it was repaired.
    """

    day: datetime.date
    sums: DaySums
    leads: Seconds  # lead times of the changes counted, in order
    recoveries: Seconds  # how long each failure lasted that is repaired, in order
    open_since: Seconds  # when each failure that is not repaired was deployed, in seconds since 1970, in order
    content: Hashable  # names all of this but the day, where it is known


@dataclass(frozen=True, slots=True)
class Facts:
    """What happened on each day of a range, the first one first; days on which nothing happened included.

    `recomputing` says how far the rollups are where too many days have changed to be read from their rows: then some
    of the days are as they were before.
    """

    days: list[DayFacts]
    recomputing: Progress | None


def load(selection: Selection, first_day: datetime.date, last_day: datetime.date) -> Facts:
    """Return what happened from a day to another, both included, by as many queries for many rows as for few."""
    found = rollups.find(selection, slice_of(selection), first_day, last_day)
    nothing = add_up([])
    days = [_facts(day, found.numbers.get(day, nothing)) for day in days_between(first_day, last_day)]
    return Facts(days, found.recomputing)


def _facts(day: datetime.date, numbers: DayNumbers) -> DayFacts:
    return DayFacts(day, numbers.sums, numbers.leads, numbers.recoveries, numbers.open_since, numbers.content)


def spread_of(times: Literal["leads", "recoveries"], days: Sequence[DayFacts]) -> Spread:
    """Return how the lead times, or the times to recover, of some days lie."""
    filled = [day for day in days if len(getattr(day, times))]
    contents = tuple(day.content for day in filled)

    def make() -> Spread:
        return dora.spread([getattr(day, times) for day in filled])

    return make() if None in contents else stored.remembered((times, contents), make)
