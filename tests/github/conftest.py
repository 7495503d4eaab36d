"""Fixtures of the tests of GitHub's events."""

import pytest

from deployments.models import Workspace
from tests.factories import make_key
from tests.github.hooks import Github, Repo
from tests.machines import Machine


@pytest.fixture
def github(workspace: Workspace) -> Github:
    """GitHub, with a webhook for the workspace."""
    return Github(workspace)


@pytest.fixture
def repo() -> Repo:
    return Repo()


@pytest.fixture
def ci(workspace: Workspace) -> Machine:
    """A CI script with a key of the workspace."""
    return Machine(make_key(workspace))
