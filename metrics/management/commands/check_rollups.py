"""Holds rollups against their rows."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from deployments.management.arguments import find_workspace
from deployments.management.progress import Bars
from metrics.checking import check_workspace
from metrics.management.commands.rebuild_rollups import day


class Command(BaseCommand):
    help = (
        "Compare the rollup of each day with its rows, and name every difference. The exit code is 1 if there is any."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--workspace", metavar="SLUG", help="needed where there are several")
        parser.add_argument("--from", dest="first", type=day, metavar="DATE", help="from the first day on")
        parser.add_argument("--to", dest="last", type=day, metavar="DATE", help="until the last day")

    def handle(self, *args: Any, **options: Any) -> None:
        workspace = find_workspace(options["workspace"])
        with Bars() as bars:
            checked = check_workspace(workspace, options["first"], options["last"], bars.show)
        for difference in checked.differences:
            self.stdout.write(difference)
        if checked.stale:
            self.stdout.write(
                f"{checked.stale:,} days have changed and wait for their rollups: pages read their rows."
            )
        if checked.differences:
            raise CommandError(
                f"{len(checked.differences):,} of {checked.days:,} days differ: `rebuild_rollups` builds them anew."
            )
        self.stdout.write(f"The rollups of {checked.days:,} days are what their rows say.")
