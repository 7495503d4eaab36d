"""The road that every job takes, step by step. Only this module says what comes after what."""

import itertools
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models import Q

from deployments import jobs, triggers, verdicts, waiting
from deployments.catalog import Catalog
from deployments.changes import derive_changes, tracks_with_pending_work
from deployments.github import events, history
from deployments.github.answers import GithubError
from deployments.github.payloads import Unreadable
from deployments.models import ChangeKind, Deployment, GithubConnection, Job, JobStatus, JobType, Repository, Track
from deployments.pull_requests import repositories_with_pending_pull_requests, work_out_pull_requests
from deployments.recording import (
    DeploymentReport,
    hold_tracks,
    record_deployment,
    record_reported_commits,
)
from deployments.webhooks import outbox


@dataclass
class _Touched:
    """What a delivery of GitHub bears on."""

    repository_id: int | None
    tracks: set[int]


Heard = dict[UUID, _Touched]

logger = logging.getLogger(__name__)

# What can pass by itself is told apart in the log from what somebody has to mend.
_PASSING = (DatabaseError,)
# A delivery takes twenty times as many statements as a report: fewer of them in a transaction hold others up as long.
_WEBHOOKS_AT_ONCE = 25
# Tracks on which what waits is counted, each in its own transaction, before others get a turn.
_COUNTED_AT_ONCE = 10


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
        time.sleep(settings.SLIPWAY_SQLITE_GAP_SECONDS)


def work_out_everything(repository_id: int) -> None:
    """Work out all that is pending in a repository."""
    for track_id in sorted(work_out_repository(repository_id)):
        derive_changes(track_id)
    judge_everything()
    count_waiting_changes()


def finish_pending_work() -> int:
    """Work out what a crash or a changed setting left to be worked out; return how many deployments."""
    for repository_id in repositories_with_pending_pull_requests():
        work_out_repository(repository_id)
    tracks = tracks_with_pending_work()
    derived = sum(derive_changes(track_id) for track_id in tracks)
    judge_everything()
    count_waiting_changes()
    _ask_about(tracks)
    return derived


def _ask_about(tracks: list[int]) -> None:
    """Have GitHub asked for what turned out to be missing on tracks, where a workspace has a token or an App."""
    if not tracks or not GithubConnection.objects.exists():
        return
    concerned = Repository.objects.filter(applications__tracks__in=tracks)
    for repository in concerned.select_related("workspace").distinct():
        history.request(repository)


def judge_everything() -> None:
    """Find all verdicts that are pending, and the causes of incidents."""
    for track_id in verdicts.tracks_with_pending_verdicts():
        while verdicts.judge_batch(track_id):
            _let_others_write()
    _judge_incidents()


def _judge_incidents() -> None:
    for workspace_id in verdicts.workspaces_with_pending_incidents():
        verdicts.judge_incidents(workspace_id)


def count_waiting_changes() -> None:
    """Count the changes that wait for each track for which that may be another number than before."""
    for number, track_id in enumerate(waiting.tracks_to_count(), start=1):
        try:
            waiting.count_waiting(track_id)
        except Exception:  # the sweep tries it again, and what is deployed is known all the same
            logger.exception("what waits for track %s could not be counted", track_id)
        if number % _COUNTED_AT_ONCE == 0:
            _let_others_write()


def process(claimed: list[Job]) -> None:
    """Take claimed jobs down the road: record, work out changes, complete.

    Each step is one short transaction over the batch. Where one job spoils a batch, each is tried by itself.
    A crash between the steps leaves jobs that are claimed for a while, and every step can be repeated.
    """
    webhooks = [job for job in claimed if job.type == JobType.GITHUB_WEBHOOK]
    reports = [job for job in claimed if job.type != JobType.GITHUB_WEBHOOK]
    heard: Heard = {}
    recorded = _in_batch_or_singly(reports, _record)
    for start in range(0, len(webhooks), _WEBHOOKS_AT_ONCE):
        _let_others_write()
        batch = webhooks[start : start + _WEBHOOKS_AT_ONCE]
        recorded += _in_batch_or_singly(batch, lambda batch: _record_webhooks(batch, heard))
    _let_others_write()
    derived = _derive(recorded, heard)
    _let_others_write()
    completed = _in_batch_or_singly(derived, _complete)
    _request_history(completed, heard)
    count_waiting_changes()


def _request_history(completed: list[Job], heard: Heard) -> None:
    """Have GitHub asked for what turned out to be missing, where a workspace has a token or an App."""
    workspaces = {job.workspace_id for job in completed}
    if not workspaces or not GithubConnection.objects.filter(workspace__in=workspaces).exists():
        return
    of_webhooks = {heard[job.id].repository_id for job in completed if job.id in heard}
    tracks = {job.deployment.track_id for job in completed if job.deployment is not None and job.id not in heard}
    concerned = Repository.objects.filter(Q(pk__in=of_webhooks - {None}) | Q(applications__tracks__in=tracks))
    for repository in concerned.select_related("workspace").distinct():
        history.request(repository)


def _in_batch_or_singly(batch: list[Job], step: Callable[[list[Job]], list[Job]]) -> list[Job]:
    """Apply a step to all jobs in one transaction, or else to each; return those that go on."""
    if not batch:
        return []
    try:
        with transaction.atomic(), outbox.asking_once():
            return step(batch)
    except Exception as error:  # whatever it is, the job says so and others go on
        if len(batch) == 1:
            fail(batch[0], error)
            return []
    return [job for one in batch for job in _in_batch_or_singly([one], step)]


def _record(batch: list[Job]) -> list[Job]:
    held = jobs.hold(batch)
    going_on = _not_stopped(held)
    new = sorted((job for job in going_on if job.deployment_id is None), key=lambda job: (job.created_at, job.id))
    for _, of_workspace in itertools.groupby(
        sorted(new, key=lambda job: job.workspace_id), key=lambda job: job.workspace_id
    ):
        _record_in_workspace(list(of_workspace))
    jobs.renew(held)
    jobs.save(held)
    return going_on


def _not_stopped(held: list[Job]) -> list[Job]:
    """End the jobs that were withdrawn, and return the others."""
    going_on = []
    for job in held:
        if job.stop_requested:
            jobs.end(job, JobStatus.STOPPED, "Stopped on request, before anything was recorded")
        else:
            going_on.append(job)
    return going_on


def _record_webhooks(batch: list[Job], heard: Heard) -> list[Job]:
    """Record what GitHub delivered, each repository's one after another: so two workers never wait in a circle."""
    held = jobs.hold(batch)
    going_on = _not_stopped(held)
    in_order = sorted(going_on, key=lambda job: (job.workspace_id, job.repository_name, job.created_at, job.id))
    for _, of_workspace in itertools.groupby(in_order, key=lambda job: job.workspace_id):
        jobs_ = list(of_workspace)
        catalog = Catalog(jobs_[0].workspace)
        for job in jobs_:
            if job.deployment is not None:  # recorded before a worker died: what has no id would be recorded anew
                heard[job.id] = _Touched(job.deployment.application.repository_id, {job.deployment.track_id})
                continue
            handled = events.handle(catalog, job.event, job.payload, job.created_at)
            for line in handled.notes:
                job.note(line)
            if handled.deployments:
                job.deployment = handled.deployments[0]
            heard[job.id] = _Touched(
                handled.repository.pk if handled.repository else None, {row.track_id for row in handled.deployments}
            )
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


def _derive(batch: list[Job], heard: Heard) -> list[Job]:
    """Work out the changes of each track that jobs bear on; return the jobs that go on."""
    touched = {job.id: heard.get(job.id) or _Touched(None, {_track_of(job)}) for job in batch}
    failed: dict[UUID, Exception] = {}
    for repository_id in sorted({found.repository_id for found in touched.values() if found.repository_id}):
        concerned = [job for job in batch if touched[job.id].repository_id == repository_id]
        try:
            tracks = work_out_repository(repository_id)
        except Exception as error:  # as above
            failed.update((job.id, error) for job in concerned)
            continue
        for job in concerned:
            touched[job.id].tracks |= tracks
    for track_id in sorted({track_id for found in touched.values() for track_id in found.tracks}):
        try:
            derive_changes(track_id)
            verdicts.judge_track(track_id)
        except Exception as error:  # as above
            failed.update((job.id, error) for job in batch if track_id in touched[job.id].tracks)
    try:
        _judge_incidents()
    except Exception:  # nobody's deployment waits for that; the sweep tries again
        logger.exception("the causes of incidents could not be found")
    for job in batch:
        if job.id in failed:
            fail(job, failed[job.id])
    return [job for job in batch if job.id not in failed]


def _track_of(job: Job) -> int:
    assert job.deployment is not None, "a report was recorded"
    return job.deployment.track_id


def work_out_repository(repository_id: int) -> set[int]:
    """Work out the pull requests of a repository, and what their merges deployed.

    Returns the tracks of the repository on which something has still to be worked out.
    """
    repository = Repository.objects.select_related("workspace").get(pk=repository_id)
    work_out_pull_requests(repository_id, lambda ids: triggers.on_merges(Catalog(repository.workspace), ids))
    tracks = Track.objects.filter(application__repository=repository_id)
    pending = Deployment.objects.filter(track__in=tracks, lineage_pending=True)
    return {
        *tracks.filter(rebuild_pending=True).values_list("pk", flat=True),
        *pending.values_list("track_id", flat=True),
        *tracks.filter(deployments__verdict_pending=True).values_list("pk", flat=True),
    }


def _complete(batch: list[Job]) -> list[Job]:
    held = jobs.hold(batch)
    deployments = Deployment.objects.in_bulk({job.deployment_id for job in held})
    judged = verdicts.in_words(deployments)
    for job in held:
        if job.stop_requested:
            jobs.end(job, JobStatus.STOPPED, "Stopped on request, after the deployment was recorded")
            continue
        job.error = ""
        if job.type != JobType.GITHUB_WEBHOOK or job.deployment_id:
            for line in _in_words(deployments.get(job.deployment_id)), *judged.get(job.deployment_id or 0, ()):
                job.note(line)
        jobs.end(job, JobStatus.COMPLETE, "Done")
    jobs.save(held)
    return held


def _in_words(deployment: Deployment | None) -> str:
    """Say what was worked out, as a receipt for whoever reported the deployment."""
    if deployment is None:
        return "The deployment has been deleted meanwhile"
    if not deployment.counts:
        return f"It is {deployment.state}: nothing has reached {deployment.environment}"
    if deployment.change_kind == ChangeKind.BASELINE:
        return f"It is the first one in {deployment.environment}: it says what was there, and ships nothing"
    shipped = "1 change" if deployment.changes_count == 1 else f"{deployment.changes_count} changes"
    gaps = "" if deployment.history_is_complete else "; part of its history is not known"
    return f"It is a {deployment.change_kind} deployment and shipped {shipped}{gaps}"


def fail(job: Job, error: Exception) -> None:
    """Note why a job failed, and when it is tried again."""
    if isinstance(error, _PASSING):
        logger.warning("job %s failed for now: %s", job.id, error)
        said = str(error).partition("\n")[0]  # PostgreSQL goes on with details for its operator
        reason = f"The database did not take it: {said}"
    elif isinstance(error, Unreadable):
        logger.warning("job %s cannot be read: %s", job.id, error)
        reason = str(error)
    else:
        logger.exception("job %s failed", job.id, exc_info=error)
        is_told = isinstance(error, ValueError | GithubError)
        reason = f"{error}" if is_told else f"Unexpected {type(error).__name__}: {error}"
    put_down = jobs.give_up if isinstance(error, Unreadable) else jobs.fail
    with transaction.atomic():
        for held in jobs.hold([job]):
            put_down(held, reason.strip()[:1000])
            jobs.save([held])
