"""A client of GitHub's REST API, of github.com or of an Enterprise Server. It only reads, and knows no database.

Every answer is asked for anew, with the ETag of the last one where that was kept: GitHub answers 304 then, which
costs nothing of the rate limit. Failures that pass are tried again; what remains is a GithubError for the caller.
"""

import datetime
import hashlib
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urljoin

import jwt
import requests
from cryptography.exceptions import UnsupportedAlgorithm
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter
from urllib3.util import parse_url

from deployments.github.answers import (
    MINUTE,
    GithubError,
    NotAllowed,
    NotFound,
    RateLimited,
    Row,
    Unavailable,
    as_object,
    as_rows,
    failure,
    now,
    read_json,
    reason,
)
from deployments.github.caching import caching

logger = logging.getLogger(__name__)

# GitHub's own bounds: rows of a page, and files that it lists of one commit.
_ROWS = 100
_MOST_FILES = 3000
_MOST_REDIRECTS = 5
_DEEPEST_TAG = 10
# A rate limit that ends this soon (in seconds) is waited for, instead of putting the work off.
_SHORT_WAIT = 5
_BACKOFF = wait_exponential_jitter(max=30)
_HEADERS = {
    "Accept": "application/vnd.github+json",
    "X-GitHub-Api-Version": "2022-11-28",
    "User-Agent": "Slipway",
}
_PASSING = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
)


@dataclass(frozen=True, slots=True)
class TokenAuth:
    """A personal access token, or another token that is sent as it is."""

    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AppAuth:
    """A GitHub App. Without an installation, the one that each repository asked about belongs to is found.

    `private_key` is in PEM format; `app_id` may be the client ID instead.
    """

    app_id: str
    private_key: str = field(repr=False)
    installation_id: int | None = None


class GithubClient:
    """Asks GitHub, in one thread, until it is closed. Names and hashes are quoted; paths are the caller's.

    `base_url` is `https://api.github.com`, or `https://HOST/api/v3` of an Enterprise Server; nothing is ever asked
    of another host. Answers are kept in `cache_dir`, in a directory for each token or installation. `timeout` is in
    seconds, for the connection and for each read; `wait` is called with the seconds between attempts.

    Every method raises GithubError, by its subclasses.
    """

    def __init__(
        self,
        base_url: str,
        auth: TokenAuth | AppAuth,
        *,
        cache_dir: Path | None = None,
        timeout: float = 20.0,
        attempts: int = 4,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        """Raises ValueError where the address is none of an API."""
        self._base = base_url.rstrip("/")
        self._origin = _origin(self._base)
        self._auth = auth
        self._cache_dir = cache_dir
        self._timeout = timeout
        self._attempts = attempts
        self._wait = wait
        self._sessions: dict[str, requests.Session] = {}
        self._installations: dict[str, int] = {}  # by the path of the repository
        self._tokens: dict[int, _InstallationToken] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections. What is asked for afterwards opens new ones."""
        for session in self._sessions.values():
            session.close()
        self._sessions.clear()

    def get(self, path: str, /, **params: Any) -> Any:
        """Return the JSON at a path such as `/repos/o/r`; None where the answer is empty."""
        return read_json(self._request("GET", self._base + path, self._access_to(path), params))

    def pages(self, path: str, /, **params: Any) -> Iterator[list[Row]]:
        """Yield a list page by page, also one that is wrapped in an object with its count."""
        for response in self._responses(path, {"per_page": _ROWS, **params}):
            yield as_rows(read_json(response))

    def compare(self, full_name: str, base: str, head: str) -> Iterator[list[Row]]:
        """Yield the commits that `head` has and `base` has not, the oldest first, page by page.

        Raises NotFound also where the two have no common ancestor.
        """
        path = f"{_repository(full_name)}/compare/{_segment(base)}...{_segment(head)}"
        for response in self._responses(path, {"per_page": _ROWS}):
            yield as_rows(read_json(response), "commits")

    def commit(self, full_name: str, sha: str) -> Row:
        """Return a commit with its `files`. At 3000 of them GitHub lists no more."""
        commit: Row = {}
        files: list[Row] = []
        for response in self._responses(f"{_repository(full_name)}/commits/{_segment(sha)}", {}):
            page = as_object(read_json(response))
            commit = commit or page
            files += page.get("files") or []
            if len(files) >= _MOST_FILES:
                break
        return {**commit, "files": files}

    def pull_request(self, full_name: str, number: int) -> Row:
        """Return a pull request."""
        return as_object(self.get(f"{_repository(full_name)}/pulls/{number:d}"))

    def pull_request_commits(self, full_name: str, number: int) -> list[Row]:
        """Return the commits of a pull request, the oldest first. At 250 of them GitHub lists no more."""
        return self._all(f"{_repository(full_name)}/pulls/{number:d}/commits")

    def pull_request_reviews(self, full_name: str, number: int) -> list[Row]:
        """Return the reviews of a pull request, the oldest first."""
        return self._all(f"{_repository(full_name)}/pulls/{number:d}/reviews")

    def tag_commit(self, full_name: str, tag: str) -> str | None:
        """Return the hash of the commit that a tag names, or None where there is no tag that names one."""
        repository = _repository(full_name)
        path = f"{repository}/git/ref/tags/{_segment(tag)}"
        try:
            for _ in range(_DEEPEST_TAG):
                named = as_object(as_object(self.get(path)).get("object"))
                if named.get("type") != "tag":
                    return str(named["sha"]) if named.get("type") == "commit" and named.get("sha") else None
                path = f"{repository}/git/tags/{_segment(str(named.get('sha', '')))}"
        except NotFound:
            return None
        return None

    def deployments(self, full_name: str) -> Iterator[list[Row]]:
        """Yield the deployments page by page, the newest first."""
        return self.pages(f"{_repository(full_name)}/deployments")

    def deployment_statuses(self, full_name: str, deployment_id: int) -> Iterator[list[Row]]:
        """Yield the statuses of a deployment page by page, the newest first."""
        return self.pages(f"{_repository(full_name)}/deployments/{deployment_id:d}/statuses")

    def releases(self, full_name: str) -> Iterator[list[Row]]:
        """Yield the releases page by page, the newest first."""
        return self.pages(f"{_repository(full_name)}/releases")

    def pull_requests(
        self, full_name: str, state: str = "closed", sort: str = "updated", direction: str = "desc"
    ) -> Iterator[list[Row]]:
        """Yield pull requests page by page. `state`, `sort` and `direction` are GitHub's."""
        return self.pages(f"{_repository(full_name)}/pulls", state=state, sort=sort, direction=direction)

    def _all(self, path: str) -> list[Row]:
        return [row for page in self.pages(path) for row in page]

    def _responses(self, path: str, params: Mapping[str, Any]) -> Iterator[requests.Response]:
        """Yield the answer and those that its links lead on to."""
        access, following = self._access_to(path), self._base + path
        while following:
            response = self._request("GET", following, access, params)
            yield response
            link = response.links.get("next", {}).get("url")
            following = self._own(response.url, link) if link else ""
            params = {}  # the link has them

    def _request(
        self, method: str, url: str, access: "_Access", params: Mapping[str, Any] | None = None
    ) -> requests.Response:
        """Return the answer, from where GitHub says that it is: a renamed repository is elsewhere."""
        for _ in range(_MOST_REDIRECTS + 1):
            response = self._persist(method, url, access, params)
            location = response.headers.get("Location")
            if not response.is_redirect or not location:
                return response
            # GitHub wants the same request again, whatever its method: its own address has the parameters.
            url, params = self._own(response.url, location), None
        raise Unavailable(f"GitHub at {self._host} redirects again and again", response.status_code)

    def _persist(
        self, method: str, url: str, access: "_Access", params: Mapping[str, Any] | None
    ) -> requests.Response:
        """Try a request again while its failure may pass soon."""
        # Before the attempts: to find a token takes requests that have attempts of their own.
        bearer = access.bearer()
        retrying = Retrying(
            sleep=self._wait,
            stop=stop_after_attempt(self._attempts),
            retry=retry_if_exception(_passes_soon),
            wait=_pause,
            reraise=True,
        )
        return retrying(self._try, method, url, params, self._session(access.identity), bearer)

    def _try(
        self,
        method: str,
        url: str,
        params: Mapping[str, Any] | None,
        session: requests.Session,
        bearer: "_Bearer",
    ) -> requests.Response:
        try:
            response = session.request(method, url, params=params, auth=bearer, timeout=self._timeout)
        except _PASSING as error:
            raise Unavailable(f"GitHub at {self._host} {reason(error)}") from error
        except (requests.RequestException, ValueError):
            # Without its cause: such errors quote what was to be sent.
            raise GithubError(f"GitHub at {self._host} cannot be asked for that") from None
        if response.status_code == requests.codes.not_modified:
            raise Unavailable(f"GitHub at {self._host} says that nothing changed, of an answer that was not kept")
        if response.status_code < 300 or response.is_redirect:
            return response
        raise failure(response, bearer.hidden_in)

    def _session(self, identity: str) -> requests.Session:
        """Return the session of a token or installation, so that the answers to different ones are kept apart."""
        if identity not in self._sessions:
            self._sessions[identity] = session = _Session()
            session.headers.update(_HEADERS)
            adapter = caching(self._cache_dir / identity) if self._cache_dir else HTTPAdapter()
            session.mount("https://", adapter)
            session.mount("http://", adapter)
        return self._sessions[identity]

    def _access_to(self, path: str) -> "_Access":
        """Return the credentials for a path."""
        auth = self._auth
        if isinstance(auth, TokenAuth):
            return self._access(lambda: _Bearer(auth.token), "token", auth.token)
        number = auth.installation_id or self._installation_at(auth, path)
        return self._access(lambda: self._installation_bearer(auth, number), "app", auth.app_id, str(number))

    def _access(self, bearer: Callable[[], "_Bearer"], *identity: str) -> "_Access":
        digest = hashlib.sha256("\n".join([self._base, *identity]).encode()).hexdigest()
        return _Access(digest[:40], bearer)

    def _access_of_app(self, auth: AppAuth) -> "_Access":
        return self._access(lambda: _app_bearer(auth), "app", auth.app_id)

    def _installation_at(self, auth: AppAuth, path: str) -> int:
        """Return the installation that the repository of a path belongs to."""
        found = re.match(r"/repos/[^/?]+/[^/?]+", path)
        if found is None:
            raise GithubError("A GitHub App without an installation can only ask about repositories")
        repository = found[0].lower()
        if repository not in self._installations:
            url = f"{self._base}{found[0]}/installation"
            answer = as_object(read_json(self._request("GET", url, self._access_of_app(auth))))
            if not isinstance(answer.get("id"), int):
                raise Unavailable("GitHub told of an installation without its number")
            self._installations[repository] = answer["id"]
        return self._installations[repository]

    def _installation_bearer(self, auth: AppAuth, number: int) -> "_Bearer":
        """Return the installation's token, a new one where the last one is about to expire."""
        kept = self._tokens.get(number)
        if kept is None or kept.until <= now():
            url = f"{self._base}/app/installations/{number:d}/access_tokens"
            answer = as_object(read_json(self._request("POST", url, self._access_of_app(auth))))
            self._tokens[number] = kept = _installation_token(answer)
        return kept.bearer

    @property
    def _host(self) -> str:
        return self._origin[1]

    def _own(self, url: str, target: str) -> str:
        """Return the address that an answer from `url` leads to. Raises GithubError where it is on another host."""
        try:
            address = urljoin(url, target)
            origin = _origin(address)
        except ValueError:
            raise GithubError(f"GitHub at {self._host} leads to an address that is none") from None
        if origin != self._origin:
            scheme, host, port = origin
            raise GithubError(f"GitHub at {self._host} leads to {scheme}://{host[:100]}:{port}, which is not asked")
        return address


class _Bearer(AuthBase):
    """Puts a token on a request. Being an object, it is not shown where variables are."""

    def __init__(self, token: str) -> None:
        # A header with anything else would be refused by an error that quotes it.
        if not re.fullmatch(r"[!-~]+", token := token.strip()):
            raise NotAllowed("The token for GitHub is empty or has characters that no token has")
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request

    def hidden_in(self, text: str) -> str:
        """Return the text without the token."""
        return text.replace(self._token, "[hidden]")


@dataclass(frozen=True, slots=True)
class _Access:
    identity: str  # whose answers these are, as a name of a directory
    bearer: Callable[[], _Bearer]


@dataclass(frozen=True, slots=True)
class _InstallationToken:
    bearer: _Bearer
    until: datetime.datetime


class _Session(requests.Session):
    """A session that leaves redirects to the client, which knows where it may go."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        return None


def _app_bearer(auth: AppAuth) -> _Bearer:
    """Return what a GitHub App shows for itself: valid from a minute ago, as clocks differ, for ten minutes."""
    issued = int(time.time()) - 60
    claims = {"iat": issued, "exp": issued + 600, "iss": str(auth.app_id)}
    try:
        return _Bearer(jwt.encode(claims, auth.private_key, algorithm="RS256"))
    except (ValueError, TypeError, AttributeError, jwt.PyJWTError, UnsupportedAlgorithm):  # a public key cannot sign
        raise NotAllowed("The private key of the GitHub App is no RSA key in PEM format") from None


def _installation_token(answer: Row) -> _InstallationToken:
    try:
        until = datetime.datetime.fromisoformat(answer["expires_at"]).astimezone(datetime.UTC) - MINUTE
        return _InstallationToken(_Bearer(answer["token"]), until)
    except (KeyError, ValueError, TypeError, AttributeError, OverflowError):
        raise Unavailable("GitHub gave a token for the installation that cannot be read") from None


def _origin(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port of an address, as requests will read it. Raises ValueError."""
    # By urllib3, which requests goes by: urllib.parse takes the host of `http://a\@b/` for another one.
    address = parse_url(url)
    if address.scheme not in ("http", "https") or not address.host or address.auth:
        raise ValueError("not an http(s) address, or one with credentials")
    return address.scheme, address.host.lower(), address.port or {"http": 80, "https": 443}[address.scheme]


def _repository(full_name: str) -> str:
    """Return the path of a repository. Raises NotFound where the name is not of the form `owner/name`."""
    owner, _, name = full_name.partition("/")
    return f"/repos/{_segment(owner)}/{_segment(name)}"


def _segment(text: str) -> str:
    """Return a name as one part of a path. Raises NotFound for names that would lead to another path."""
    if text.strip(".") == "":
        raise NotFound(f"Nothing on GitHub can have the name “{text}”")
    return quote(text, safe="", errors="replace")


def _passes_soon(error: BaseException) -> bool:
    if isinstance(error, RateLimited):
        return _seconds_left(error) <= _SHORT_WAIT
    return isinstance(error, Unavailable) and (error.status is None or error.status >= 500)


def _pause(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    return _seconds_left(error) if isinstance(error, RateLimited) else _BACKOFF(state)


def _seconds_left(error: RateLimited) -> float:
    return max(0.0, (error.until - now()).total_seconds())
