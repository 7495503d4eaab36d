"""The DORA report of a selection: the one source of page, JSON, CSV, badge and digest."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.utils import timezone

from metrics import dora, facts, levels, uncertainty
from metrics.dora import Rate, Spread
from metrics.facts import STAGES, DayFacts, Progress, spread_of
from metrics.models import Metric
from metrics.no_data import reasons_for_no_data
from metrics.packing import DaySums, total
from metrics.periods import Period, bucket_start, next_bucket
from metrics.selections import Selection
from metrics.uncertainty import Range
from metrics.workdays import Calendar

# Of which metrics more is better; of the others less is.
_MORE_IS_BETTER = {Metric.DEPLOYMENT_FREQUENCY}
_LEVELS = {
    Metric.DEPLOYMENT_FREQUENCY: "frequency",
    Metric.CHANGE_LEAD_TIME: "lead_time",
    Metric.RECOVERY_TIME: "recovery",
    Metric.CHANGE_FAIL_RATE: "fail_rate",
}


@dataclass(frozen=True, slots=True)
class Frequency:
    """Deployment frequency. `days` are those that count: working days outside freeze periods."""

    per_day: float | None
    deployments: int
    days_with_deployments: int
    days: int
    range: Range | None


@dataclass(frozen=True, slots=True)
class Stages:
    """How long changes spent in each stage on average, in seconds. The stages add up to `mean`."""

    mean: float
    means: dict[str, float]
    changes: int


@dataclass(frozen=True, slots=True)
class Recovery:
    """How long failures lasted that are repaired, in seconds, and those that are not: how many, and the longest."""

    spread: Spread
    open: int
    longest_open: float | None


@dataclass(frozen=True, slots=True)
class Measures:
    """The five metrics of some days."""

    frequency: Frequency
    lead_time: Spread
    stages: Stages | None
    recovery: Recovery
    fail_rate: Rate
    rework_rate: Rate

    def value(self, metric: str) -> float | None:
        """Return the figure that stands for a metric: a day, seconds, or a share."""
        return {
            Metric.DEPLOYMENT_FREQUENCY: self.frequency.per_day,
            Metric.CHANGE_LEAD_TIME: self.lead_time.median,
            Metric.RECOVERY_TIME: self.recovery.spread.median,
            Metric.CHANGE_FAIL_RATE: self.fail_rate.value,
            Metric.REWORK_RATE: self.rework_rate.value,
        }[Metric(metric)]

    def range(self, metric: str) -> Range | None:
        """Return the range of 95 % of that figure; None where the sample is too small for one."""
        return {
            Metric.DEPLOYMENT_FREQUENCY: self.frequency.range,
            Metric.CHANGE_LEAD_TIME: self.lead_time.median_range,
            Metric.RECOVERY_TIME: self.recovery.spread.median_range,
            Metric.CHANGE_FAIL_RATE: self.fail_rate.range,
            Metric.REWORK_RATE: self.rework_rate.range,
        }[Metric(metric)]


@dataclass(frozen=True, slots=True)
class Bucket:
    """One day, week or month of the series."""

    start: datetime.date
    last: datetime.date
    measures: Measures


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a metric changed against the period before, and whether that is more than noise."""

    change: float | None  # as a share of what it was; of rates the difference
    is_signal: bool
    is_better: bool | None


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many of the deployments that should have brought changes have known ones, and what was set apart."""

    expected: int
    without_known_commits: int
    baselines: int
    changes_without_start: int
    clocks_ahead: int
    bot_changes: int

    @property
    def share(self) -> float | None:
        return dora.coverage(self.expected - self.without_known_commits, self.expected)


@dataclass(frozen=True, slots=True)
class DoraReport:
    """The five metrics, the period before, the series, and why there is nothing where there is nothing."""

    selection: Selection
    calendar: Calendar
    now: Measures
    before: Measures
    comparisons: dict[str, Comparison]
    levels: dict[str, levels.Placed | None]
    buckets: list[Bucket]
    coverage: Coverage
    no_data: dict[str, str]
    redeploys_left_out: int
    failed_attempts: int
    recomputing: Progress | None
    days: list[DayFacts] = field(repr=False)


def dora_report(selection: Selection) -> DoraReport:
    """Work the metrics out for a selection, by a number of queries that does not depend on how much there is."""
    period, previous = selection.period, selection.period.previous()
    loaded = facts.load(selection, previous.first, period.last)
    calendar = calendar_of(selection)
    days = [day for day in loaded.days if day.day >= period.first]
    days_before = [day for day in loaded.days if day.day < period.first]
    sums = total(day.sums for day in days)
    now, before = (
        measures_of(selection, calendar, days, period),
        measures_of(selection, calendar, days_before, previous),
    )
    return DoraReport(
        selection=selection,
        calendar=calendar,
        now=now,
        before=before,
        comparisons={metric: compare(metric, now, before) for metric in Metric},
        levels=_levels(selection, now),
        buckets=_buckets(selection, calendar, days),
        coverage=_coverage(sums),
        no_data=reasons_for_no_data(selection, days, now.frequency.deployments),
        redeploys_left_out=0 if selection.workspace.count_redeploys else sums.redeploys,
        failed_attempts=sums.failed_attempts,
        recomputing=loaded.recomputing,
        days=days,
    )


def calendar_of(selection: Selection) -> Calendar:
    """Return which days count in the selection's workspace. Causes a query."""
    workspace = selection.workspace
    freezes = workspace.freeze_periods.values_list("first_day", "last_day", "reason")
    return Calendar(frozenset(workspace.working_days), tuple(freezes))


def measures_of(selection: Selection, calendar: Calendar, days: Sequence[DayFacts], period: Period) -> Measures:
    """Return the metrics of the days of a period."""
    sums = total(day.sums for day in days)
    numbers = [counted(selection, day.sums) for day in days]
    deployments = sum(numbers)
    attempts = sums.failed_attempts
    length = calendar.counted_days(period.first, period.last)
    return Measures(
        frequency=_frequency(deployments, sum(number > 0 for number in numbers), length),
        lead_time=spread_of("leads", days),
        stages=_stages(sums),
        recovery=_recovery(days),
        fail_rate=dora.rate(sums.failed + attempts, deployments + attempts),
        rework_rate=dora.rate(sums.rework, deployments),
    )


def counted(selection: Selection, sums: DaySums) -> int:
    """Return how many deployments count: redeploys of the running commit only where the workspace says so."""
    return sums.deployments if selection.workspace.count_redeploys else sums.deployments - sums.redeploys


def _frequency(deployments: int, days_with: int, days: int) -> Frequency:
    low, high = uncertainty.count_range(deployments)
    return Frequency(
        per_day=dora.deployment_frequency(deployments, days),
        deployments=deployments,
        days_with_deployments=days_with,
        days=days,
        range=(low / days, high / days) if deployments and days else None,
    )


def _stages(sums: DaySums) -> Stages | None:
    if not sums.staged:
        return None
    means = {name: getattr(sums, name) / sums.staged for name in STAGES}
    return Stages(sums.staged_lead_sum / sums.staged, means, sums.staged)


def _recovery(days: Sequence[DayFacts]) -> Recovery:
    since = [int(day.open_since[0]) for day in days if len(day.open_since)]
    longest = max(0.0, timezone.now().timestamp() - min(since)) if since else None
    return Recovery(spread_of("recoveries", days), sum(len(day.open_since) for day in days), longest)


def _buckets(selection: Selection, calendar: Calendar, days: Sequence[DayFacts]) -> list[Bucket]:
    period, interval = selection.period, selection.interval
    grouped: dict[datetime.date, list[DayFacts]] = {start: [] for start in period.buckets(interval)}
    for day in days:
        grouped[bucket_start(day.day, interval)].append(day)
    buckets = []
    for start, inside in grouped.items():
        last = min(next_bucket(start, interval) - datetime.timedelta(days=1), period.last)
        part = Period(max(start, period.first), last, period.zone)
        buckets.append(Bucket(start, last, measures_of(selection, calendar, inside, part)))
    return buckets


def _coverage(sums: DaySums) -> Coverage:
    return Coverage(
        expected=sums.expected,
        without_known_commits=sums.without_known_commits,
        baselines=sums.baselines,
        changes_without_start=sums.changes_without_start,
        clocks_ahead=sums.clocks_ahead,
        bot_changes=sums.bot_changes,
    )


def compare(metric: Metric, now: Measures, before: Measures) -> Comparison:
    """Return how a metric changed from one period to another."""
    here, there = now.value(metric), before.value(metric)
    if here is None or there is None:
        return Comparison(None, False, None)
    is_rate = metric in {Metric.CHANGE_FAIL_RATE, Metric.REWORK_RATE}
    change = here - there if is_rate else ((here - there) / there if there else None)
    is_better = None if here == there else (here > there) == (metric in _MORE_IS_BETTER)
    return Comparison(change, _is_signal(metric, now, before), is_better)


def _is_signal(metric: Metric, now: Measures, before: Measures) -> bool:
    if metric is Metric.DEPLOYMENT_FREQUENCY:
        here, there = now.frequency, before.frequency
        return uncertainty.counts_differ(here.deployments, here.days, there.deployments, there.days)
    if metric is Metric.CHANGE_LEAD_TIME:
        return uncertainty.ranges_apart(now.lead_time.median_range, before.lead_time.median_range)
    if metric is Metric.RECOVERY_TIME:
        return uncertainty.ranges_apart(now.recovery.spread.median_range, before.recovery.spread.median_range)
    here_rate, there_rate = (
        (now.fail_rate, before.fail_rate)
        if metric is Metric.CHANGE_FAIL_RATE
        else (now.rework_rate, before.rework_rate)
    )
    return uncertainty.rates_differ(here_rate.part, here_rate.whole, there_rate.part, there_rate.whole)


def _levels(selection: Selection, now: Measures) -> dict[str, levels.Placed | None]:
    year = selection.workspace.report_year
    return {metric: levels.place(year, name, now.value(metric)) for metric, name in _LEVELS.items()}
