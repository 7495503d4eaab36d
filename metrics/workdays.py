"""Which days count: working days outside freeze periods. Plain functions over dates."""

import datetime
from dataclasses import dataclass

Freeze = tuple[datetime.date, datetime.date, str]
EVERY_WEEKDAY = frozenset(range(1, 8))
_NAMES = ["", "Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays"]
_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Calendar:
    """A workspace's days: the weekdays on which work is done (1 for Monday), and freeze periods with reasons."""

    weekdays: frozenset[int] = EVERY_WEEKDAY
    freezes: tuple[Freeze, ...] = ()

    def is_counted(self, day: datetime.date) -> bool:
        """Tell whether a day is a working day outside every freeze period."""
        return day.isoweekday() in self.weekdays and not any(first <= day <= last for first, last, _ in self.freezes)

    def counted_days(self, first: datetime.date, last: datetime.date) -> int:
        """Return how many days count, from the first to the last, both included."""
        if self.weekdays == EVERY_WEEKDAY and not self.freezes:
            return max(0, (last - first).days + 1)
        return sum(self.is_counted(first + _DAY * number) for number in range((last - first).days + 1))

    def left_out(self, first: datetime.date, last: datetime.date) -> list[Freeze]:
        """Return the freeze periods that touch these days, cut to them, in order."""
        touched = [freeze for freeze in self.freezes if freeze[0] <= last and freeze[1] >= first]
        return sorted((max(start, first), min(end, last), reason) for start, end, reason in touched)

    @property
    def free_weekdays(self) -> list[str]:
        """The names of the weekdays that never count."""
        return [_NAMES[number] for number in sorted(EVERY_WEEKDAY - self.weekdays)]
