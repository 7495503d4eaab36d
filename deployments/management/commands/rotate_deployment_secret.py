"""Makes a new secret for GitHub's webhook and prints it, once."""

import datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from deployments.management.arguments import find_workspace
from deployments.models import DeploymentSecret


class Command(BaseCommand):
    help = (
        "Make a new secret for the webhook that GitHub calls. It alone is the last line of standard output; it"
        " cannot be shown again. The former one stays good for a while."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--workspace", metavar="SLUG", help="needed where there are several")
        parser.add_argument(
            "--overlap-hours",
            type=float,
            default=settings.SLIPWAY_SECRET_OVERLAP_HOURS,
            metavar="HOURS",
            help="how long former secrets stay good; 0 ends them at once (default: %(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        hours = options["overlap_hours"]
        if not 0 <= hours <= 24 * 365:
            raise CommandError("--overlap-hours must lie between 0 and 8760.")
        workspace = find_workspace(options["workspace"])
        text = DeploymentSecret.rotate(workspace, datetime.timedelta(hours=hours))
        self.stderr.write(
            f"Deployment secret of workspace “{workspace.slug}”; former ones are good for {hours:g} hours more."
        )
        self.stdout.write(text)
