"""Marks of what has changed since rollups were built: made in the transaction of the change, read by everybody."""

import datetime
from collections.abc import Callable, Collection, Iterable, Mapping
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.db.models import Exists, OuterRef

from deployments.models import Environment
from metrics.models import StaleHour
from metrics.periods import day_of, start_of_day

Hour = tuple[int, datetime.datetime]  # an environment's id, and the hour of UTC
_ONE_HOUR = datetime.timedelta(hours=1)
_ONE_DAY = datetime.timedelta(days=1)
# A range of days lies within so much of the same range in any other time zone.
_MARGIN = datetime.timedelta(days=2)


class _Waking:
    """Wakes a worker after the commit. Until then it says what this transaction has marked already.

    Django forgets what is to be called after the commit together with the savepoint in which that was said: so what
    is found among it has been marked, and nothing has taken that back.
    """

    def __init__(self, hours: set[Hour], wake: Callable[[], None]) -> None:
        self.hours = hours
        self.wake = wake

    def __call__(self) -> None:
        self.wake()


def mark(moments: Mapping[int, Collection[datetime.datetime]], wake: Callable[[], None]) -> None:
    """Mark the hours of these moments, by environment, as changed; `wake` is called after the commit.

    Costs one INSERT, and none where the transaction has marked the same before.
    """
    hours = {
        (environment_id, moment.astimezone(datetime.UTC).replace(minute=0, second=0, microsecond=0))
        for environment_id, of_environment in moments.items()
        for moment in of_environment
    }
    for waking in _of_this_transaction():
        hours -= waking.hours
    if hours:
        StaleHour.objects.bulk_create(
            [StaleHour(environment_id=environment_id, hour=hour) for environment_id, hour in sorted(hours)],
            batch_size=5_000,
        )
        transaction.on_commit(_Waking(hours, wake))


def _of_this_transaction() -> list[_Waking]:
    return [call for _, call, *_ in connection.run_on_commit if isinstance(call, _Waking)]


def take_back(ids: Iterable[int]) -> None:
    """Delete marks whose days have been recomputed."""
    StaleHour.objects.filter(pk__in=list(ids)).delete()
    for waking in _of_this_transaction():
        waking.hours = set()


def forget_orphans() -> None:
    """Delete the marks of environments that are no more."""
    StaleHour.objects.filter(~Exists(Environment.objects.filter(pk=OuterRef("environment_id")))).delete()


def hours_between(
    environment_ids: Collection[int], first: datetime.date, last: datetime.date
) -> set[datetime.datetime]:
    """Return the changed hours of environments from a day to another, in any time zone, and some around."""
    start = datetime.datetime.combine(first, datetime.time(), datetime.UTC) - _MARGIN
    end = datetime.datetime.combine(last, datetime.time(), datetime.UTC) + _MARGIN
    rows = StaleHour.objects.filter(environment__in=environment_ids, hour__gte=start, hour__lt=end)
    return set(rows.values_list("hour", flat=True).distinct())


def days_of(hours: Iterable[datetime.datetime], zone: ZoneInfo) -> set[datetime.date]:
    """Return the days of a time zone that hours of UTC lie in: two where a day begins within the hour."""
    found: set[datetime.date] = set()
    for hour in hours:
        day = day_of(hour, zone)
        found.add(day)
        following = day + _ONE_DAY
        if start_of_day(following, zone) < hour + _ONE_HOUR:
            found.add(following)
    return found
