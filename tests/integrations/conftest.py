"""Fixtures of the tests of what runs in CI."""

from pathlib import Path

import pytest

from tests.integrations.clones import make_clone


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone with one commit, tagged v1."""
    return make_clone(tmp_path / "clone")
