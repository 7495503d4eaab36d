"""Fixtures of the tests of the write side."""

import pytest

from deployments.models import Workspace
from tests.machines import Machine


@pytest.fixture
def ci(workspace: Workspace, key: str) -> Machine:
    """A CI script with a key of the workspace."""
    return Machine(key)
