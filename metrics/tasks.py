"""What Celery runs for the read side. A message says only that there may be something to do."""

from celery import shared_task
from django.utils import timezone

from deployments.bells import Bell
from metrics import rebuilding
from metrics.digests import sending

# A worker hands over to the next message after this many seconds, so that reports do not wait behind rollups.
_SHIFT_SECONDS = 1.0


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


# Seldom: pages are exact without it, and the sweep comes after.
_bell = Bell(lambda: rebuild_rollups.delay(), 1.0, "the sweep will build the rollups")
ring_bell = _bell.ring
