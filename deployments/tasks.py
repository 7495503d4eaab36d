"""What Celery runs. A message says only that there may be something to do; what, the database knows."""

import logging

from celery import current_app, shared_task
from celery.worker import state
from django.conf import settings
from django.utils import timezone
from kombu import Queue

from deployments import asking, jobs, processing, throttling
from deployments.bells import Bell
from deployments.github import connections
from deployments.models import Job
from deployments.webhooks import sending, subscriptions

logger = logging.getLogger(__name__)

# A worker hands over to the next message after this many seconds, so that it stops soon when it is told to.
_SHIFT_SECONDS = 5.0
# A woken worker goes on until nothing is left, and the sweep finds what came in between.
_BELL_INTERVAL_SECONDS = 0.05


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
def deliver_webhooks() -> None:
    """Send what is due to webhooks. In a queue of its own: nothing else waits for those who answer slowly."""
    sending.deliver_due(_is_stopping, forget_webhook_bells)


def forget_webhook_bells() -> None:
    """Drop the messages that wake a worker which is awake: else they pile up for as long as it delivers."""
    try:
        with current_app.connection_for_write() as connection:
            Queue(settings.WEBHOOK_QUEUE, channel=connection.default_channel).purge()
    except Exception as error:  # as for a bell; they are dropped the next time
        logger.warning("messages to those who deliver webhooks could not be dropped: %s", error)


def _is_stopping() -> bool:
    """Tell whether the worker was told to stop: then it ends what it has begun, and begins nothing more."""
    return state.should_stop is not None or state.should_terminate is not None


@shared_task(ignore_result=True)
def prune() -> None:
    """Delete what is past its time."""
    jobs.prune(timezone.now())
    subscriptions.prune(timezone.now())
    throttling.prune()
    connections.prune_cache(timezone.now())


_jobs_bell = Bell(lambda: process_jobs.delay(), _BELL_INTERVAL_SECONDS, "the sweep will find the job")
_webhooks_bell = Bell(lambda: deliver_webhooks.delay(), _BELL_INTERVAL_SECONDS, "what is due is found later")
# For work that no job stands for; it is asked for seldom.
_sweep_bell = Bell(lambda: sweep.delay(), 0.0, "the next sweep will do")

ring_bell = _jobs_bell.ring
ring_webhooks = _webhooks_bell.ring
ring_sweep = _sweep_bell.ring
