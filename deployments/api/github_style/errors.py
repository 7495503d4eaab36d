"""Errors in GitHub's own shape and words."""

import logging
from typing import Any

from django.db import DatabaseError, DataError, InterfaceError
from django.http import Http404
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response

from deployments.api.problems import RETRY_AFTER_SECONDS, remember
from deployments.models import ApiKey

logger = logging.getLogger(__name__)

DOCUMENTATION = "https://docs.github.com/rest"
_STATUS_NAMES = {
    401: "Requires authentication",
    403: "Resource not accessible by personal access token",
    404: "Not Found",
}


class Refusal(exceptions.APIException):
    """An answer that says no: its message, and what is wrong with which field."""

    def __init__(self, status: int, message: str, errors: list[Any] | None = None) -> None:
        super().__init__(message)
        self.status_code = status
        self.message = message
        self.errors = errors


def invalid_request(*faults: str) -> Refusal:
    """Return what answers parameters that are missing or of a wrong type."""
    return Refusal(422, "\n\n".join(["Invalid request.", "\n".join(faults)]))


def validation_failed(*errors: Any) -> Refusal:
    """Return what answers parameters whose content cannot be taken."""
    return Refusal(422, "Validation Failed", list(errors))


def custom_error(resource: str, field: str, message: str) -> dict[str, str]:
    """Return one entry of `errors`."""
    return {"resource": resource, "code": "custom", "field": field, "message": f"{field} {message}"}


def body_of(status: int, message: str, documentation: str, errors: list[Any] | None = None) -> dict[str, Any]:
    """Return the body of an error."""
    body: dict[str, Any] = {"message": message}
    if errors is not None:
        body["errors"] = errors
    return {**body, "documentation_url": documentation, "status": str(status)}


def error_response(error: Exception, context: dict[str, Any]) -> Response | None:
    """Answer an exception of a view; None leaves it to Django, which answers 500."""
    request: Request = context["request"]
    view = context["view"]
    if isinstance(error, DatabaseError | InterfaceError) and not isinstance(error, DataError):
        logger.error("the database is not available: %s", error)
        error = Refusal(503, "The database cannot be reached or written. Nothing was stored; try again.")
    refusal = _refusal(error, request)
    if refusal is None:
        return None
    status = refusal.status_code
    if status in (400, 401, 403, 413, 415, 422, 429):
        remember(request, {"status": status, "detail": _for_people(refusal), "errors": []})
    documentation = DOCUMENTATION if status in (401, 400) else view.documentation_of(request.method)
    body = body_of(status, refusal.message, documentation, refusal.errors)
    return Response(body, status=status, headers=_headers(error, status, request))


def _refusal(error: Exception, request: Request) -> Refusal | None:
    if isinstance(error, Refusal):
        return error
    if isinstance(error, exceptions.NotAuthenticated):
        return Refusal(401, _STATUS_NAMES[401])
    if isinstance(error, exceptions.AuthenticationFailed):
        return Refusal(401, "Bad credentials")
    if isinstance(error, exceptions.PermissionDenied):
        return Refusal(403, _STATUS_NAMES[403])
    if isinstance(error, Http404 | exceptions.NotFound | exceptions.MethodNotAllowed):
        return Refusal(404, _STATUS_NAMES[404])
    if isinstance(error, exceptions.ParseError):
        return Refusal(400, "Problems parsing JSON")
    if isinstance(error, exceptions.Throttled):
        return Refusal(429, f"API rate limit exceeded for {_who(request)}.")
    if isinstance(error, exceptions.APIException):
        return Refusal(error.status_code, str(error.detail))
    return None


def _who(request: Request) -> str:
    key = getattr(request, "_auth", None)
    return f"API key slipway_{key.prefix}" if isinstance(key, ApiKey) else "this address"


def _for_people(refusal: Refusal) -> str:
    """Return what Settings shows of a refused request."""
    messages = [error.get("message", "") if isinstance(error, dict) else str(error) for error in refusal.errors or ()]
    return " ".join([refusal.message, *messages]).replace("\n", " ")


def _headers(error: Exception, status: int, request: Request) -> dict[str, str]:
    headers = {}
    if (wait := getattr(error, "wait", None)) is not None:
        headers["Retry-After"] = str(max(1, int(wait)))
    if status == 503:
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    if status == 401:
        headers["WWW-Authenticate"] = getattr(error, "auth_header", 'Bearer realm="slipway"')
    if status == 403:
        scopes = getattr(request._request, "missing_scopes", [])
        headers["X-Accepted-GitHub-Permissions"] = "; ".join(scope.replace(":", "=") for scope in scopes)
    return headers
