"""Fixtures of the tests with real processes."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deployments import throttling
from tests.processes.installation import Installation, own_database


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A running installation that tests share: each reports names of its own, and leaves it running."""
    with own_database() as database_url:
        it = Installation(tmp_path_factory.mktemp("data"), database_url)
        try:
            it.start()
            yield it
        finally:
            it.kill()


@pytest.fixture
def install(tmp_path: Path) -> Iterator[Callable[..., Installation]]:
    """Make an installation with these environment variables; it is not started yet."""
    made: list[Installation] = []
    with own_database() as database_url:

        def make(**environment: str) -> Installation:
            made.append(Installation(tmp_path, database_url, **environment))
            return made[-1]

        yield make
        for it in made:
            it.kill()


@pytest.fixture
def _no_counters() -> None:
    """Forget what Redis has counted of keys that had the same number."""
    if hasattr(throttling._storage(), "storage"):
        throttling._storage().reset()
