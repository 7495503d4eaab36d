"""Sends the digests that are due."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from metrics.digests.content import week_of
from metrics.digests.messages import as_text
from metrics.digests.sending import due, send_due
from metrics.models import Digest


class Command(BaseCommand):
    help = "Send the digests that are due. Slipway does so by itself; this is to see what happens."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only show what would be sent")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["dry_run"]:
            self._show()
            return
        sent, failed = 0, 0
        while outcomes := send_due(timezone.now()):
            for outcome in outcomes:
                if outcome.error:
                    failed += 1
                    self.stderr.write(f"{_named(outcome.digest)}: {outcome.error}")
                else:
                    sent += 1
                    self.stdout.write(f"{_named(outcome.digest)}: sent")
        self.stdout.write(f"{sent} sent, {failed} could not be sent.")
        if failed:
            raise CommandError("Some digests could not be sent. They are tried again.")

    def _show(self) -> None:
        found = due(timezone.now())
        for one in found:
            self.stdout.write(f"--- {_named(one.digest)}\n")
            self.stdout.write(as_text(week_of(one.digest.workspace, one.digest.team, one.period)))
        self.stdout.write(f"{len(found)} would be sent.")


def _named(digest: Digest) -> str:
    """Return what tells a digest from others without its address, which may be a secret."""
    return f"{digest.workspace.name}, {digest.get_kind_display()} digest {digest.pk}"
