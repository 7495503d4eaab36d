"""Marks of what has changed since rollups were built: made in the transaction of the change, read by everybody."""

import datetime
from collections.abc import Callable, Collection, Iterable
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.db.models import Exists, OuterRef

from deployments.models import Environment
from deployments.signals import Place
from metrics.models import StaleHour
from metrics.periods import day_of, start_of_day

Hour = tuple[int, datetime.datetime]  # an environment's id, and the hour of UTC
Mark = tuple[int, datetime.datetime, int | None]  # the same of one application; None for all
# Where one transaction changes more than so much, it marks hours as a whole: whoever builds them reads them once.
_MOST_OF_APPLICATIONS = 200
_ONE_HOUR = datetime.timedelta(hours=1)
_ONE_DAY = datetime.timedelta(days=1)
# A range of days lies within so much of the same range in any other time zone.
_MARGIN = datetime.timedelta(days=2)


class _Waking:
    """Wakes a worker after the commit. Until then it says what this transaction has marked already.

    Django forgets what is to be called after the commit together with the savepoint in which that was said: so what
    is found among it has been marked, and nothing has taken that back.
    """

    def __init__(self, marks: set[Mark], wake: Callable[[], None]) -> None:
        self.marks = marks
        self.wake = wake

    def __call__(self) -> None:
        self.wake()


def mark(places: Collection[Place], wake: Callable[[], None]) -> None:
    """Mark what has changed; `wake` is called after the commit.

    Costs one INSERT, and none where the transaction has marked the same before.
    """
    marks = _marks(places)
    for waking in _of_this_transaction():
        marks = {mark for mark in marks if mark not in waking.marks and (*mark[:2], None) not in waking.marks}
    if marks:
        StaleHour.objects.bulk_create(
            [
                StaleHour(environment_id=environment_id, hour=hour, application_id=application_id)
                for environment_id, hour, application_id in marks
            ],
            batch_size=5_000,
        )
        transaction.on_commit(_Waking(marks, wake))


def _marks(places: Collection[Place]) -> set[Mark]:
    marks: set[Mark] = {
        (environment_id, moment.astimezone(datetime.UTC).replace(minute=0, second=0, microsecond=0), application_id)
        for environment_id, moment, application_id in places
    }
    if len(marks) <= _MOST_OF_APPLICATIONS:
        return marks
    return {(environment_id, hour, None) for environment_id, hour, _ in marks}


def _of_this_transaction() -> list[_Waking]:
    return [call for _, call, *_ in connection.run_on_commit if isinstance(call, _Waking)]


def take_back(ids: Iterable[int]) -> None:
    """Delete marks whose days have been recomputed."""
    StaleHour.objects.filter(pk__in=list(ids)).delete()
    for waking in _of_this_transaction():
        waking.marks = set()


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
