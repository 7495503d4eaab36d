"""Days, weeks and months, also where the clocks change."""

import datetime as dt
import itertools
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.periods import Interval, Period, bucket_start, last_days, next_bucket

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/Sao_Paulo"]
days = st.dates(dt.date(2000, 1, 1), dt.date(2030, 1, 1))


@given(days, st.integers(0, 500), st.sampled_from(ZONES), st.sampled_from(list(Interval)))
def test_every_moment_of_a_period_lies_in_exactly_one_of_its_buckets(
    first: dt.date, length: int, name: str, interval: Interval
) -> None:
    period = Period(first, first + dt.timedelta(days=length), ZoneInfo(name))
    buckets = period.buckets(interval)
    assert buckets == sorted(set(buckets))
    for day in (period.first, period.last):
        assert bucket_start(day, interval) in buckets
    for one, following in itertools.pairwise(buckets):
        assert next_bucket(one, interval) == following


@given(days, st.sampled_from(ZONES))
def test_a_day_begins_where_the_one_before_ends(day: dt.date, name: str) -> None:
    zone = ZoneInfo(name)
    today, tomorrow = Period(day, day, zone), Period(day + dt.timedelta(days=1), day + dt.timedelta(days=1), zone)
    assert today.end == tomorrow.start
    assert today.day_of(today.start) == day
    assert today.day_of(today.end - dt.timedelta(seconds=1)) == day


@pytest.mark.parametrize(
    ("day", "hours"), [(dt.date(2026, 3, 29), 23), (dt.date(2026, 10, 25), 25), (dt.date(2026, 6, 1), 24)]
)
def test_a_day_on_which_the_clocks_change_has_another_length(day: dt.date, hours: int) -> None:
    period = Period(day, day, ZoneInfo("Europe/Berlin"))
    assert period.end - period.start == dt.timedelta(hours=hours)


def test_half_past_eleven_in_berlin_is_still_the_same_day() -> None:
    period = last_days(7, dt.date(2026, 3, 2), ZoneInfo("Europe/Berlin"))
    assert period.day_of(dt.datetime(2026, 3, 1, 23, 30, tzinfo=dt.UTC)) == dt.date(2026, 3, 2)


def test_the_period_before_is_as_long_and_ends_where_this_one_begins() -> None:
    period = last_days(30, dt.date(2026, 3, 31), ZoneInfo("Asia/Kolkata"))
    assert period.previous().end == period.start
    assert period.previous().days == period.days == 30
