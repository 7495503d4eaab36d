"""What lists on /v1 can be narrowed down to."""

import datetime
import operator
from collections.abc import Sequence
from functools import reduce
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from django.db.models import Model, Q, QuerySet
from rest_framework import serializers
from rest_framework.request import Request

from deployments.models import ChangeKind, Deployment, DeploymentState, Environment, Incident, Track
from deployments.names import name_key
from deployments.reports import parse_date_time

Row = TypeVar("Row", bound=Model)

_NAMES = {
    "app": "application__name_key",
    "environment": "environment__name_key",
    "repository": "application__repository__full_name_key",
}


def filter_deployments(rows: QuerySet[Deployment], request: Request, zone: ZoneInfo) -> QuerySet[Deployment]:
    """Apply the query parameters; each may be given several times. Raises ValidationError naming the wrong ones."""
    errors: dict[str, list[str]] = {}
    for name, column in _NAMES.items():
        if values := _values(request, name, errors):
            rows = rows.filter(**{f"{column}__in": [name_key(value) for value in values]})
    if values := _choices(request, "state", DeploymentState.values, errors):
        rows = rows.filter(state__in=values)
    if values := _choices(request, "changeKind", ChangeKind.values, errors):
        rows = rows.filter(change_kind__in=values)
    if values := _values(request, "author", errors):
        rows = rows.filter(author__in=values)
    if said := _choices(request, "failed", ["true", "false"], errors):
        rows = rows.filter(has_failed__in=[value == "true" for value in said])
    rows = _filter_time(rows, "deployed_at", request, zone, errors)
    if errors:
        raise serializers.ValidationError(errors)
    return rows


# Where nobody said of an incident where it was, the deployment that caused it says so.
_INCIDENT_NAMES = {
    "app": ("application__name_key", "cause__application__name_key", "application"),
    "environment": ("environment__name_key", "cause__environment__name_key", "environment"),
    "repository": ("repository__full_name_key", "cause__application__repository__full_name_key", "repository"),
}


def filter_incidents(rows: QuerySet[Incident], request: Request, zone: ZoneInfo) -> QuerySet[Incident]:
    """Apply the query parameters; each may be given several times. Raises ValidationError naming the wrong ones."""
    errors: dict[str, list[str]] = {}
    for name, (column, of_cause, said) in _INCIDENT_NAMES.items():
        if values := _values(request, name, errors):
            keys = [name_key(value) for value in values]
            rows = rows.filter(Q(**{f"{column}__in": keys}) | Q(**{said: None, f"{of_cause}__in": keys}))
    if states := _choices(request, "state", ["open", "resolved"], errors):
        rows = rows.filter(reduce(operator.or_, (Q(resolved_at__isnull=state == "open") for state in states)))
    rows = _filter_time(rows, "started_at", request, zone, errors)
    if errors:
        raise serializers.ValidationError(errors)
    return rows


def filter_tracks(
    environments: QuerySet[Environment], tracks: QuerySet[Track], request: Request
) -> tuple[QuerySet[Environment], QuerySet[Track]]:
    """Apply the names of environments, applications and repositories. Raises ValidationError."""
    errors: dict[str, list[str]] = {}
    if values := _values(request, "environment", errors):
        environments = environments.filter(name_key__in=[name_key(value) for value in values])
    for name in ("app", "repository"):
        if values := _values(request, name, errors):
            tracks = tracks.filter(**{f"{_NAMES[name]}__in": [name_key(value) for value in values]})
    if errors:
        raise serializers.ValidationError(errors)
    return environments, tracks


def flag(request: Request, name: str) -> bool:
    """Return whether a parameter is true; left out, it is not. Raises ValidationError."""
    text = request.query_params.get(name, "").strip()
    if text not in ("", "true", "false"):
        raise serializers.ValidationError({name: ["Must be true or false."]})
    return text == "true"


def _choices(request: Request, name: str, choices: Sequence[Any], errors: dict[str, list[str]]) -> list[str]:
    values = _values(request, name, errors)
    if unknown := [value for value in values if value not in choices]:
        errors[name] = [f"There is no “{unknown[0]}”; there are {', '.join(choices)}."]
    return values


def _values(request: Request, name: str, errors: dict[str, list[str]]) -> list[str]:
    values = [value for value in request.query_params.getlist(name) if value.strip()]
    if any("\x00" in value for value in values):
        errors[name] = ["Null characters are not allowed."]
        return []
    return values


def _filter_time(
    rows: QuerySet[Row], column: str, request: Request, zone: ZoneInfo, errors: dict[str, list[str]]
) -> QuerySet[Row]:
    for name, lookup, days in (("from", f"{column}__gte", 0), ("to", f"{column}__lt", 1)):
        text = request.query_params.get(name, "").strip()
        if not text:
            continue
        try:
            rows = rows.filter(**{lookup: _moment(text, zone, days)})
        except (ValueError, OverflowError):
            errors[name] = ["Must be a date such as 2026-03-01, or a date-time with an offset."]
        except serializers.ValidationError as error:
            errors[name] = [str(detail) for detail in list(error.detail)]
    return rows


def _moment(text: str, zone: ZoneInfo, days: int) -> datetime.datetime:
    """Return the moment that a parameter names; a date is the whole day in the workspace's time zone."""
    if len(text) > 10:
        return parse_date_time(text.replace(" ", "+"))  # a plus that nobody escaped
    day = datetime.date.fromisoformat(text) + datetime.timedelta(days=days)
    return datetime.datetime.combine(day, datetime.time(), zone).astimezone(datetime.UTC)
