"""What Celery runs for the read side. A message says only that there may be something to do."""

import logging
import threading
import time

from celery import shared_task
from django.utils import timezone

from metrics import rebuilding
from metrics.digests import sending

logger = logging.getLogger(__name__)

# A worker hands over to the next message after this many seconds, so that reports do not wait behind rollups.
_SHIFT_SECONDS = 1.0
# One bell in so many seconds from each process is enough: pages are exact without it, and the sweep comes after.
_BELL_INTERVAL_SECONDS = 1.0
# Where the broker is away it is left alone for a while: to find that out takes time of whoever reports.
_BELL_REST_SECONDS = 10.0
_bell_lock = threading.Lock()
_next_bell = 0.0


@shared_task(ignore_result=True)
def rebuild_rollups() -> None:
    """Build the rollups of what has changed, and what a crash left to be built."""
    if rebuilding.rebuild(stop_after=_SHIFT_SECONDS):
        rebuild_rollups.delay()


@shared_task(ignore_result=True)
def send_digests() -> None:
    """Send the digests that are due."""
    if sending.send_due(timezone.now()):
        send_digests.delay()


def ring_bell() -> None:
    """Wake a worker. Call it after the commit. Where the broker is away, the sweep does without."""
    global _next_bell
    with _bell_lock:
        now = time.monotonic()
        if now < _next_bell:
            return
        _next_bell = now + _BELL_INTERVAL_SECONDS
    try:
        rebuild_rollups.delay()
    except Exception as error:  # each broker raises its own; none of them may cost anybody what they have saved
        _next_bell = now + _BELL_REST_SECONDS
        logger.warning("no worker could be woken, the sweep will build the rollups: %s", error)
