"""The errors that the API answers, and the headers on its answers."""

from collections.abc import Sequence

from drf_spectacular.utils import OpenApiResponse

from deployments.api.openapi.answers import ERRORS
from deployments.api.openapi.json_schema import Schema, component, integer, record, text
from deployments.api.problems import CONTENT_TYPE, RETRY_AFTER_SECONDS, problem


def _header(name: str, description: str, schema: Schema) -> Schema:
    return component(name, {"description": description, "schema": schema}, "headers")


RATE_LIMIT = {
    "RateLimit-Limit": _header("RateLimit-Limit", "Requests in a window.", integer(minimum=0)),
    "RateLimit-Remaining": _header("RateLimit-Remaining", "What is left of it.", integer(minimum=0)),
    "RateLimit-Reset": _header("RateLimit-Reset", "Seconds until the window ends.", integer(minimum=0)),
}
_RETRY_AFTER = {"Retry-After": {"description": "Seconds.", "schema": integer(minimum=1), "required": True}}
_CHALLENGE = {
    "WWW-Authenticate": {
        "description": "The challenge (RFC 6750).",
        "schema": text(examples=['Bearer realm="slipway", error="invalid_token"']),
        "required": True,
    }
}

_PROBLEM = {
    "type": {"const": "about:blank"},
    "title": text("The same for each status."),
    "status": integer(minimum=400, maximum=599),
    "detail": text("What is wrong, for people."),
    "errors": ERRORS,
}
PROBLEM = component("Problem", record(_PROBLEM, "An error (RFC 9457).", optional=["errors"]))
CONTENT = {CONTENT_TYPE: {"schema": PROBLEM}}

_FAULTS: Sequence[dict[str, str]] = (
    {"field": "version", "message": "This field is required.", "code": "required"},
    {"field": "commits[3].sha", "message": "Must be a commit hash of at most 70 characters.", "code": "invalid"},
)
_TOLD: dict[int, tuple[str, str, dict[str, Schema], Sequence[dict[str, str]]]] = {
    400: ("BadRequest", "The body is not JSON: Expecting value: line 1 column 1 (char 0)", {}, ()),
    401: ("NotAuthenticated", "The API key is not known.", _CHALLENGE, ()),
    403: ("NotAllowed", "The API key lacks the scope deployments:write.", _CHALLENGE, ()),
    404: ("NotFound", "There is nothing at this address, or nothing that this key may see.", {}, ()),
    409: ("Conflict", "The job has not ended yet: withdraw it first.", {}, ()),
    413: ("TooLarge", "The body has more than 10 MiB.", {}, ()),
    415: ("UnsupportedEncoding", "The content encoding “gzip” is not supported: send it as it is.", {}, ()),
    422: ("Unprocessable", "Some fields cannot be taken.", {}, _FAULTS),
    429: ("TooManyRequests", "The rate limit of this API key is used up.", _RETRY_AFTER, ()),
    503: (
        "Unavailable",
        "The database cannot be reached or written. Nothing was stored; try again.",
        _RETRY_AFTER,
        (),
    ),
}
_MEANT = {
    400: "The request cannot be read: no JSON, not UTF-8, cut off, or of a shape that is not served.",
    401: "No key, or one that is unknown, expired or revoked.",
    403: "The key lacks the scope.",
    404: "There is nothing of this id in the workspace of the key.",
    409: "Not possible in the present state.",
    413: "The body is too large.",
    415: "The body is compressed.",
    422: "Some values cannot be taken; every one at fault is named.",
    429: "Over the rate limit.",
    503: f"The database cannot be reached. Nothing was stored; try again after {RETRY_AFTER_SECONDS} seconds.",
}


def _response(status: int) -> Schema:
    name, detail, headers, faults = _TOLD[status]
    example = problem(status, detail, list(faults))
    content = {CONTENT_TYPE: {"schema": PROBLEM, "example": example}}
    return component(
        name,
        {"description": _MEANT[status], "headers": {**headers, **RATE_LIMIT}, "content": content},
        "responses",
    )


RESPONSES = {status: _response(status) for status in _TOLD}


# Those that only some operations answer. They have no place among what follows from a view.
CONFLICT = {(409, CONTENT_TYPE): OpenApiResponse(PROBLEM, description=_MEANT[409])}
NOT_SIGNED = {
    (401, CONTENT_TYPE): OpenApiResponse(PROBLEM, description="The body is not signed with the workspace's secret.")
}
