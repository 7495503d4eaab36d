"""Fixtures of the tests of the GitHub-style API."""

import pytest

from deployments.models import Workspace
from tests.factories import make_key
from tests.github.hooks import Github, Repo
from tests.github_style.client import GithubClient
from tests.machines import Machine


@pytest.fixture
def api(workspace: Workspace) -> GithubClient:
    """A client with a key of the workspace called “GitHub Actions”."""
    return GithubClient(make_key(workspace, name="GitHub Actions"))


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
