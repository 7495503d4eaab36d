"""Makes up a history of realistic shape, for benchmarks and demonstrations."""

import datetime
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, transaction
from django.utils import timezone
from django.utils.text import slugify

from deployments.generating.making import Wish, make_history
from deployments.management.progress import Bars
from deployments.models import Deployment, Membership, Repository, User, Workspace

_MOST_DEPLOYMENTS, _MOST_APPLICATIONS, _MOST_YEARS = 50_000_000, 5_000, 20


class Command(BaseCommand):
    help = (
        "Make up a history: deployments to three environments, with their commits, pull requests, failures and"
        " incidents. The same seed and last day make the same history. While a large one is loaded, all else waits."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--deployments", type=int, required=True, metavar="N", help="how many, all in all")
        parser.add_argument("--applications", type=int, default=200)
        parser.add_argument("--years", type=int, default=3)
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--end", metavar="DATE", help="its last day; yesterday where it is left out")
        parser.add_argument(
            "--workspace", metavar="SLUG", default="generated", help="made where there is none of that slug"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        began = time.monotonic()
        wish = _wish(options)
        try:
            with Bars() as bars:
                workspace = _fill(options["workspace"], wish, bars)
        except DatabaseError as error:
            raise CommandError(f"The database did not take it, and nothing was stored: {error}") from error
        made = Deployment.objects.filter(workspace=workspace).count()
        self.stdout.write(f"Made {made:,} deployments in “{workspace.slug}” in {time.monotonic() - began:.1f} s.")


def _fill(slug: str, wish: Wish, bars: Bars) -> Workspace:
    if slugify(slug) != slug or not slug:
        raise CommandError("--workspace must be a slug, of small letters, digits and hyphens.")
    known = Workspace.objects.filter(slug=slug).first()
    if known is not None and _is_used(known):
        raise CommandError(f"“{slug}” has deployments or repositories already; name another workspace.")
    workspace = known or _make(slug)
    make_history(workspace, wish, bars.show, is_new=known is None)
    return workspace


def _is_used(workspace: Workspace) -> bool:
    return any(model.objects.filter(workspace=workspace).exists() for model in (Deployment, Repository))


@transaction.atomic
def _make(slug: str) -> Workspace:
    """Make a workspace for those who may use the admin."""
    workspace = Workspace.objects.create(name=slug.capitalize(), slug=slug, time_zone="Europe/Berlin")
    for person in User.objects.filter(is_superuser=True):
        Membership.objects.create(user=person, workspace=workspace, role=Membership.Role.OWNER)
    return workspace


def _wish(options: dict[str, Any]) -> Wish:
    for name, most in (
        ("deployments", _MOST_DEPLOYMENTS),
        ("applications", _MOST_APPLICATIONS),
        ("years", _MOST_YEARS),
    ):
        if not 1 <= options[name] <= most:
            raise CommandError(f"--{name} must lie between 1 and {most:,}.")
    if options["seed"] < 0:
        raise CommandError("--seed must not be below 0.")
    return Wish(
        options["deployments"], options["applications"], options["years"], _end(options["end"]), options["seed"]
    )


def _end(text: str | None) -> datetime.date:
    yesterday = timezone.now().date() - datetime.timedelta(days=1)
    if text is None:
        return yesterday
    try:
        end = datetime.date.fromisoformat(text)
    except ValueError as error:
        raise CommandError("--end must be a date such as 2026-03-01.") from error
    if not datetime.date(2000, 1, 1) <= end <= yesterday:
        raise CommandError("--end must lie between 2000-01-01 and yesterday.")
    return end
