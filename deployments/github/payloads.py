"""Reads what GitHub's events say into the words of the domain.

Payloads differ between events, versions and Enterprise Servers, and none is complete: what is not there is not told.
Nothing is validated against a schema (GitHub's own lags behind its payloads); only what an event is about must be
there. `../../docs/github.md` has the table of events.
"""

import contextlib
import datetime
import json
import re
from typing import Any

from deployments.commits import CommitReport
from deployments.incidents import IssueFacts
from deployments.names import normalise_monorepo_path, normalise_sha
from deployments.origin_reports import StatusReport
from deployments.pull_requests import PullRequestFacts, ReviewFacts
from deployments.pushes import PushReport
from deployments.repositories import RepositoryFacts
from deployments.reverts import reverted_number
from deployments.triggers import WorkflowRun

Payload = dict[str, Any]

# GitHub lists no more commits of a push, and no more files of a commit: at these numbers some may be missing.
MOST_COMMITS = 2048
MOST_FILES = 3000
_MESSAGE_LENGTH = 4000
_FAR_OFF = 3000  # years
_LARGEST_PAYLOAD = 65_536  # characters
_SHA = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_VERSION = re.compile(r"[vV]?\d+(\.\d+)+([-+.].*)?")
_STATES = {"success", "pending", "queued", "in_progress", "failure", "error", "inactive", "waiting"}


class Unreadable(ValueError):
    """An event lacks what it is about. Its text names the field."""


def part(payload: Payload, name: str) -> Payload:
    """Return an object of the payload, or an empty one."""
    value = payload.get(name)
    return value if isinstance(value, dict) else {}


def text(payload: Payload, name: str, limit: int = 255) -> str:
    """Return a text of the payload, or an empty one."""
    value = payload.get(name)
    return value.strip()[:limit] if isinstance(value, str) else ""


def web_address(payload: Payload, *names: str) -> str:
    """Return the first of several texts that is an http(s) address: what is shown as a link must not run a script."""
    values = (text(payload, name, 2000) for name in names)
    return next((value for value in values if value.lower().startswith(("http://", "https://"))), "")


def items(payload: Payload, name: str) -> list[Any]:
    """Return a list of the payload, or an empty one."""
    value = payload.get(name)
    return value if isinstance(value, list) else []


def number(payload: Payload, name: str, *, bits: int = 64) -> int | None:
    """Return a whole number that fits a column of so many bits, or None."""
    value = payload.get(name)
    fits = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2 ** (bits - 1)
    return value if fits else None


def flag(payload: Payload, name: str) -> bool | None:
    """Return a truth value of the payload, or None."""
    value = payload.get(name)
    return value if isinstance(value, bool) else None


def moment(payload: Payload, name: str) -> datetime.datetime | None:
    """Return a moment that is written as ISO 8601, or as seconds since 1970; None where it is neither.

    So is what lies so far off that nothing could be reckoned with it.
    """
    value = payload.get(name)
    try:
        if isinstance(value, int) and not isinstance(value, bool):
            found = datetime.datetime.fromtimestamp(value, datetime.UTC)
        elif isinstance(value, str):
            found = datetime.datetime.fromisoformat(value.strip())
        else:
            return None
        found = found.replace(tzinfo=datetime.UTC) if found.tzinfo is None else found.astimezone(datetime.UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return found if 1970 <= found.year < _FAR_OFF else None


def required_moment(payload: Payload, *names: str) -> datetime.datetime:
    """Return the first of several moments that is there. Raises Unreadable."""
    for name in names:
        if found := moment(payload, name):
            return found
    raise Unreadable(f"The event has no {names[0]}.")


def sha(value: Any) -> str:
    """Return a commit hash, or nothing: GitHub writes zeros where there is none."""
    if not isinstance(value, str) or not _SHA.fullmatch(found := normalise_sha(value)):
        return ""
    return "" if set(found) == {"0"} else found


def is_bot(user: Payload) -> bool:
    """Tell whether an account is a machine's."""
    return user.get("type") == "Bot" or text(user, "login").endswith("[bot]")


def repository_facts(payload: Payload) -> RepositoryFacts | None:
    """Return what an event tells of its repository; None where it has none, as the ping of an organisation."""
    repository = part(payload, "repository")
    github_id, name = number(repository, "id"), text(repository, "full_name")
    if github_id is None or not name:
        return None
    return RepositoryFacts(
        github_id=github_id,
        full_name=name,
        told_at=moment(repository, "updated_at"),
        default_branch=text(repository, "default_branch") or text(repository, "master_branch"),
        is_archived=repository.get("archived") is True,
        former_name=_former_name(payload, name),
    )


def _former_name(payload: Payload, full_name: str) -> str:
    """Return the full name from before a repository was renamed or transferred."""
    changes, action = part(payload, "changes"), payload.get("action")
    owner, _, name = full_name.partition("/")
    if action == "renamed":
        before = text(part(part(changes, "repository"), "name"), "from")
        return f"{owner}/{before}" if before else ""
    if action == "transferred":
        origin = part(part(changes, "owner"), "from")
        login = text(part(origin, "user"), "login") or text(part(origin, "organization"), "login")
        return f"{login}/{name}" if login else ""
    return ""


def push_report(payload: Payload, received_at: datetime.datetime) -> PushReport:
    """Return a push. Raises Unreadable."""
    ref = text(payload, "ref", 500)
    if not ref.startswith("refs/"):
        raise Unreadable("The push has no ref.")
    commits = [commit for commit in items(payload, "commits") if isinstance(commit, dict) and sha(commit.get("id"))]
    head = part(payload, "head_commit")
    after = sha(payload.get("after"))
    if ref.startswith("refs/tags/") and after:
        after = sha(head.get("id")) or after  # an annotated tag is an object of its own
    if not commits and after and sha(head.get("id")) == after:
        commits, known = [head], {after}  # nothing new, but what it stands on is told
    else:
        known = {sha(commit["id"]) for commit in commits if commit.get("distinct") is False}
    return PushReport(
        ref=ref,
        before=sha(payload.get("before")),
        after=after,
        pushed_at=_pushed_at(payload, head, received_at),
        commits=tuple(pushed_commit(commit) for commit in commits),
        known_before=frozenset(known),
        is_forced=payload.get("forced") is True,
        is_truncated=len(commits) >= MOST_COMMITS,
    )


def _pushed_at(payload: Payload, head: Payload, received_at: datetime.datetime) -> datetime.datetime:
    pushed = moment(part(payload, "repository"), "pushed_at") or moment(head, "timestamp") or received_at
    return min(pushed, received_at)


def pushed_commit(commit: Payload) -> CommitReport:
    """Return a commit as pushes list it: with the date that it was committed at, and no parents."""
    author = part(commit, "author")
    files = [
        file
        for name in ("added", "removed", "modified")
        for file in items(commit, name)
        if isinstance(file, str) and file
    ]
    is_told = any(isinstance(commit.get(name), list) for name in ("added", "removed", "modified"))
    return CommitReport(
        sha=sha(commit["id"]),
        committed_at=moment(commit, "timestamp"),
        author=text(author, "name") or text(author, "username"),
        message=text(commit, "message", _MESSAGE_LENGTH),
        files=tuple(dict.fromkeys(files)) if is_told and len(files) < MOST_FILES else None,
    )


def listed_commit(row: Payload) -> CommitReport | None:
    """Return a commit as GitHub's API has it, with its parents and both dates; files where the answer has them."""
    found = sha(row.get("sha"))
    if not found:
        return None
    inner, files, parents = part(row, "commit"), row.get("files"), row.get("parents")
    author, committer = part(inner, "author"), part(inner, "committer")
    return CommitReport(
        sha=found,
        parents=tuple(dict.fromkeys(sha(one.get("sha")) for one in parents if isinstance(one, dict)))
        if isinstance(parents, list)
        else None,
        authored_at=moment(author, "date"),
        committed_at=moment(committer, "date"),
        author=text(author, "name") or text(part(row, "author"), "login"),
        message=text(inner, "message", _MESSAGE_LENGTH),
        files=_touched(files) if isinstance(files, list) else None,
    )


def _touched(files: list[Any]) -> tuple[str, ...] | None:
    """Return the paths that a commit touched, both of what it renamed; None where GitHub did not list them all."""
    if len(files) >= MOST_FILES:
        return None
    rows = [file for file in files if isinstance(file, dict)]
    names = [text(row, name, 4096) for row in rows for name in ("filename", "previous_filename")]
    return tuple(dict.fromkeys(name for name in names if name))


def pull_request_facts(payload: Payload) -> PullRequestFacts:
    """Return what an event tells of its pull request. Raises Unreadable."""
    row, action = part(payload, "pull_request"), payload.get("action")
    facts_number = number(row, "number", bits=32)
    if facts_number is None:
        raise Unreadable("The event has no number of a pull request.")
    user, head, base = part(row, "user"), part(row, "head"), part(row, "base")
    merged_at = moment(row, "merged_at")
    told_at = required_moment(row, "updated_at", "created_at")
    labels, draft = row.get("labels"), row.get("draft")
    home, origin = part(base, "repo"), part(head, "repo")
    return PullRequestFacts(
        number=facts_number,
        told_at=told_at,
        opened_at=required_moment(row, "created_at"),
        title=text(row, "title", 500),
        url=web_address(row, "html_url"),
        author=text(user, "login"),
        author_is_bot=is_bot(user),
        is_draft=draft if isinstance(draft, bool) else None,
        labels=label_names(labels) if isinstance(labels, list) else None,
        head_ref=text(head, "ref"),
        base_ref=text(base, "ref"),
        head_sha=sha(head.get("sha")),
        other_head_shas=tuple(found for name in ("before", "after") if (found := sha(payload.get(name)))),
        head_is_elsewhere=origin.get("id") != home.get("id"),
        # GitHub tells a merge commit of open ones too: that of a trial.
        merge_commit_sha=sha(row.get("merge_commit_sha")) if merged_at else "",
        commits_count=number(row, "commits", bits=32),
        merged_at=merged_at,
        closed_at=moment(row, "closed_at"),
        ready_at=told_at if action == "ready_for_review" else None,
        opened_as_draft=draft if action == "opened" and isinstance(draft, bool) else None,
        reverts_number=reverted_number(
            text(row, "body", _MESSAGE_LENGTH), text(head, "ref"), text(home, "full_name")
        ),
        rank={"opened": 0, "closed": 2}.get(str(action), 1),
    )


def label_names(labels: list[Any]) -> tuple[str, ...]:
    """Return the names of labels."""
    return tuple(text(label, "name") for label in labels if isinstance(label, dict))


def review_facts(review: Payload, *, is_dismissed: bool = False) -> ReviewFacts | None:
    """Return a review, or None where it was not submitted yet."""
    github_id, submitted_at = number(review, "id"), moment(review, "submitted_at")
    if github_id is None or submitted_at is None:
        return None
    user = part(review, "user")
    state = "dismissed" if is_dismissed else text(review, "state", 20).lower()
    return ReviewFacts(github_id, text(user, "login"), is_bot(user), state, submitted_at)


def status_report(status: Payload) -> StatusReport | None:
    """Return a status of a deployment; None where its state is none that is known."""
    github_id, state = number(status, "id"), text(status, "state")
    if github_id is None or state not in _STATES:
        return None
    return StatusReport(
        external_id=github_id,
        state=state,
        created_at=required_moment(status, "created_at"),
        description=text(status, "description"),
        environment=text(status, "environment"),
        environment_url=web_address(status, "environment_url"),
        log_url=web_address(status, "log_url", "target_url"),
    )


def stated_payload(deployment: Payload) -> Any:
    """Return the payload that a deployment was created with: an object, also where it was written as a text.

    Any other text stays as it is; what says nothing is an empty object.
    """
    given = deployment.get("payload")
    if isinstance(given, str):
        with contextlib.suppress(ValueError, RecursionError):
            parsed = json.loads(given)
            given = parsed if isinstance(parsed, dict) else given
    return given or {}


def kept_payload(deployment: Payload) -> Any:
    """Return the payload that is kept of a deployment of GitHub: None where there is none, or a very large one."""
    found = stated_payload(deployment)
    return found if found and len(json.dumps(found)) <= _LARGEST_PAYLOAD else None


def own_fields(deployment: Payload) -> dict[str, str]:
    """Return what the payload of a deployment says: app, version, author, monorepoPath (or monorepo_path)."""
    given = stated_payload(deployment)
    if not isinstance(given, dict):
        return {}
    fields = {name: text(given, name) for name in ("app", "version", "author")}
    path = given.get("monorepoPath", given.get("monorepo_path"))
    if isinstance(path, str):
        with contextlib.suppress(ValueError):  # it names no directory of the repository
            fields["monorepoPath"] = normalise_monorepo_path(path)[:255]
    return fields


def version_of(deployment: Payload) -> str:
    """Return the version of a deployment: its payload's, a tag's, or else the commit's."""
    if version := own_fields(deployment).get("version"):
        return version
    ref = text(deployment, "ref")
    if ref.startswith("refs/tags/"):
        return ref.removeprefix("refs/tags/")
    return ref if _VERSION.fullmatch(ref) else sha(deployment.get("sha"))[:12]


def workflow_run(payload: Payload) -> WorkflowRun:
    """Return a workflow run. Raises Unreadable."""
    run = part(payload, "workflow_run")
    if number(run, "id") is None or not sha(run.get("head_sha")):
        raise Unreadable("The event has no id or no head_sha of a workflow run.")
    return WorkflowRun(
        external_id=f"{run['id']}.{number(run, 'run_attempt') or 1}",
        name=text(run, "name") or text(part(payload, "workflow"), "name"),
        path=text(run, "path") or text(part(payload, "workflow"), "path"),
        branch=text(run, "head_branch"),
        head_sha=sha(run["head_sha"]),
        finished_at=required_moment(run, "updated_at", "run_started_at", "created_at"),
        author=text(part(run, "actor"), "login"),
        url=web_address(run, "html_url"),
    )


def issue_facts(payload: Payload) -> IssueFacts:
    """Return what an event tells of its issue. Raises Unreadable."""
    issue, action = part(payload, "issue"), payload.get("action")
    github_id = number(issue, "id")
    if github_id is None:
        raise Unreadable("The event has no issue.")
    is_closed = issue.get("state") == "closed"
    lost = text(part(payload, "label"), "name") if action == "unlabeled" else ""
    return IssueFacts(
        github_id=github_id,
        title=text(issue, "title", 500) or f"Issue {github_id}",
        url=web_address(issue, "html_url"),
        labels=label_names(items(issue, "labels")),
        opened_at=required_moment(issue, "created_at"),
        closed_at=moment(issue, "closed_at") if is_closed else None,
        told_at=required_moment(issue, "updated_at", "created_at"),
        lost_labels=(lost,) if lost else (),
        is_gone=action in ("deleted", "transferred"),
        rank={"opened": 0, "deleted": 3, "transferred": 3}.get(str(action), 1),
    )
