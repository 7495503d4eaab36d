"""Fixtures of the tests of GitHub's events."""

import pytest

from deployments.models import Workspace
from tests.github.hooks import Github, Repo


@pytest.fixture
def github(workspace: Workspace) -> Github:
    """GitHub, with a webhook for the workspace."""
    return Github(workspace)


@pytest.fixture
def repo() -> Repo:
    return Repo()
