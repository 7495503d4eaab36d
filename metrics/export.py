"""A report as JSON and as CSV."""

import csv
import io
from typing import Any

from metrics.reports import Bucket, DoraReport, Frequency, LeadTime


def report_as_json(report: DoraReport) -> dict[str, Any]:
    """Return the report in the form of GET /v1/metrics/dora. Rates are per day, times in seconds."""
    selection, coverage = report.selection, report.coverage
    return {
        "from": selection.period.first.isoformat(),
        "to": selection.period.last.isoformat(),
        "timezone": selection.period.zone.key,
        "interval": selection.interval.value,
        "environments": [environment.name for environment in selection.environments],
        "deploymentFrequency": {
            **_frequency(report.frequency),
            "noData": report.frequency_no_data or None,
            "previous": _frequency(report.previous_frequency),
            "series": [
                {"start": bucket.start.isoformat(), "deployments": bucket.deployments} for bucket in report.buckets
            ],
        },
        "changeLeadTime": {
            **_lead_time(report.lead_time),
            "meanSeconds": report.lead_time.mean,
            "stages": {},
            "noData": report.lead_time_no_data or None,
            "coverage": {
                "share": coverage.share,
                "deployments": coverage.expected,
                "withoutKnownCommits": coverage.without_known_commits,
                "baselines": coverage.baselines,
            },
            "previous": {
                **_lead_time(report.previous_lead_time),
                "meanSeconds": report.previous_lead_time.mean,
            },
            "series": [
                {"start": bucket.start.isoformat(), **_lead_time(bucket.lead_time)} for bucket in report.buckets
            ],
        },
    }


def _frequency(frequency: Frequency) -> dict[str, Any]:
    return {
        "perDay": frequency.per_day,
        "deployments": frequency.deployments,
        "daysWithDeployments": frequency.days_with_deployments,
    }


def _lead_time(lead_time: LeadTime) -> dict[str, Any]:
    return {
        "medianSeconds": lead_time.median,
        "p90Seconds": lead_time.p90,
        "changes": lead_time.changes,
    }


def report_as_csv(report: DoraReport) -> str:
    """Return the series, a row for each day, week or month. Empty cells have no data."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["start", "deployments", "changes", "medianSeconds", "p90Seconds", "meanSeconds"])
    for bucket in report.buckets:
        writer.writerow(_csv_row(bucket))
    return text.getvalue()


def _csv_row(bucket: Bucket) -> list[object]:
    lead_time = bucket.lead_time
    values = [lead_time.median, lead_time.p90, lead_time.mean]
    return [
        bucket.start.isoformat(),
        bucket.deployments,
        lead_time.changes,
        *("" if value is None else value for value in values),
    ]
