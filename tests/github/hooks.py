"""GitHub as a sender of webhooks, for tests: signs what it delivers, and makes payloads of the shape it has."""

import datetime as dt
import hashlib
import hmac
import itertools
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

from django.test import Client

from deployments.models import DeploymentSecret, Job, Workspace
from deployments.processing import finish_pending_work, process_due_jobs
from tests.factories import make_workspace

EXAMPLES = Path(__file__).with_name("examples")
Payload = dict[str, Any]
_Thing = TypeVar("_Thing")
MONDAY = dt.datetime(2026, 3, 2, 9, 0, tzinfo=dt.UTC)
_guids = itertools.count(1)


def sign(body: bytes, secret: str, algorithm: str = "sha256") -> str:
    return f"{algorithm}={hmac.new(secret.encode(), body, getattr(hashlib, algorithm)).hexdigest()}"


class Github:
    """A webhook configured in GitHub with the payload URL and the secret of a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.secret = DeploymentSecret.rotate(workspace, dt.timedelta())
        self.path = f"/api/workspaces/{workspace.pk}/deployments/github-webhook"
        self.client = Client()

    def send(self, body: bytes, content_type: str = "application/json", /, **headers: str) -> Any:
        """Send a body with headers as they are."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.generic("POST", self.path, body, content_type=content_type, headers=named)

    def deliver(self, event: str, payload: Payload, *, guid: str = "", form: bool = False) -> Job:
        """Deliver an event as GitHub does, and return its job."""
        text = json.dumps(payload)
        body = urlencode({"payload": text}).encode() if form else text.encode()
        answer = self.send(
            body,
            "application/x-www-form-urlencoded" if form else "application/json",
            X_GitHub_Event=event,
            X_GitHub_Delivery=guid or f"guid-{next(_guids)}",
            X_Hub_Signature_256=sign(body, self.secret),
            X_Hub_Signature=sign(body, self.secret, "sha1"),
        )
        assert answer.status_code == 202, answer.content
        return Job.objects.get(pk=answer.json()["id"])

    def tell(self, *events: tuple[str, Payload]) -> None:
        """Deliver events one after another, each processed before the next."""
        for event, payload in events:
            job = self.deliver(event, payload)
            work()
            job.refresh_from_db()
            assert job.status == "COMPLETE", job.log


def github_afresh() -> Github:
    """Return GitHub with a webhook for the only workspace: an example of Hypothesis may break off half-way."""
    Workspace.objects.all().delete()
    return Github(make_workspace())


def work() -> None:
    """Process everything that is due, as a worker does."""
    process_due_jobs()
    finish_pending_work()


def examples(event: str) -> list[Payload]:
    """Return the payloads that GitHub's public collection has of an event."""
    rows: list[Payload] = json.loads((EXAMPLES / f"{event}.json").read_text())
    return rows


def at(hours: float) -> dt.datetime:
    """Return a moment so many hours after Monday morning."""
    return MONDAY + dt.timedelta(hours=hours)


def iso(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def sha(name: str) -> str:
    """Return the hash of a commit that tests call by a name."""
    return hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()


ZERO = "0" * 40
# Of a property test over deliveries, each of which goes down the whole road.
_IS_THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"


def orders(things: Sequence[_Thing]) -> list[tuple[_Thing, ...]]:
    """Return orders in which things may come: all where there is time, else the right one and every fifth other."""
    found = list(itertools.permutations(things))
    return found if _IS_THOROUGH or len(found) <= 6 else found[::5]


SOME_EXAMPLES = 4 if os.environ.get("HYPOTHESIS_PROFILE") == "quick" else 10


class Repo:
    """A repository on GitHub: makes the events that happen in it."""

    def __init__(self, full_name: str = "acme/shop", github_id: int = 4711) -> None:
        self.full_name = full_name
        self.github_id = github_id

    def json(self, told_at: dt.datetime, **fields: Any) -> Payload:
        owner, _, name = self.full_name.partition("/")
        return {
            "id": self.github_id,
            "name": name,
            "full_name": self.full_name,
            "owner": {"login": owner, "id": 1, "type": "Organization"},
            "default_branch": "main",
            "archived": False,
            "updated_at": iso(MONDAY),
            "pushed_at": iso(told_at),
            **fields,
        }

    def push(
        self, ref: str, before: str, commits: list[Payload], hours: float, *, after: str = "", **fields: Any
    ) -> tuple[str, Payload]:
        """A push of listed commits, oldest first; `before` and `after` are names of commits, or empty."""
        after = sha(after) if after else commits[-1]["id"] if commits else ZERO
        moment = at(hours)
        return "push", {
            "ref": ref if ref.startswith("refs/") else f"refs/heads/{ref}",
            "before": sha(before) if before else ZERO,
            "after": after,
            "created": not before,
            "deleted": after == ZERO,
            "forced": False,
            "base_ref": None,
            "commits": commits,
            "head_commit": commits[-1] if commits else None,
            "pusher": {"name": "ada"},
            "repository": {**self.json(moment), "pushed_at": int(moment.timestamp())},
            **fields,
        }

    def pull_request(self, number: int, action: str, hours: float, **fields: Any) -> tuple[str, Payload]:
        """An event of a pull request from the branch `topic` to `main`; `extra` goes beside it."""
        extra = fields.pop("extra", {})
        return "pull_request", {
            "action": action,
            "number": number,
            "pull_request": self.pull_request_json(number, hours, **fields),
            "repository": self.json(at(hours)),
            **extra,
        }

    def pull_request_json(self, number: int, hours: float, **fields: Any) -> Payload:
        opened = fields.pop("opened", hours)
        head, base = fields.pop("head", "topic"), fields.pop("base", "main")
        head_sha = fields.pop("head_sha", "")
        merged, closed = fields.pop("merged", None), fields.pop("closed", None)
        login = fields.pop("login", "ada")
        merge_sha = fields.pop("merge_sha", "trial merge")
        return {
            "id": 9000 + number,
            "number": number,
            "title": fields.pop("title", f"Change {number}"),
            "html_url": f"https://github.com/{self.full_name}/pull/{number}",
            "state": "open" if closed is None and merged is None else "closed",
            "draft": fields.pop("draft", False),
            "user": {"login": login, "type": "Bot" if login.endswith("[bot]") else "User"},
            "labels": [{"name": name} for name in fields.pop("labels", [])],
            "created_at": iso(at(opened)),
            "updated_at": iso(at(hours)),
            "merged": merged is not None,
            "merged_at": None if merged is None else iso(at(merged)),
            "closed_at": iso(at(closed if merged is None else merged)) if (closed or merged) is not None else None,
            "merge_commit_sha": sha(merge_sha),
            "commits": fields.pop("commits", 1),
            "head": {"ref": head, "sha": sha(head_sha), "repo": {"id": fields.pop("fork", self.github_id)}},
            "base": {"ref": base, "sha": sha("base"), "repo": {"id": self.github_id}},
            **fields,
        }

    def review(
        self, number: int, hours: float, state: str = "commented", login: str = "grace", **fields: Any
    ) -> tuple[str, Payload]:
        action = fields.pop("action", "submitted")
        submitted = fields.pop("submitted", hours)
        row = self.pull_request_json(number, hours, **fields)
        for name in ("merged", "commits"):
            row.pop(name)  # GitHub's events of reviews have a reduced pull request
        return "pull_request_review", {
            "action": action,
            "review": {
                "id": int(5000 + submitted * 100),
                "state": state,
                "submitted_at": iso(at(submitted)),
                "user": {"login": login, "type": "Bot" if login.endswith("[bot]") else "User"},
            },
            "pull_request": row,
            "repository": self.json(at(hours)),
        }

    def deployment_json(self, number: int, commit: str, hours: float, **fields: Any) -> Payload:
        environment = fields.pop("environment", "production")
        return {
            "id": 8_000_000_000 + number,
            "sha": sha(commit),
            "ref": "main",
            "task": "deploy",
            "payload": {},
            "environment": environment,
            "original_environment": environment,
            "description": None,
            "creator": {"login": "ada", "type": "User"},
            "created_at": iso(at(hours)),
            "updated_at": iso(at(hours)),
            "transient_environment": False,
            "production_environment": environment == "production",
            **fields,
        }

    def deployment(self, number: int, commit: str, hours: float, **fields: Any) -> tuple[str, Payload]:
        return "deployment", {
            "action": "created",
            "deployment": self.deployment_json(number, commit, hours, **fields),
            "repository": self.json(at(hours)),
        }

    def deployment_status(
        self, number: int, commit: str, state: str, hours: float, **fields: Any
    ) -> tuple[str, Payload]:
        """A status of a deployment that was created a quarter of an hour before it, unless `created` says when."""
        created = fields.pop("created", hours - 0.25)
        status = {
            "id": int(7_000_000 + number * 10_000 + hours * 100),
            "state": state,
            "environment": fields.get("environment", "production"),
            "created_at": iso(at(hours)),
            "description": "",
            "log_url": "https://ci.example/run/1",
            "target_url": "",
            "environment_url": "",
            **fields.pop("status", {}),
        }
        return "deployment_status", {
            "action": "created",
            "deployment_status": status,
            "deployment": self.deployment_json(number, commit, created, **fields),
            "repository": self.json(at(hours)),
        }

    def release(self, action: str, tag: str, hours: float, **fields: Any) -> tuple[str, Payload]:
        """An event of the release of a tag, published at `published` or at the moment itself."""
        published = fields.pop("published", hours)
        return "release", {
            "action": action,
            "release": {
                "id": fields.pop("release_id", 300),
                "tag_name": tag,
                "name": f"Release {tag}",
                "target_commitish": "main",
                "draft": False,
                "prerelease": False,
                "author": {"login": "ada", "type": "User"},
                "html_url": f"https://github.com/{self.full_name}/releases/{tag}",
                "created_at": iso(at(hours - 1)),
                "published_at": None if published is None else iso(at(published)),
                **fields,
            },
            "repository": self.json(at(hours)),
        }

    def tag(self, name: str, commit_name: str, hours: float, before: str = "", **fields: Any) -> tuple[str, Payload]:
        """The push of an annotated tag: `after` is the tag itself, and no commits are listed."""
        event = self.push(f"refs/tags/{name}", before, [], hours, after=f"tag object {name}", **fields)
        event[1]["head_commit"] = commit(commit_name, hours - 0.5)
        return event

    def workflow_run(self, commit_name: str, hours: float, **fields: Any) -> tuple[str, Payload]:
        action = fields.pop("action", "completed")
        return "workflow_run", {
            "action": action,
            "workflow_run": {
                "id": 30_000_000_000,
                "name": "Deploy",
                "path": ".github/workflows/deploy.yml",
                "head_branch": "main",
                "head_sha": sha(commit_name),
                "event": "push",
                "status": "completed",
                "conclusion": "success",
                "run_number": 1,
                "run_attempt": 1,
                "actor": {"login": "ada", "type": "User"},
                "html_url": f"https://github.com/{self.full_name}/actions/runs/30000000000",
                "created_at": iso(at(hours - 0.2)),
                "run_started_at": iso(at(hours - 0.2)),
                "updated_at": iso(at(hours)),
                "pull_requests": [],
                **fields,
            },
            "workflow": {"name": "Deploy", "path": ".github/workflows/deploy.yml"},
            "repository": self.json(at(hours)),
        }

    def repository(self, action: str, hours: float, **fields: Any) -> tuple[str, Payload]:
        """An event of the repository itself, which moves its `updated_at`; `changes` says what it was before."""
        changes = fields.pop("changes", {})
        return "repository", {
            "action": action,
            "changes": changes,
            "repository": self.json(at(hours), updated_at=iso(at(hours)), **fields),
        }

    def renamed_to(self, full_name: str, hours: float) -> tuple[str, Payload]:
        """Call the repository by another name of the same owner, and return the event that says so."""
        before = self.full_name.partition("/")[2]
        self.full_name = full_name
        return self.repository("renamed", hours, changes={"repository": {"name": {"from": before}}})

    def issue(self, action: str, hours: float, *labels: str, **fields: Any) -> tuple[str, Payload]:
        """An event of the issue #1, which has these labels after it."""
        closed, label = fields.pop("closed", None), fields.pop("label", "")
        return "issues", {
            "action": action,
            "issue": {
                "id": fields.pop("issue_id", 6001),
                "number": 1,
                "title": "The shop is down",
                "html_url": f"https://github.com/{self.full_name}/issues/1",
                "state": "open" if closed is None else "closed",
                "labels": [{"name": name} for name in labels],
                "created_at": iso(at(1)),
                "updated_at": iso(at(hours)),
                "closed_at": None if closed is None else iso(at(closed)),
                **fields,
            },
            **({"label": {"name": label}} if label else {}),
            "repository": self.json(at(hours)),
        }

    def dispatch(self, hours: float, **client_payload: Any) -> tuple[str, Payload]:
        return "repository_dispatch", {
            "action": "deployed",
            "branch": "main",
            "client_payload": client_payload,
            "repository": self.json(at(hours)),
        }


def commit(
    name: str, hours: float, message: str = "", files: tuple[str, ...] = ("app.py",), **fields: Any
) -> Payload:
    """Return a commit as a push lists it."""
    return {
        "id": sha(name),
        "message": message or f"Commit {name}",
        "timestamp": at(hours).isoformat(),
        "author": {"name": "Ada", "username": "ada", "email": "ada@example.com"},
        "committer": {"name": "Ada", "username": "ada", "email": "ada@example.com"},
        "added": [],
        "removed": [],
        "modified": list(files),
        "distinct": True,
        **fields,
    }
