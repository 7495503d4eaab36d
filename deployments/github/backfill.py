"""Reads a repository's past from GitHub: deployments, releases or merged pull requests of a period.

What is read is told to the same handlers as GitHub's events, so the past becomes what it would have become had the
webhook been there. Reading goes from the newest to the oldest and writes down how far it has come: interrupted, it
goes on from there.
"""

import datetime
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from deployments.catalog import Catalog
from deployments.github import events, history, payloads
from deployments.github.client import GithubClient
from deployments.github.payloads import Payload
from deployments.models import Backfill, Repository
from deployments.repositories import follow
from deployments.signals import reading_history

What = Backfill.What
# Told how many days of the period have been read, how many there are, and how many rows that were.
Progress = Callable[[int, int, int], None]


@dataclass(frozen=True, slots=True)
class _Found:
    """A row of GitHub's list, and how to record it."""

    at: datetime.datetime  # the list goes down by this moment
    happened_at: datetime.datetime | None  # what counts for the period; None where it is of no interest
    tell: Callable[[], None]


def begin(repository: Repository, what: str, since: datetime.datetime, until: datetime.datetime | None) -> Backfill:
    """Return the backfill of a period: the unfinished one, or a new one. Without `until` it is up to now."""
    unfinished = Backfill.objects.filter(repository=repository, what=what, since=since, finished_at=None)
    if until is not None:
        unfinished = unfinished.filter(until=until)
    known = unfinished.order_by("-created_at").first()
    if known is not None:
        return known
    end = until or timezone.now()
    row, _ = Backfill.objects.update_or_create(
        repository=repository,
        what=what,
        since=since,
        until=end,
        defaults={"done_down_to": None, "read": 0, "finished_at": None},
    )
    return row


def repository_of(catalog: Catalog, client: GithubClient, full_name: str) -> tuple[Repository, Payload]:
    """Return a repository as GitHub knows it, and what GitHub's events would say of it. Raises GithubError."""
    row = client.get(f"/repos/{full_name}")
    facts = payloads.repository_facts({"repository": row})
    if facts is None:
        raise payloads.Unreadable(f"GitHub's answer on {full_name} has no id and name.")
    with transaction.atomic():
        return follow(catalog, facts), row


def run(backfill: Backfill, client: GithubClient, described: Payload, progress: Progress) -> int:
    """Read what is left of a period; return how many rows were recorded in all. Raises GithubError.

    What was recorded has to be worked out by the caller.
    """
    reader = _Reader(Catalog(backfill.repository.workspace), client, backfill.repository.full_name, described)
    days = max(1, (backfill.until - backfill.since).days)
    for found in reader.rows(backfill.what):
        if found.at < backfill.since and backfill.what != What.RELEASES:
            break  # releases are listed by the dates of their commits, which tell nothing of when they were published
        if backfill.done_down_to and backfill.done_down_to < found.at <= backfill.created_at:
            continue  # read before; what has changed since is read again
        if found.happened_at is not None and backfill.since <= found.happened_at < backfill.until:
            found.tell()
            backfill.read += 1
        backfill.done_down_to = found.at  # those of this very moment are told again: that changes nothing
        backfill.save(update_fields=["read", "done_down_to"])
        progress(max(0, min(days, (backfill.until - found.at).days)), days, backfill.read)
    backfill.finished_at = timezone.now()
    backfill.save(update_fields=["finished_at"])
    progress(days, days, backfill.read)
    return backfill.read


@dataclass(frozen=True, slots=True)
class _Reader:
    catalog: Catalog
    client: GithubClient
    full_name: str
    described: Payload  # the repository, as events have it

    def rows(self, what: str) -> Iterator[_Found]:
        """Return the rows of a kind, the newest first."""
        readers = {
            What.DEPLOYMENTS: self._deployments,
            What.RELEASES: self._releases,
            What.PULL_REQUESTS: self._pull_requests,
        }
        return readers[What(what)]()

    def _tell(self, event: str, payload: Payload) -> None:
        with reading_history(), transaction.atomic():
            events.handle(self.catalog, event, {"repository": self.described, **payload}, timezone.now())

    def _deployments(self) -> Iterator[_Found]:
        for page in self.client.deployments(self.full_name):
            for row in page:
                if (moment := payloads.moment(row, "created_at")) is not None:
                    yield _Found(moment, moment, lambda row=row: self._tell_deployment(row))  # type: ignore[misc]

    def _tell_deployment(self, row: Payload) -> None:
        statuses = [one for page in self.client.deployment_statuses(self.full_name, row["id"]) for one in page]
        self._tell("deployment", {"action": "created", "deployment": row})
        for status in reversed(statuses):
            self._tell("deployment_status", {"action": "created", "deployment": row, "deployment_status": status})

    def _releases(self) -> Iterator[_Found]:
        for page in self.client.releases(self.full_name):
            for row in page:
                if (moment := payloads.moment(row, "created_at")) is not None:
                    published_at = None if row.get("draft") is True else payloads.moment(row, "published_at")
                    yield _Found(moment, published_at, lambda row=row: self._tell_release(row))  # type: ignore[misc]

    def _tell_release(self, row: Payload) -> None:
        commit = self.client.tag_commit(self.full_name, payloads.text(row, "tag_name"))
        if commit is not None:
            row = {**row, "target_commitish": commit}
        self._tell("release", {"action": "published", "release": row})

    def _pull_requests(self) -> Iterator[_Found]:
        for page in self.client.pull_requests(self.full_name, state="closed", sort="updated", direction="desc"):
            for row in page:
                if (moment := payloads.moment(row, "updated_at")) is not None:
                    merged_at = payloads.moment(row, "merged_at")
                    yield _Found(moment, merged_at, lambda row=row: self._tell_pull_request(row))  # type: ignore[misc]

    def _tell_pull_request(self, row: Payload) -> None:
        number = payloads.number(row, "number")
        github_id = payloads.number(self.described, "id")
        repository = Repository.objects.get(workspace=self.catalog.workspace, github_id=github_id)
        if number is not None:
            history.record_from_api(repository, self.client, number)
