"""What GitHub's answers say: the errors that they amount to, and the rows that they hold."""

import datetime
import email.utils
from collections.abc import Callable
from typing import Any

import requests

Row = dict[str, Any]

# How long to wait for a limit that does not tell its end, as GitHub's documentation has it.
MINUTE = datetime.timedelta(minutes=1)
_EPOCH = datetime.datetime.fromtimestamp(0, datetime.UTC)


class GithubError(Exception):
    """GitHub did not give what was asked for. The text is for people; `status` is GitHub's, where it answered."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class NotFound(GithubError):
    """There is no such thing, or it is not for these credentials to see: GitHub does not tell which."""


class NotAllowed(GithubError):
    """The credentials are wrong, or do not reach this far."""


class RateLimited(GithubError):
    """Too much was asked for. `until` is when GitHub will answer again."""

    def __init__(self, message: str, status: int | None = None, until: datetime.datetime | None = None) -> None:
        super().__init__(message, status)
        self.until = until or now() + MINUTE


class Unavailable(GithubError):
    """GitHub cannot be reached, is in trouble, or something else answers in its place."""


def now() -> datetime.datetime:
    """Return this moment, in UTC."""
    return datetime.datetime.now(datetime.UTC)


def reason(error: requests.RequestException) -> str:
    """Return what happened to a request that got no answer."""
    if isinstance(error, requests.Timeout):
        return "did not answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return "has a certificate that is not trusted"
    if isinstance(error, requests.exceptions.ProxyError):
        return "cannot be reached through the proxy"
    return "cannot be reached" if isinstance(error, requests.ConnectionError) else "broke its answer off"


def failure(response: requests.Response, hide: Callable[[str], str]) -> GithubError:
    """Return the error that an answer amounts to; `hide` takes what is secret out of its text."""
    status, said = response.status_code, _said(response)
    what = hide(f"GitHub answered {status} to {_asked(response)}: {said or response.reason}")
    if until := _limited_until(response):
        return RateLimited(what, status, until)
    if status >= 500:
        return Unavailable(what, status)
    if said is None:
        return Unavailable(f"{what} (not in the form of its API: something else may have answered)", status)
    if status in (404, 410, 451) or (status == 422 and "no commit found" in said.lower()):
        return NotFound(what, status)
    return (NotAllowed if status in (401, 403) else GithubError)(what, status)


def _asked(response: requests.Response) -> str:
    return f"{response.request.method} {response.url.partition('?')[0]}"


def _said(response: requests.Response) -> str | None:
    """Return the message of an error of GitHub's, or None where the answer is not in its form."""
    try:
        body = response.json()
    except (ValueError, RecursionError):
        return None
    return str(body.get("message", ""))[:500] if isinstance(body, dict) else None


def _limited_until(response: requests.Response) -> datetime.datetime | None:
    """Return when the rate limit ends that an answer tells of, or None where it tells of none."""
    if response.status_code not in (403, 429):
        return None
    if after := response.headers.get("Retry-After"):
        return _moment(after, since=now())
    if response.headers.get("X-RateLimit-Remaining", "").strip() == "0":
        return _moment(response.headers.get("X-RateLimit-Reset", ""), since=_EPOCH)
    is_secondary = b"secondary rate limit" in response.content.lower()
    return now() + MINUTE if is_secondary or response.status_code == 429 else None


def _moment(header: str, since: datetime.datetime) -> datetime.datetime:
    """Return the moment that seconds or a date stand for: at least a second ahead, a minute where it is neither."""
    try:
        if header.strip().isdigit():
            found = since + datetime.timedelta(seconds=int(header))
        else:
            found = email.utils.parsedate_to_datetime(header).astimezone(datetime.UTC)
    except (ValueError, OverflowError):
        return now() + MINUTE
    return max(found, now() + datetime.timedelta(seconds=1))


def read_json(response: requests.Response) -> Any:
    """Return what an answer holds. Raises Unavailable where that is no JSON."""
    if not response.content:
        return None
    try:
        return response.json()
    except (ValueError, RecursionError):
        what = f"{_asked(response)} was answered with something else than JSON: is it GitHub's API?"
        raise Unavailable(what, response.status_code) from None


def as_object(value: Any) -> Row:
    """Return an answer that has to be an object. Raises Unavailable."""
    if not isinstance(value, dict):
        raise Unavailable("GitHub's answer is no JSON object where it ought to be one")
    return value


def as_rows(body: Any, name: str | None = None) -> list[Row]:
    """Return the list that an answer is, or that it holds: by its name, or as the only one. Raises Unavailable."""
    lists = [body]
    if isinstance(body, dict):
        lists = [value for key, value in body.items() if isinstance(value, list) and name in (None, key)]
    if len(lists) != 1 or not isinstance(lists[0], list):
        raise Unavailable("GitHub's answer has no list where it ought to have one")
    return lists[0]
