"""Tells Slipway of commits and deployments in any order, and holds what it says against the oracle."""

import datetime as dt
import itertools
from typing import Any

from deployments import recording
from deployments.catalog import Catalog
from deployments.changes import derive_batch, tracks_with_pending_work
from deployments.commits import CommitReport, record_commits
from deployments.models import Change, Commit, Deployment, HistoryGap, ShippedCommit
from deployments.recording import DeploymentReport, infer_parents, record_deployment
from tests import factories
from tests.lineage.oracle import START, Knowledge, Right, Told, deployed_at, sha


def report_of(commit: int, told: Told) -> CommitReport:
    moment = None if told.day is None else START + dt.timedelta(days=told.day)
    parents = None if told.parents is None else tuple(sha(parent) for parent in told.parents)
    return CommitReport(sha(commit), parents, moment, moment)


class Story:
    """Tells Slipway one thing after another, through the doors that jobs use, and keeps in mind what it told."""

    def __init__(self, parents: list[list[int]], days: list[int], deployed: list[int]) -> None:
        self.whole = {
            commit: Told(tuple(above), day) for commit, (above, day) in enumerate(zip(parents, days, strict=True))
        }
        self.deployed = deployed
        self.knowledge = Knowledge()
        self.rows: dict[int, int] = {}  # number of a deployment → its id
        self.failed: set[int] = set()
        self.archived: set[int] = set()
        self.catalog = Catalog(factories.make_workspace())

    def tell_commits(self, commits: list[int], how: str) -> None:
        """Tell of commits: all that there is to tell, no dates, nothing but their hashes, or as a push does."""
        exact = {commit: self.whole[commit] for commit in commits}
        if how == "undated":
            exact = {commit: Told(told.parents) for commit, told in exact.items()}
        elif how in ("bare", "push"):
            exact = {commit: Told(day=told.day if how == "push" else None) for commit, told in exact.items()}
        reports = [report_of(commit, told) for commit, told in exact.items()]
        if how == "push":  # a line, oldest first
            reports = infer_parents(tuple(reports))
            line = list(exact)
            for before, commit in itertools.pairwise(line):
                exact[commit] = Told((before,), exact[commit].day, parents_are_inferred=True)
        for commit, told in exact.items():
            self.knowledge.learn(commit, told)
        record_commits(self.catalog.repository("acme/app"), reports)

    def deploy(self, number: int, state: str) -> None:
        """Report a deployment, or its next status."""
        report = DeploymentReport(
            "acme/app", "app", "production", str(number), sha(self.deployed[number]),
            deployed_at=deployed_at(number), state=state,
        )  # fmt: skip
        self.rows[number] = record_deployment(self.catalog, report, reported_at=START).deployment.pk
        self.failed = self.failed | {number} if state == "failure" else self.failed - {number}

    def set_archived(self, number: int, act: str) -> None:
        if number in self.rows:
            getattr(recording, act)(Deployment.objects.get(pk=self.rows[number]))
            self.archived = self.archived | {number} if act == "archive" else self.archived - {number}

    def work(self, limit: int) -> None:
        """Work out a batch, or everything."""
        for track_id in tracks_with_pending_work():
            while derive_batch(track_id, limit or 3) and not limit:
                pass

    def right(self) -> dict[int, Right]:
        counting = self.rows.keys() - self.failed - self.archived
        return self.knowledge.right({number: self.deployed[number] for number in counting})


def told_by_slipway() -> dict[int, Right]:
    rows = list(Deployment.objects.reached())  # type: ignore[attr-defined]
    for row in rows:
        assert row.changes_count == row.changes.count()
    return {
        int(row.version): Right(
            row.change_kind,
            dict(row.changes.values_list("commit__sha", "lead_time_seconds")),
            set(row.history_gaps.filter(concerns_kind_only=False).values_list("sha", flat=True)),
        )
        for row in rows
    }


def assert_right(story: Story) -> None:
    expected, told = story.right(), told_by_slipway()
    for number, right in expected.items():
        if right.kind == "baseline":
            # What is unknown of a baseline is found only as far as a later deployment has to look for it.
            expected[number] = Right(right.kind, right.changes, told[number].gaps)
    assert told == expected
    for row in Deployment.objects.all():
        gaps = row.history_gaps.filter(concerns_kind_only=False)
        assert row.history_is_complete == (not gaps.exists())
    generations = dict(Commit.objects.values_list("sha", "generation"))
    for commit in Commit.objects.exclude(parents=None):
        assert all(generations.get(parent, -1) < commit.generation for parent in (commit.parents or "").split())
    left_out = Deployment.objects.exclude(reached_environment=True, archived_at=None)
    for model in (Change, ShippedCommit, HistoryGap):
        assert not model.objects.filter(deployment__in=left_out).exists()


def play(story: Story, happened: list[tuple[Any, ...]]) -> None:
    """Let things happen; whenever all has been worked out, and in the end, it has to be right."""
    for name, *arguments in [*happened, ("work", 0)]:
        getattr(story, name)(*arguments)
        if (name, *arguments) == ("work", 0):
            assert_right(story)
