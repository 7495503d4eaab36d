"""What a report is about: read from a query string, whether a page's or the API's."""

import datetime
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from django.http import QueryDict
from django.utils import timezone

from deployments.models import Application, Change, Deployment, Environment, Repository, Team, TeamMember, Workspace
from deployments.names import name_key
from metrics.models import Author
from metrics.packing import Bots as Bots  # what `bots` of a selection is
from metrics.periods import Interval, Period, last_days

DEFAULT_DAYS = 30
PRESETS = {"7d": 7, "30d": 30, "90d": 90, "365d": 365}
# A chart of more buckets shows nothing, and costs.
_MAX_BUCKETS = 1100
# So many of the latest deployments are looked at for an author whom no rollup knows.
_LATEST = 500


class InvalidSelection(ValueError):
    """Some parameters cannot be taken; `errors` has the fault of each."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("; ".join(errors.values()))
        self.errors = dict(errors)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which deployments a report counts. Empty lists stand for all, but for an empty list of environments.

    A team's deployments are those of its applications, and those of applications of no team that its people deployed.
    An author's deployments are those they deployed, an author's changes those they wrote, whoever deployed them.
    """

    workspace: Workspace
    period: Period
    interval: Interval
    environments: list[Environment]
    applications: list[Application] = field(default_factory=list)
    repositories: list[Repository] = field(default_factory=list)
    preset: str = ""
    teams: list[Team] = field(default_factory=list)
    authors: list[str] = field(default_factory=list)
    bots: Bots = Bots.APART


def read_selection(workspace: Workspace, query: QueryDict, *, default_interval: Interval | None = None) -> Selection:
    """Return what the parameters ask for. Raises InvalidSelection that names every one at fault."""
    errors: dict[str, str] = {}
    period, preset = _period(workspace, query, errors)
    interval = _interval(query, period, default_interval, errors)
    environments = _environments(workspace, query, errors)
    repositories = _named(Repository.objects, workspace, "full_name_key", "repository", query, errors)
    applications = _named(
        Application.objects.select_related("repository"), workspace, "name_key", "app", query, errors
    )
    teams = _named(Team.objects, workspace, "name_key", "team", query, errors)
    authors = _authors(workspace, query, errors)
    bots = _bots(query, errors)
    if not errors and len(period.buckets(interval)) > _MAX_BUCKETS:
        errors["interval"] = "There would be too many; choose a longer interval."
    if errors:
        raise InvalidSelection(errors)
    return Selection(
        workspace, period, interval, environments, applications, repositories, preset, teams, authors, bots
    )


def _period(workspace: Workspace, query: QueryDict, errors: dict[str, str]) -> tuple[Period, str]:
    today = timezone.now().astimezone(workspace.zone).date()
    first, last = _day(query, "from", errors), _day(query, "to", errors)
    if first is None and last is None:
        preset = query.get("period", "")
        if preset and preset not in PRESETS:
            errors["period"] = f"Must be one of {', '.join(PRESETS)}."
        preset = preset if preset in PRESETS else f"{DEFAULT_DAYS}d"
        return last_days(PRESETS[preset], today, workspace.zone), preset
    last = last or max(today, first or today)
    first = first or last - datetime.timedelta(days=DEFAULT_DAYS - 1)
    if first > last:
        errors["from"] = "Must not lie after “to”."
        first = last
    return Period(first, last, workspace.zone), ""


def _day(query: QueryDict, name: str, errors: dict[str, str]) -> datetime.date | None:
    text = query.get(name, "").strip()
    if not text:
        return None
    try:
        day = datetime.date.fromisoformat(text)
    except ValueError:
        errors[name] = "Must be a date such as 2026-03-01."
        return None
    if not 1970 < day.year < 2200:
        errors[name] = "Must lie between 1971 and 2199."
        return None
    return day


def _interval(query: QueryDict, period: Period, default: Interval | None, errors: dict[str, str]) -> Interval:
    text = query.get("interval", "").strip()
    if not text:
        return default or suggested_interval(period)
    try:
        return Interval(text)
    except ValueError:
        errors["interval"] = "Must be day, week or month."
        return Interval.DAY


def suggested_interval(period: Period) -> Interval:
    """Return the interval in which a period of this length is easy to read."""
    if period.days <= 31:
        return Interval.DAY
    return Interval.WEEK if period.days <= 190 else Interval.MONTH


def _environments(workspace: Workspace, query: QueryDict, errors: dict[str, str]) -> list[Environment]:
    chosen = _named(Environment.objects, workspace, "name_key", "environment", query, errors)
    return chosen or list(Environment.objects.filter(workspace=workspace, is_production=True))


def _named(rows, workspace: Workspace, column: str, name: str, query: QueryDict, errors: dict[str, str]):  # type: ignore[no-untyped-def]
    """Return the rows that the values of a parameter name."""
    keys = _keys(query, name)
    if not keys:
        return []
    found = list(rows.filter(workspace=workspace, **{f"{column}__in": keys}))
    unknown = keys.keys() - {getattr(row, column) for row in found}
    if unknown:
        errors[name] = f"There is no “{keys[min(unknown)]}”."
    return found


def _keys(query: QueryDict, name: str) -> dict[str, str]:
    return {name_key(value): value for value in query.getlist(name) if value.strip() and "\x00" not in value}


def _authors(workspace: Workspace, query: QueryDict, errors: dict[str, str]) -> list[str]:
    """Return the people that are asked for, as their names were first written."""
    keys = _keys(query, "author")
    if not keys:
        return []
    names = dict(Author.objects.filter(workspace=workspace, name_key__in=keys).values_list("name_key", "name"))
    people = TeamMember.objects.filter(team__workspace=workspace, name_key__in=keys.keys() - names.keys())
    names.update(people.values_list("name_key", "name"))
    unknown = keys.keys() - names.keys()
    if unknown:
        names.update(recent_authors(workspace, unknown))
        unknown -= names.keys()
    if unknown:
        errors["author"] = f"There is no “{keys[min(unknown)]}”."
    return sorted(names.values())


def recent_authors(workspace: Workspace, keys: Collection[str]) -> dict[str, str]:
    """Return those of the people whom the latest deployments name: rollups may not have met them yet."""
    latest = Deployment.objects.filter(workspace=workspace).newest_first()[:_LATEST]
    ids, names = [], set[str]()
    for pk, name in latest.values_list("pk", "author"):
        ids.append(pk)
        names.add(name)
    writers = Change.objects.filter(deployment__in=ids).values_list("pull_request__author", "commit__author")
    for pair in writers.distinct()[:_LATEST]:
        names.update(name for name in pair if name)
    return {name_key(name): name for name in names if name_key(name) in keys}


def _bots(query: QueryDict, errors: dict[str, str]) -> Bots:
    text = query.get("bots", "").strip()
    try:
        return Bots(text) if text else Bots.APART
    except ValueError:
        errors["bots"] = "Must be apart, include or only."
        return Bots.APART
