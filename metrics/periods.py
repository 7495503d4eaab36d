"""Days, weeks and months in a time zone. Plain functions over dates."""

import datetime
from dataclasses import dataclass
from enum import StrEnum
from zoneinfo import ZoneInfo


class Interval(StrEnum):
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


def start_of_day(day: datetime.date, zone: ZoneInfo) -> datetime.datetime:
    """Return the moment at which a day begins in a time zone, in UTC: days have 23 or 25 hours now and then."""
    return datetime.datetime.combine(day, datetime.time(), zone).astimezone(datetime.UTC)


def days_between(first: datetime.date, last: datetime.date) -> list[datetime.date]:
    """Return the days from the first to the last, both included."""
    return [first + datetime.timedelta(days=number) for number in range((last - first).days + 1)]


def day_of(moment: datetime.datetime, zone: ZoneInfo) -> datetime.date:
    """Return the day that a moment lies in: the last one that has begun.

    Where clocks go back over midnight, as St. John's did until 2011, the date returns to the day before for a while;
    the day that has begun goes on nevertheless, so that each moment lies in one day and days follow one another.
    """
    day = moment.astimezone(zone).date()
    following = day + datetime.timedelta(days=1)
    return following if moment >= start_of_day(following, zone) else day


def bucket_start(day: datetime.date, interval: Interval) -> datetime.date:
    """Return the first day of the day, week (from Monday, ISO 8601) or month that a day lies in."""
    if interval is Interval.WEEK:
        return day - datetime.timedelta(days=day.weekday())
    if interval is Interval.MONTH:
        return day.replace(day=1)
    return day


def next_bucket(start: datetime.date, interval: Interval) -> datetime.date:
    """Return the first day of the bucket after the one that begins with `start`."""
    if interval is Interval.MONTH:
        return (start + datetime.timedelta(days=32)).replace(day=1)
    return start + datetime.timedelta(days=7 if interval is Interval.WEEK else 1)


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days in a time zone, from the first to the last, both included."""

    first: datetime.date
    last: datetime.date
    zone: ZoneInfo

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.last - self.first).days + 1

    @property
    def start(self) -> datetime.datetime:
        """The moment at which it begins, in UTC."""
        return start_of_day(self.first, self.zone)

    @property
    def end(self) -> datetime.datetime:
        """The moment at which it is over, in UTC; no longer part of it."""
        return start_of_day(self.last + datetime.timedelta(days=1), self.zone)

    def previous(self) -> "Period":
        """Return the period of the same number of days just before."""
        length = datetime.timedelta(days=self.days)
        return Period(self.first - length, self.last - length, self.zone)

    def day_of(self, moment: datetime.datetime) -> datetime.date:
        """Return the day that a moment lies in, in the time zone."""
        return day_of(moment, self.zone)

    def buckets(self, interval: Interval) -> list[datetime.date]:
        """Return the first day of each day, week or month that the period touches, in order."""
        starts = [bucket_start(self.first, interval)]
        while (following := next_bucket(starts[-1], interval)) <= self.last:
            starts.append(following)
        return starts


def last_days(days: int, today: datetime.date, zone: ZoneInfo) -> Period:
    """Return the period of so many days that ends today."""
    return Period(today - datetime.timedelta(days=days - 1), today, zone)
