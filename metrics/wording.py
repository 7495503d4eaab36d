"""The figures of a report in words: what pages, digests and badges say."""

from typing import Any

from deployments.units import duration, frequency, many, percent
from metrics.models import Metric
from metrics.reports import Comparison, DoraReport, Measures

_WRITTEN = {
    Metric.CHANGE_LEAD_TIME: duration,
    Metric.RECOVERY_TIME: duration,
    Metric.CHANGE_FAIL_RATE: percent,
    Metric.REWORK_RATE: percent,
}
_RATES = {Metric.CHANGE_FAIL_RATE, Metric.REWORK_RATE}


def written(metric: Metric, value: float | None, like: float | None = None) -> str:
    """Return a figure of a metric in its unit; a frequency in that of another one beside it, `like`."""
    if metric == Metric.DEPLOYMENT_FREQUENCY:
        return frequency(value, like)
    return _WRITTEN[metric](value)


def sample_in_words(measures: Measures, metric: Metric, days: int) -> str:
    """Return what a figure is of: `9 of 64 deployments`, `412 changes`. The period has so many `days` in all."""
    if metric is Metric.DEPLOYMENT_FREQUENCY:
        found = measures.frequency
        # What was deployed on days that do not count was deployed all the same.
        counted = "" if found.days == days else f", of which {found.days} count"
        return f"{many(found.deployments, 'deployment')} on {found.days_with_deployments} of {days} days{counted}"
    if metric is Metric.CHANGE_LEAD_TIME:
        lead = measures.lead_time
        return f"median of {many(lead.count, 'change')}; 90 % within {duration(lead.p90)}, mean {duration(lead.mean)}"
    if metric is Metric.RECOVERY_TIME:
        recovery = measures.recovery
        still = f"; {recovery.open} still running, the longest for {duration(recovery.longest_open)}"
        return f"median of {many(recovery.spread.count, 'failure')} repaired{still if recovery.open else ''}"
    rate = measures.fail_rate if metric is Metric.CHANGE_FAIL_RATE else measures.rework_rate
    word = "failed" if metric is Metric.CHANGE_FAIL_RATE else "unplanned"
    return f"{rate.part:,} of {many(rate.whole, 'deployment')} {word}"


def range_in_words(measures: Measures, metric: Metric) -> str:
    """Return the range of 95 % of a figure; empty where the sample is too small for one."""
    found = {
        Metric.DEPLOYMENT_FREQUENCY: measures.frequency.range,
        Metric.CHANGE_LEAD_TIME: measures.lead_time.median_range,
        Metric.RECOVERY_TIME: measures.recovery.spread.median_range,
        Metric.CHANGE_FAIL_RATE: measures.fail_rate.range,
        Metric.REWORK_RATE: measures.rework_rate.range,
    }[metric]
    if found is None or measures.value(metric) is None:
        return ""
    low, high = found
    if metric in _RATES:
        return f"95 % range {low * 100:.0f}–{high * 100:.0f} %"
    value = measures.value(metric)
    return f"95 % range {written(metric, low, value)} – {written(metric, high, value)}"


def change_in_words(metric: Metric, comparison: Comparison) -> str:
    """Return how a figure changed against the period before."""
    if comparison.change is None:
        return "no comparison"
    if metric in _RATES:
        points = round(abs(comparison.change) * 100)
        changed = f"{many(points, 'point')} {'more' if comparison.change > 0 else 'less'}" if points else "unchanged"
    else:
        share = comparison.change * 100
        changed = f"{abs(share):.0f} % {'more' if share > 0 else 'less'}" if abs(share) >= 0.5 else "unchanged"
    return changed if comparison.is_signal or changed == "unchanged" else f"{changed}, within noise"


def arrow(comparison: Comparison) -> str:
    """Return `up` or `down`; an empty text where the change is no more than noise."""
    if not comparison.is_signal or not comparison.change:
        return ""
    return "up" if comparison.change > 0 else "down"


def tone(comparison: Comparison) -> str:
    """Return `good` or `bad`; an empty text where the change is no more than noise."""
    if not comparison.is_signal or comparison.is_better is None:
        return ""
    return "good" if comparison.is_better else "bad"


def figure_in_words(report: DoraReport, metric: Metric) -> dict[str, Any]:
    """Return what cards and digests say of a figure: value, sample, range, what it was before, and how it changed."""
    value, comparison = report.now.value(metric), report.comparisons[metric]
    return {
        "value": written(metric, value),
        "no_data": report.no_data[metric],
        "sample": sample_in_words(report.now, metric, report.selection.period.days),
        "range": range_in_words(report.now, metric),
        "before": written(metric, report.before.value(metric), value),
        "change": change_in_words(metric, comparison),
        "arrow": arrow(comparison),
        "tone": tone(comparison),
    }
