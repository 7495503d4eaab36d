"""Data arrives late and in any order; the end is always that of the right order."""

import datetime as dt
from typing import Any

import pytest
from django.db import transaction
from hypothesis import event, given
from hypothesis import strategies as st

from deployments import recording
from deployments.catalog import Catalog
from deployments.changes import derive_batch, tracks_with_pending_work
from deployments.commits import CommitReport, record_commits
from deployments.models import Change, Deployment, HistoryGap, MissingParent, ShippedCommit, Track
from deployments.recording import DeploymentReport, infer_parents, record_deployment
from tests import factories
from tests.lineage.oracle import START, Knowledge, Right, Told, deployed_at, sha

MOST_COMMITS = 9
MOST_DEPLOYMENTS = 6


class RolledBack(Exception):
    """Ends an example: its rows are not kept."""


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
            for before, commit in zip(line, line[1:], strict=False):
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
    left_out = Deployment.objects.exclude(reached_environment=True, archived_at=None)
    for model in (Change, ShippedCommit, HistoryGap):
        assert not model.objects.filter(deployment__in=left_out).exists()


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[list[int]], list[int], list[int]]:
    """A commit graph, the days of its commits, and the commits that were deployed one after another."""
    size = draw(st.integers(1, MOST_COMMITS))
    parents = [
        draw(st.lists(st.integers(0, number - 1), max_size=2, unique=True)) if number else []
        for number in range(size)
    ]
    clocks_are_right = draw(st.booleans())
    days = draw(st.lists(st.integers(0, 12), min_size=size, max_size=size))
    if clocks_are_right:
        days = sorted(days)
    deployed = draw(st.lists(st.integers(0, size - 1), min_size=1, max_size=MOST_DEPLOYMENTS))
    return parents, days, deployed


@st.composite
def events(draw: st.DrawFn, commits: int, deployments: int) -> list[tuple[Any, ...]]:
    """What happens, in any order: commits are told, deployments reported and taken back, and pauses to work."""
    number = st.integers(0, deployments - 1)
    some = st.lists(st.integers(0, commits - 1), min_size=1, max_size=commits, unique=True)
    return draw(
        st.lists(
            st.one_of(
                st.tuples(st.just("tell_commits"), some, st.sampled_from(["exact", "exact", "undated", "bare"])),
                st.tuples(st.just("tell_commits"), some.map(sorted), st.just("push")),
                st.tuples(st.just("deploy"), number, st.sampled_from(["success", "success", "failure"])),
                st.tuples(st.just("set_archived"), number, st.sampled_from(["archive", "restore"])),
                st.tuples(st.just("work"), st.integers(0, 2)),
            ),
            max_size=25,
        )
    )


@pytest.mark.django_db
@given(history=histories(), data=st.data())
def test_whatever_has_arrived_in_whatever_order_the_result_is_that_of_the_right_order(
    history: tuple[list[list[int]], list[int], list[int]], data: st.DataObject
) -> None:
    parents, _, deployed = history
    with pytest.raises(RolledBack), transaction.atomic():
        story = Story(*history)
        for name, *arguments in data.draw(events(len(parents), len(deployed))):
            getattr(story, name)(*arguments)
            if (name, *arguments) == ("work", 0):
                assert_right(story)
        story.work(0)
        assert_right(story)
        event(f"kinds {sorted({right.kind for right in story.right().values()})}")
        raise RolledBack


@pytest.mark.django_db
@given(history=histories(), data=st.data())
def test_when_everything_has_arrived_nothing_is_unknown(
    history: tuple[list[list[int]], list[int], list[int]], data: st.DataObject
) -> None:
    parents, _, deployed = history
    every = [("tell_commits", [number], "exact") for number in range(len(parents))]
    every += [("deploy", number, "success") for number in range(len(deployed))]
    happened = data.draw(events(len(parents), len(deployed))) + data.draw(st.permutations(every))
    pauses = data.draw(st.lists(st.integers(0, 3), min_size=len(happened), max_size=len(happened)))
    with pytest.raises(RolledBack), transaction.atomic():
        story = Story(*history)
        for (name, *arguments), limit in zip(happened, pauses, strict=True):
            getattr(story, name)(*arguments)
            if limit:
                story.work(limit)
        story.work(0)
        assert_right(story)
        assert not HistoryGap.objects.exists()
        assert not MissingParent.objects.exists()
        assert not Track.objects.filter(rebuild_pending=True).exists()
        assert "unknown" not in Deployment.objects.values_list("change_kind", flat=True)
        raise RolledBack
