"""Fixtures of the tests of the write side."""

import pytest
from django.conf import settings

from deployments import throttling
from deployments.models import Workspace
from tests.factories import make_key, make_workspace
from tests.machines import Machine


@pytest.fixture(autouse=True)
def _fresh_counters() -> None:
    """Forget what Redis has counted; what the database has is gone with each test."""
    if settings.CACHE_URL:
        throttling._storage().reset()


@pytest.fixture
def ci(workspace: Workspace, key: str) -> Machine:
    """A CI script with a key of the workspace."""
    return Machine(key)


@pytest.fixture
def other_ci(db: None) -> Machine:
    """A CI script of somebody else, in a workspace of their own."""
    return Machine(make_key(make_workspace("Globex")))
