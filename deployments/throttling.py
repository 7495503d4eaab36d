"""Rate limits, shared by all processes and exact under concurrency."""

import functools
import math
import threading
import time
from dataclasses import dataclass

from django.conf import settings
from django.db import connection
from limits import RateLimitItem, parse
from limits.storage import Storage, storage_from_string

from deployments.models import RateLimitWindow


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a limit after a request: numbers for the RateLimit headers."""

    limit: int
    remaining: int
    reset_seconds: int
    granted: int  # how many of the wanted units were within the limit


class DatabaseStorage(Storage):
    """Counts in the database, for installations without Redis: one statement that adds and tells the sum."""

    STORAGE_SCHEME = ["slipwaydb"]

    @property
    def base_exceptions(self) -> tuple[type[Exception], ...]:
        return ()

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Add to a counter, which starts anew where its window is over, and return the sum."""
        now = time.time()
        table = RateLimitWindow._meta.db_table
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {table} (key, hits, expires_at) VALUES (%s, %s, %s)"  # noqa: S608 - the model's own name
                f" ON CONFLICT (key) DO UPDATE SET"
                f" hits = CASE WHEN {table}.expires_at <= %s THEN excluded.hits"
                f" ELSE {table}.hits + excluded.hits END,"
                f" expires_at = CASE WHEN {table}.expires_at <= %s THEN excluded.expires_at"
                f" ELSE {table}.expires_at END RETURNING hits",
                [key, amount, now + expiry, now, now],
            )
            (hits,) = cursor.fetchone()
        return int(hits)

    def get(self, key: str) -> int:
        """Return the sum of the running window."""
        row = RateLimitWindow.objects.filter(key=key, expires_at__gt=time.time()).first()
        return row.hits if row else 0

    def get_expiry(self, key: str) -> float:
        """Return when the window of a key ends, in seconds since 1970."""
        row = RateLimitWindow.objects.filter(key=key).first()
        return row.expires_at if row else time.time()

    def check(self) -> bool:
        """Tell whether the storage can be used."""
        return True

    def reset(self) -> int | None:
        """Forget all counters."""
        return RateLimitWindow.objects.all().delete()[0]

    def clear(self, key: str) -> None:
        """Forget one counter."""
        RateLimitWindow.objects.filter(key=key).delete()


_storage_lock = threading.Lock()


def _storage() -> Storage:
    """Return where counters are kept. One thread makes it: limits imports its driver lazily, and not safely."""
    with _storage_lock:
        return _open_storage()


@functools.cache
def _open_storage() -> Storage:
    if settings.CACHE_URL.startswith(("redis", "valkey")):
        address = settings.CACHE_URL.replace("rediscache://", "redis://").replace("redis-cache://", "redis://")
        storage = storage_from_string(address, socket_timeout=1, socket_connect_timeout=1)
        assert isinstance(storage, Storage)
        return storage
    return DatabaseStorage("slipwaydb://")


@functools.cache
def parse_limit(text: str) -> RateLimitItem | None:
    """Return the limit that a setting such as `120/minute` names; None for `off`."""
    return None if text.strip().lower() in ("off", "none", "0", "") else parse(text)


def take(limit: RateLimitItem, name: str, wanted: int = 1) -> Allowance:
    """Count `wanted` units against the limit of this name. A window begins with the first request in it."""
    storage = _storage()
    key = limit.key_for(name)
    total = storage.incr(key, limit.get_expiry(), amount=wanted)
    reset = max(0, math.ceil(storage.get_expiry(key) - time.time()))
    return Allowance(
        limit=limit.amount,
        remaining=max(0, limit.amount - total),
        reset_seconds=reset,
        granted=max(0, min(wanted, limit.amount - (total - wanted))),
    )


def prune() -> int:
    """Delete counters whose window is over."""
    return RateLimitWindow.objects.filter(expires_at__lt=time.time()).delete()[0]
