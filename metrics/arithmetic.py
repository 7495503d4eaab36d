"""The arithmetic of a report in sentences: from what to which number."""

from collections.abc import Callable
from datetime import date

from deployments.units import duration, frequency, many, ordinal, percent
from metrics.dora import Rate, Spread
from metrics.models import Metric
from metrics.reports import DoraReport

DEFINITIONS = {
    Metric.DEPLOYMENT_FREQUENCY: "Deployments that reached the chosen environments, per day of the period. DORA"
    " (dora.dev, 2026): the number of deployments in a period.",
    Metric.CHANGE_LEAD_TIME: "The median over the changes that were shipped, from a change's first commit to its"
    " first successful deployment. DORA: from committed to version control until deployed in production.",
    Metric.RECOVERY_TIME: "The median time from a failed deployment to the deployment, or the end of the incident,"
    " that repaired it. DORA: the time to recover from a deployment that fails and needs immediate action.",
    Metric.CHANGE_FAIL_RATE: "Deployments that had to be repaired ÷ deployments. DORA: the share of deployments that"
    " need immediate intervention, such as a rollback or a hotfix.",
    Metric.REWORK_RATE: "Unplanned deployments because of a failed deployment or an incident ÷ deployments. DORA: the"
    " share of deployments that are unplanned and happen because of an incident in production.",
}


def sentences(report: DoraReport, metric: Metric) -> list[str]:
    """Say how a figure of the report came about."""
    return _SENTENCES[metric](report)


def _frequency_sentences(report: DoraReport) -> list[str]:
    found = report.now.frequency
    if found.per_day is None or found.range is None:
        return [report.no_data[Metric.DEPLOYMENT_FREQUENCY]]
    left_out, free = report.selection.period.days - found.days, report.calendar.free_weekdays
    days = many(found.days, "day")
    if left_out:
        days += f" ({left_out} of {report.selection.period.days} left out)"
    return [
        f"{many(found.deployments, 'deployment')} ÷ {days} = {found.per_day:.3g} a day: {frequency(found.per_day)}.",
        f"95 % range, were they independent: {frequency(found.range[0], found.per_day)}"
        f" to {frequency(found.range[1], found.per_day)}.",
        *([f"{' and '.join(free)} left out: no working days."] if left_out and free else []),
        *(f"{first:%-d %b} to {last:%-d %b %Y} left out: {reason}." for first, last, reason in _left_out(report)),
    ]


def _left_out(report: DoraReport) -> list[tuple[date, date, str]]:
    period = report.selection.period
    return report.calendar.left_out(period.first, period.last)


def _median_sentences(found: Spread, noun: str) -> list[str]:
    """Say between which of the values in order the median lies."""
    assert found.median is not None
    below, above = (found.count - 1) // 2, found.count // 2
    places = f"the {ordinal(below + 1)}"
    if above > below:
        places = f"half-way between {places} and the {ordinal(above + 1)}"
    of = f"Of {found.count:,} {noun}s in order of their length, {places}" if found.count > 1 else f"The only {noun}"
    sentences = [f"{of}: {duration(found.median)}."]
    if found.median_range is None:
        return [*sentences, "Too few for a range: of fewer than 6 values a median may be anything."]
    low, high = found.median_range
    return [*sentences, f"95 % range of the median: {duration(low)} to {duration(high)}."]


def _lead_time_sentences(report: DoraReport) -> list[str]:
    found = report.now.lead_time
    if found.median is None:
        return [report.no_data[Metric.CHANGE_LEAD_TIME]]
    sentences = [
        *_median_sentences(found, "lead time"),
        f"90 % took no longer than {duration(found.p90)}; the mean is {duration(found.mean)}.",
    ]
    stages = report.now.stages
    if stages is not None:
        parts = " + ".join(
            f"{name.replace('_', ' ')} {duration(mean)}" for name, mean in stages.means.items() if mean
        )
        sentences.append(f"Mean of {many(stages.changes, 'pull request')}: {parts} = {duration(stages.mean)}.")
    return sentences


def _recovery_sentences(report: DoraReport) -> list[str]:
    found = report.now.recovery
    still = (
        [] if not found.open else [f"{found.open} not repaired yet, the longest for {duration(found.longest_open)}."]
    )
    if found.spread.median is None:
        return [report.no_data[Metric.RECOVERY_TIME], *still]
    return [*_median_sentences(found.spread, "recovery time"), *still]


def _rate_sentences(rate: Rate, part: str) -> list[str]:
    assert rate.value is not None
    assert rate.range is not None
    low, high = rate.range
    return [
        f"{rate.part:,} {part} ÷ {many(rate.whole, 'deployment')} = {percent(rate.value)}.",
        f"95 % range (Wilson's): {percent(low)} to {percent(high)}.",
    ]


def _fail_rate_sentences(report: DoraReport) -> list[str]:
    rate = report.now.fail_rate
    if rate.value is None:
        return [report.no_data[Metric.CHANGE_FAIL_RATE]]
    if not report.failed_attempts:
        return _rate_sentences(rate, "that had to be repaired")
    are = "is" if report.failed_attempts == 1 else "are"
    return [
        *_rate_sentences(rate, "that had to be repaired"),
        f"Among both {are} {report.failed_attempts:,} that ended as failure or error and never got there.",
    ]


def _rework_sentences(report: DoraReport) -> list[str]:
    rate = report.now.rework_rate
    return [report.no_data[Metric.REWORK_RATE]] if rate.value is None else _rate_sentences(rate, "unplanned")


_SENTENCES: dict[Metric, Callable[[DoraReport], list[str]]] = {
    Metric.DEPLOYMENT_FREQUENCY: _frequency_sentences,
    Metric.CHANGE_LEAD_TIME: _lead_time_sentences,
    Metric.RECOVERY_TIME: _recovery_sentences,
    Metric.CHANGE_FAIL_RATE: _fail_rate_sentences,
    Metric.REWORK_RATE: _rework_sentences,
}
