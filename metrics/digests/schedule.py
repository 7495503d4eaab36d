"""When digests are due. Plain functions over dates."""

import datetime
from zoneinfo import ZoneInfo

from metrics.periods import Period

_DAY = datetime.timedelta(days=1)
# Between attempts to send what could not be sent, in minutes. The last one is repeated: five days in all.
_PAUSES = (15, 30, 60, 120, 240, 480, 720)
MOST_ATTEMPTS = 16


def last_due(weekday: int, hour: int, zone: ZoneInfo, now: datetime.datetime) -> datetime.datetime:
    """Return the last moment, in UTC, at which a digest of a weekday (1 for Monday) and hour was due.

    An hour that a change of clocks skips is the one after it; of an hour that comes twice the first counts.
    """
    day = now.astimezone(zone).date()
    day -= _DAY * ((day.isoweekday() - weekday) % 7)
    moment = _at(day, hour, zone)
    return moment if moment <= now else _at(day - 7 * _DAY, hour, zone)


def _at(day: datetime.date, hour: int, zone: ZoneInfo) -> datetime.datetime:
    return datetime.datetime.combine(day, datetime.time(hour), zone).astimezone(datetime.UTC)


def week_before(moment: datetime.datetime, zone: ZoneInfo) -> Period:
    """Return the last week, from Monday to Sunday, that is over on the day of a moment."""
    day = moment.astimezone(zone).date()
    sunday = day - _DAY * day.isoweekday()
    return Period(sunday - 6 * _DAY, sunday, zone)


def pause_after(attempts: int) -> datetime.timedelta:
    """Return how long to wait after so many attempts that failed."""
    return datetime.timedelta(minutes=_PAUSES[min(attempts, len(_PAUSES)) - 1])
