"""What all views of the GitHub-style API have in common."""

import hashlib
import uuid
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar, cast

from django.db import OperationalError, transaction
from django.http import Http404, HttpRequest
from django.utils.cache import get_conditional_response, patch_vary_headers
from rest_framework.exceptions import NotAuthenticated, ParseError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from deployments import jobs
from deployments.api.base import ApiView
from deployments.api.body import parse_json, read_body
from deployments.api.github_style import errors
from deployments.api.github_style.authentication import TokenAuthentication
from deployments.api.github_style.limits import rate_limit_headers
from deployments.api.throttling import count_failed_authentication, count_request
from deployments.catalog import repository_named
from deployments.models import Repository, Scope
from deployments.names import name_key

NEWEST_VERSION = "2026-03-10"
_VERSIONS = ["2022-11-28", NEWEST_VERSION]  # the first one where a client asks for none
READ: list[str] = [Scope.DEPLOYMENTS_READ]
WRITE: list[str] = [Scope.DEPLOYMENTS_WRITE]
# Deeper nesting than that is nothing that a client means, and more than every database reads back.
_DEEPEST = 100
_MOST_BYTES = 1024 * 1024
# PostgreSQL's word for two transactions that waited for one another, of which it ended this one.
_DEADLOCK = "40P01"
_ATTEMPTS = 3
Result = TypeVar("Result")


class Utf8Renderer(JSONRenderer):
    """Says its character set, as GitHub does."""

    charset = "utf-8"


class GithubStyleView(ApiView):
    """A view that answers as GitHub does. `documentation` has GitHub's own page on each of its methods."""

    authentication_classes = (TokenAuthentication,)
    renderer_classes = (Utf8Renderer,)
    max_body_bytes = _MOST_BYTES
    is_public = False
    documentation: ClassVar[dict[str, str]] = {}

    def documentation_of(self, method: str | None) -> str:
        """Return the address of what GitHub writes about a method of this view."""
        page = self.documentation.get("GET" if method == "HEAD" else method or "")
        return f"{errors.DOCUMENTATION}/{page}" if page else errors.DOCUMENTATION

    def get_exception_handler(self) -> Callable[[Exception, dict[str, Any]], Response | None]:
        return errors.error_response

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        wanted = _wanted_version(request)
        if wanted and wanted not in _VERSIONS:
            known = ", ".join(_VERSIONS)
            message = f"“{wanted[:40]}” is not a supported X-GitHub-Api-Version. Supported versions are {known}."
            raise errors.Refusal(400, message)
        super().initial(request, *args, **kwargs)

    def perform_authentication(self, request: Request) -> None:
        """Authenticate, and count what a key asks for. Some views answer to anybody."""
        if request.auth is not None:
            self.count(request)
        elif not self.is_public:
            count_failed_authentication(request)
            raise NotAuthenticated

    def count(self, request: Request) -> None:
        """Count the request against the limit of its key."""
        count_request(request)

    def check_permissions(self, request: Request) -> None:
        if not self.is_public:
            super().check_permissions(request)

    def options(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Response:
        """Answer what browsers ask before they ask."""
        return Response(status=204)

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        raw = request._request if isinstance(request, Request) else request
        answer = _conditional(raw, super().finalize_response(request, response, *args, **kwargs))
        answer["X-GitHub-Media-Type"] = "github.v3; format=json"
        answer["X-GitHub-Request-Id"] = uuid.uuid4().hex.upper()
        answer["X-GitHub-Api-Version-Selected"] = api_version(request)
        if getattr(request, "_auth", None) is not None:
            for name, value in rate_limit_headers(raw).items():
                answer[name] = value
        answer["Cache-Control"] = "private, max-age=0, must-revalidate"
        patch_vary_headers(answer, ["Accept", "Authorization"])
        return answer

    def json_object(self) -> dict[str, Any]:
        """Return the body, which has to be an object; none at all is an empty one. Raises ParseError and Refusal."""
        raw = read_body(self.request, self.max_body_bytes)
        body = parse_json(raw) if raw.strip() else {}
        if not isinstance(body, dict):
            raise errors.Refusal(400, "Body should be a JSON object")
        if _depth(body) > _DEEPEST:
            raise ParseError("The body is nested too deeply.")
        found: dict[str, Any] = jobs.storable(body)
        return found

    def repository(self, owner: str, repo: str) -> Repository:
        """Return the workspace's repository of a name, in any case. Raises Http404."""
        repository = self.known_repository(owner, repo)
        if repository is None:
            raise Http404
        return repository

    def known_repository(self, owner: str, repo: str) -> Repository | None:
        """Return the workspace's repository of a name, or None where nobody told of it."""
        name = f"{owner}/{repo}"
        # Surrounding space belongs to no name, and no database looks for null characters.
        if "\x00" in name or name_key(name) != name_key(f"|{name}|")[1:-1]:
            return None
        return repository_named(self.workspace, name)


def api_version(request: Request | HttpRequest) -> str:
    """Return the version of GitHub's API that a request is answered in."""
    wanted = _wanted_version(request)
    return wanted if wanted in _VERSIONS else _VERSIONS[0]


def _wanted_version(request: Request | HttpRequest) -> str:
    return str(request.META.get("HTTP_X_GITHUB_API_VERSION", "")).strip()


def store(act: Callable[[], Result]) -> Result:
    """Act within a transaction, and once more where the database ended it for the sake of another one."""
    for _ in range(_ATTEMPTS - 1):
        try:
            with transaction.atomic():
                return act()
        except OperationalError as error:
            if getattr(error.__cause__, "sqlstate", "") != _DEADLOCK:
                raise
    with transaction.atomic():
        return act()


def _conditional(request: HttpRequest, answer: Response) -> Response:
    """Give an answer its ETag, and turn it into a 304 where the client has it already."""
    if request.method not in ("GET", "HEAD") or answer.status_code != 200:
        return answer
    answer.render()
    etag = f'W/"{hashlib.sha256(answer.content).hexdigest()}"'
    answer["ETag"] = etag
    found = get_conditional_response(request, etag=etag, response=answer)
    if found is None or found is answer:
        return answer
    if "Link" in answer:
        found["Link"] = answer["Link"]
    return cast(Response, found)


def _depth(value: Any) -> int:
    """Return how deeply lists and objects are nested, without going down as deeply oneself."""
    depth, level = 0, [value]
    while level := [inner for outer in level for inner in _inside(outer)]:
        depth += 1
    return depth


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
