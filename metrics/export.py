"""A report as JSON and as CSV."""

from typing import Any

from deployments.csv_files import as_csv
from metrics.dora import Rate, Spread
from metrics.facts import STAGES
from metrics.models import Metric
from metrics.reports import Bucket, DoraReport, Frequency, Measures, Recovery, Stages
from metrics.uncertainty import Range

NAMES = {
    Metric.DEPLOYMENT_FREQUENCY: "deploymentFrequency",
    Metric.CHANGE_LEAD_TIME: "changeLeadTime",
    Metric.RECOVERY_TIME: "failedDeploymentRecoveryTime",
    Metric.CHANGE_FAIL_RATE: "changeFailRate",
    Metric.REWORK_RATE: "deploymentReworkRate",
}
_CSV_COLUMNS = [
    "start", "deployments", "changes", "medianSeconds", "p90Seconds", "meanSeconds", "perDay", "daysCounted",
    "failed", "attempts", "changeFailRate", "rework", "deploymentReworkRate", "recovered", "open",
    "recoveryMedianSeconds",
]  # fmt: skip


def report_as_json(report: DoraReport) -> dict[str, Any]:
    """Return the report in the form of GET /v1/metrics/dora. Rates are per day or 0 to 1, times in seconds."""
    selection = report.selection
    progress = report.recomputing
    return {
        "from": selection.period.first.isoformat(),
        "to": selection.period.last.isoformat(),
        "timezone": selection.period.zone.key,
        "interval": selection.interval.value,
        "environments": [environment.name for environment in selection.environments],
        "bots": selection.bots,
        "recomputing": None if progress is None else {"done": progress.done, "total": progress.total},
        "daysLeftOut": [
            {"from": first.isoformat(), "to": last.isoformat(), "reason": reason}
            for first, last, reason in report.calendar.left_out(selection.period.first, selection.period.last)
        ],
        **{name: _metric(report, metric) for metric, name in NAMES.items()},
    }


def _metric(report: DoraReport, metric: Metric) -> dict[str, Any]:
    body = {**_figures(report.now, metric), "noData": report.no_data[metric] or None}
    if metric is Metric.CHANGE_LEAD_TIME:
        body["coverage"] = _coverage(report)
    if metric is Metric.CHANGE_FAIL_RATE:
        body["failedAttempts"] = report.failed_attempts
    comparison = report.comparisons[metric]
    body["comparison"] = {
        "change": comparison.change, "isMoreThanNoise": comparison.is_signal, "isBetter": comparison.is_better,
    }  # fmt: skip
    body["level"] = _level(report, metric)
    body["previous"] = _figures(report.before, metric)
    body["series"] = [
        {"start": bucket.start.isoformat(), **_series_figures(bucket.measures, metric)} for bucket in report.buckets
    ]
    return body


def _level(report: DoraReport, metric: Metric) -> dict[str, Any] | None:
    placed = report.levels.get(metric)
    if placed is None:
        return None
    return {
        "year": placed.year, "level": placed.level.value, "description": placed.words, "source": placed.source,
        "note": placed.trap or None,
    }  # fmt: skip


def _coverage(report: DoraReport) -> dict[str, Any]:
    coverage = report.coverage
    return {
        "share": coverage.share,
        "deployments": coverage.expected,
        "withoutKnownCommits": coverage.without_known_commits,
        "baselines": coverage.baselines,
        "changesWithoutStart": coverage.changes_without_start,
        "clocksAhead": coverage.clocks_ahead,
        "botChanges": coverage.bot_changes,
    }


def _figures(measures: Measures, metric: Metric) -> dict[str, Any]:
    """Return everything that is told of one period."""
    if metric is Metric.DEPLOYMENT_FREQUENCY:
        return {**_frequency(measures.frequency), "range": _range(measures.frequency.range)}
    if metric is Metric.CHANGE_LEAD_TIME:
        return {
            **_lead_time(measures.lead_time),
            "meanSeconds": measures.lead_time.mean,
            "range": _range(measures.lead_time.median_range),
            "stages": _stages(measures.stages),
        }
    if metric is Metric.RECOVERY_TIME:
        return {
            **_recovery(measures.recovery),
            "p90Seconds": measures.recovery.spread.p90,
            "meanSeconds": measures.recovery.spread.mean,
            "longestOpenSeconds": measures.recovery.longest_open,
            "range": _range(measures.recovery.spread.median_range),
        }
    rate, part = _rate_of(measures, metric)
    return {**_rate(rate, part), "range": _range(rate.range)}


def _series_figures(measures: Measures, metric: Metric) -> dict[str, Any]:
    if metric is Metric.DEPLOYMENT_FREQUENCY:
        return {"deployments": measures.frequency.deployments}
    if metric is Metric.CHANGE_LEAD_TIME:
        return _lead_time(measures.lead_time)
    if metric is Metric.RECOVERY_TIME:
        return _recovery(measures.recovery)
    return _rate(*_rate_of(measures, metric))


def _rate_of(measures: Measures, metric: Metric) -> tuple[Rate, str]:
    return (measures.fail_rate, "failed") if metric is Metric.CHANGE_FAIL_RATE else (measures.rework_rate, "rework")


def _rate(rate: Rate, part: str) -> dict[str, Any]:
    return {"value": rate.value, part: rate.part, "deployments": rate.whole}


def _range(found: Range | None) -> dict[str, float] | None:
    return None if found is None else {"low": found[0], "high": found[1]}


def _frequency(frequency: Frequency) -> dict[str, Any]:
    return {
        "perDay": frequency.per_day,
        "deployments": frequency.deployments,
        "daysWithDeployments": frequency.days_with_deployments,
        "daysCounted": frequency.days,
    }


def _lead_time(lead_time: Spread) -> dict[str, Any]:
    return {"medianSeconds": lead_time.median, "p90Seconds": lead_time.p90, "changes": lead_time.count}


def _stages(stages: Stages | None) -> dict[str, Any]:
    if stages is None:
        return {}
    return {
        **{f"{camel(name)}MeanSeconds": stages.means[name] for name in STAGES},
        "meanSeconds": stages.mean,
        "changes": stages.changes,
    }


def camel(name: str) -> str:
    """Return a name as the API writes it."""
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)


def _recovery(recovery: Recovery) -> dict[str, Any]:
    return {
        "medianSeconds": recovery.spread.median,
        "recovered": recovery.spread.count,
        "open": recovery.open,
    }


def report_as_csv(report: DoraReport) -> str:
    """Return the series, a row for each day, week or month. Empty cells have no data."""
    return as_csv(_CSV_COLUMNS, (_csv_row(bucket) for bucket in report.buckets))


def _csv_row(bucket: Bucket) -> list[object]:
    measures = bucket.measures
    lead_time, recovery = measures.lead_time, measures.recovery
    return [
        bucket.start.isoformat(),
        measures.frequency.deployments,
        lead_time.count,
        lead_time.median,
        lead_time.p90,
        lead_time.mean,
        measures.frequency.per_day,
        measures.frequency.days,
        measures.fail_rate.part,
        measures.fail_rate.whole,
        measures.fail_rate.value,
        measures.rework_rate.part,
        measures.rework_rate.value,
        recovery.spread.count,
        recovery.open,
        recovery.spread.median,
    ]
