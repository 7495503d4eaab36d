"""What a digest says: the week against the one before, what failed, what is open, what waits."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from deployments.models import Application, Deployment, Environment, Incident, Team, Track, Workspace
from deployments.units import duration
from metrics import rows, silence
from metrics.goals import goals_of, is_met
from metrics.models import Goal, Metric
from metrics.periods import Interval, Period
from metrics.reports import DoraReport, dora_report
from metrics.selections import Selection
from metrics.wording import figure_in_words, written

_MOST_ROWS = 10
_MOST_WAITING = 5


@dataclass(frozen=True, slots=True)
class Line:
    """One metric in words. `arrow` and `tone` are empty where the change is no more than noise."""

    title: str
    value: str
    no_data: str
    sample: str
    range: str
    before: str
    change: str
    arrow: str
    tone: str
    goal: str
    goal_is_met: bool | None


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that a digest lists: what it is, where it leads, and what is to be said of it."""

    text: str
    link: str
    note: str


@dataclass(frozen=True, slots=True)
class Section:
    """A list in a digest, with how many more there are than it shows."""

    title: str
    rows: list[Row]
    more: int


@dataclass(frozen=True, slots=True)
class Week:
    """What there is to say of a week."""

    workspace: Workspace
    team: Team | None
    period: Period
    lines: list[Line]
    sections: list[Section]  # only those with rows
    is_recomputing: bool
    overview: str
    review: str

    @property
    def title(self) -> str:
        """What it is about: the workspace, and the team where it is one's."""
        return f"{self.workspace.name} · {self.team.name}" if self.team else self.workspace.name

    @property
    def days(self) -> str:
        """The week in words: `2 – 8 March 2026`."""
        first, last = self.period.first, self.period.last
        if first.year != last.year:
            return f"{first:%-d %B %Y} – {last:%-d %B %Y}"
        return f"{first:%-d}{'' if first.month == last.month else f' {first:%B}'} – {last:%-d %B %Y}"


def base_url() -> str:
    """Return where Slipway is reached, for links in messages: no request tells."""
    if settings.BASE_URL:
        return str(settings.BASE_URL)
    is_anywhere = settings.BIND_HOST in ("0.0.0.0", "::")  # noqa: S104
    return f"http://{'127.0.0.1' if is_anywhere else settings.BIND_HOST}:{settings.PORT}"


def week_of(workspace: Workspace, team: Team | None, period: Period) -> Week:
    """Work out what there is to say of a week in production, of the whole workspace or of a team."""
    environments = list(Environment.objects.filter(workspace=workspace, is_production=True))
    selection = Selection(workspace, period, Interval.WEEK, environments, teams=[team] if team else [])
    report = dora_report(selection)
    goals = goals_of(selection)
    sections = [_failed(selection), _open(selection), _incidents(selection), _waiting(selection), _silent(selection)]
    query: list[tuple[str, object]] = [("from", period.first), ("to", period.last)]
    query += [("team", team.name)] if team else []
    return Week(
        workspace=workspace,
        team=team,
        period=period,
        lines=[_line(report, metric, goals.get(metric)) for metric in Metric],
        sections=[section for section in sections if section.rows],
        is_recomputing=report.recomputing is not None,
        overview=f"{_link('metrics:overview')}?{urlencode(query)}",
        review=_link("metrics:review"),
    )


def _link(name: str, *args: object) -> str:
    return base_url() + reverse(name, args=args)


def _line(report: DoraReport, metric: Metric, goal: Goal | None) -> Line:
    value = report.now.value(metric)
    return Line(
        title=metric.label,
        **figure_in_words(report, metric),
        goal=written(metric, goal.target) if goal else "",
        goal_is_met=is_met(goal, value) if goal else None,
    )


def _section(title: str, found: Any, most: int, row: Any) -> Section:
    """Return the first rows of a queryset, with how many more there are."""
    shown = [row(one) for one in found[:most]]
    return Section(title, shown, found.count() - most if len(shown) == most else 0)


def _failures(selection: Selection) -> Any:
    failures = rows.everything(selection).live().filter(has_failed=True)
    return failures.select_related("application", "environment").prefetch_related("findings")


def _failed(selection: Selection) -> Section:
    found = _failures(selection).during(selection.period.start, selection.period.end).newest_first()
    return _section("Failed deployments of the week", found, _MOST_ROWS, lambda row: _deployment(row, _why(row)))


def _why(deployment: Deployment) -> str:
    reasons = list(dict.fromkeys(finding.get_reason_display() for finding in deployment.findings.all()))
    if deployment.repaired_at is None:
        return ", ".join([*reasons, "not repaired yet"])
    took = duration(max(0.0, (deployment.repaired_at - deployment.deployed_at).total_seconds()))
    return ", ".join([*reasons, f"repaired after {took}"])


def _open(selection: Selection) -> Section:
    found = _failures(selection).filter(repaired_at=None, deployed_at__lt=selection.period.start)
    found = found.order_by("deployed_at", "pk")
    return _section(
        "Earlier failures that are still open",
        found,
        _MOST_ROWS,
        lambda row: _deployment(row, _since(row.deployed_at)),
    )


def _deployment(row: Deployment, note: str) -> Row:
    text = f"{row.application.name} {row.version} in {row.environment.name}"
    return Row(text, _link("deployments:deployment", row.pk), note)


def _since(moment: Any) -> str:
    return f"for {duration(max(0.0, (timezone.now() - moment).total_seconds()))}"


def _incidents(selection: Selection) -> Section:
    period = selection.period
    found = Incident.objects.filter(workspace=selection.workspace, is_withdrawn=False, started_at__lt=period.end)
    found = found.filter(Q(resolved_at=None) | Q(started_at__gte=period.start)).order_by("-started_at", "-pk")
    if selection.teams:
        found = found.filter(application__teams__in=selection.teams).distinct()
    return _section("Incidents, open ones and those of the week", found, _MOST_ROWS, _incident)


def _incident(row: Incident) -> Row:
    state = f"open {_since(row.started_at)}" if row.is_open else f"resolved after {duration(row.duration_seconds)}"
    return Row(row.title, _link("deployments:incident", row.pk), state)


def _waiting(selection: Selection) -> Section:
    found = Track.objects.filter(environment__in=selection.environments, waiting_changes__gt=0)
    found = found.exclude(waiting_since=None).select_related("application", "environment")
    if selection.teams:
        found = found.filter(application__teams__in=selection.teams).distinct()
    return _section("Waiting longest to be deployed", found.order_by("waiting_since", "pk"), _MOST_WAITING, _track)


def _track(row: Track) -> Row:
    waiting = f"{row.waiting_changes:,} change{'' if row.waiting_changes == 1 else 's'}"
    text = f"{row.application.name} in {row.environment.name}"
    return Row(text, _link("deployments:waiting-on", row.pk), f"{waiting}, the oldest {_since(row.waiting_since)}")


def _silent(selection: Selection) -> Section:
    found = silence.silent_applications(selection.workspace)
    if selection.teams:
        theirs = set(Application.objects.filter(teams__in=selection.teams).values_list("pk", flat=True))
        found = [one for one in found if one.application.pk in theirs]
    shown = [
        Row(
            f"{one.application.name} in {one.environment.name}",
            _link("deployments:application", one.application.pk),
            one.words,
        )
        for one in found[:_MOST_ROWS]
    ]
    return Section("Stopped deploying, or stopped reporting", shown, max(0, len(found) - _MOST_ROWS))
