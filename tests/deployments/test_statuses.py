"""A deployment has a state and a history of statuses; later reports go on with it."""

import datetime as dt

import pytest
import time_machine

from deployments.models import Deployment, Job
from deployments.models.deployments import REPORTABLE_STATES
from deployments.processing import process_due_jobs
from tests.factories import NOON
from tests.machines import Machine

pytestmark = pytest.mark.django_db
AT = "2026-03-01T12:00:00Z"


def states_of(deployment: Deployment) -> list[str]:
    """Return the history of a deployment, oldest first."""
    return list(deployment.statuses.order_by("created_at", "id").values_list("state", flat=True))


def report_all(ci: Machine, *states: str, **fields: str) -> Deployment:
    """Report a state after another, a minute apart, and return the one deployment that they are about."""
    with time_machine.travel(NOON, tick=False) as clock:
        for state in states:
            ci.deploy(state=state, **fields)
            clock.shift(dt.timedelta(minutes=1))
    return Deployment.objects.get()


def test_a_deployment_under_way_that_succeeds_is_one_deployment(ci: Machine) -> None:
    deployment = report_all(ci, "pending", "queued", "in_progress", "success")

    assert deployment.state == "success"
    assert states_of(deployment) == ["pending", "queued", "in_progress", "success"]
    assert deployment.reached_environment
    assert deployment.change_kind == "baseline"


def test_a_deployment_took_place_when_it_ended(ci: Machine) -> None:
    assert report_all(ci, "in_progress", "success").deployed_at == NOON + dt.timedelta(minutes=1)


def test_a_stated_time_stays(ci: Machine) -> None:
    deployment = report_all(ci, "in_progress", "success", deployedAt=AT)

    assert deployment.deployed_at == dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


def test_the_time_may_be_stated_in_the_end(ci: Machine) -> None:
    ci.deploy(state="in_progress")
    ci.deploy(state="success", deployedAt=AT)

    assert Deployment.objects.get().deployed_at == dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("states", "reached"),
    [
        (["success"], True),
        (["pending"], False),
        (["queued"], False),
        (["in_progress"], False),
        (["failure"], False),
        (["error"], False),
        (["inactive"], False),
        (["in_progress", "failure"], False),
        (["in_progress", "error"], False),
        (["in_progress", "inactive"], False),
        (["success", "inactive"], True),
        (["in_progress", "success", "inactive"], True),
        (["in_progress", "inactive", "success"], True),
        (["success", "failure"], False),
        (["success", "inactive", "failure"], False),
        (["failure", "inactive"], False),
        (["failure", "success"], True),
        (["success", "in_progress"], False),
    ],
)
def test_what_counts_as_having_reached_the_environment(ci: Machine, states: list[str], reached: bool) -> None:
    deployment = report_all(ci, *states, deployedAt=AT)

    assert deployment.state == states[-1]
    assert deployment.reached_environment is reached
    assert list(Deployment.objects.reached()) == [deployment] * reached
    assert not deployment.lineage_pending


def test_inactive_is_said_of_the_latest_deployment_of_a_version(ci: Machine) -> None:
    deployment = report_all(ci, "success", "inactive")

    assert deployment.state == "inactive"
    assert deployment.reached_environment


def test_every_state_can_be_reported(ci: Machine) -> None:
    for number, state in enumerate(REPORTABLE_STATES):
        assert ci.deploy(state=state, version=f"v{number}").state == state


def test_a_success_that_turns_to_failure_is_worked_out_anew(ci: Machine) -> None:
    def commit(sha: str, *parents: str) -> dict[str, object]:
        return {"sha": sha * 40, "parents": [parent * 40 for parent in parents], "authoredAt": AT}

    history = [commit("a"), commit("b", "a"), commit("c", "b")]
    times = ["2026-03-01T12:00:00Z", "2026-03-01T13:00:00Z", "2026-03-01T14:00:00Z"]
    for sha, time, known in zip("abc", times, history, strict=True):
        ci.deploy(version=sha, commitHash=sha * 40, deployedAt=time, commits=[known])

    def shipped() -> dict[str, list[str]]:
        rows = Deployment.objects.in_track_order()
        return {row.version: sorted(row.changes.values_list("commit__sha", flat=True)) for row in rows}

    before = shipped()
    assert before == {"a": [], "b": ["b" * 40], "c": ["c" * 40]}
    ci.deploy(version="b", commitHash="b" * 40, deployedAt=times[1], state="failure")
    assert shipped() == {"a": [], "b": [], "c": ["b" * 40, "c" * 40]}
    ci.deploy(version="b", commitHash="b" * 40, deployedAt=times[1], state="success")
    assert shipped() == before


def test_the_same_deployment_reported_again_is_the_same(ci: Machine) -> None:
    first = ci.deploy(deployedAt=AT)
    again = ci.deploy(
        deployedAt="2026-03-01T14:00:00+02:00",
        repositoryFullName="ACME/Backend",
        app=" Backend-API",
        commitHash=first.commit_sha.upper(),
        description="now with a description",
    )

    assert again == first
    assert again.description == "now with a description"
    assert states_of(first) == ["success"]


@pytest.mark.parametrize(
    "other",
    [
        {"deployedAt": "2026-03-01T12:00:01Z"},
        {"version": "v2"},
        {"version": "V1.4.2"},
        {"commitHash": "b" * 40},
        {"app": "other"},
        {"environment": "staging"},
        {"repositoryFullName": "acme/other"},
    ],
)
def test_a_deployment_that_differs_in_one_thing_is_another(ci: Machine, other: dict[str, str]) -> None:
    ci.deploy(deployedAt=AT)
    ci.deploy(**{"deployedAt": AT, **other})

    assert Deployment.objects.count() == 2


def test_reports_without_a_time_are_deployments_of_their_own(ci: Machine) -> None:
    ci.deploy()
    ci.deploy()

    assert Deployment.objects.count() == 2
    assert list(Deployment.objects.in_track_order().values_list("change_kind", flat=True)) == [
        "baseline",
        "redeploy",
    ]


@pytest.mark.parametrize("states", [["in_progress", "success"], ["in_progress", "failure"], ["pending", "error"]])
def test_statuses_that_are_processed_out_of_order_are_one_deployment(ci: Machine, states: list[str]) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        early = ci.report(state=states[0]).json()["id"]
        clock.shift(dt.timedelta(minutes=1))
        _hold_back(early)
        ci.report(state=states[1])
        process_due_jobs()
        clock.shift(dt.timedelta(hours=1))
        process_due_jobs()

    deployment = Deployment.objects.get()
    assert states_of(deployment) == states
    assert deployment.state == states[1]
    assert deployment.deployed_at == NOON + dt.timedelta(minutes=1)


def test_a_late_status_belongs_to_the_deployment_that_it_began(ci: Machine) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        first = ci.deploy(state="success")
        clock.shift(dt.timedelta(minutes=1))
        early = ci.report(state="in_progress").json()["id"]
        _hold_back(early)
        clock.shift(dt.timedelta(minutes=1))
        second = ci.deploy(state="success")
        clock.shift(dt.timedelta(hours=1))
        process_due_jobs()

    assert states_of(first) == ["success"]
    assert states_of(second) == ["in_progress", "success"]
    assert Deployment.objects.count() == 2


def _hold_back(job_id: str) -> None:
    """Have a job wait for another attempt, as after a failure of the database."""
    job = Job.objects.get(pk=job_id)
    Job.objects.filter(pk=job_id).update(available_at=job.created_at + dt.timedelta(minutes=30))
