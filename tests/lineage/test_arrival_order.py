"""Data arrives late and in any order; the end is always that of the right order."""

import datetime as dt
import os
from dataclasses import dataclass

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deployments import recording
from deployments.catalog import Catalog
from deployments.changes import derive_changes, tracks_with_pending_work
from deployments.commits import CommitReport, record_commits
from deployments.models import Deployment, HistoryGap
from deployments.recording import DeploymentReport, record_deployment
from tests import factories

MANY = int(os.environ.get("SLIPWAY_TEST_EXAMPLES", "60"))
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


class RolledBack(Exception):
    """Ends an example: its rows are not kept."""


@dataclass(frozen=True)
class Deployed:
    number: int
    commit: int


def sha(commit: int) -> str:
    return f"{commit:040x}"


@st.composite
def stories(draw: st.DrawFn) -> tuple[list[list[int]], list[int], list[int]]:
    """A commit graph, the days of its commits, and the commits that were deployed one after another."""
    size = draw(st.integers(1, 9))
    parents = [
        draw(st.lists(st.integers(0, number - 1), max_size=2, unique=True)) if number else []
        for number in range(size)
    ]
    days = draw(st.lists(st.integers(0, 12), min_size=size, max_size=size))
    deployed = draw(st.lists(st.integers(0, size - 1), min_size=1, max_size=6))
    return parents, days, deployed


def reachable(parents: list[list[int]], commit: int) -> set[int]:
    seen, stack = set(), [commit]
    while stack:
        if (number := stack.pop()) not in seen:
            seen.add(number)
            stack += parents[number]
    return seen


def oracle(
    parents: list[list[int]], days: list[int], deployed: list[int], counts: list[bool]
) -> dict[int, tuple[str, dict[str, int]]]:
    """Return for each deployment that counts its kind and its changes with their lead times, by brute force."""
    told: dict[int, tuple[str, dict[str, int]]] = {}
    before: set[int] = set()
    previous: int | None = None
    for number, commit in enumerate(deployed):
        if not counts[number]:
            continue
        mine = reachable(parents, commit)
        shipped = set() if previous is None else {one for one in mine - before if len(parents[one]) < 2}
        moment = START + dt.timedelta(days=20 + number)
        leads = {sha(one): int((moment - START - dt.timedelta(days=days[one])).total_seconds()) for one in shipped}
        told[number] = (_kind(parents, commit, previous), leads)
        before |= mine
        previous = commit
    return told


def _kind(parents: list[list[int]], commit: int, previous: int | None) -> str:
    if previous is None:
        return "baseline"
    if previous == commit:
        return "redeploy"
    if previous in reachable(parents, commit):
        return "forward"
    return "rollback" if commit in reachable(parents, previous) else "diverged"


def state() -> dict[int, tuple[str, dict[str, int]]]:
    rows = Deployment.objects.filter(reached_environment=True, archived_at=None)
    return {
        int(row.version): (
            row.change_kind,
            dict(row.changes.values_list("commit__sha", "lead_time_seconds")),
        )
        for row in rows
    }


class Arrivals:
    """Tells Slipway one thing after another, through the doors that jobs use."""

    def __init__(self, parents: list[list[int]], days: list[int], deployed: list[int]) -> None:
        self.parents, self.days, self.deployed = parents, days, deployed
        self.catalog = Catalog(factories.make_workspace())

    def commit(self, number: int) -> None:
        moment = START + dt.timedelta(days=self.days[number])
        report = CommitReport(sha(number), tuple(sha(parent) for parent in self.parents[number]), moment, moment)
        record_commits(self.catalog.repository("acme/app"), [report])

    def deployment(self, number: int, status: str = "success") -> Deployment:
        report = DeploymentReport(
            "acme/app", "app", "production", str(number), sha(self.deployed[number]),
            deployed_at=START + dt.timedelta(days=20 + number), state=status,
        )  # fmt: skip
        return record_deployment(self.catalog, report, reported_at=START).deployment

    def work_out(self) -> None:
        for track_id in tracks_with_pending_work():
            derive_changes(track_id)


@pytest.mark.django_db
@settings(max_examples=MANY, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=stories(), data=st.data())
def test_any_order_of_arrival_leads_to_the_same_end(
    story: tuple[list[list[int]], list[int], list[int]], data: st.DataObject
) -> None:
    parents, days, deployed = story
    events = [("commit", number) for number in range(len(parents))]
    events += [("deployment", number) for number in range(len(deployed))]
    order = data.draw(st.permutations(events))
    pauses = data.draw(st.lists(st.booleans(), min_size=len(order), max_size=len(order)))
    with pytest.raises(RolledBack), transaction.atomic():
        arrivals = Arrivals(parents, days, deployed)
        for (what, number), pause in zip(order, pauses, strict=True):
            getattr(arrivals, what)(number)
            if pause:
                arrivals.work_out()
        arrivals.work_out()
        assert state() == oracle(parents, days, deployed, [True] * len(deployed))
        assert not HistoryGap.objects.exists()
        assert all(row.history_is_complete for row in Deployment.objects.all())
        raise RolledBack


@pytest.mark.django_db
@settings(max_examples=MANY // 2, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=stories(), data=st.data())
def test_what_turns_out_to_have_failed_or_is_archived_leaves_no_trace(
    story: tuple[list[list[int]], list[int], list[int]], data: st.DataObject
) -> None:
    parents, days, deployed = story
    number = st.integers(0, len(deployed) - 1)
    turns = data.draw(
        st.lists(st.tuples(number, st.sampled_from(["failure", "success", "archive", "restore"])), max_size=8)
    )
    with pytest.raises(RolledBack), transaction.atomic():
        arrivals = Arrivals(parents, days, deployed)
        for commit in range(len(parents)):
            arrivals.commit(commit)
        rows = [arrivals.deployment(one) for one in range(len(deployed))]
        arrivals.work_out()
        failed, archived = set(), set()
        for one, turn in turns:
            if turn in ("failure", "success"):
                arrivals.deployment(one, turn)
                failed = failed | {one} if turn == "failure" else failed - {one}
            else:
                getattr(recording, turn)(Deployment.objects.get(pk=rows[one].pk))
                archived = archived | {one} if turn == "archive" else archived - {one}
            if data.draw(st.booleans()):
                arrivals.work_out()
        arrivals.work_out()
        counts = [one not in failed | archived for one in range(len(deployed))]
        assert state() == oracle(parents, days, deployed, counts)
        raise RolledBack


@pytest.mark.django_db
def test_a_commit_that_nobody_told_of_makes_the_history_unknown_until_it_arrives() -> None:
    arrivals = Arrivals([[], [0], [1], [2]], [0, 1, 2, 3], [0, 3])
    for number in (0, 3):
        arrivals.commit(number)
    for number in (0, 1):
        arrivals.deployment(number)
    arrivals.work_out()
    later = Deployment.objects.get(version="1")
    assert (later.change_kind, later.changes_count, later.history_is_complete) == ("unknown", 1, False)
    arrivals.commit(1)
    arrivals.commit(2)
    arrivals.work_out()
    later.refresh_from_db()
    assert (later.change_kind, later.changes_count, later.history_is_complete) == ("forward", 3, True)


@pytest.mark.django_db
def test_exact_parents_replace_inferred_ones() -> None:
    arrivals = Arrivals([[], [], [], []], [0, 1, 2, 3], [0, 3])
    repository = arrivals.catalog.repository("acme/app")
    inferred = recording.infer_parents(tuple(CommitReport(sha(number)) for number in range(4)))
    assert [commit.parents for commit in inferred] == [None, (sha(0),), (sha(1),), (sha(2),)]
    record_commits(repository, inferred)
    arrivals.deployment(0)
    arrivals.deployment(1)
    arrivals.work_out()
    assert Deployment.objects.get(version="1").changes_count == 3
    record_commits(repository, [CommitReport(sha(3), (sha(0),))])
    arrivals.work_out()
    assert Deployment.objects.get(version="1").changes_count == 1


@pytest.mark.django_db
def test_a_rollback_ships_nothing_and_what_returns_is_not_counted_again() -> None:
    arrivals = Arrivals([[], [0], [1]], [0, 1, 2], [0, 1, 2, 1, 2])
    for number in range(3):
        arrivals.commit(number)
    for number in range(5):
        arrivals.deployment(number)
    arrivals.work_out()
    rows = Deployment.objects.order_by("deployed_at")
    assert [(row.change_kind, row.changes_count) for row in rows] == [
        ("baseline", 0), ("forward", 1), ("forward", 1), ("rollback", 0), ("forward", 0),
    ]  # fmt: skip
