"""Fixtures of the tests of incidents."""

from collections.abc import Callable
from typing import Any

import pytest

from deployments.models import Workspace
from tests.factories import NOON, make_deployment, make_key, make_track, make_workspace
from tests.machines import Machine


@pytest.fixture
def monitor(workspace: Workspace, key: str) -> Machine:
    """A monitor with a key of the workspace, in which the application “api” has been deployed to production."""
    make_deployment(make_track(workspace), NOON, version="v1")
    return Machine(key)


@pytest.fixture
def stranger(db: None) -> Machine:
    """A monitor of somebody else, in a workspace of their own."""
    return Machine(make_key(make_workspace("Globex")))


@pytest.fixture
def opened(monitor: Machine) -> Callable[..., dict[str, Any]]:
    """Open an incident and return it."""

    def open_one(**changes: Any) -> dict[str, Any]:
        answer = monitor.post("/v1/incidents", make_body(**changes))
        assert answer.status_code == 201, answer.content
        return answer.json()  # type: ignore[no-any-return]

    return open_one


def make_body(**changes: Any) -> dict[str, Any]:
    """Return the body that opens an incident; None leaves a field out."""
    body = {
        "title": "Checkout is down",
        "app": "api",
        "environment": "production",
        "startedAt": "2026-03-02T12:30:00Z",
        **changes,
    }
    return {name: value for name, value in body.items() if value is not None}
