"""Creates an API key and prints it, once."""

import datetime
import re
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from deployments.management.arguments import find_workspace
from deployments.models import ApiKey, Scope
from deployments.models.workspaces import all_scopes


class Command(BaseCommand):
    help = "Create an API key. The key alone is the last line of standard output; it cannot be shown again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--name", required=True, help="who or what uses it")
        parser.add_argument("--workspace", metavar="SLUG", help="needed where there are several")
        parser.add_argument(
            "--scope",
            action="append",
            metavar="SCOPE",
            help="what it may do, several times or with commas; everything but webhooks if left out: "
            + ", ".join(Scope.values),
        )
        parser.add_argument(
            "--expires",
            metavar="WHEN",
            help="a date (2027-01-31), a date-time, or a time from now: 90d, 12h, 30m",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["name"].strip()
        if not 1 <= len(name) <= 100:
            raise CommandError("--name must have 1 to 100 characters.")
        workspace = find_workspace(options["workspace"])
        key, text = ApiKey.create(
            workspace=workspace,
            name=name,
            scopes=_scopes(options["scope"]),
            expires_at=_expiry(options["expires"], workspace.zone),
        )
        until = f", until {key.expires_at:%Y-%m-%d %H:%M} UTC" if key.expires_at else ""
        self.stderr.write(f"API key “{name}” of workspace “{workspace.slug}”: {', '.join(key.scopes)}{until}.")
        self.stdout.write(text)


def _scopes(given: list[str] | None) -> list[str]:
    if not given:
        return all_scopes()
    scopes = [scope.strip() for text in given for scope in text.split(",") if scope.strip()]
    if unknown := [scope for scope in scopes if scope not in Scope.values]:
        raise CommandError(f"There is no scope “{unknown[0]}”; there are {', '.join(Scope.values)}.")
    return sorted(set(scopes))


def _expiry(text: str | None, zone: datetime.tzinfo) -> datetime.datetime | None:
    if not text:
        return None
    if match := re.fullmatch(r"(\d{1,5})([dhm])", text.strip()):
        unit = {"d": "days", "h": "hours", "m": "minutes"}[match[2]]
        return timezone.now() + datetime.timedelta(**{unit: int(match[1])})
    try:
        moment = datetime.datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise CommandError("--expires must be a date, a date-time, or a time from now such as 90d.") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)
