"""The review of a month or a quarter: its numbers beside one's own past, and what was worth remembering."""

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.db.models import F, Q, QuerySet
from django.db.models.functions import Greatest
from django.utils import timezone
from django.utils.safestring import SafeString

from deployments.models import Change, Deployment, Incident, RuleChange, Workspace
from deployments.names import name_key
from metrics import facts, rows, svg
from metrics.facts import DayFacts
from metrics.levels import Placed
from metrics.models import Metric, ReviewNote
from metrics.periods import Period
from metrics.reports import DoraReport, Measures, compare, dora_report, measures_of
from metrics.selections import Bots, Selection
from metrics.wording import change_in_words, range_in_words, sample_in_words, tone, written
from metrics.workdays import Calendar

MONTHS_SHOWN, QUARTERS_SHOWN = 6, 4
MOST_ROWS = 5
MOST_FAILURES = 6
MOST_INCIDENTS = 6
# Bots are told from people only here: so many rows are looked at to find the longest waits of people.
_LOOKED_AT = 200
_MONTH, _QUARTER = re.compile(r"(\d{4})-(\d\d)", re.ASCII), re.compile(r"(\d{4})-Q([1-4])", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A calendar month, or a quarter of a year: so many months from the first of one on."""

    first: datetime.date
    months: int

    @property
    def last(self) -> datetime.date:
        return self.moved(1).first - datetime.timedelta(days=1)

    @property
    def name(self) -> str:
        return f"{self.first:%B %Y}" if self.months == 1 else f"{self._quarter}. quarter of {self.first.year}"

    @property
    def short_name(self) -> str:
        return f"{self.first:%b %y}" if self.months == 1 else f"Q{self._quarter} {self.first:%y}"

    @property
    def key(self) -> tuple[str, str]:
        """The parameter of an address that names it, and its value."""
        if self.months == 1:
            return "month", f"{self.first:%Y-%m}"
        return "quarter", f"{self.first.year}-Q{self._quarter}"

    @property
    def _quarter(self) -> int:
        return (self.first.month + 2) // 3

    def moved(self, count: int) -> "Span":
        """Return the one so many later; earlier where `count` is below zero."""
        months = self.first.year * 12 + self.first.month - 1 + count * self.months
        return Span(datetime.date(months // 12, months % 12 + 1, 1), self.months)

    def period(self, workspace: Workspace) -> Period:
        """Return its days, up to today."""
        return Period(self.first, max(self.first, min(self.last, today_in(workspace))), workspace.zone)


class InvalidSpan(ValueError):
    """What was asked for is no month and no quarter that has begun."""


def today_in(workspace: Workspace) -> datetime.date:
    """Return today in the workspace's time zone."""
    return timezone.now().astimezone(workspace.zone).date()


def read_span(workspace: Workspace, month: str, quarter: str) -> Span:
    """Return what the parameters name; the last whole month where they name nothing. Raises InvalidSpan."""
    today = today_in(workspace)
    this_month = Span(today.replace(day=1), 1)
    if quarter:
        found = _QUARTER.fullmatch(quarter)
        span = _span(found and (int(found[1]), int(found[2]) * 3 - 2), 3)
        wanted = "a quarter such as 2026-Q1"
    elif month:
        found = _MONTH.fullmatch(month)
        span = _span(found and (int(found[1]), int(found[2])), 1)
        wanted = "a month such as 2026-03"
    else:
        return this_month.moved(-1)
    if span is None:
        raise InvalidSpan(f"Must be {wanted}, after 1971 and before 2200.")
    if span.first > today:
        raise InvalidSpan(f"{span.name} has not begun yet.")
    return span


def _span(named: tuple[int, int] | None, months: int) -> Span | None:
    if not named or not 1971 < named[0] < 2200 or not 1 <= named[1] <= 12:
        return None
    return Span(datetime.date(*named, 1), months)


@dataclass(frozen=True, slots=True)
class Figure:
    """One metric of the review, ready to be shown."""

    title: str
    value: str
    no_data: str
    sample: str
    range: str
    before: str
    change: str
    tone: str
    level: Placed | None
    chart: SafeString


@dataclass(frozen=True, slots=True)
class Review:
    """All that a review shows. The rows are few; `failures_count` and `incidents_count` say of how many."""

    span: Span
    report: DoraReport
    figures: list[Figure]
    largest: list[Deployment]
    failures: list[Deployment]
    failures_count: int
    waits: list[Change]
    incidents: list[Incident]
    incidents_count: int
    rule_changes: list[RuleChange]
    note: ReviewNote | None

    @property
    def left_out(self) -> list[tuple[datetime.date, datetime.date, str]]:
        period = self.report.selection.period
        return self.report.calendar.left_out(period.first, period.last)

    @property
    def more_failures(self) -> int:
        return self.failures_count - len(self.failures)

    @property
    def more_incidents(self) -> int:
        return self.incidents_count - len(self.incidents)

    @property
    def is_over(self) -> bool:
        return self.report.selection.period.last == self.span.last


def review(selection: Selection, span: Span) -> Review:
    """Return the review of a span over a selection's places, by a number of queries that does not grow."""
    selection = replace(selection, period=span.period(selection.workspace))
    report = dora_report(selection)
    failures, incidents = _failures(selection), _incidents(selection)
    return Review(
        span=span,
        report=report,
        figures=_figures(report, span),
        largest=_largest(selection),
        failures=list(failures[:MOST_FAILURES]),
        failures_count=failures.count(),
        waits=_waits(selection),
        incidents=list(incidents[:MOST_INCIDENTS]),
        incidents_count=incidents.count(),
        rule_changes=_rule_changes(selection),
        note=note_of(selection.workspace, span),
    )


def _figures(report: DoraReport, span: Span) -> list[Figure]:
    shown = MONTHS_SHOWN if span.months == 1 else QUARTERS_SHOWN
    spans = [span.moved(place - shown + 1) for place in range(shown)]
    trend = _trend(report.selection, report.calendar, spans)
    return [_figure(report, metric, spans, trend) for metric in Metric]


def _trend(selection: Selection, calendar: Calendar, spans: Sequence[Span]) -> list[Measures]:
    """Return the metrics of calendar months or quarters. A median is one of all its changes, not of medians."""
    periods = [span.period(selection.workspace) for span in spans]
    loaded = facts.load(selection, periods[0].first, periods[-1].last).days
    return [measures_of(selection, calendar, _within(loaded, period), period) for period in periods]


def _within(days: Sequence[DayFacts], period: Period) -> list[DayFacts]:
    return [day for day in days if period.first <= day.day <= period.last]


def _figure(report: DoraReport, metric: Metric, spans: Sequence[Span], trend: Sequence[Measures]) -> Figure:
    now, comparison = report.now.value(metric), compare(metric, report.now, trend[-2])
    values = [measures.value(metric) for measures in trend]
    columns = [
        svg.Column(span.short_name, "no data" if value is None else written(metric, value, now), value)
        for span, value in zip(spans, values, strict=True)
    ]
    return Figure(
        title=metric.label,
        value=written(metric, now),
        no_data=report.no_data[metric],
        sample=sample_in_words(report.now, metric, report.selection.period.days),
        range=range_in_words(report.now, metric),
        before=written(metric, trend[-2].value(metric), now),
        change=change_in_words(metric, comparison),
        tone=tone(comparison),
        level=report.levels.get(metric),
        chart=svg.columns(metric.label, columns),
    )


def _largest(selection: Selection) -> list[Deployment]:
    """Return the deployments that brought the most changes."""
    found = rows.deployments(selection).during(selection.period.start, selection.period.end)
    found = found.filter(changes_count__gt=1).order_by("-changes_count", "deployed_at", "id")
    return list(found.select_related("application", "environment")[:MOST_ROWS])


def _failures(selection: Selection) -> "QuerySet[Deployment]":
    """Return the failed deployments, those that are not repaired first, then by how long it took."""
    failed = rows.everything(selection).live().filter(has_failed=True)
    failed = failed.during(selection.period.start, selection.period.end)
    failed = failed.annotate(recovery=rows.time_of_recovery())
    ordered = failed.order_by(F("recovery").desc(nulls_first=True), "deployed_at", "id")
    return ordered.select_related("application", "environment", "repaired_by").prefetch_related("findings")


def _waits(selection: Selection) -> list[Change]:
    """Return the changes of which one stage was the longest wait, for a review or for the deployment."""
    found = rows.shipped(selection).exclude(waiting_for_deployment_seconds=None)
    found = found.exclude(waiting_for_review_seconds=None)
    found = found.annotate(wait=Greatest("waiting_for_review_seconds", "waiting_for_deployment_seconds"))
    found = found.filter(wait__gt=0).order_by("-wait", "id")
    known = found.select_related("pull_request", "commit", "deployment__application", "deployment__environment")
    bots = {name_key(name) for name in selection.workspace.bot_names}
    people = (row for row in known[:_LOOKED_AT] if selection.bots is not Bots.APART or not _is_by_a_bot(row, bots))
    return [row for _, row in zip(range(MOST_ROWS), people, strict=False)]


def _is_by_a_bot(change: Change, bots: set[str]) -> bool:
    pull_request = change.pull_request
    name = name_key((pull_request.author if pull_request else "") or change.commit.author)
    return bool(pull_request and pull_request.author_is_bot) or name.endswith("[bot]") or name in bots


def _incidents(selection: Selection) -> "QuerySet[Incident]":
    """Return the incidents that were open at any time of the period, in the order in which they began."""
    period = selection.period
    found = Incident.objects.filter(workspace=selection.workspace, is_withdrawn=False, started_at__lt=period.end)
    found = found.filter(Q(resolved_at=None) | Q(resolved_at__gte=period.start))
    found = found.filter(Q(environment=None) | Q(environment__in=selection.environments))
    if selection.applications:
        found = found.filter(application__in=selection.applications)
    if selection.teams:
        found = found.filter(application__teams__in=selection.teams).distinct()
    return found.select_related("application", "environment", "cause").order_by("started_at", "id")


def _rule_changes(selection: Selection) -> list[RuleChange]:
    period = selection.period
    found = RuleChange.objects.filter(workspace=selection.workspace)
    return list(found.filter(created_at__gte=period.start, created_at__lt=period.end).order_by("created_at", "id"))


def note_of(workspace: Workspace, span: Span) -> ReviewNote | None:
    """Return what somebody wrote beside a span, whatever the review is narrowed down to."""
    found = ReviewNote.objects.filter(workspace=workspace, first_day=span.first, last_day=span.last)
    return found.select_related("written_by").first()
