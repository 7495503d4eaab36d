"""Lists the workspaces."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from deployments.models import Workspace


class Command(BaseCommand):
    help = "List the workspaces: id, slug and name."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--ids", action="store_true", help="only the ids, one a line")

    def handle(self, *args: Any, **options: Any) -> None:
        for workspace in Workspace.objects.order_by("created_at"):
            line = f"{workspace.pk}" if options["ids"] else f"{workspace.pk}  {workspace.slug}  {workspace.name}"
            self.stdout.write(line)
