"""How often who may ask, and the headers that say so on every answer."""

import logging
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from deployments import throttling
from deployments.models import ApiKey
from deployments.throttling import Allowance

logger = logging.getLogger(__name__)

_READING = ("GET", "HEAD", "OPTIONS")


def address_of(request: Request | HttpRequest) -> str:
    """Return the address of the client, past as many proxies as are trusted."""
    return str(BaseThrottle().get_ident(request) or "")  # type: ignore[arg-type]


def count_request(request: Request) -> None:
    """Count a request of an API key. Raises Throttled where the limit is used up."""
    if count_units(request, 1) == 0:
        wait = request._request.allowance.reset_seconds  # type: ignore[attr-defined]
        raise Throttled(wait=wait, detail="The rate limit of this API key is used up.")


def count_units(request: Request, wanted: int) -> int:
    """Count what a request of an API key asks for, and return how much of it is within the limit."""
    allowance = allowance_of(request, wanted, reads=request.method in _READING)
    return wanted if allowance is None else allowance.granted


def allowance_of(request: Request, wanted: int, *, reads: bool) -> Allowance | None:
    """Count against one of the two limits of an API key, and return what is left; None where there is none."""
    limit = settings.SLIPWAY_READ_RATE_LIMIT if reads else settings.SLIPWAY_RATE_LIMIT
    if throttling.parse_limit(settings.SLIPWAY_RATE_LIMIT) is None:
        limit = "off"
    return _take(request, limit, f"key:{_key_of(request).prefix}:{'read' if reads else 'write'}", wanted)


def retry_after(request: Request) -> dict[str, str]:
    """Return the header that says when there will be something left of the limit that was counted last."""
    allowance: Allowance = request._request.allowance  # type: ignore[attr-defined]
    return {"Retry-After": str(max(1, allowance.reset_seconds))}


def _key_of(request: Request) -> ApiKey:
    assert isinstance(request.auth, ApiKey), "only an authenticated request is counted for its key"
    return request.auth


def count_failed_authentication(request: Request) -> None:
    """Count a failed authentication of an address. Raises Throttled where there were too many."""
    limit = settings.SLIPWAY_FAILED_AUTH_RATE_LIMIT
    allowance = _take(request, limit, f"failed-authentication:{address_of(request)}", 1)
    if allowance is not None and allowance.granted == 0:
        raise Throttled(
            wait=allowance.reset_seconds,
            detail="There were too many failed authentications from this address.",
        )


def _take(request: Request, limit: str, name: str, wanted: int) -> Allowance | None:
    """Count against a limit; None where there is none, or where nothing can count at the moment.

    A limiter that is away must not cost anybody their report, so that case lets requests pass.
    """
    item = throttling.parse_limit(limit)
    if item is None:
        return None
    try:
        allowance = throttling.take(item, name, wanted)
    except Exception as error:  # Redis and each database raise their own
        logger.warning("the rate limit could not be counted, the request passes: %s", error)
        return None
    request._request.allowance = allowance  # type: ignore[attr-defined]
    return allowance


class RateLimitHeaders:
    """Middleware that says on each answer of the API what is left of the rate limit."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        allowance: Allowance | None = getattr(request, "allowance", None)
        if allowance is not None:
            response["RateLimit-Limit"] = str(allowance.limit)
            response["RateLimit-Remaining"] = str(allowance.remaining)
            response["RateLimit-Reset"] = str(allowance.reset_seconds)
        return response
