"""What a report is about: read from a query string, whether a page's or the API's."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field

from django.http import QueryDict
from django.utils import timezone

from deployments.models import Application, Environment, Repository, Workspace
from deployments.names import name_key
from metrics.periods import Interval, Period, last_days

DEFAULT_DAYS = 30
PRESETS = {"7d": 7, "30d": 30, "90d": 90, "365d": 365}
# A chart of more buckets shows nothing, and costs.
_MAX_BUCKETS = 1100


class InvalidSelection(ValueError):
    """Some parameters cannot be taken; `errors` has the fault of each."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("; ".join(errors.values()))
        self.errors = dict(errors)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which deployments a report counts. Empty lists of applications and repositories stand for all."""

    workspace: Workspace
    period: Period
    interval: Interval
    environments: list[Environment]
    applications: list[Application] = field(default_factory=list)
    repositories: list[Repository] = field(default_factory=list)
    preset: str = ""


def read_selection(workspace: Workspace, query: QueryDict, *, default_interval: Interval | None = None) -> Selection:
    """Return what the parameters ask for. Raises InvalidSelection that names every one at fault."""
    errors: dict[str, str] = {}
    period, preset = _period(workspace, query, errors)
    interval = _interval(query, period, default_interval, errors)
    environments = _environments(workspace, query, errors)
    repositories = _named(
        Repository.objects.filter(workspace=workspace), "full_name_key", "repository", query, errors
    )
    applications = _named(
        Application.objects.filter(workspace=workspace).select_related("repository"),
        "name_key",
        "app",
        query,
        errors,
    )
    if not errors and len(period.buckets(interval)) > _MAX_BUCKETS:
        errors["interval"] = "There would be too many; choose a longer interval."
    if errors:
        raise InvalidSelection(errors)
    return Selection(workspace, period, interval, environments, applications, repositories, preset)


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
    everything = Environment.objects.filter(workspace=workspace)
    chosen = _named(everything, "name_key", "environment", query, errors)
    return chosen or list(everything.filter(is_production=True))


def _named(rows, column: str, name: str, query: QueryDict, errors: dict[str, str]):  # type: ignore[no-untyped-def]
    """Return the rows that the values of a parameter name."""
    keys = {name_key(value): value for value in query.getlist(name) if value.strip() and "\x00" not in value}
    if not keys:
        return []
    found = list(rows.filter(**{f"{column}__in": keys}))
    unknown = keys.keys() - {getattr(row, column) for row in found}
    if unknown:
        errors[name] = f"There is no “{keys[min(unknown)]}”."
    return found
