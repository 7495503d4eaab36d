"""The life of a job: accepted, claimed, ended. Every change of state is one conditional UPDATE that can fail."""

import datetime
import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from uuid_utils.compat import uuid7

from deployments.bulk import update_rows
from deployments.models import ApiKey, Job, JobStatus, JobType, RefusedRequest, Workspace
from deployments.models.jobs import ENDED_STATUSES, JobQuerySet

# The first retry comes after 2 seconds, then after 4, 8, 16.
_BACKOFF_SECONDS = 2
# A worker can die of anything; a job of which so many have died is what they died of.
_MOST_WORKERS_LOST = 20
# Between two signs of life of a job that asks GitHub, whose answers are waited for and asked for again.
_ASKING_SECONDS = 300
# Of payloads held in memory by one worker; the first is taken whatever its size.
_MOST_BYTES_AT_ONCE = 32 * 1024 * 1024
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_CHANGED_BY_STEPS = [
    "status", "attempt", "available_at", "finished_at", "claimed_by", "claimed_until", "error", "log", "deployment",
    "workers_lost",
]  # fmt: skip


class IdempotencyConflict(Exception):
    """The idempotency key was used before, with another body."""


@dataclass(frozen=True, slots=True)
class NewJob:
    """What is to be accepted. `body_digest` tells whether two requests of one idempotency key are the same."""

    payload: dict[str, Any]
    type: str = JobType.DEPLOYMENT
    idempotency_key: str | None = None
    body_digest: str = ""
    # What arrives with the same key again, from wherever, is the same job.
    origin_key: str | None = None
    event: str = ""
    repository_name: str = ""
    payload_bytes: int = 0


def accept(workspace: Workspace, api_key: ApiKey | None, new: NewJob) -> Job:
    """Store a job durably and return it, or the first job of the same idempotency key or origin.

    Raises IdempotencyConflict, and DatabaseError where the job could not be stored.
    """
    job = accept_all(workspace, api_key, [new])[0]
    if isinstance(job, IdempotencyConflict):
        raise job
    return job


def accept_all(
    workspace: Workspace, api_key: ApiKey | None, new: Sequence[NewJob]
) -> list[Job | IdempotencyConflict]:
    """Store jobs in one transaction, and return for each the job, the first one of its key, or the conflict."""
    jobs = [_build(workspace, api_key, one) for one in new]
    try:
        with transaction.atomic():
            Job.objects.bulk_create(jobs)
        return list(jobs)
    except IntegrityError:
        # Some idempotency key is known. Sorting out which takes a query, so it is done only now.
        with transaction.atomic():
            return [_first_of_key(job) for job in jobs]


def _build(workspace: Workspace, api_key: ApiKey | None, new: NewJob) -> Job:
    job = Job(
        workspace=workspace,
        api_key=api_key,
        type=new.type,
        payload=new.payload,
        idempotency_key=new.idempotency_key,
        body_digest=new.body_digest,
        origin_key=new.origin_key,
        event=new.event,
        repository_name=new.repository_name,
        payload_bytes=new.payload_bytes,
    )
    job.note("Accepted")
    return job


def _first_of_key(job: Job) -> Job | IdempotencyConflict:
    if job.origin_key is not None:
        return _first_of_origin(job)
    if job.idempotency_key is None:
        job.save(force_insert=True)
        return job
    first, _ = Job.objects.get_or_create(
        api_key=job.api_key,
        idempotency_key=job.idempotency_key,
        defaults={
            "id": job.id,
            "workspace": job.workspace,
            "type": job.type,
            "payload": job.payload,
            "body_digest": job.body_digest,
            "log": job.log,
        },
    )
    if first.body_digest != job.body_digest:
        return IdempotencyConflict(job.idempotency_key)
    return first


def _first_of_origin(job: Job) -> Job:
    """Return the job that arrived first with this origin; one that failed is given another chance."""
    first = Job.objects.for_lists().filter(workspace=job.workspace, origin_key=job.origin_key).first()
    if first is None:  # deleted between the two
        job.save(force_insert=True)
        return job
    first.workspace = job.workspace
    if first.status == JobStatus.ERROR:
        run_again(first)
        first.refresh_from_db(fields=["status", "attempt", "error"])
    return first


def claim(limit: int, *, asking_github: bool = False) -> list[Job]:
    """Take up to `limit` jobs that are due, the oldest first. No two workers ever take the same.

    Jobs that ask GitHub are taken apart from all others, by a worker of their own: an answer may take long.
    """
    now = timezone.now()
    token = uuid7()
    due = _next_batch(Job.objects.due(now).asking_github(asking_github), limit)
    if not due:
        return []
    # The status is asked again: where two workers chose the same rows, the second one's UPDATE finds none.
    Job.objects.filter(id__in=due, status=JobStatus.QUEUED).update(
        status=JobStatus.RUNNING,
        claimed_by=token,
        claimed_until=now + _claim_time(asking_github),
        started_at=now,
    )
    claimed = Job.objects.filter(claimed_by=token, status=JobStatus.RUNNING).select_related("workspace")
    return list(claimed.order_by("created_at", "id"))


def _claim_time(asking_github: bool) -> datetime.timedelta:
    seconds = _ASKING_SECONDS if asking_github else settings.SLIPWAY_JOB_CLAIM_SECONDS
    return datetime.timedelta(seconds=seconds)


def _next_batch(due_jobs: JobQuerySet, limit: int) -> list[UUID]:
    """Return the ids of the jobs to take next: a job that a worker died of alone, or several that none died of."""
    rows = due_jobs.order_by("available_at", "id")
    due = list(rows.values_list("id", "workers_lost", "payload_bytes")[:limit])
    if due and due[0][1]:
        return [due[0][0]]
    taken: list[UUID] = []
    total = 0
    for job_id, workers_lost, payload_bytes in due:
        total += payload_bytes
        if taken and total > _MOST_BYTES_AT_ONCE:
            break
        if not workers_lost:
            taken.append(job_id)
    return taken


def hold(jobs: Iterable[Job]) -> list[Job]:
    """Lock the jobs that are still this worker's, within its transaction, and return them as they now are.

    While they are held no sweep takes them for a dead worker's, however long the work takes.
    """
    tokens = {job.id: job.claimed_by for job in jobs}
    held = Job.objects.select_for_update().filter(id__in=tokens, status=JobStatus.RUNNING).order_by("id")
    return [job for job in held if job.claimed_by == tokens[job.id]]


def renew(jobs: Iterable[Job]) -> None:
    """Say that the worker is still alive. The caller holds the jobs."""
    now = timezone.now()
    for job in jobs:
        job.claimed_until = now + _claim_time(job.type == JobType.GITHUB_HISTORY)


def end(job: Job, status: JobStatus, line: str) -> None:
    """Bring a held job to its end. The caller saves."""
    job.status = status
    job.finished_at = timezone.now()
    job.claimed_by = job.claimed_until = None
    job.note(line)


def fail(job: Job, reason: str) -> None:
    """Put a held job back for another attempt, or to rest in ERROR after its last. The caller saves."""
    job.attempt += 1
    job.error = reason
    if job.attempt >= job.max_attempts:
        end(job, JobStatus.ERROR, f"Gave up after {job.attempt} attempts: {reason}")
        return
    delay = _BACKOFF_SECONDS**job.attempt
    job.status = JobStatus.QUEUED
    job.available_at = timezone.now() + datetime.timedelta(seconds=delay)
    job.claimed_by = job.claimed_until = None
    job.note(f"Attempt {job.attempt} of {job.max_attempts} failed, next in {delay} s: {reason}")


def give_up(job: Job, reason: str) -> None:
    """Bring a held job to rest in ERROR at once: no other attempt would end otherwise. The caller saves."""
    job.attempt += 1
    job.error = reason
    end(job, JobStatus.ERROR, f"Gave up: {reason}")


def put_off(job: Job, until: datetime.datetime, reason: str) -> None:
    """Put a held job back until a moment, without counting that as an attempt. The caller saves."""
    job.status = JobStatus.QUEUED
    job.available_at = until
    job.claimed_by = job.claimed_until = None
    job.note(f"Goes on at {until:%Y-%m-%d %H:%M:%S} UTC: {reason}")


def save(jobs: Sequence[Job]) -> None:
    """Store what `end`, `fail`, `renew` and the job's steps changed."""
    update_rows(jobs, _CHANGED_BY_STEPS)


def withdraw(job: Job) -> bool:
    """Stop a queued job at once and a running one after its step; return False where it has ended already."""
    with transaction.atomic():
        now = Job.objects.select_for_update().filter(pk=job.pk).first()
        if now is None or now.has_ended:
            return False
        if now.status == JobStatus.QUEUED:
            end(now, JobStatus.STOPPED, "Withdrawn before it was begun")
        else:
            now.stop_requested = True
            now.note("Asked to stop")
        now.save(update_fields=["status", "stop_requested", "finished_at", "claimed_by", "claimed_until", "log"])
    return True


def run_again(job: Job) -> bool:
    """Queue a job that failed or was stopped once more; return False where there is nothing to run again."""
    with transaction.atomic():
        now = Job.objects.select_for_update().filter(pk=job.pk).first()
        if now is None or now.status not in (JobStatus.ERROR, JobStatus.STOPPED):
            return False
        now.status = JobStatus.QUEUED
        now.attempt = 0
        now.workers_lost = 0
        now.available_at = timezone.now()
        now.finished_at = None
        now.stop_requested = False
        now.error = ""
        now.note("Queued once more by hand")
        now.save()
    return True


def delete(job: Job) -> bool:
    """Delete a job that has ended; return False where it has not. What it recorded stays."""
    deleted, _ = Job.objects.filter(pk=job.pk, status__in=ENDED_STATUSES).delete()
    return deleted > 0


def release_abandoned() -> int:
    """Queue again what workers claimed that have died since, and return how many jobs that were."""
    expired = Job.objects.filter(status=JobStatus.RUNNING, claimed_until__lt=timezone.now())
    if not expired.exists():
        return 0
    with transaction.atomic():
        abandoned = list(expired.select_for_update(skip_locked=True).order_by("id")[:1000])
        for job in abandoned:
            _release(job)
        save(abandoned)
    return len(abandoned)


def _release(job: Job) -> None:
    job.workers_lost += 1
    if job.workers_lost >= _MOST_WORKERS_LOST:
        job.error = f"{job.workers_lost} workers died while they ran it"
        end(job, JobStatus.ERROR, f"Gave up: {job.error}")
        return
    job.status = JobStatus.QUEUED
    job.available_at = timezone.now()
    job.claimed_by = job.claimed_until = None
    job.note("The worker that ran it has died; queued again")


def prune(now: datetime.datetime) -> tuple[int, int]:
    """Delete ended jobs and refused requests past their time; return how many of each."""
    jobs_before = now - datetime.timedelta(days=settings.SLIPWAY_JOB_RETENTION_DAYS)
    refused_before = now - datetime.timedelta(days=settings.SLIPWAY_REFUSED_RETENTION_DAYS)
    old_jobs = Job.objects.filter(status__in=ENDED_STATUSES, created_at__lt=jobs_before)
    old_refused = RefusedRequest.objects.filter(created_at__lt=refused_before)
    return _delete_in_chunks(old_jobs), _delete_in_chunks(old_refused)


def _delete_in_chunks(rows: Any) -> int:
    """Delete a thousand at a time, so that nobody waits for long."""
    total = 0
    while ids := list(rows.values_list("pk", flat=True)[:1000]):
        rows.model.objects.filter(pk__in=ids).delete()
        total += len(ids)
    return total


def storable(value: Any) -> Any:
    """Return a JSON value with what no database keeps in a text replaced: null characters and lone surrogates."""
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, list):
        return [storable(item) for item in value]
    if isinstance(value, dict):
        return {storable(name): storable(item) for name, item in value.items()}
    return value


def digest_of(body: object) -> str:
    """Return what tells two bodies apart: their content, not its spacing or the order of its fields."""
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
