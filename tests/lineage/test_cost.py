"""The work of placing one deployment is bounded by what is new, however long the history is."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from deployments.catalog import Catalog
from deployments.changes import derive_changes
from deployments.commits import CommitReport, record_commits
from deployments.graph import TrackGraph
from deployments.models import Deployment, Workspace
from deployments.recording import DeploymentReport, record_deployment
from tests.lineage.oracle import START, sha

pytestmark = pytest.mark.django_db

SHORT, LONG = 500, 5_000
NEW = 20  # commits of each deployment


@dataclass(frozen=True)
class Cost:
    queries: int
    rows: int  # commits read


class Project:
    """A repository with a line of commits, an hour from each to the next."""

    def __init__(self, workspace: Workspace, length: int, first_parents: tuple[str, ...] = ()) -> None:
        self.catalog = Catalog(workspace)
        self.name = f"acme/of-{length}"
        self.length = 0
        self.first_parents = first_parents
        self.grow(length)

    def grow(self, number: int) -> int:
        """Add commits and return the newest."""
        begin, self.length = self.length, self.length + number
        record_commits(
            self.catalog.repository(self.name),
            [self.report(one, (sha(one - 1),) if one else self.first_parents) for one in range(begin, self.length)],
        )
        return self.length - 1

    def branch(self, fork: int, number: int) -> int:
        """Add commits on a branch of an old commit, made just now, and return the newest."""
        begin = 1_000_000 * (1 + fork)
        parents = [fork, *range(begin, begin + number - 1)]
        reports = [
            self.report(begin + one, (sha(parent),), at=self.length + one) for one, parent in enumerate(parents)
        ]
        record_commits(self.catalog.repository(self.name), reports)
        return begin + number - 1

    def report(self, number: int, parents: tuple[str, ...], at: int | None = None) -> CommitReport:
        moment = START + dt.timedelta(hours=number if at is None else at)
        return CommitReport(sha(number), parents, moment, moment)

    def deploy(self, commit: int, hour: int, app: str = "app") -> Deployment:
        report = DeploymentReport(
            self.name, app, "production", f"v{hour}", sha(commit), deployed_at=START + dt.timedelta(hours=hour)
        )
        deployment = record_deployment(self.catalog, report, reported_at=START).deployment
        derive_changes(deployment.track_id)
        deployment.refresh_from_db()
        return deployment


@pytest.fixture
def cost(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], Cost]:
    """Return what measures an act."""
    read: list[int] = []
    add = TrackGraph._add

    def add_and_count(self: TrackGraph, rows: list[Any]) -> None:
        read.append(len(rows))
        add(self, rows)

    monkeypatch.setattr(TrackGraph, "_add", add_and_count)

    def measure(act: Callable[[], Any]) -> Cost:
        read.clear()
        with CaptureQueriesContext(connection) as queries:
            act()
        return Cost(len(queries), sum(read))

    return measure


Measure = Callable[[Callable[[], Any]], Cost]


def test_one_more_deployment_costs_the_same_on_a_short_and_on_a_long_history(
    workspace: Workspace, cost: Measure
) -> None:
    costs = []
    for length in (SHORT, LONG):
        project = Project(workspace, length)
        project.deploy(0, length)
        project.deploy(length - 1, length + 1)
        tip = project.grow(NEW)
        costs.append(cost(lambda: project.deploy(tip, length + NEW)))  # noqa: B023
        assert Deployment.objects.get(commit_sha=sha(tip), version=f"v{length + NEW}").changes_count == NEW
    assert costs[0] == costs[1]
    assert costs[1].rows < 200


def test_the_first_deployment_of_one_more_application_does_not_read_what_was_there(
    workspace: Workspace, cost: Measure
) -> None:
    costs = []
    for length in (SHORT, LONG):
        project = Project(workspace, length)
        project.deploy(length - 1, length)
        costs.append(cost(lambda: project.deploy(length - 1, length, app="new")))  # noqa: B023
        tip = project.grow(NEW)
        costs.append(cost(lambda: project.deploy(tip, length + NEW, app="new")))  # noqa: B023
    assert costs[:2] == costs[2:]
    assert max(one.rows for one in costs) < 200


def test_a_hotfix_of_an_old_release_walks_down_to_where_it_was_forked_only_once(
    workspace: Workspace, cost: Measure
) -> None:
    project = Project(workspace, LONG)
    project.deploy(LONG - 1, LONG)
    fork = LONG - 2_000
    first, second = (project.branch(fork - number, 3) for number in range(2))
    dear = cost(lambda: project.deploy(first, LONG + 10))
    cheap = cost(lambda: project.deploy(second, LONG + 20))
    again = cost(lambda: project.deploy(project.grow(NEW), LONG + NEW + 30))
    assert [row.changes_count for row in Deployment.objects.in_track_order()] == [0, 3, 3, NEW]  # type: ignore[attr-defined]
    assert dear.rows < 4 * 2_000
    assert max(cheap.rows, again.rows) < 400
    assert max(cheap.queries, again.queries) < 60


def test_to_say_that_the_history_is_not_known_takes_no_more_on_a_long_one(
    workspace: Workspace, cost: Measure
) -> None:
    costs = []
    for length in (SHORT, LONG):
        project = Project(workspace, length, first_parents=(sha(99_999_999),))
        project.deploy(length - 1, length)
        costs.append(cost(lambda: project.deploy(77_777_777, length + 1)))  # noqa: B023 - nobody told of this one
        tip = project.grow(NEW)
        costs.append(cost(lambda: project.deploy(tip, length + NEW)))  # noqa: B023
        assert set(Deployment.objects.exclude(change_kind="baseline").values_list("change_kind", flat=True)) == {
            "unknown"
        }
    assert costs[:2] == costs[2:]
    assert max(one.rows for one in costs) < 200
