"""Goals: what a workspace wants of its own metrics, how that stands, and what its own past suggests."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from deployments.csv_files import csv_answer
from deployments.models import Application, Environment, Team, Workspace
from metrics.goals import (
    MOST_GOALS,
    Place,
    Standing,
    Suggestion,
    in_unit,
    past_of,
    place_of,
    standing,
    suggest,
    this_month,
    units_of,
)
from metrics.models import Goal, Metric
from metrics.reports import DoraReport
from metrics.wording import range_in_words, sample_in_words, written

_KINDS: dict[str, type[Environment] | type[Application] | type[Team]] = {
    "environment": Environment,
    "application": Application,
    "team": Team,
}
# Nobody wants more of these: it is a slip of the unit.
_MOST = {"frequency": 10_000.0, "time": 366 * 86400.0, "rate": 1.0}


@dataclass(frozen=True, slots=True)
class Row:
    """One goal of the list."""

    goal: Goal
    place: Place
    target: str
    value: str
    sample: str
    range: str
    standing: Standing


class GoalForm(forms.Form):
    """Asks for the target of a metric, in the unit that people think in."""

    number = forms.FloatField(label="Target")
    unit = forms.ChoiceField()

    def __init__(self, *args: Any, metric: Metric, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.metric = metric
        is_more_better = metric is Metric.DEPLOYMENT_FREQUENCY
        self.fields["number"].label = "At least" if is_more_better else "At most"
        self.fields["number"].widget.attrs.update(step="any", min="0", inputmode="decimal")
        self.fields["unit"].choices = [(name, name) for name in units_of(metric)]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if "number" in data and "unit" in data:
            data["target"] = data["number"] * units_of(self.metric)[data["unit"]]
            self._check(data["target"])
        return data

    def _check(self, target: float) -> None:
        is_rate = self.metric in {Metric.CHANGE_FAIL_RATE, Metric.REWORK_RATE}
        if target < 0 or (target == 0 and not is_rate):
            self.add_error("number", "Must be more than 0.")
        elif is_rate and target > 1:
            self.add_error("number", "Must be 100 % at most.")
        elif target > _MOST["frequency" if self.metric is Metric.DEPLOYMENT_FREQUENCY else "time"]:
            self.add_error("number", "Nothing is that slow, or that often. Is it the right unit?")


def goal_list(request: HttpRequest) -> HttpResponseBase:
    """List the goals, and how each stands this month."""
    workspace: Workspace = request.workspace  # type: ignore[attr-defined]
    goals = Goal.objects.filter(workspace=workspace).select_related(
        "environment", "application", "team", "created_by"
    )
    rows = _rows(workspace, list(goals))
    if request.GET.get("format") == "csv":
        return csv_answer("goals", ["metric", "about", "target", "value", "met"], map(_csv_row, rows))
    context = {
        "rows": rows,
        "metrics": Metric.choices,
        "places": _places(workspace),
        "most": MOST_GOALS,
    }
    return render(request, "metrics/goals.html", context)


def _rows(workspace: Workspace, goals: list[Goal]) -> list[Row]:
    """Return the rows in the order of the metrics. Goals of the same place share one report."""
    places = {place_of(goal) for goal in goals}
    reports = {place: this_month(workspace, place) for place in places}
    order = list(Metric.values)
    rows = [_row(goal, reports[place_of(goal)]) for goal in goals]
    return sorted(rows, key=lambda row: (order.index(row.goal.metric), str(row.place).casefold(), row.goal.pk))


def _row(goal: Goal, report: DoraReport) -> Row:
    metric, stands, days = Metric(goal.metric), standing(goal, report.now), report.selection.period.days
    return Row(
        goal=goal,
        place=place_of(goal),
        target=written(metric, goal.target),
        value=written(metric, stands.value),
        sample=sample_in_words(stands.measures, metric, days) if stands.value is not None else "",
        range=range_in_words(stands.measures, metric),
        standing=stands,
    )


def _csv_row(row: Row) -> list[object]:
    """Return a goal in the units of the API: a day, seconds, or a share."""
    met = {True: "yes", False: "no", None: ""}[row.standing.is_met]
    return [row.goal.metric, str(row.place), row.goal.target, row.standing.value, met]


def _places(workspace: Workspace) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return what a goal can be about, by kind."""
    kinds = [("Environments", "environment"), ("Teams", "team"), ("Applications", "application")]
    return [
        (label, [(f"{kind}:{row.pk}", row.name) for row in _KINDS[kind].objects.filter(workspace=workspace)])
        for label, kind in kinds
    ]


def add_goal(request: HttpRequest) -> HttpResponse:
    """Ask for the target of a new goal; the address says of which metric and what it is about."""
    workspace: Workspace = request.workspace  # type: ignore[attr-defined]
    metric, place = _asked_for(workspace, request.GET)
    if metric is None or place is None:
        messages.error(request, "Choose a metric, and an environment, application or team that there is.")
        return redirect("metrics:goals")
    existing = _goals_at(workspace, metric, place).first()
    if existing is not None:
        messages.info(request, "There is a goal for this already.")
        return redirect("metrics:goal", existing.pk)
    if Goal.objects.filter(workspace=workspace).count() >= MOST_GOALS:
        messages.error(request, f"There are {MOST_GOALS} goals already. Remove one that no longer matters.")
        return redirect("metrics:goals")
    return _edit(request, Goal(workspace=workspace, metric=metric, created_by=_person(request)), place)


def _person(request: HttpRequest) -> Any:
    return request.user


def _asked_for(workspace: Workspace, query: QueryDict) -> tuple[Metric | None, Place | None]:
    chosen = query.get("metric", "")
    metric = Metric(chosen) if chosen in Metric.values else None
    kind, _, pk = query.get("place", "").partition(":")
    if not kind:
        return metric, Place()
    if kind not in _KINDS or not pk.isdecimal() or len(pk) > 18:
        return metric, None
    row: Any = _KINDS[kind].objects.filter(workspace=workspace, pk=int(pk)).first()
    return metric, None if row is None else Place(**{kind: row})


def _goals_at(workspace: Workspace, metric: Metric, place: Place) -> Any:
    return Goal.objects.filter(
        workspace=workspace,
        metric=metric,
        environment=place.environment,
        application=place.application,
        team=place.team,
    )


def change_goal(request: HttpRequest, pk: int) -> HttpResponse:
    """Change the target of a goal."""
    goal = _goal(request, pk)
    return _edit(request, goal, place_of(goal))


def _edit(request: HttpRequest, goal: Goal, place: Place) -> HttpResponse:
    metric = Metric(goal.metric)
    past = past_of(goal.workspace, place)
    suggested = suggest(metric, past)
    form = GoalForm(request.POST or None, metric=metric, initial=_initial(goal, metric, suggested))
    if request.method == "POST" and form.is_valid():
        goal.target = form.cleaned_data["target"]
        goal.environment, goal.application, goal.team = place.environment, place.application, place.team
        goal.save()
        messages.success(request, f"{metric.label}: {written(metric, goal.target)} is the goal.")
        return redirect("metrics:goals")
    context = {
        "form": form,
        "goal": goal,
        "place": place,
        "title": metric.label,
        "suggested": suggested,
        "past": past,
    }
    return render(request, "metrics/goal.html", context)


def _initial(goal: Goal, metric: Metric, suggested: Suggestion) -> dict[str, Any]:
    target = goal.target if goal.pk else suggested.value
    if target is None:
        return {"unit": next(iter(units_of(metric)))}
    number, unit = in_unit(metric, target)
    return {"number": f"{number:g}", "unit": unit}


@require_POST
def remove_goal(request: HttpRequest, pk: int) -> HttpResponse:
    """Remove a goal."""
    goal = _goal(request, pk)
    goal.delete()
    messages.success(request, "The goal is removed.")
    return redirect("metrics:goals")


def _goal(request: HttpRequest, pk: int) -> Goal:
    rows = Goal.objects.select_related("environment", "application", "team", "workspace")
    return get_object_or_404(rows, pk=pk, workspace=request.workspace)  # type: ignore[attr-defined]
