"""Errors as RFC 9457 problem details, and the memory of refused requests."""

import logging
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import DisallowedHost
from django.db import DatabaseError, DataError, InterfaceError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.views import defaults
from rest_framework import exceptions
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

from deployments import throttling
from deployments.api.throttling import address_of
from deployments.models import ApiKey, RefusedRequest

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
_TITLES = {
    400: "The request cannot be read",
    401: "Not authenticated",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "Not possible in the present state",
    413: "The body is too large",
    415: "Unsupported encoding",
    422: "The request cannot be processed as it is",
    429: "Too many requests",
    500: "Something went wrong here",
    503: "Not able to store the request at the moment",
}
# Refusals that whoever sets up a CI script wants to see.
_REMEMBERED = {400, 401, 403, 413, 415, 422, 429}
# Remembered at most: a flood of refused requests must not become a flood of rows.
_REMEMBERED_LIMIT = "60/minute"
RETRY_AFTER_SECONDS = 5


class Conflict(exceptions.APIException):
    """What was asked for is not possible in the present state (409)."""

    status_code = 409
    default_code = "conflict"


def problem(status: int, detail: str, errors: list[dict[str, str]] | None = None) -> dict[str, Any]:
    """Return the body of a problem."""
    body: dict[str, Any] = {"type": "about:blank", "title": _TITLES.get(status, "Error"), "status": status}
    body["detail"] = detail
    if errors:
        body["errors"] = errors
    return body


def problem_response(error: Exception, context: dict[str, Any]) -> Response | None:
    """Answer an exception of an API view; None leaves it to Django, which answers 500."""
    request = context["request"]
    headers: dict[str, str] = {}
    if isinstance(error, DatabaseError | InterfaceError) and not isinstance(error, DataError):
        logger.error("the database is not available: %s", error)
        body = problem(503, "The database cannot be reached or written. Nothing was stored; try again.")
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    elif isinstance(error, exceptions.ValidationError):
        body = problem(422, "Some fields cannot be taken.", list(field_errors(error.get_full_details())))
    elif isinstance(error, Http404):
        body = problem(404, "There is nothing at this address, or nothing that this key may see.")
    elif isinstance(error, exceptions.APIException):
        body = problem(error.status_code, str(error.detail))
        headers = _headers(error, context)
    else:
        return None
    if body["status"] in _REMEMBERED:
        remember(request, body)
    return Response(body, status=body["status"], headers=headers, content_type=CONTENT_TYPE)


def _headers(error: exceptions.APIException, context: dict[str, Any]) -> dict[str, str]:
    headers = {}
    if (wait := getattr(error, "wait", None)) is not None:
        headers["Retry-After"] = str(max(1, int(wait)))
    if error.status_code == 401:
        headers["WWW-Authenticate"] = getattr(error, "auth_header", 'Bearer realm="slipway"')
    if error.status_code == 403:
        scopes = getattr(context["request"]._request, "missing_scopes", [])
        headers["WWW-Authenticate"] = (
            f'Bearer realm="slipway", error="insufficient_scope", scope="{" ".join(scopes)}"'
        )
    return headers


def field_errors(details: Any, field: str = "") -> "list[dict[str, str]]":
    """Return one entry for each fault, however deep: `commits[3].sha`."""
    if isinstance(details, dict) and set(details) == {"message", "code"}:
        return [{"field": field, "message": str(details["message"]), "code": str(details["code"])}]
    if isinstance(details, dict):
        nested = [
            field_errors(inner, _join(field, "" if name == "non_field_errors" else str(name)))
            for name, inner in details.items()
        ]
    else:
        nested = [field_errors(inner, field) for inner in details]
    return [entry for entries in nested for entry in entries]


def _join(field: str, name: str) -> str:
    if name.isdigit():
        return f"{field}[{name}]"
    return f"{field}.{name}" if field and name else field or name


def remember(request: Any, body: dict[str, Any]) -> None:
    """Keep a refused request for a while, without its body and its key."""
    if request.method in ("GET", "HEAD", "OPTIONS") and body["status"] != 401:
        return
    key = _key_of(request)
    workspace = key.workspace if key else getattr(request._request, "refusing_workspace", None)
    try:
        limit = throttling.parse_limit(_REMEMBERED_LIMIT)
        who = f"key:{key.prefix}" if key else f"address:{address_of(request)}"
        if limit is None or throttling.take(limit, f"refused:{who}").granted == 0:
            return
        RefusedRequest.objects.create(
            workspace=workspace,
            key_prefix=key.prefix if key else "",
            address=address_of(request)[:64],
            method=request.method[:10],
            path=request.path[:300].replace("\x00", ""),
            http_status=body["status"],
            title=body["detail"][:200].replace("\x00", ""),
            errors=body.get("errors", [])[:20],
        )
    except DatabaseError as error:
        logger.warning("a refused request could not be remembered: %s", error)
    except Exception as error:  # the counter's storage raises its own
        logger.warning("a refused request could not be counted: %s", error)


def _key_of(request: Any) -> ApiKey | None:
    """Return the key of the request; of a revoked or expired one too, which proved to be that key."""
    key = getattr(request, "_auth", None) or getattr(request._request, "refused_key", None)
    return key if isinstance(key, ApiKey) else None


def is_api(request: HttpRequest) -> bool:
    """Tell whether a program rather than a person asks."""
    return request.path.startswith(("/v1/", "/api/"))


def _answer(request: HttpRequest, status: int, detail: str) -> HttpResponse:
    if request.path.startswith("/api/v3/"):  # in GitHub's shape, as deployments.api.github_style.errors
        body = {"message": detail, "documentation_url": "https://docs.github.com/rest", "status": str(status)}
        return HttpResponse(
            JSONRenderer().render(body), status=status, content_type="application/json; charset=utf-8"
        )
    return HttpResponse(JSONRenderer().render(problem(status, detail)), status=status, content_type=CONTENT_TYPE)


@login_not_required
def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer 404 to an address that there is not."""
    if is_api(request):
        return _answer(request, 404, "There is nothing at this address.")
    return defaults.page_not_found(request, exception)


@login_not_required
def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer 400 to what Django itself refuses, such as a wrong Host header."""
    if is_api(request) and not isinstance(exception, DisallowedHost):
        return _answer(request, 400, "The request was refused: it is not of a shape that is served.")
    if is_api(request):
        hosts = ", ".join(settings.ALLOWED_HOSTS)
        return _answer(request, 400, f"The request was refused. It must be sent to one of: {hosts}.")
    return defaults.bad_request(request, exception)


@login_not_required
def server_error(request: HttpRequest) -> HttpResponseBase:
    """Answer 500; what happened is in the log."""
    if is_api(request):
        return _answer(request, 500, "Something went wrong; the operator finds it in the log.")
    return defaults.server_error(request)
