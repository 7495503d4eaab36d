"""Reads a repository's past from GitHub."""

import datetime
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from deployments.catalog import Catalog
from deployments.encryption import Undecipherable
from deployments.github import backfill, history
from deployments.github.answers import GithubError, RateLimited
from deployments.github.client import GithubClient
from deployments.github.connections import connection_for, note_use, open_client
from deployments.management.arguments import find_workspace
from deployments.management.progress import Bars
from deployments.models import Backfill, DeploymentTrigger, Repository
from deployments.processing import work_out_everything


class Command(BaseCommand):
    help = (
        "Read past deployments, releases or merged pull requests of a repository from GitHub, with the token or App"
        " that the workspace has for it. Interrupted, it goes on where it was when it is run again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--repository", required=True, metavar="OWNER/NAME")
        parser.add_argument("--what", required=True, choices=Backfill.What.values)
        parser.add_argument("--since", required=True, metavar="DATE", help="2026-01-31, in the workspace's time zone")
        parser.add_argument("--until", metavar="DATE", help="up to the beginning of this day; now, if left out")
        parser.add_argument("--workspace", metavar="SLUG", help="needed where there are several")

    def handle(self, *args: Any, **options: Any) -> None:
        began = time.monotonic()
        workspace = find_workspace(options["workspace"])
        since, until = (_midnight(options[name], workspace.zone) for name in ("since", "until"))
        assert since is not None, "it is required"
        if until is not None and until <= since:
            raise CommandError("--until must come after --since.")
        name = options["repository"].strip()
        connection = connection_for(workspace, name)
        if connection is None:
            raise CommandError(f"The workspace has no token or App for {name}: add one under Settings → GitHub.")
        try:
            with open_client(connection) as client, Bars() as bars:
                row, read = self._read(Catalog(workspace), client, options["what"], name, (since, until), bars)
                asked = self._fill(row.repository, client, bars)
        except (GithubError, Undecipherable, ValueError) as error:
            note_use(connection, str(error))
            raise CommandError(str(error)) from error
        note_use(connection)
        if row.what == Backfill.What.RELEASES:
            self._warn_without_trigger(row.repository)
        what = row.get_what_display().lower()
        self.stdout.write(
            f"Read {read:,} {what} of {row.repository} and asked {asked:,} questions on their history in"
            f" {time.monotonic() - began:.1f} s."
        )

    def _read(
        self,
        catalog: Catalog,
        client: GithubClient,
        what: str,
        name: str,
        period: tuple[datetime.datetime, datetime.datetime | None],
        bars: Bars,
    ) -> tuple[Backfill, int]:
        repository, described = self._patiently(lambda: backfill.repository_of(catalog, client, name))
        row = backfill.begin(repository, what, *period)
        if row.done_down_to is not None:
            self.stderr.write(f"Going on from {row.done_down_to:%Y-%m-%d %H:%M} UTC, {row.read:,} were read before.")

        def progress(days: int, all_days: int, read: int) -> None:
            bars.show("days", days, all_days)

        read = self._patiently(lambda: backfill.run(row, client, described, progress))
        work_out_everything(repository.pk)
        return row, read

    def _fill(self, repository: Repository, client: GithubClient, bars: Bars) -> int:
        """Ask for the commits between the deployments, until nothing is missing that GitHub knows."""
        total = 0
        while True:
            answers = self._patiently(lambda: list(history.fill(repository, client)))
            if not answers:
                return total
            total += len(answers)
            bars.show("questions", total, total)
            work_out_everything(repository.pk)

    def _patiently(self, step: Any) -> Any:
        """Take a step, and wait for the rate limit to end where it is used up."""
        while True:
            try:
                return step()
            except RateLimited as limited:
                seconds = (limited.until - datetime.datetime.now(datetime.UTC)).total_seconds()
                self.stderr.write(f"{limited} Going on at {limited.until:%H:%M:%S} UTC; it can be interrupted.")
                time.sleep(max(1.0, seconds + 1))

    def _warn_without_trigger(self, repository: Repository) -> None:
        triggers = DeploymentTrigger.objects.filter(
            application__repository=repository, kind=DeploymentTrigger.Kind.RELEASE
        )
        if not triggers.exists():
            self.stderr.write(
                "No application has a trigger for releases, so none of them became a deployment. Add one on the"
                " application's page and run this once more."
            )


def _midnight(text: str | None, zone: datetime.tzinfo) -> datetime.datetime | None:
    if not text:
        return None
    try:
        return datetime.datetime.combine(datetime.date.fromisoformat(text.strip()), datetime.time(), zone)
    except ValueError as error:
        raise CommandError(f"“{text}” is no date; one is 2026-01-31.") from error
