"""A GitHub of the tests' own: real HTTP on this machine, over repositories that a test makes up.

    with FakeGithub() as github:
        github.repositories["acme/shop"] = FakeRepository(commits=[make_commit("a" * 40)])
        ... github.base_url, github.requests ...

What it answers is GitHub's REST API as far as Slipway reads it. It counts what is asked of it against a rate limit,
knows ETags, lets a GitHub App in by its key, and fails as it is told to.
"""

import contextlib
import datetime as dt
import gzip
import hashlib
import json
import re
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from requests.structures import CaseInsensitiveDict

Row = dict[str, Any]

TOKEN = "ghp_token-of-the-tests"
LIMIT = 5000
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
_FILES_OF_A_PAGE = 300
_MOST_FILES = 3000
_COMMITS_UNPAGED = 250


class Request(NamedTuple):
    """A request as it came in. The path has its query and lacks `/api/v3`; headers are found in any case."""

    method: str
    path: str
    headers: CaseInsensitiveDict[str]


class Answer(NamedTuple):
    """What is answered: a body to be written as JSON, or one that is text or bytes already."""

    body: Any
    status: int = 200
    headers: dict[str, str] = {}


@dataclass
class FakeRepository:
    """A repository. Rows are in the shapes of GitHub's REST API.

    `commits` are in the order of their dates, the oldest first, as `make_commit` makes them. `tags` name a commit,
    or a key of `annotated_tags`: what those hold is the `object` of the tag, `{"type": "commit", "sha": ...}`.
    Commits of pull requests need not be among `commits`.
    """

    commits: list[Row] = field(default_factory=list)
    pulls: dict[int, Row] = field(default_factory=dict)
    pull_commits: dict[int, list[Row]] = field(default_factory=dict)
    reviews: dict[int, list[Row]] = field(default_factory=dict)
    deployments: list[Row] = field(default_factory=list)
    statuses: dict[int, list[Row]] = field(default_factory=dict)
    releases: list[Row] = field(default_factory=list)
    workflow_runs: list[Row] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    annotated_tags: dict[str, Row] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    id: int = 1296269
    default_branch: str = "main"
    installation_id: int | None = None  # of the GitHub App, where it is installed

    def commit(self, revision: str) -> Row | None:
        """Return what a hash (or the start of one), a branch or a tag names."""
        sha = self.branches.get(revision) or self.tags.get(revision) or revision
        while sha in self.annotated_tags:
            sha = self.annotated_tags[sha]["sha"]
        known = [*self.commits, *(row for rows in self.pull_commits.values() for row in rows)]
        is_hash = re.fullmatch(r"[0-9a-f]{7,64}", sha)
        return next((row for row in known if row["sha"] == sha or (is_hash and row["sha"].startswith(sha))), None)

    def history(self, sha: str) -> set[str]:
        """Return the hashes of the commits that one has, itself included."""
        parents = {row["sha"]: [parent["sha"] for parent in row["parents"]] for row in self.commits}
        found: set[str] = set()
        waiting = [sha]
        while waiting:
            one = waiting.pop()
            if one in parents and one not in found:
                found.add(one)
                waiting += parents[one]
        return found


def make_commit(
    sha: str,
    parents: Iterable[str] = (),
    date: str | dt.datetime = "2026-01-01T12:00:00Z",
    message: str = "Change",
    files: Iterable[str | Row] = (),
    *,
    login: str = "ada",
    committed: str | dt.datetime | None = None,
) -> Row:
    """Return a commit. Files are paths that were changed, or GitHub's rows: only the commit's own answer has them."""
    authored, email = _text_of(date), f"{login}@example.com"
    is_bot = login.endswith("[bot]")
    rows = [{"filename": one, "status": "modified"} if isinstance(one, str) else one for one in files]
    return {
        "sha": sha,
        "commit": {
            "author": {"name": login, "email": email, "date": authored},
            "committer": {"name": login, "email": email, "date": _text_of(committed or date)},
            "message": message,
        },
        "author": {"login": login, "type": "Bot" if is_bot else "User"},
        "parents": [{"sha": parent} for parent in parents],
        "files": rows,
    }


def make_line(count: int, *, start: dt.datetime = START) -> list[Row]:
    """Return commits one after the other, an hour apart, with the hashes of `make_sha`."""
    return [
        make_commit(
            make_sha(number),
            [make_sha(number - 1)] if number else [],
            start + dt.timedelta(hours=number),
            f"Change {number}",
        )
        for number in range(count)
    ]


def make_sha(number: int) -> str:
    """Return a hash of a commit."""
    return hashlib.sha1(str(number).encode(), usedforsecurity=False).hexdigest()


@dataclass
class _Failure:
    """What is done instead of answering, while `left` is not used up; None is for ever."""

    applies: Callable[[Request], bool]
    answer: Answer | None  # None: the connection is closed
    left: int | None


class FakeGithub:
    """The server, and what it is to answer. Everything but `requests` may be set while it runs.

    `tokens` are let in everywhere; `remaining` requests are answered until the epoch second `reset_at`; `renamed`
    maps former names of repositories to present ones. `delay` is in seconds, and ends with the server.
    """

    def __init__(self) -> None:
        self.repositories: dict[str, FakeRepository] = {}
        self.requests: list[Request] = []
        self.tokens = {TOKEN}
        self.remaining = LIMIT
        self.reset_at = int(time.time()) + 3600
        self.renamed: dict[str, str] = {}
        self.delay = 0.0
        self.app_id = ""
        self.public_key = b""
        self.token_lifetime = 3600  # seconds, of an installation's token
        self.errors: list[BaseException] = []
        self._installation_tokens: dict[str, int] = {}
        self._failures: list[_Failure] = []
        self._lock = threading.RLock()
        self._closing = threading.Event()
        self._server = _Server(self)
        self.base_url = f"http://127.0.0.1:{self._server.server_port}/api/v3"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.hang_up()
        self._server.server_close()
        self._thread.join()
        if self.errors and error is None:
            raise AssertionError("The fake GitHub broke down") from self.errors[0]

    def register_app(self, app_id: str = "12345") -> str:
        """Make a GitHub App known, and return its private key in PEM format."""
        private, public = _known_key()
        self.app_id, self.public_key = app_id, public
        return private

    def fail_next(
        self, times: int = 1, status: int = 502, body: Any = None, headers: dict[str, str] | None = None
    ) -> None:
        """Answer the next requests with an error."""
        self.fail_when(lambda request: True, status, body, headers, times)

    def fail_when(
        self,
        predicate: Callable[[Request], bool],
        status: int = 502,
        body: Any = None,
        headers: dict[str, str] | None = None,
        times: int | None = 1,
    ) -> None:
        """Answer requests for which the predicate holds with this, `times` times, or always where that is None.

        A body that is no text or bytes is written as JSON. With headers of a greater Content-Length and of
        `Connection: close`, it breaks off.
        """
        body = {"message": HTTPStatus(status).phrase} if body is None else body
        self._failures.append(_Failure(predicate, Answer(body, status, headers or {}), times))

    def drop_next(self, times: int = 1) -> None:
        """Close the connections of the next requests without an answer."""
        self._failures.append(_Failure(lambda request: True, None, times))

    def asked(self, start: str = "") -> list[str]:
        """Return the paths that were asked for, with their queries, of those that start like this."""
        return [request.path for request in self.requests if request.path.startswith(start)]

    def take(self, request: Request) -> Answer | None:
        """Note a request and return what it is answered, None where the connection is to be closed."""
        if self.delay:
            self._closing.wait(self.delay)
        with self._lock:
            self.requests.append(request)
            for failure in self._failures:
                if failure.left != 0 and failure.applies(request):
                    failure.left = None if failure.left is None else failure.left - 1
                    return failure.answer
            return self._answer(request)

    def installation_token(self, number: int) -> str:
        """Return a new token of an installation."""
        token = f"ghs_{secrets.token_hex(18)}"
        self._installation_tokens[token] = number
        return token

    def _answer(self, request: Request) -> Answer:
        """Return the answer, counted, or a 304 that is not."""
        url = urlsplit(request.path)
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        parts = [unquote(part) for part in url.path.strip("/").split("/")]
        if time.time() >= self.reset_at:
            self.remaining, self.reset_at = LIMIT, int(time.time()) + 3600
        try:
            if self.remaining <= 0:
                raise _Refusal(403, "API rate limit exceeded for user ID 1.")
            answer = self._route(request, url.path, parts, query)
        except _Refusal as refusal:
            answer = refusal.answer
        answer = self._with_etag(request, answer)
        if answer.status != HTTPStatus.NOT_MODIFIED:
            self.remaining = max(0, self.remaining - 1)
        limits = {"limit": LIMIT, "remaining": self.remaining, "reset": self.reset_at, "used": LIMIT - self.remaining}
        headers = {f"X-RateLimit-{name.capitalize()}": str(value) for name, value in limits.items()}
        return answer._replace(headers={**headers, **answer.headers})

    def _with_etag(self, request: Request, answer: Answer) -> Answer:
        if request.method != "GET" or answer.status != HTTPStatus.OK:
            return answer
        etag = f'W/"{hashlib.sha256(_bytes_of(answer.body)).hexdigest()}"'
        headers = {
            **answer.headers,
            "ETag": etag,
            "Cache-Control": "private, max-age=60, s-maxage=60",
            "Vary": "Accept, Authorization, Cookie, X-GitHub-OTP,Accept-Encoding, Accept, X-Requested-With",
        }
        if request.headers.get("If-None-Match") == etag:
            return Answer(b"", HTTPStatus.NOT_MODIFIED, headers)
        return answer._replace(headers=headers)

    def _route(self, request: Request, path: str, parts: list[str], query: dict[str, str]) -> Answer:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() not in ("bearer", "token") or not token:
            raise _Refusal(401, "Requires authentication")
        if parts[0] == "app" or (parts[0] in ("repos", "repositories") and parts[-1] == "installation"):
            return self._for_the_app(request.method, token, parts)
        installation = self._installation_tokens.get(token)
        if token not in self.tokens and installation is None:
            raise _Refusal(401, "Bad credentials")
        if request.method != "GET":
            raise _Refusal(404)
        asked = _Asked(self.base_url + path, query)
        if parts == ["installation", "repositories"]:
            names = [name for name, row in self.repositories.items() if row.installation_id == installation]
            rows, headers = asked.page([_repository_row(name, self.repositories[name]) for name in names])
            return Answer({"total_count": len(names), "repositories": rows}, headers=headers)
        name, rest = self._find(parts, request.path)
        repository = self.repositories[name]
        if installation is not None and repository.installation_id != installation:
            raise _Refusal(404)
        return _answer_of(name, repository, rest, asked)

    def _find(self, parts: list[str], path: str) -> tuple[str, list[str]]:
        """Return the name of the repository that a path is about, and what follows in the path."""
        if parts[0] == "repositories" and len(parts) > 1:
            name = next((name for name, row in self.repositories.items() if str(row.id) == parts[1]), None)
            if name:
                return name, parts[2:]
        if parts[0] != "repos" or len(parts) < 3:
            raise _Refusal(404)
        key = f"{parts[1]}/{parts[2]}".lower()
        for former, present in self.renamed.items():
            if former.lower() == key:
                # Where the former name was in the path, the number is: GitHub redirects there.
                rest = path.split("/", 4)[4:]
                location = "/".join([self.base_url, "repositories", str(self.repositories[present].id), *rest])
                raise _Refusal(301, "Moved Permanently", {"Location": location})
        name = next((name for name in self.repositories if name.lower() == key), None)
        if name is None:
            raise _Refusal(404)
        return name, parts[3:]

    def _for_the_app(self, method: str, token: str, parts: list[str]) -> Answer:
        """Answer what a GitHub App asks in its own name."""
        self._check_app(token)
        installations = {row.installation_id for row in self.repositories.values() if row.installation_id}
        if method == "POST" and len(parts) == 4 and parts[1] == "installations" and parts[3] == "access_tokens":
            if int(parts[2]) not in installations:
                raise _Refusal(404)
            expires = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=self.token_lifetime)
            token = self.installation_token(int(parts[2]))
            return Answer({"token": token, "expires_at": _text_of(expires), "permissions": {}}, 201)
        if method == "GET" and parts[-1] == "installation":
            name, _ = self._find(parts, f"/{'/'.join(parts)}")
            if number := self.repositories[name].installation_id:
                return Answer({"id": number, "app_id": 1, "account": {"login": name.partition("/")[0]}})
        raise _Refusal(404)

    def _check_app(self, token: str) -> None:
        try:
            claims = jwt.decode(
                token,
                self.public_key,
                algorithms=["RS256"],
                issuer=self.app_id,
                options={"require": ["iat", "exp", "iss"]},
            )
        except (jwt.PyJWTError, ValueError) as error:
            raise _Refusal(401, "A JSON web token could not be decoded") from error
        if claims["exp"] - time.time() > 600:
            raise _Refusal(401, "'Expiration time' claim ('exp') is too far in the future")


def make_key() -> tuple[str, bytes]:
    """Return a new private key of a GitHub App and its public one, in PEM format."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return private.decode(), key.public_key().public_bytes(serialization.Encoding.PEM, form)


@cache
def _known_key() -> tuple[str, bytes]:
    """Return one pair of keys again and again: to make one takes a while."""
    return make_key()


class _Refusal(Exception):
    """GitHub's no, in the form of its errors."""

    def __init__(self, status: int, message: str = "Not Found", headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        body = {"message": message, "documentation_url": "https://docs.github.com/rest", "status": str(status)}
        self.answer = Answer(body, status, headers or {})


@dataclass(frozen=True)
class _Asked:
    """The address of a list with its query."""

    url: str
    query: dict[str, str]

    def page(self, rows: list[Row], size: int = 30, most: int = 100) -> tuple[list[Row], dict[str, str]]:
        """Return the page that was asked for, and the header with the links to the others."""
        size = max(1, min(most, int(self.query.get("per_page", size))))
        number = max(1, int(self.query.get("page", 1)))
        last = max(1, -(-len(rows) // size))
        others = {"prev": number - 1, "next": number + 1, "last": last, "first": 1}
        if number == 1:
            del others["prev"], others["first"]
        if number >= last:
            del others["next"], others["last"]
        links = [
            f'<{self.url}?{urlencode({**self.query, "page": other})}>; rel="{rel}"' for rel, other in others.items()
        ]
        shown = rows[(number - 1) * size : number * size]
        return shown, {"Link": ", ".join(links)} if links else {}

    def is_first(self) -> bool:
        return self.query.get("page", "1") == "1"

    def list(self, rows: Iterable[Row]) -> Answer:
        """Return a page of rows as an answer."""
        shown, headers = self.page(list(rows))
        return Answer(shown, headers=headers)


def _answer_of(name: str, repository: FakeRepository, rest: list[str], asked: _Asked) -> Answer:
    """Return the answer about a repository. Raises _Refusal."""
    match rest:
        case []:
            return Answer(_repository_row(name, repository))
        case ["compare", basehead]:
            return _compare(repository, basehead, asked)
        case ["commits"]:
            return _commits(repository, asked)
        case ["commits", sha, "pulls"]:
            return asked.list(_pulls_with(repository, _existing(repository, sha)["sha"]))
        case ["commits", *revision]:
            return _commit(repository, "/".join(revision), asked)
        case ["pulls"]:
            return asked.list(_sorted_pulls(repository, asked.query))
        case ["pulls", number, *what] if number.isdigit() and int(number) in repository.pulls:
            return _pull(repository, int(number), what, asked)
        case ["deployments", *what]:
            return _deployments(repository, what, asked)
        case ["releases"]:
            return asked.list(_newest_first(repository.releases))
        case ["actions", "runs"]:
            rows, headers = asked.page(_newest_first(repository.workflow_runs))
            return Answer({"total_count": len(repository.workflow_runs), "workflow_runs": rows}, headers=headers)
        case ["git", "ref", "tags", *tag] if "/".join(tag) in repository.tags:
            sha = repository.tags["/".join(tag)]
            kind = "tag" if sha in repository.annotated_tags else "commit"
            return Answer({"ref": f"refs/tags/{'/'.join(tag)}", "object": {"type": kind, "sha": sha}})
        case ["git", "tags", sha] if sha in repository.annotated_tags:
            return Answer({"sha": sha, "tag": sha, "object": repository.annotated_tags[sha]})
    raise _Refusal(404)


def _repository_row(name: str, repository: FakeRepository) -> Row:
    owner, _, short = name.partition("/")
    return {
        "id": repository.id,
        "name": short,
        "full_name": name,
        "owner": {"login": owner},
        "private": False,
        "default_branch": repository.default_branch,
    }


def _existing(repository: FakeRepository, revision: str) -> Row:
    found = repository.commit(revision)
    if found is None:
        raise _Refusal(422, f"No commit found for SHA: {revision}")
    return found


def _commit(repository: FakeRepository, revision: str, asked: _Asked) -> Answer:
    commit = _existing(repository, revision)
    files, headers = asked.page(commit.get("files", [])[:_MOST_FILES], size=_FILES_OF_A_PAGE, most=_FILES_OF_A_PAGE)
    return Answer({**commit, "files": files}, headers=headers)


def _commits(repository: FakeRepository, asked: _Asked) -> Answer:
    """List what a revision has, or everything, the newest first."""
    revision = asked.query.get("sha") or repository.branches.get(repository.default_branch)
    known = repository.history(_existing(repository, revision)["sha"]) if revision else None
    return asked.list(_bare(row) for row in reversed(repository.commits) if known is None or row["sha"] in known)


def _compare(repository: FakeRepository, basehead: str, asked: _Asked) -> Answer:
    """Tell what the head has and the base has not, in the order of the commits."""
    ends = [repository.commit(revision) for revision in basehead.split("...")]
    if len(ends) != 2 or ends[0] is None or ends[1] is None:
        raise _Refusal(404)
    base, head = (end["sha"] for end in ends if end)
    behind, ahead = repository.history(base), repository.history(head)
    common = behind & ahead
    if not common:
        raise _Refusal(404, f"No common ancestor between {basehead.replace('...', ' and ')}.")
    new = [row for row in repository.commits if row["sha"] in ahead - behind]
    is_paged = bool({"page", "per_page"} & asked.query.keys())
    shown, headers = asked.page([_bare(row) for row in new]) if is_paged else (new[-_COMMITS_UNPAGED:], {})
    body = {
        "status": _status_of(ahead_by=len(new), behind_by=len(behind - ahead)),
        "ahead_by": len(new),
        "behind_by": len(behind - ahead),
        "total_commits": len(new),
        "base_commit": _bare(_existing(repository, base)),
        "merge_base_commit": _bare(_existing(repository, _merge_base(repository, common))),
        "commits": [_bare(row) for row in shown],
    }
    if asked.is_first():
        body["files"] = [file for row in new for file in row.get("files", [])][:_FILES_OF_A_PAGE]
    return Answer(body, headers=headers)


def _status_of(*, ahead_by: int, behind_by: int) -> str:
    if ahead_by and behind_by:
        return "diverged"
    return "ahead" if ahead_by else "behind" if behind_by else "identical"


def _merge_base(repository: FakeRepository, common: set[str]) -> str:
    """Return the latest of the common commits that no other of them has."""
    inherited = {parent["sha"] for row in repository.commits if row["sha"] in common for parent in row["parents"]}
    return [str(row["sha"]) for row in repository.commits if row["sha"] in common - inherited][-1]


def _pull(repository: FakeRepository, number: int, what: list[str], asked: _Asked) -> Answer:
    match what:
        case []:
            return Answer(repository.pulls[number])
        case ["commits"]:
            return asked.list(_bare(row) for row in repository.pull_commits.get(number, [])[:250])
        case ["reviews"]:
            return asked.list(repository.reviews.get(number, []))
    raise _Refusal(404)


def _sorted_pulls(repository: FakeRepository, query: dict[str, str]) -> list[Row]:
    state, key = query.get("state", "open"), f"{query.get('sort', 'created')}_at"
    rows = [row for row in repository.pulls.values() if state in ("all", row.get("state", "open"))]
    return sorted(rows, key=lambda row: row.get(key) or "", reverse=query.get("direction", "desc") == "desc")


def _pulls_with(repository: FakeRepository, sha: str) -> list[Row]:
    """Return the pull requests that a commit came with, or that it merged."""
    return [
        row
        for number, row in repository.pulls.items()
        if row.get("merge_commit_sha") == sha
        or any(one["sha"] == sha for one in repository.pull_commits.get(number, []))
    ]


def _deployments(repository: FakeRepository, what: list[str], asked: _Asked) -> Answer:
    filters = {name: asked.query[name] for name in ("sha", "ref", "task", "environment") if name in asked.query}
    rows = [row for row in repository.deployments if all(row.get(name) == value for name, value in filters.items())]
    if not what:
        return asked.list(_newest_first(rows))
    found = next((row for row in repository.deployments if str(row["id"]) == what[0]), None)
    if found is not None and what[1:] == ["statuses"]:
        return asked.list(_newest_first(repository.statuses.get(found["id"], [])))
    if found is not None and len(what) == 1:
        return Answer(found)
    raise _Refusal(404)


def _newest_first(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (row.get("created_at") or "", row.get("id") or 0), reverse=True)


def _bare(commit: Row) -> Row:
    """Return a commit as lists have it."""
    return {name: value for name, value in commit.items() if name != "files"}


def _text_of(date: str | dt.datetime) -> str:
    return date if isinstance(date, str) else date.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _bytes_of(body: Any) -> bytes:
    if isinstance(body, bytes):
        return body
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()


class _Server(ThreadingHTTPServer):
    """Keeps its connections, so that it can end the ones that clients left open."""

    daemon_threads = False  # those of the connections are joined at the end

    def __init__(self, github: FakeGithub) -> None:
        self.github = github
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._guard:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._guard:
            self._open.discard(request)
            super().shutdown_request(request)

    def hang_up(self) -> None:
        """End what waits for a further request on a connection."""
        with self._guard:
            for connection in self._open:
                with contextlib.suppress(OSError):  # the client was first
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep what broke, for the test to fail by it; a client that has gone is nothing broken."""
        error = sys.exception()
        if error is not None and not isinstance(error, OSError):
            self.github.errors.append(error)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # the body follows the headers at once
    server: _Server

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _serve(self) -> None:
        github = self.server.github
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.removeprefix(urlsplit(github.base_url).path)
        try:
            answer = github.take(Request(self.command, path, CaseInsensitiveDict(self.headers.items())))
        except Exception as error:
            github.errors.append(error)
            answer = Answer({"message": repr(error)}, 500)
        try:
            self._write(answer)
        except OSError:
            self.close_connection = True  # the client has gone

    def _write(self, answer: Answer | None) -> None:
        if answer is None:
            self.close_connection = True
            return
        body = _bytes_of(answer.body)
        self.send_response(answer.status)
        headers = {"Content-Type": "application/json; charset=utf-8", **answer.headers}
        if body and "gzip" in self.headers.get("Accept-Encoding", ""):
            body = gzip.compress(body)
            headers["Content-Encoding"] = "gzip"
        if answer.status != HTTPStatus.NOT_MODIFIED:
            headers.setdefault("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
