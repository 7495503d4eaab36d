"""What Celery runs. A message says only that there may be something to do; what, the database knows."""

import logging
import threading
import time

from celery import shared_task
from django.utils import timezone

from deployments import asking, jobs, processing, throttling
from deployments.github import connections
from deployments.models import Job

logger = logging.getLogger(__name__)

# A worker hands over to the next message after this many seconds, so that it stops soon when it is told to.
_SHIFT_SECONDS = 5.0
# One bell in so many seconds from each process is enough: a woken worker goes on until nothing is left, and the
# sweep finds what came in between.
_BELL_INTERVAL_SECONDS = 0.05
# Where the broker is away it is left alone for a while: to find that out takes time of whoever reports.
_BELL_REST_SECONDS = 10.0
_bell_lock = threading.Lock()
_next_bell = 0.0


@shared_task(ignore_result=True)
def process_jobs() -> None:
    """Process what is due."""
    if processing.process_due_jobs(stop_after=_SHIFT_SECONDS):
        process_jobs.delay()
        if Job.objects.due(timezone.now()).asking_github(True).exists():
            ask_github.delay()


@shared_task(ignore_result=True)
def sweep() -> None:
    """Find what no bell announced and what a crash left, and finish it."""
    jobs.release_abandoned()
    processing.process_due_jobs(stop_after=_SHIFT_SECONDS)
    processing.finish_pending_work()


@shared_task(ignore_result=True)
def ask_github() -> None:
    """Ask GitHub for what its events left out. In a queue of its own: others do not wait for GitHub's answers."""
    asking.ask_github()


@shared_task(ignore_result=True)
def prune() -> None:
    """Delete what is past its time."""
    jobs.prune(timezone.now())
    throttling.prune()
    connections.prune_cache(timezone.now())


def ring_bell() -> None:
    """Wake a worker. Call it after the commit. Where the broker is away, the sweep does without."""
    global _next_bell
    with _bell_lock:
        now = time.monotonic()
        if now < _next_bell:
            return
        _next_bell = now + _BELL_INTERVAL_SECONDS
    try:
        process_jobs.delay()
    except Exception as error:  # each broker raises its own; none of them may cost an accepted job its answer
        _next_bell = now + _BELL_REST_SECONDS
        logger.warning("no worker could be woken, the sweep will find the job: %s", error)
