"""Runs the jobs that ask GitHub's API for what its events left out."""

from django.db import transaction

from deployments import jobs
from deployments.github import history
from deployments.github.answers import RateLimited
from deployments.github.client import GithubClient
from deployments.github.connections import connection_for, note_use, open_client
from deployments.models import Job, JobStatus, Repository
from deployments.processing import fail, work_out_everything


def ask_github() -> int:
    """Run the jobs that ask GitHub, one after another; return how many."""
    total = 0
    while claimed := jobs.claim(1, asking_github=True):
        _ask(claimed[0])
        total += 1
    return total


def _ask(job: Job) -> None:
    """Ask GitHub until nothing is missing that it might know. Each answer is worked out before the next is asked."""
    repository = Repository.objects.select_related("workspace").filter(pk=job.payload["repository"]).first()
    connection = connection_for(repository.workspace, repository.full_name) if repository else None
    if repository is None or connection is None:
        _end(job, "There is no token or App for the repository any more")
        return
    try:
        with open_client(connection) as client:
            asked = _ask_all(job, repository, client)
        note_use(connection)
        _end(job, "Nothing is missing that GitHub could tell" if asked else "Nothing was missing")
    except _Stopped:
        return
    except RateLimited as limited:
        note_use(connection, str(limited))
        _put_off(job, limited)
    except Exception as error:  # whatever it is, the job says so
        note_use(connection, str(error))
        fail(job, error)


class _Stopped(Exception):
    """The job was withdrawn, or another worker has it."""


def _ask_all(job: Job, repository: Repository, client: GithubClient) -> int:
    total = 0
    while True:
        answers = 0
        for answered in history.fill(repository, client):
            _note_answer(job, f"Asked for {answered.question}: {answered.outcome}")
            answers += 1
        if not answers:
            return total
        total += answers
        work_out_everything(repository.pk)


def _note_answer(job: Job, line: str) -> None:
    with transaction.atomic():
        held = jobs.hold([job])
        for row in held:
            row.note(line)
            if row.stop_requested:
                jobs.end(row, JobStatus.STOPPED, "Stopped on request")
        jobs.renew(row for row in held if not row.stop_requested)
        jobs.save(held)
    if not held or held[0].stop_requested:
        raise _Stopped


def _end(job: Job, line: str) -> None:
    with transaction.atomic():
        for held in jobs.hold([job]):
            held.error = ""
            jobs.end(held, JobStatus.COMPLETE, line)
            jobs.save([held])


def _put_off(job: Job, limited: RateLimited) -> None:
    with transaction.atomic():
        for held in jobs.hold([job]):
            jobs.put_off(held, limited.until, str(limited))
            jobs.save([held])
