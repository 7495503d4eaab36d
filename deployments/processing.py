"""The road that every job takes, step by step. Only this module says what comes after what."""

import itertools
import logging
import time
from collections.abc import Callable

from django.conf import settings
from django.db import DatabaseError, connection, transaction

from deployments import jobs
from deployments.catalog import Catalog
from deployments.changes import derive_changes, tracks_with_pending_work
from deployments.models import Deployment, Job, JobStatus
from deployments.recording import (
    DeploymentReport,
    hold_tracks,
    record_deployment,
    record_reported_commits,
)

logger = logging.getLogger(__name__)

# What can pass by itself is told apart in the log from what somebody has to mend.
_PASSING = (DatabaseError,)
_SQLITE_GAP_SECONDS = 0.02


def process_due_jobs(stop_after: float | None = None) -> int:
    """Process jobs until none is due, or until `stop_after` seconds have passed; return how many."""
    began = time.monotonic()
    total = 0
    while claimed := jobs.claim(settings.SLIPWAY_JOB_BATCH_SIZE):
        process(claimed)
        total += len(claimed)
        _let_others_write()
        if stop_after is not None and time.monotonic() - began > stop_after:
            break
    return total


def _let_others_write() -> None:
    """Leave a gap between transactions on SQLite, whose waiting writers ask again only now and then.

    Without it a busy worker takes the lock again before any request that waits for it has looked.
    """
    if connection.vendor == "sqlite":
        time.sleep(_SQLITE_GAP_SECONDS)


def finish_pending_work() -> int:
    """Work out what a crash or a changed setting left to be worked out; return how many deployments."""
    return sum(derive_changes(track_id) for track_id in tracks_with_pending_work())


def process(claimed: list[Job]) -> None:
    """Take claimed jobs down the road: record, work out changes, complete.

    Each step is one short transaction over the batch. Where one job spoils a batch, each is tried by itself.
    A crash between the steps leaves jobs that are claimed for a while, and every step can be repeated.
    """
    recorded = _in_batch_or_singly(claimed, _record)
    _let_others_write()
    derived = _derive(recorded)
    _let_others_write()
    _in_batch_or_singly(derived, _complete)


def _in_batch_or_singly(batch: list[Job], step: Callable[[list[Job]], list[Job]]) -> list[Job]:
    """Apply a step to all jobs in one transaction, or else to each; return those that go on."""
    if not batch:
        return []
    try:
        with transaction.atomic():
            return step(batch)
    except Exception as error:  # whatever it is, the job says so and others go on
        if len(batch) == 1:
            _fail(batch[0], error)
            return []
    return [job for one in batch for job in _in_batch_or_singly([one], step)]


def _record(batch: list[Job]) -> list[Job]:
    held = jobs.hold(batch)
    going_on = []
    for job in held:
        if job.stop_requested:
            jobs.end(job, JobStatus.STOPPED, "Stopped on request, before anything was recorded")
        else:
            going_on.append(job)
    new = sorted((job for job in going_on if job.deployment_id is None), key=lambda job: (job.created_at, job.id))
    for _, of_workspace in itertools.groupby(
        sorted(new, key=lambda job: job.workspace_id), key=lambda job: job.workspace_id
    ):
        _record_in_workspace(list(of_workspace))
    jobs.renew(held)
    jobs.save(held)
    return going_on


def _record_in_workspace(new: list[Job]) -> None:
    catalog = Catalog(new[0].workspace)
    reports = [DeploymentReport.from_payload(job.payload) for job in new]
    record_reported_commits(catalog, reports)
    hold_tracks(catalog, reports)
    for job, report in zip(new, reports, strict=True):
        recorded = record_deployment(catalog, report, reported_at=job.created_at)
        job.deployment = recorded.deployment
        job.note(recorded.outcome)


def _derive(batch: list[Job]) -> list[Job]:
    """Work out the changes of each track that jobs recorded deployments of; return the jobs that go on."""
    of_track: dict[int, list[Job]] = {}
    for job in batch:
        assert job.deployment is not None
        of_track.setdefault(job.deployment.track_id, []).append(job)
    going_on = []
    for track_id, concerned in of_track.items():
        try:
            derive_changes(track_id)
            going_on += concerned
        except Exception as error:  # as above
            for job in concerned:
                _fail(job, error)
    return going_on


def _complete(batch: list[Job]) -> list[Job]:
    held = jobs.hold(batch)
    deployments = Deployment.objects.in_bulk({job.deployment_id for job in held})
    for job in held:
        if job.stop_requested:
            jobs.end(job, JobStatus.STOPPED, "Stopped on request, after the deployment was recorded")
            continue
        job.error = ""
        job.note(_in_words(deployments.get(job.deployment_id)))
        jobs.end(job, JobStatus.COMPLETE, "Done")
    jobs.save(held)
    return held


def _in_words(deployment: Deployment | None) -> str:
    """Say what was worked out, as a receipt for whoever reported the deployment."""
    if deployment is None:
        return "The deployment has been deleted meanwhile"
    if not deployment.counts:
        return f"It is {deployment.state}: nothing has reached {deployment.environment}"
    shipped = "1 change" if deployment.changes_count == 1 else f"{deployment.changes_count} changes"
    gaps = "" if deployment.history_is_complete else "; part of its history is not known"
    return f"It is a {deployment.change_kind} deployment and shipped {shipped}{gaps}"


def _fail(job: Job, error: Exception) -> None:
    """Note why a job failed, and when it is tried again."""
    if isinstance(error, _PASSING):
        logger.warning("job %s failed for now: %s", job.id, error)
        said = str(error).partition("\n")[0]  # PostgreSQL goes on with details for its operator
        reason = f"The database did not take it: {said}"
    else:
        logger.exception("job %s failed", job.id, exc_info=error)
        reason = f"{error}" if isinstance(error, ValueError) else f"Unexpected {type(error).__name__}: {error}"
    with transaction.atomic():
        for held in jobs.hold([job]):
            jobs.fail(held, reason.strip()[:1000])
            jobs.save([held])
