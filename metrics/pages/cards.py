"""The five metrics as cards: what stands on each, in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from metrics import charts
from metrics.arithmetic import DEFINITIONS
from metrics.goals import is_met
from metrics.levels import DISTRIBUTION_2025, NOTE_2025, Placed
from metrics.models import Goal, Metric
from metrics.reports import DoraReport
from metrics.wording import figure_in_words, written

_IN_2025 = {
    Metric.DEPLOYMENT_FREQUENCY: "frequency",
    Metric.CHANGE_LEAD_TIME: "lead_time",
    Metric.CHANGE_FAIL_RATE: "fail_rate",
    Metric.REWORK_RATE: "rework_rate",
}


@dataclass(frozen=True, slots=True)
class Card:
    """One metric, ready to be shown."""

    metric: Metric
    slug: str
    title: str
    value: str
    no_data: str
    sample: str
    range: str
    before: str
    change: str
    arrow: str  # up, down, or empty where the change is no more than noise
    tone: str  # good, bad, or empty
    level: Placed | None
    distribution: str  # of 2025, where there are no levels
    goal: Goal | None
    goal_text: str
    goal_is_met: bool | None
    sparkline: list[str]
    other: str
    definition: str
    figure: dict[str, Any]


def slug_of(metric: str) -> str:
    """Return the metric's name in an address."""
    return metric.replace("_", "-")


def cards(report: DoraReport, goals: dict[str, Goal], extras: dict[str, Any]) -> list[Card]:
    """Return the cards of a report; `extras` is what the charts draw besides (see charts.Extras)."""
    return [_card(report, metric, goals.get(metric), extras) for metric in Metric]


def _card(report: DoraReport, metric: Metric, goal: Goal | None, extras: dict[str, Any]) -> Card:
    value = report.now.value(metric)
    other: DoraReport | None = extras.get("other")
    shown = charts.Extras(**{**extras, "goal": goal.target if goal else None})
    return Card(
        metric=metric,
        slug=slug_of(metric),
        title=metric.label,
        **figure_in_words(report, metric),
        level=report.levels.get(metric),
        distribution=_distribution(report, metric),
        goal=goal,
        goal_text=written(metric, goal.target) if goal else "",
        goal_is_met=is_met(goal, value) if goal else None,
        sparkline=charts.sparkline([bucket.measures.value(metric) for bucket in report.buckets]),
        other="" if other is None else written(metric, other.now.value(metric), value),
        definition=DEFINITIONS[metric],
        figure=charts.figure(report, metric, shown),
    )


def _distribution(report: DoraReport, metric: Metric) -> str:
    """Return what the report of 2025 tells of the answers, where the workspace compares itself with that year."""
    known = DISTRIBUTION_2025.get(_IN_2025.get(metric, ""), ())
    if report.selection.workspace.report_year != 2025 or not known:
        return ""
    return f"{NOTE_2025} Of the answers: {in_shares(known)}."


def in_shares(known: Sequence[tuple[str, float]]) -> str:
    """Return a distribution in words."""
    return ", ".join(f"{share * 100:.1f} % {words}" for words, share in known)
