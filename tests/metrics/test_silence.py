"""Applications that stopped reporting, and days that do not count."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from deployments.models import FreezePeriod, Workspace
from metrics.silence import silence_of, silent_applications
from metrics.workdays import EVERY_WEEKDAY, Calendar
from tests import factories

MONDAY = dt.date(2026, 3, 2)
DAY = dt.timedelta(days=1)
NOW = dt.datetime(2026, 6, 1, 15, 0, tzinfo=dt.UTC)  # a Monday

dates = st.dates(dt.date(2025, 12, 1), dt.date(2026, 6, 30))
periods = st.tuples(dates, dates).map(lambda pair: (min(pair), max(pair)))
calendars = st.builds(
    Calendar,
    st.frozensets(st.integers(1, 7), min_size=1),
    st.lists(periods.map(lambda period: (*period, "Holiday")), max_size=4).map(tuple),
)


class TestCalendar:
    @given(calendars, dates, dates)
    def test_days_are_counted_as_one_counts_them_by_hand(
        self, calendar: Calendar, first: dt.date, last: dt.date
    ) -> None:
        by_hand = 0
        day = first
        while day <= last:
            frozen = any(begin <= day <= end for begin, end, _ in calendar.freezes)
            assert calendar.is_counted(day) == (day.isoweekday() in calendar.weekdays and not frozen)
            by_hand += calendar.is_counted(day)
            day += DAY
        assert calendar.counted_days(first, last) == by_hand

    @given(calendars, periods)
    def test_what_is_left_out_is_why_a_working_day_does_not_count(
        self, calendar: Calendar, period: tuple[dt.date, dt.date]
    ) -> None:
        first, last = period
        left_out = calendar.left_out(first, last)
        assert left_out == sorted(left_out)
        for begin, end, reason in left_out:
            assert first <= begin <= end <= last
            assert reason == "Holiday"
        for number in range((last - first).days + 1):
            day = first + number * DAY
            named = any(begin <= day <= end for begin, end, _ in left_out)
            assert calendar.is_counted(day) == (day.isoweekday() in calendar.weekdays and not named)

    @given(calendars, periods, st.integers(0, 100))
    def test_parts_of_a_period_add_up(self, calendar: Calendar, period: tuple[dt.date, dt.date], more: int) -> None:
        first, middle = period
        last = middle + more * DAY
        parts = calendar.counted_days(first, middle) + calendar.counted_days(middle + DAY, last)
        assert parts == calendar.counted_days(first, last)


class TestRule:
    @given(
        st.lists(st.tuples(st.integers(1, 20), st.integers(1, 9)), min_size=1, max_size=30),
        st.integers(0, 200),
        calendars,
    )
    def test_who_is_silent_has_been_for_long_and_stays_so(
        self, reports: list[tuple[int, int]], silent_for: int, calendar: Calendar
    ) -> None:
        days, day = {}, MONDAY
        for gap, number in reports:
            day += gap * DAY
            days[day] = number
        pace = silence_of(days, day + silent_for * DAY, calendar)
        if pace is None:
            return
        assert sum(days.values()) >= 5
        assert 5 <= pace.counted_days <= pace.silent_days == silent_for
        gaps = sorted(
            calendar.counted_days(one + DAY, following)
            for one, following in zip(sorted(days), sorted(days)[1:], strict=False)
        )
        # No more than a tenth of the gaps are longer than the usual one.
        assert sum(3 * gap >= pace.counted_days for gap in gaps) <= len(gaps) / 10 + 1
        assert pace.per_week <= sum(days.values())
        assert silence_of(days, day + (silent_for + 30) * DAY, calendar) is not None
        # A report ends the silence.
        assert silence_of({**days, day + silent_for * DAY: 1}, day + silent_for * DAY, calendar) is None

    @given(st.integers(1, 30), st.integers(5, 40), st.integers(0, 200))
    def test_a_steady_pace_is_missed_after_three_gaps(self, gap: int, reports: int, silent_for: int) -> None:
        days = {MONDAY + number * gap * DAY: 1 for number in range(reports)}
        pace = silence_of(days, max(days) + silent_for * DAY, Calendar())
        assert (pace is not None) == (silent_for >= 5 and silent_for > 3 * gap)

    @pytest.mark.parametrize(("weekdays", "silent"), [(EVERY_WEEKDAY, True), (frozenset({1, 2, 3, 4, 5}), False)])
    def test_a_weekend_is_no_silence(self, weekdays: frozenset[int], silent: bool) -> None:
        week = {MONDAY + number * DAY: 1 for number in range(5)}  # Monday to Friday
        wednesday_after = MONDAY + 9 * DAY
        assert (silence_of(week, wednesday_after, Calendar(weekdays)) is not None) == silent

    def test_a_freeze_is_no_silence(self) -> None:
        week = {MONDAY + number * DAY: 1 for number in range(7)}
        after = MONDAY + 20 * DAY
        assert silence_of(week, after, Calendar()) is not None
        freeze = (MONDAY + 8 * DAY, MONDAY + 18 * DAY, "Easter")
        assert silence_of(week, after, Calendar(freezes=(freeze,))) is None


def report(
    workspace: Workspace, app: str, *days_ago: float, environment: str = "production", **fields: object
) -> None:
    track = factories.make_track(workspace, app, environment)
    for days in days_ago:
        factories.make_deployment(track, NOW - dt.timedelta(days=days), **fields)


FOUR_A_WEEK = tuple(12 + week * 7 + day for week in range(4) for day in (0, 2, 4, 6))


def test_an_application_that_used_to_report_and_does_not_any_more_is_found(workspace: Workspace) -> None:
    report(workspace, "broken", *FOUR_A_WEEK)
    report(workspace, "alive", *FOUR_A_WEEK, 3)
    report(workspace, "new", 40, 39, 38, 37)
    report(workspace, "retired", *(200 + number for number in range(20)))
    report(workspace, "in-staging", *FOUR_A_WEEK, environment="staging")
    report(workspace, "failing", *FOUR_A_WEEK)
    report(workspace, "failing", 3, state="failure")
    report(factories.make_workspace("Other"), "theirs", *FOUR_A_WEEK)

    [found] = silent_applications(workspace, NOW)
    assert (found.application.name, found.environment.name) == ("broken", "production")
    assert found.silent_days == 12
    assert found.last_at == NOW - dt.timedelta(days=12)
    assert round(found.per_week) == 4
    assert found.words == "used to report 4.0 a week, nothing for 12 days"


def test_the_longest_silence_comes_first_and_archived_reports_are_none(workspace: Workspace) -> None:
    report(workspace, "later", *(days - 5 for days in FOUR_A_WEEK))
    report(workspace, "earlier", *FOUR_A_WEEK)
    report(workspace, "earlier", 1, archived_at=NOW)
    assert [found.application.name for found in silent_applications(workspace, NOW)] == ["earlier", "later"]


def test_freeze_periods_and_free_days_of_the_workspace_are_no_silence(workspace: Workspace) -> None:
    report(workspace, "api", *FOUR_A_WEEK)
    freeze = FreezePeriod.objects.create(
        workspace=workspace, first_day=(NOW - 10 * DAY).date(), last_day=NOW.date(), reason="Moving"
    )
    assert silent_applications(workspace, NOW) == []
    freeze.delete()
    assert len(silent_applications(workspace, NOW)) == 1
    workspace.working_days = [7]
    workspace.save()
    assert silent_applications(workspace, NOW) == []


def test_days_are_those_of_the_workspace(workspace: Workspace) -> None:
    """Six days ago by the clock of Auckland, five by that of Honolulu: the usual gap is of two days there."""
    late = dt.datetime(2026, 6, 1, 11, 30, tzinfo=dt.UTC)
    track = factories.make_track(workspace)
    for number in range(8):
        factories.make_deployment(track, late - dt.timedelta(days=4, hours=13) - number * DAY)
    workspace.time_zone = "Pacific/Auckland"  # 23:30 of 1 June; the last was reported at 10:30 of 28 May
    assert silent_applications(workspace, late) == []
    workspace.time_zone = "Pacific/Honolulu"  # 1:30 of 1 June; the last was reported at 12:30 of 27 May
    assert len(silent_applications(workspace, late)) == 1


def test_it_costs_the_same_queries_for_one_application_and_for_thirty(
    workspace: Workspace, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(30):
        report(workspace, f"app-{number}", 12, 14, 16, 18, 20)
        if number in (0, 29):
            with django_assert_num_queries(3):
                found = silent_applications(workspace, NOW)
            assert len(found) == number + 1
            assert all(one.application.name and one.environment.name for one in found)
