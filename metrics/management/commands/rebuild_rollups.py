"""Builds rollups anew from their rows."""

import argparse
import datetime
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from deployments.management.arguments import find_workspace
from deployments.management.progress import Bars
from metrics.rebuilding import plan_days, rebuild_workspace


class Command(BaseCommand):
    help = "Build the rollups of days anew from their rows. Always safe: pages and reports go on meanwhile."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--workspace", metavar="SLUG", help="needed where there are several")
        parser.add_argument("--from", dest="first", type=day, metavar="DATE", help="from the first deployment on")
        parser.add_argument("--to", dest="last", type=day, metavar="DATE", help="until the last deployment")

    def handle(self, *args: Any, **options: Any) -> None:
        began = time.monotonic()
        first, last = options["first"], options["last"]
        if first and last and first > last:
            raise CommandError("--from must not lie after --to.")
        workspace = find_workspace(options["workspace"])
        plan_days(workspace, first, last)
        with Bars() as bars:
            days = rebuild_workspace(workspace, bars.show)
        self.stdout.write(f"Built {days:,} days in {time.monotonic() - began:.1f} s.")


def day(text: str) -> datetime.date:
    """Read a date of the command line."""
    try:
        return datetime.date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError("must be a date such as 2026-03-01") from error
