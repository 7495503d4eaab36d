"""When a delivery that failed is tried again. Plain functions over moments."""

import datetime
from email.utils import parsedate_to_datetime
from random import SystemRandom

# An attempt waits for its answer no longer, as GitHub's do.
TIMEOUT_SECONDS = 10.0
FIRST_PAUSE = datetime.timedelta(minutes=1)
LONGEST_PAUSE = datetime.timedelta(hours=6)
# From the first attempt that failed on.
RETRIED_FOR = datetime.timedelta(days=3)
KEPT_FOR = datetime.timedelta(days=30)
# What a receiver may ask for by Retry-After.
_SHORTEST_REST = datetime.timedelta(seconds=1)
# So often it may ask for less than the pause that follows from how often it has failed.
_SHORT_RESTS = 5
# Receivers that failed together are not asked together again.
_JITTER = 0.25
_random = SystemRandom()


def pause_after(attempts: int) -> datetime.timedelta:
    """Return how long to wait after so many attempts: 1 min, 2, 4, up to 6 h, give or take a little by chance."""
    pause = min(FIRST_PAUSE * (1 << min(attempts - 1, 20)), LONGEST_PAUSE)
    return min(pause * _random.uniform(1 - _JITTER, 1 + _JITTER), LONGEST_PAUSE)


def rest_asked_for(retry_after: str, now: datetime.datetime) -> datetime.timedelta | None:
    """Return for how long a receiver wants quiet (RFC 9110, 10.2.3), within bounds; None where it says nothing."""
    text = retry_after.strip()
    if text.isascii() and text.isdecimal():
        wanted = datetime.timedelta(seconds=min(int(text[:9]), LONGEST_PAUSE.total_seconds()))
    else:
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return None
        wanted = (moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)) - now
    return max(_SHORTEST_REST, min(wanted, LONGEST_PAUSE))


def next_attempt(
    attempts: int, now: datetime.datetime, retry_until: datetime.datetime, rest: datetime.timedelta | None
) -> datetime.datetime | None:
    """Return when to try again after a failure, the last time at `retry_until`; None where that was the last."""
    if now >= retry_until:
        return None
    pause = pause_after(attempts)
    if rest is not None:
        pause = rest if attempts <= _SHORT_RESTS else max(rest, pause)
    return min(now + pause, retry_until)
