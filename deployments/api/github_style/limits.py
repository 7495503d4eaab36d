"""What is left of the rate limit, as GitHub says it."""

import time
from typing import Any

from django.http import HttpRequest

from deployments.throttling import Allowance

# Said where there is no limit: clients reckon with numbers.
_NO_LIMIT = 1_000_000
_HOUR = 3600
_READING = ("GET", "HEAD", "OPTIONS")
READS, WRITES = "core", "deployments_write"


def rate_limit_headers(request: HttpRequest) -> dict[str, str]:
    """Return the headers of an answer."""
    numbers = numbers_of(getattr(request, "allowance", None))
    headers = {f"X-RateLimit-{name.capitalize()}": str(value) for name, value in numbers.items()}
    headers["X-RateLimit-Resource"] = READS if request.method in _READING else WRITES
    return headers


def numbers_of(allowance: Allowance | None) -> dict[str, Any]:
    """Return the numbers of a limit; `reset` is in seconds since 1970."""
    if allowance is None:
        return {"limit": _NO_LIMIT, "used": 0, "remaining": _NO_LIMIT, "reset": int(time.time()) + _HOUR}
    return {
        "limit": allowance.limit,
        "used": allowance.limit - allowance.remaining,
        "remaining": allowance.remaining,
        "reset": int(time.time()) + allowance.reset_seconds,
    }
