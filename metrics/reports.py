"""The DORA report of a selection: the one source of page, JSON and CSV."""

import datetime
from collections import defaultdict
from dataclasses import dataclass

from django.db.models import QuerySet

from deployments.models import Change, ChangeKind, Deployment
from metrics import dora
from metrics.periods import Period, bucket_start
from metrics.selections import Selection

# Kinds that bring nothing new by their nature: there is nothing to measure on them.
_WITHOUT_CHANGES = {ChangeKind.BASELINE, ChangeKind.REDEPLOY, ChangeKind.ROLLBACK}


@dataclass(frozen=True, slots=True)
class Frequency:
    """Deployment frequency of one period."""

    per_day: float | None
    deployments: int
    days_with_deployments: int
    days: int


@dataclass(frozen=True, slots=True)
class LeadTime:
    """Change lead time of one period, in seconds."""

    median: float | None
    p90: float | None
    mean: float | None
    changes: int


@dataclass(frozen=True, slots=True)
class Bucket:
    """One day, week or month of both series. Lead times are None where no change was shipped."""

    start: datetime.date
    deployments: int
    lead_time: LeadTime


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many of the deployments that should have brought changes have known ones."""

    expected: int
    without_known_commits: int
    baselines: int
    changes_without_start: int
    clocks_ahead: int

    @property
    def share(self) -> float | None:
        return dora.coverage(self.expected - self.without_known_commits, self.expected)


@dataclass(frozen=True, slots=True)
class DoraReport:
    """Both metrics, the period before, the series, and why there is nothing where there is nothing."""

    selection: Selection
    frequency: Frequency
    previous_frequency: Frequency
    lead_time: LeadTime
    previous_lead_time: LeadTime
    buckets: list[Bucket]
    coverage: Coverage
    frequency_no_data: str
    lead_time_no_data: str
    redeploys_left_out: int


@dataclass(frozen=True, slots=True)
class _Row:
    deployed_at: datetime.datetime
    kind: str
    changes_count: int
    is_complete: bool


def dora_report(selection: Selection) -> DoraReport:
    """Work the metrics out for a selection. Causes three queries at most, however much there is."""
    period, previous = selection.period, selection.period.previous()
    rows = _deployments(selection, previous.start, period.end)
    counted = [row for row in rows if _counts(row, selection)]
    changes = _changes(selection, previous.start, period.end)
    now = [row for row in rows if row.deployed_at >= period.start]
    now_counted = [row for row in counted if row.deployed_at >= period.start]
    leads = [change for change in changes if change[0] >= period.start]
    return DoraReport(
        selection=selection,
        frequency=_frequency(now_counted, period),
        previous_frequency=_frequency([row for row in counted if row.deployed_at < period.start], previous),
        lead_time=_lead_time([seconds for _, seconds, _ in leads]),
        previous_lead_time=_lead_time([seconds for at, seconds, _ in changes if at < period.start]),
        buckets=_buckets(selection, now_counted, leads),
        coverage=_coverage(now, leads),
        frequency_no_data="" if now_counted else _why_nothing_deployed(selection),
        lead_time_no_data=_why_no_lead_time(selection, now, leads),
        redeploys_left_out=len(now) - len(now_counted),
    )


def selected(selection: Selection) -> "QuerySet[Deployment]":
    """Return the deployments that a selection is about, at whatever time."""
    rows = Deployment.objects.reached().filter(environment__in=selection.environments)
    if selection.applications:
        rows = rows.filter(application__in=selection.applications)
    if selection.repositories:
        rows = rows.filter(application__repository__in=selection.repositories)
    return rows


def _deployments(selection: Selection, start: datetime.datetime, end: datetime.datetime) -> list[_Row]:
    rows = selected(selection).filter(deployed_at__gte=start, deployed_at__lt=end)
    columns = ("deployed_at", "change_kind", "changes_count", "history_is_complete")
    return [_Row(*row) for row in rows.values_list(*columns)]


def _changes(
    selection: Selection, start: datetime.datetime, end: datetime.datetime
) -> list[tuple[datetime.datetime, int | None, bool]]:
    shipped = selected(selection).filter(deployed_at__gte=start, deployed_at__lt=end, changes_count__gt=0)
    changes = Change.objects.filter(deployment__in=shipped)
    return list(changes.values_list("deployment__deployed_at", "lead_time_seconds", "clock_was_ahead"))


def _counts(row: _Row, selection: Selection) -> bool:
    return row.kind != ChangeKind.REDEPLOY or selection.workspace.count_redeploys


def _frequency(rows: list[_Row], period: Period) -> Frequency:
    days = {period.day_of(row.deployed_at) for row in rows}
    return Frequency(dora.deployment_frequency(len(rows), period.days), len(rows), len(days), period.days)


def _lead_time(seconds: list[int | None]) -> LeadTime:
    ordered = sorted(value for value in seconds if value is not None)
    return LeadTime(dora.median(ordered), dora.percentile(ordered, 0.9), dora.mean(ordered), len(ordered))


def _buckets(
    selection: Selection,
    rows: list[_Row],
    changes: list[tuple[datetime.datetime, int | None, bool]],
) -> list[Bucket]:
    period, interval = selection.period, selection.interval
    deployments: dict[datetime.date, int] = defaultdict(int)
    seconds: dict[datetime.date, list[int | None]] = defaultdict(list)
    for row in rows:
        deployments[bucket_start(period.day_of(row.deployed_at), interval)] += 1
    for deployed_at, lead, _ in changes:
        seconds[bucket_start(period.day_of(deployed_at), interval)].append(lead)
    return [Bucket(start, deployments[start], _lead_time(seconds[start])) for start in period.buckets(interval)]


def _coverage(rows: list[_Row], changes: list[tuple[datetime.datetime, int | None, bool]]) -> Coverage:
    expected = [row for row in rows if row.kind not in _WITHOUT_CHANGES]
    unknown = [row for row in expected if not row.is_complete and not row.changes_count]
    return Coverage(
        expected=len(expected),
        without_known_commits=len(unknown),
        baselines=sum(row.kind == ChangeKind.BASELINE for row in rows),
        changes_without_start=sum(seconds is None for _, seconds, _ in changes),
        clocks_ahead=sum(ahead for _, _, ahead in changes),
    )


def _why_nothing_deployed(selection: Selection) -> str:
    """Tell an environment that never had a deployment from one that has gone silent."""
    if not selection.environments:
        return "No environment is production. Choose one, or mark one as production."
    latest = selected(selection).filter(deployed_at__lt=selection.period.end).newest_first().first()  # type: ignore[attr-defined]
    if latest is None:
        return "Nothing has been deployed here yet."
    day = selection.period.day_of(latest.deployed_at)
    silent = (selection.period.last - day).days
    return f"Nothing was deployed. The last deployment was reported on {day:%-d %B %Y}, {silent} days before the end."


def _why_no_lead_time(
    selection: Selection, rows: list[_Row], changes: list[tuple[datetime.datetime, int | None, bool]]
) -> str:
    if any(seconds is not None for _, seconds, _ in changes):
        return ""
    if not rows:
        return "Nothing was deployed, so there is no change to measure."
    if all(row.kind == ChangeKind.BASELINE for row in rows):
        return "Only first deployments: they say what was there, so nothing on them has a lead time."
    if changes:
        return "The changes that were shipped have no known date."
    if any(not row.is_complete for row in rows):
        return "The commits of these deployments are not known. Send them with the report script, or import a clone."
    return "What was deployed brought no new change: only redeploys and rollbacks."
