"""The review of a month or quarter: one page for print."""

import datetime as dt
from typing import Any

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from deployments.models import (
    FailureFinding,
    FreezePeriod,
    Incident,
    PullRequest,
    RuleChange,
    Track,
    Workspace,
)
from metrics.models import ReviewNote
from metrics.reviews import Span
from metrics.svg import Column, columns
from tests import factories
from tests.factories import HOUR, NOON

TODAY = dt.datetime(2026, 5, 20, 12, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def _today(time_machine: Any) -> None:
    time_machine.move_to(TODAY, tick=False)


def read(pages: Client, query: str = "month=2026-03") -> str:
    answer = pages.get(f"/review/?{query}")
    assert answer.status_code == 200
    return answer.content.decode()


def ship(track: Track, at: dt.datetime, changes: int = 1, **fields: Any) -> Any:
    deployment = factories.make_deployment(track, at, **fields)
    for _ in range(changes):
        factories.make_change(deployment, 2 * HOUR)
    return deployment


months = st.builds(
    Span, st.dates(dt.date(1980, 1, 1), dt.date(2150, 1, 1)).map(lambda day: day.replace(day=1)), st.just(1)
)
quarters = months.map(lambda span: Span(span.first.replace(month=(span.first.month - 1) // 3 * 3 + 1), 3))


@given(st.one_of(months, quarters), st.integers(-50, 50))
def test_spans_follow_one_another_without_gap(span: Span, count: int) -> None:
    assert span.moved(1).first == span.last + dt.timedelta(days=1)
    assert span.moved(count).moved(-count) == span
    assert span.moved(count).months == span.months


def test_it_has_the_numbers_of_the_month_and_of_the_month_before(workspace: Workspace, pages: Client) -> None:
    track = factories.make_track(workspace)
    for day in range(31):
        ship(track, dt.datetime(2026, 3, 1 + day, 9, tzinfo=dt.UTC))
    for day in range(14):
        ship(track, dt.datetime(2026, 2, 1 + 2 * day, 9, tzinfo=dt.UTC))
    told = read(pages)
    assert "<h1>March 2026</h1>" in told
    assert "1.0 a day" in told
    assert "Before 0.5 a day" in told  # February has 28 days, and no day of January is among them
    assert "31 deployments on 31 of 31 days" in told
    assert "elite</span>" in told
    assert "2024, as printed by Octopus Deploy" in told
    assert "Oct 25 no data" in told
    assert "Feb 26 0.5 a day" in told


def test_a_quarter_has_the_trend_of_four(workspace: Workspace, pages: Client) -> None:
    track = factories.make_track(workspace)
    for month, hours in ((1, 1), (2, 2), (3, 9), (4, 4)):
        factories.make_change(factories.make_deployment(track, NOON.replace(month=month)), hours * HOUR)
    told = read(pages, "quarter=2026-Q1")
    assert "<h1>1. quarter of 2026</h1>" in told
    assert "Q2 25 no data" in told
    assert "Q1 26 2 h" in told
    assert "1 Jan 2026 – 31 Mar 2026" in told


def test_failures_come_with_their_reasons_and_recovery(workspace: Workspace, pages: Client) -> None:
    track = factories.make_track(workspace)
    repaired = ship(track, NOON, version="v7", has_failed=True, repaired_at=NOON + 3 * HOUR)
    ship(track, NOON + HOUR, version="v8", has_failed=True)
    ship(track, NOON + 2 * HOUR, version="v9")
    FailureFinding.objects.create(deployment=repaired, reason="rollback", why="v9 went back to v6.")
    told = read(pages).split("<h2>Failed deployments")[1].split("<h2>Incidents")[0]
    assert told.index("v8") < told.index("v7")
    assert "not repaired" in told
    assert "v9 went back to v6." in told
    assert "3 h" in told
    assert "api v9" not in told


def test_the_largest_deployments_and_the_longest_waits(workspace: Workspace, pages: Client) -> None:
    track = factories.make_track(workspace)
    ship(track, NOON, 4, version="big")
    small = ship(track, NOON + HOUR, 1, version="small")
    for number, author, days in ((5, "ada", 3), (6, "renovate[bot]", 30)):
        pull_request = PullRequest.objects.create(
            repository=track.application.repository,
            number=number,
            title=f"Pull {number}",
            author=author,
            opened_at=NOON,
            facts_at=NOON,
        )
        zero = dict.fromkeys(["coding_seconds", "draft_seconds", "waiting_for_review_seconds", "review_seconds"], 0)
        wait = days * 86400
        factories.make_change(
            small, dt.timedelta(days=days), pull_request=pull_request, **zero, waiting_for_deployment_seconds=wait
        )
    told = read(pages)
    largest = told.split("<h2>Largest deployments")[1]
    assert "4 changes" in largest
    assert largest.index("big") < largest.index("small")
    waits = told.split("<h2>Longest waits")[1]
    assert "#5 Pull 5" in waits
    assert "3.0 days" in waits
    assert "Pull 6" not in waits  # bots are set apart


def test_incidents_of_the_month_are_those_that_were_open_then(workspace: Workspace, pages: Client) -> None:
    march = dt.datetime(2026, 3, 10, tzinfo=dt.UTC)
    for title, start, end in (
        ("over before", march - dt.timedelta(days=30), march - dt.timedelta(days=20)),
        ("over the month's end", march - dt.timedelta(days=15), march),
        ("still open", march, None),
        ("later", march + dt.timedelta(days=30), None),
    ):
        Incident.objects.create(workspace=workspace, title=title, started_at=start, resolved_at=end)
    told = read(pages)
    assert "over before" not in told
    assert "over the month&#x27;s end" in told
    assert "still open" in told
    assert ">later<" not in told


def test_what_was_left_out_and_which_rules_changed(workspace: Workspace, pages: Client) -> None:
    workspace.working_days = [1, 2, 3, 4, 5]
    workspace.save()
    FreezePeriod.objects.create(
        workspace=workspace, first_day=dt.date(2026, 3, 30), last_day=dt.date(2026, 4, 6), reason="Easter"
    )
    RuleChange.objects.create(workspace=workspace, summary="Hotfix titles changed", created_at=NOON)
    told = read(pages)
    assert "Saturdays, Sundays do not count" in told
    assert "30 Mar – 31 Mar does not count: Easter" in told
    assert "Hotfix titles changed" in told
    assert "Hotfix titles changed" not in read(pages, "month=2026-02")


def test_the_note_is_kept_with_who_and_when(workspace: Workspace, pages: Client) -> None:
    answer = pages.post("/review/?month=2026-03", {"text": "  We moved house.\n<b>Slow</b> weeks.  "}, follow=True)
    told = answer.content.decode()
    assert "We moved house.<br>&lt;b&gt;Slow&lt;/b&gt; weeks." in told
    assert "ada@example.com" in told
    assert "20 May 2026" in told
    assert "We moved house" not in read(pages, "quarter=2026-Q1")
    pages.post("/review/?month=2026-03", {"text": "Other"})
    assert ReviewNote.objects.get().text == "Other"
    pages.post("/review/?month=2026-03", {"text": " "})
    assert not ReviewNote.objects.exists()
    too_long = pages.post("/review/?month=2026-03", {"text": "x" * 10_001}).content.decode()
    assert "at most 10000 characters" in too_long


def test_one_leads_to_the_next_and_the_one_before(workspace: Workspace, pages: Client) -> None:
    factories.make_track(workspace, "web")
    told = read(pages, "month=2026-04&app=web")
    assert "?month=2026-03&amp;app=web" in told
    assert "?month=2026-05&amp;app=web" in told
    current = read(pages, "month=2026-05")
    assert "so far" in current
    assert "?month=2026-06" not in current
    assert "<h1>April 2026</h1>" in read(pages, "")


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("month=2026-13", "Must be a month such as 2026-03"),
        ("month=yesterday", "Must be a month such as 2026-03"),
        ("quarter=2026-Q5", "Must be a quarter such as 2026-Q1"),
        ("month=2026-06", "June 2026 has not begun yet"),
        ("month=0000-01", "Must be a month"),
        ("app=nothing", "There is no “nothing”"),
    ],
)
def test_what_cannot_be_reviewed_is_said(workspace: Workspace, pages: Client, query: str, error: str) -> None:
    told = read(pages, query)
    assert error in told
    assert "<h1>April 2026</h1>" in told


def test_it_is_narrowed_down_to_an_application(workspace: Workspace, pages: Client) -> None:
    ship(factories.make_track(workspace, "web"), NOON, 3, version="web-1")
    ship(factories.make_track(workspace, "api"), NOON, 3, version="api-1")
    told = read(pages, "month=2026-03&app=web")
    assert "web-1" in told
    assert "api-1" not in told


def test_nothing_of_another_workspace_is_in_it(workspace: Workspace, pages: Client) -> None:
    other = factories.make_workspace("Other")
    ship(factories.make_track(other, "secret"), NOON, 3, has_failed=True)
    Incident.objects.create(workspace=other, title="secret", started_at=NOON)
    RuleChange.objects.create(workspace=other, summary="secret", created_at=NOON)
    day = dt.date(2026, 3, 1)
    ReviewNote.objects.create(workspace=other, first_day=day, last_day=dt.date(2026, 3, 31), text="secret")
    assert "secret" not in read(pages)


def test_it_costs_the_same_queries_however_much_there_is(
    workspace: Workspace, pages: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    counts = []
    for app in ("a", "b", "c"):
        track = factories.make_track(workspace, app)
        for hour in range(6):
            failed = ship(track, NOON + hour * HOUR, 2, has_failed=True, repaired_at=NOON + 24 * HOUR)
            FailureFinding.objects.create(deployment=failed, reason="rollback", why="Rolled back.")
            Incident.objects.create(workspace=workspace, title="Down", started_at=NOON, application=track.application)
        with django_assert_max_num_queries(45) as queries:
            read(pages)
        counts.append(len(queries))
    assert counts[1:] == counts[:1] * 2


def test_a_chart_has_no_column_where_there_is_no_data() -> None:
    drawn = columns("Lead <time>", [Column("Jan", "no data", None), Column("Feb", "2 h", 7200.0)])
    assert drawn.count("<rect") == 1
    assert "Lead &lt;time&gt;: Jan no data, Feb 2 h" in drawn
