import pytest

from deployments.models import Workspace
from tests.failures.stories import Shop


@pytest.fixture
def shop(workspace: Workspace) -> Shop:
    return Shop(workspace)
