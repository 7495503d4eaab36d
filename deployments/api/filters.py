"""What GET /v1/deployments can be narrowed down to."""

import datetime
from zoneinfo import ZoneInfo

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.request import Request

from deployments.models import ChangeKind, Deployment, DeploymentState
from deployments.names import name_key
from deployments.reports import parse_date_time

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
    for name, column, choices in (
        ("state", "state", DeploymentState.values),
        ("changeKind", "change_kind", ChangeKind.values),
    ):
        if values := _values(request, name, errors):
            if unknown := [value for value in values if value not in choices]:
                errors[name] = [f"There is no “{unknown[0]}”; there are {', '.join(choices)}."]
            rows = rows.filter(**{f"{column}__in": values})
    if values := _values(request, "author", errors):
        rows = rows.filter(author__in=values)
    rows = _filter_time(rows, request, zone, errors)
    if errors:
        raise serializers.ValidationError(errors)
    return rows


def _values(request: Request, name: str, errors: dict[str, list[str]]) -> list[str]:
    values = [value for value in request.query_params.getlist(name) if value.strip()]
    if any("\x00" in value for value in values):
        errors[name] = ["Null characters are not allowed."]
        return []
    return values


def _filter_time(
    rows: QuerySet[Deployment], request: Request, zone: ZoneInfo, errors: dict[str, list[str]]
) -> QuerySet[Deployment]:
    for name, lookup, days in (("from", "deployed_at__gte", 0), ("to", "deployed_at__lt", 1)):
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
