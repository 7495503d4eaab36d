"""The road of a job: claimed once, recorded once, tried again where it failed, finished whatever crashes."""

import contextlib
import datetime as dt
import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.db import connection, transaction
from django.test import override_settings
from django.utils import timezone

from deployments import jobs, processing, tasks
from deployments.models import Deployment, DeploymentStatus, Job, JobStatus, Workspace
from deployments.processing import process, process_due_jobs
from tests.factories import NOON
from tests.machines import Machine, make_report

FAST = override_settings(SLIPWAY_RATE_LIMIT="off")


def outcomes() -> set[tuple[str, int]]:
    """Return the states of all jobs with the attempts that failed."""
    return set(Job.objects.values_list("status", "attempt"))


@contextlib.contextmanager
def refusing_deployments(version: str) -> Iterator[None]:
    """Have the database refuse deployments of a version, so that their jobs fail."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(
                f"CREATE TRIGGER refuse BEFORE INSERT ON deployments_deployment WHEN NEW.version = '{version}'"
                " BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
            )
        else:
            cursor.execute(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql"
                " AS $$ BEGIN RAISE EXCEPTION 'the disk is full'; END $$"
            )
            cursor.execute(
                "CREATE TRIGGER refuse BEFORE INSERT ON deployments_deployment FOR EACH ROW"
                f" WHEN (NEW.version = '{version}') EXECUTE FUNCTION refuse()"
            )
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER refuse" if connection.vendor == "sqlite" else "DROP FUNCTION refuse CASCADE")


@pytest.mark.django_db
def test_a_job_that_is_processed_twice_records_one_deployment(ci: Machine) -> None:
    ci.report()
    claimed = jobs.claim(10)
    process(claimed)
    process(claimed)

    assert Deployment.objects.count() == DeploymentStatus.objects.count() == 1
    assert outcomes() == {("COMPLETE", 0)}
    assert Job.objects.get().log.count("Recorded") == 1


@pytest.mark.django_db
@pytest.mark.parametrize("recorded", [False, True], ids=["before it recorded anything", "after it recorded"])
def test_a_worker_that_dies_leaves_work_that_the_sweep_finishes(ci: Machine, recorded: bool) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        ci.report()
        claimed = jobs.claim(10)
        if recorded:
            with transaction.atomic():
                processing._record(claimed)
        # … and here the worker dies.
        tasks.sweep()
        assert outcomes() == {("RUNNING", 0)}, "a worker that may still be alive is left alone"
        clock.shift(dt.timedelta(seconds=settings.SLIPWAY_JOB_CLAIM_SECONDS + 1))
        tasks.sweep()

    assert outcomes() == {("COMPLETE", 0)}
    assert Deployment.objects.count() == 1
    assert "died" in Job.objects.get().log


@pytest.mark.django_db
def test_a_worker_that_was_taken_for_dead_does_no_harm_when_it_goes_on(ci: Machine) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        ci.report()
        slow = jobs.claim(10)
        clock.shift(dt.timedelta(seconds=settings.SLIPWAY_JOB_CLAIM_SECONDS + 1))
        assert jobs.release_abandoned() == 1
        other = jobs.claim(10)
        process(slow)
        assert outcomes() == {("RUNNING", 0)}
        process(other)
        process(slow)

    assert outcomes() == {("COMPLETE", 0)}
    assert Deployment.objects.count() == 1


@pytest.mark.django_db
def test_a_worker_that_dies_while_it_works_out_changes_leaves_them_to_the_sweep(ci: Machine) -> None:
    deployment = ci.deploy()
    Deployment.objects.update(lineage_pending=True, change_kind="")
    Job.objects.all().delete()

    tasks.sweep()

    deployment.refresh_from_db()
    assert deployment.change_kind == "baseline"
    assert not deployment.lineage_pending


@pytest.mark.django_db
def test_the_sweep_finds_what_no_bell_announced(ci: Machine) -> None:
    ci.report()
    tasks.sweep()

    assert outcomes() == {("COMPLETE", 0)}


@pytest.mark.django_db(transaction=True)
@FAST
def test_one_bad_job_does_not_spoil_the_batch(ci: Machine) -> None:
    for number in range(10):
        ci.report(version=f"v{number}")
    with refusing_deployments("v5"):
        process_due_jobs()

    assert Deployment.objects.count() == 9
    assert outcomes() == {("COMPLETE", 0), ("QUEUED", 1)}


@pytest.mark.django_db(transaction=True)
def test_a_failing_job_is_tried_again_later_and_later_and_then_rests_in_error(ci: Machine) -> None:
    waits = []
    with time_machine.travel(NOON, tick=False) as clock, refusing_deployments("bad"):
        ci.report(version="bad")
        while process_due_jobs() and (job := Job.objects.get()).status == JobStatus.QUEUED:
            wait = job.available_at - NOON
            waits.append(int((wait - dt.timedelta(seconds=sum(waits))).total_seconds()))
            clock.move_to(job.available_at - dt.timedelta(milliseconds=1))
            assert process_due_jobs() == 0
            clock.move_to(job.available_at)

    job = Job.objects.get()
    assert waits == [2, 4, 8, 16]
    assert (job.status, job.attempt) == ("ERROR", 5)
    assert job.error == "The database did not take it: the disk is full"
    assert job.finished_at is not None
    shown = ci.get(f"/api/jobs/{job.pk}").json()
    assert (shown["status"], shown["attempt"], shown["error"]) == ("ERROR", 5, job.error)
    log = ci.get(f"/api/jobs/{job.pk}/logs").content.decode()
    assert "Attempt 1 of 5 failed, next in 2 s: The database did not take it: the disk is full" in log
    assert "Gave up after 5 attempts" in log
    assert ci.get("/v1/jobs?status=ERROR").json()["results"][0]["error"] == job.error
    assert not Deployment.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_what_failed_for_a_while_is_complete_in_the_end(ci: Machine) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        with refusing_deployments("v1.4.2"):
            ci.report()
            process_due_jobs()
        clock.shift(dt.timedelta(seconds=2))
        process_due_jobs()

    job = Job.objects.get()
    assert (job.status, job.attempt, job.error) == ("COMPLETE", 1, "")
    assert job.deployment is not None
    assert job.deployment.deployed_at == NOON, "it took place when it was reported"


@pytest.mark.django_db
def test_a_job_that_nobody_can_read_says_so(ci: Machine) -> None:
    ci.report()
    Job.objects.update(payload={"nonsense": 1}, max_attempts=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(processing.logger, "exception", lambda *args, **kwargs: None)
        process_due_jobs()

    job = Job.objects.get()
    assert job.status == "ERROR"
    assert "nonsense" in job.error


@pytest.mark.django_db
def test_a_deployment_that_is_deleted_meanwhile_does_not_fail_its_job(ci: Machine) -> None:
    ci.report()
    claimed = jobs.claim(10)
    with transaction.atomic():
        recorded = processing._record(claimed)
    derived = processing._derive(recorded, {})
    Deployment.objects.all().delete()
    with transaction.atomic():
        processing._complete(derived)

    assert outcomes() == {("COMPLETE", 0)}


@pytest.mark.django_db
@FAST
def test_the_oldest_are_taken_first(ci: Machine) -> None:
    ids = [ci.report(version=f"v{number}").json()["id"] for number in range(6)]

    assert [str(job.pk) for job in jobs.claim(2) + jobs.claim(2) + jobs.claim(9)] == ids


@pytest.mark.django_db
@FAST
def test_a_worker_hands_over_after_a_while(ci: Machine) -> None:
    for _ in range(4):
        ci.report()
    with override_settings(SLIPWAY_JOB_BATCH_SIZE=2):
        assert process_due_jobs(stop_after=0) == 2
        assert process_due_jobs() == 2


@pytest.mark.django_db
@FAST
def test_a_batch_takes_few_statements_for_each_job(ci: Machine, django_assert_max_num_queries: Any) -> None:
    ci.deploy()
    ci.post("/v1/deployments/batch", [make_report(version=f"v{number}") for number in range(50)])

    # Is it known, the deployment, its status, its place on the track, its job: none of them grows with the batch.
    with django_assert_max_num_queries(50 * 11):
        assert process_due_jobs() == 50


@pytest.mark.django_db
def test_deployments_of_two_workspaces_in_one_batch_stay_apart(ci: Machine, other_ci: Machine) -> None:
    for machine in (ci, other_ci, ci):
        machine.report()
    process_due_jobs()

    assert len(ci.get("/v1/deployments").json()["results"]) == 2
    assert len(other_ci.get("/v1/deployments").json()["results"]) == 1


@pytest.mark.django_db(transaction=True)
@FAST
def test_no_two_workers_take_the_same_job(ci: Machine) -> None:
    workers, each = 8, 5
    ci.post("/v1/deployments/batch", [make_report(version=f"v{number}") for number in range(100)])
    together = Barrier(workers)

    def work(_: int) -> list[Any]:
        together.wait()
        taken = []
        while claimed := jobs.claim(each):
            taken += [job.pk for job in claimed]
        connection.close()
        return taken

    with ThreadPoolExecutor(workers) as pool:
        taken = list(itertools.chain.from_iterable(pool.map(work, range(workers))))

    # A worker that finds its choice taken looks again, so some may be left over; none is taken twice.
    assert len(taken) == len(set(taken))
    taken += [job.pk for job in jobs.claim(100)]
    assert len(set(taken)) == 100


@pytest.mark.django_db(transaction=True)
@FAST
@override_settings(SLIPWAY_JOB_BATCH_SIZE=1)
def test_workers_at_once_record_each_deployment_once(ci: Machine) -> None:
    workers, versions = 4, 15
    reports = [
        make_report(version=f"v{number}", deployedAt=deployed_at, state=state)
        for number in range(versions)
        for state, deployed_at in [
            ("in_progress", None),
            ("success", None),
            ("success", "2026-03-01T12:00:00Z"),
            ("success", "2026-03-01T12:00:00Z"),
        ]
    ]
    # What states its time is another deployment than what does not: of another application here.
    for report in reports:
        if "deployedAt" in report:
            report["app"] = "stated"
    ci.post("/v1/deployments/batch", reports)
    together = Barrier(workers)

    def work(_: int) -> None:
        together.wait()
        while Job.objects.filter(status__in=["QUEUED", "RUNNING"]).exists():
            process_due_jobs()
        connection.close()

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(work, range(workers)))

    assert {status for status, _ in outcomes()} == {"COMPLETE"}
    assert set(Deployment.objects.values_list("state", flat=True)) == {"success"}
    assert Deployment.objects.filter(application__name="stated").count() == versions
    assert Deployment.objects.exclude(application__name="stated").count() == versions


def test_a_job_that_workers_die_of_is_run_alone_and_comes_to_rest(workspace: Workspace) -> None:
    poison = Job.objects.create(workspace=workspace, payload={}, workers_lost=18)
    healthy = Job.objects.create(workspace=workspace, payload={})

    for _ in range(2):
        assert [job.pk for job in jobs.claim(50)] == [poison.pk]
        Job.objects.filter(pk=poison.pk).update(claimed_until=timezone.now() - dt.timedelta(seconds=1))
        Job.objects.filter(pk=healthy.pk).update(available_at=timezone.now())
        assert jobs.release_abandoned() == 1
        Job.objects.filter(pk=poison.pk).update(available_at=timezone.now() - dt.timedelta(minutes=1))

    poison.refresh_from_db()
    assert (poison.status, poison.error) == ("ERROR", "20 workers died while they ran it")
    assert [job.pk for job in jobs.claim(50)] == [healthy.pk]
