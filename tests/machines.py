"""Programs that talk to Slipway over HTTP, such as a CI script, for tests."""

import json
from typing import Any

from django.test import Client

from deployments.models import Deployment, Job
from deployments.processing import process_due_jobs

RATE_LIMIT_HEADERS = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")


def make_report(**changes: Any) -> dict[str, Any]:
    """Return the body of a report; None leaves a field out."""
    report = {
        "repositoryFullName": "acme/backend",
        "environment": "production",
        "app": "backend-api",
        "version": "v1.4.2",
        "commitHash": "a1b2c3d4e5f6a1b2c3d4e5f6a1b2c3d4e5f6a1b2",
        **changes,
    }
    return {name: value for name, value in report.items() if value is not None}


class Machine:
    """A program with an API key, or with none."""

    def __init__(self, key: str | None = None, address: str = "127.0.0.1") -> None:
        self.client = Client(REMOTE_ADDR=address)
        self.headers = {} if key is None else {"Authorization": f"Bearer {key}"}

    def request(self, method: str, path: str, body: Any = b"", /, **headers: str) -> Any:
        """Send a request; bytes are sent as they are, anything else as JSON. Content_Type is that header."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        content_type = named.pop("Content-Type", "application/json")
        return self.client.generic(method, path, data, content_type=content_type, headers={**self.headers, **named})

    def get(self, path: str, **headers: str) -> Any:
        return self.request("GET", path, **headers)

    def post(self, path: str, body: Any = b"", /, **headers: str) -> Any:
        return self.request("POST", path, body, **headers)

    def report(self, body: Any = None, /, **changes: Any) -> Any:
        """Report a deployment: a body as it is, or the usual one with changes."""
        return self.post("/v1/deployments", make_report(**changes) if body is None else body)

    def deploy(self, **changes: Any) -> Deployment:
        """Report a deployment, have it processed, and return it."""
        answer = self.report(**changes)
        assert answer.status_code == 202, answer.content
        process_due_jobs()
        job = Job.objects.get(pk=answer.json()["id"])
        assert job.deployment is not None, job.log
        return job.deployment


def faults_of(answer: Any) -> set[tuple[str, str]]:
    """Return what is wrong with which field, as a problem says it."""
    return {(error["field"], error["code"]) for error in answer.json()["errors"]}


def assert_problem(answer: Any, status: int) -> dict[str, Any]:
    """Assert that an answer is a problem of this status with all that belongs to one, and return its body."""
    assert answer.status_code == status, answer.content[:1000]
    assert answer["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    return body
