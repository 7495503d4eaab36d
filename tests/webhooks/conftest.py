"""Fixtures of the tests of outgoing webhooks."""

from collections.abc import Iterator
from typing import Any

import pytest

from deployments.models import Workspace
from tests.deployments.receivers import Receiver, receiving
from tests.factories import make_key
from tests.machines import Machine


@pytest.fixture(autouse=True)
def _own_network(settings: Any) -> None:
    settings.SLIPWAY_ALLOWED_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    settings.BASE_URL = "https://slipway.example"
    settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, "slipway.example"]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture
def machine(workspace: Workspace) -> Machine:
    """A program that may do everything."""
    scopes = ["webhooks:write", "webhooks:read", "deployments:write", "deployments:read", "incidents:write"]
    return Machine(make_key(workspace, scopes=[*scopes, "incidents:read"]))
