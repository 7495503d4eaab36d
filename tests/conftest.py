"""Fixtures that the whole suite shares."""

import pytest
from django.test import Client

from deployments.models import User, Workspace
from tests import factories


@pytest.fixture
def workspace(db: None) -> Workspace:
    return factories.make_workspace()


@pytest.fixture
def person(workspace: Workspace) -> User:
    return factories.make_user(workspace, "ada@example.com")


@pytest.fixture
def pages(client: Client, person: User) -> Client:
    """A browser in which a member of the workspace is logged in."""
    client.force_login(person)
    return client


@pytest.fixture
def key(workspace: Workspace) -> str:
    return factories.make_key(workspace)
