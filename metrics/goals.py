"""Goals: which one belongs to a selection, whether it is met, and what one's own past suggests."""

import datetime
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from django.utils import timezone

from deployments.models import Application, Environment, Team, Workspace
from metrics.models import Goal, Metric
from metrics.periods import Interval, Period, bucket_start
from metrics.reports import DoraReport, Measures, dora_report
from metrics.selections import Selection
from metrics.wording import sample_in_words, written

MOST_GOALS = 50
# How far back one's own past goes, and how many of those weeks have to have data.
WEEKS = 13
FEWEST_WEEKS = 6
_FEWEST = 6
# Of what is too rare to say much by the week, the whole past is taken, and so much less of it.
_LESS = 0.1
_RARE = {Metric.RECOVERY_TIME, Metric.CHANGE_FAIL_RATE, Metric.REWORK_RATE}
_ONE_DAY = datetime.timedelta(days=1)

# The units in which people think of a metric, the largest one first.
UNITS: dict[str, dict[str, float]] = {
    "frequency": {"a day": 1.0, "a week": 1 / 7, "a month": 1 / 30.44},
    "time": {"days": 86400.0, "hours": 3600.0, "minutes": 60.0},
    "rate": {"%": 0.01},
}


@dataclass(frozen=True, slots=True)
class Place:
    """What a goal is about: an environment, an application or a team; all production where all are None."""

    environment: Environment | None = None
    application: Application | None = None
    team: Team | None = None

    def __str__(self) -> str:
        named = [row.name for row in (self.application, self.team, self.environment) if row is not None]
        return " in ".join(named) if named else "All production"


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What one's own past suggests, in a sentence with its numbers. `value` is None where it suggests nothing."""

    value: float | None
    sentence: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How a goal stands this month. `is_met` is None as long as the month may still turn out either way."""

    value: float | None
    measures: Measures
    is_met: bool | None


def goals_of(selection: Selection) -> dict[str, Goal]:
    """Return the goals that are about what is selected, by metric: those of all production, or of just this place."""
    if selection.repositories or selection.authors or len(selection.applications) > 1 or len(selection.teams) > 1:
        return {}
    application = selection.applications[0] if selection.applications else None
    team = selection.teams[0] if selection.teams else None
    found: dict[str, Goal] = {}
    for goal in Goal.objects.filter(workspace=selection.workspace, application=application, team=team):
        if _same_environments(goal, selection):
            found[goal.metric] = goal
    return found


def _same_environments(goal: Goal, selection: Selection) -> bool:
    if goal.environment_id is None:
        return all(environment.is_production for environment in selection.environments)
    return [environment.pk for environment in selection.environments] == [goal.environment_id]


def is_met(goal: Goal, value: float | None) -> bool | None:
    """Tell whether a value meets a goal; None where there is no value."""
    if value is None:
        return None
    return value >= goal.target if goal.metric == Metric.DEPLOYMENT_FREQUENCY else value <= goal.target


def place_of(goal: Goal) -> Place:
    """Return what a goal is about."""
    return Place(goal.environment, goal.application, goal.team)


def selection_of(workspace: Workspace, place: Place, period: Period, interval: Interval) -> Selection:
    """Return the selection of a place."""
    environments = Environment.objects.filter(workspace=workspace, is_production=True)
    return Selection(
        workspace,
        period,
        interval,
        [place.environment] if place.environment else list(environments),
        applications=[place.application] if place.application else [],
        teams=[place.team] if place.team else [],
    )


def this_month(workspace: Workspace, place: Place) -> DoraReport:
    """Return the report of the month so far."""
    today = timezone.now().astimezone(workspace.zone).date()
    return dora_report(
        selection_of(workspace, place, Period(today.replace(day=1), today, workspace.zone), Interval.DAY)
    )


def standing(goal: Goal, measures: Measures) -> Standing:
    """Return how a goal stands by what was measured so far: only what is more than noise is said to be met or not."""
    value, uncertain = measures.value(goal.metric), measures.range(goal.metric)
    is_known = uncertain is not None and not uncertain[0] <= goal.target <= uncertain[1]
    return Standing(value, measures, is_met(goal, value) if is_known else None)


def past_of(workspace: Workspace, place: Place) -> DoraReport:
    """Return the report of the last complete weeks."""
    today = timezone.now().astimezone(workspace.zone).date()
    last = bucket_start(today, Interval.WEEK) - _ONE_DAY
    period = Period(last - _ONE_DAY * (7 * WEEKS - 1), last, workspace.zone)
    return dora_report(selection_of(workspace, place, period, Interval.WEEK))


def suggest(metric: Metric, past: DoraReport) -> Suggestion:
    """Return what the last complete weeks of a place suggest."""
    if metric in _RARE:
        return suggest_less(metric, past.now)
    return suggest_by_weeks(metric, [bucket.measures.value(metric) for bucket in past.buckets])


def suggest_by_weeks(metric: Metric, weeks: Sequence[float | None]) -> Suggestion:
    """Suggest what lies half-way from the median week to the best quarter of the weeks."""
    known = [value for value in weeks if value is not None]
    if len(known) < FEWEST_WEEKS:
        few = f"Only {len(known)} of your last {len(weeks)} weeks have data: too few to suggest a value."
        return Suggestion(None, few)
    is_more_better = metric is Metric.DEPLOYMENT_FREQUENCY
    median = float(np.median(known))
    best = float(np.percentile(known, 75 if is_more_better else 25))
    value = rounded(metric, (median + best) / 2)
    without = "" if len(known) == len(weeks) else f" ({len(weeks) - len(known)} without data left out)"
    return Suggestion(
        value,
        f"Your last {len(weeks)} weeks{without}: median {written(metric, median)}, best quarter"
        f" {written(metric, best)} or {'more' if is_more_better else 'less'}; half-way is {written(metric, value)}.",
    )


def suggest_less(metric: Metric, past: Measures) -> Suggestion:
    """Suggest about a tenth less than the last weeks together."""
    value = past.value(metric)
    if value is None or _sample(metric, past) < _FEWEST:
        return Suggestion(None, f"Your last {WEEKS} weeks have too little data to suggest a value.")
    was = f"Your last {WEEKS} weeks together: {written(metric, value)} ({sample_in_words(past, metric, 7 * WEEKS)})"
    if not value:
        return Suggestion(None, f"{was}. There is nothing to better.")
    less = rounded(metric, value * (1 - _LESS))
    return Suggestion(less, f"{was}; about a tenth less is {written(metric, less)}.")


def _sample(metric: Metric, measures: Measures) -> int:
    if metric is Metric.RECOVERY_TIME:
        return measures.recovery.spread.count
    return (measures.fail_rate if metric is Metric.CHANGE_FAIL_RATE else measures.rework_rate).whole


def units_of(metric: Metric) -> dict[str, float]:
    """Return the units of a metric, and what each is in the unit in which targets are kept."""
    if metric is Metric.DEPLOYMENT_FREQUENCY:
        return UNITS["frequency"]
    return UNITS["time"] if metric in {Metric.CHANGE_LEAD_TIME, Metric.RECOVERY_TIME} else UNITS["rate"]


def in_unit(metric: Metric, target: float) -> tuple[float, str]:
    """Return a target in the largest unit in which it is 1 or more, as exactly as people write such numbers."""
    units = units_of(metric)
    name = next((name for name, size in units.items() if target >= size), list(units)[-1])
    return round(target / units[name], 6), name


def rounded(metric: Metric, value: float) -> float:
    """Return a value as people say it: two digits in its unit, three above a hundred, or whole percents."""
    number, name = in_unit(metric, value)
    if name == "%" and number >= 1:
        return math.floor(number) / 100
    if not number:
        return 0.0
    digits = 2 if number < 100 else 3
    exact = round(number, digits - 1 - math.floor(math.log10(abs(number))))
    return exact * units_of(metric)[name]
