"""Fixtures that the whole suite shares.

`HYPOTHESIS_PROFILE=thorough` tries many more examples than the suite has time for, `quick`, which CI uses, fewer.
"""

import os
from collections.abc import Generator
from pathlib import Path

import pytest
from django.test import Client, SimpleTestCase
from hypothesis import HealthCheck, settings

from deployments.models import User, Workspace
from tests import factories

# The suite says the same on every machine; the thorough profile goes on looking.
settings.register_profile(
    "suite",
    max_examples=60,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
settings.register_profile("thorough", settings.get_profile("suite"), derandomize=False, max_examples=3000)
settings.register_profile("quick", settings.get_profile("suite"), max_examples=15)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what touches no database: it says the same on any, so it is run on one."""
    for item in items:
        if not _touches_a_database(item) or _is_about_the_wire(item):
            item.add_marker(pytest.mark.once)


# They are about pages, payloads and answers, and reach the database by what the others try on both.
_ABOUT_THE_WIRE = {
    "deployments/test_admin.py",
    "deployments/test_api_keys.py",
    "deployments/test_connect_page.py",
    "deployments/test_csv.py",
    "deployments/test_flux.py",
    "deployments/test_hal.py",
    "deployments/test_pages.py",
    "deployments/test_rule_changes.py",
    "deployments/test_teams.py",
    "failures/test_pages.py",
    "github/test_backfill.py",
    "github/test_client.py",
    "github/test_events.py",
    "github/test_history.py",
    "github/test_stories.py",
    "github/test_triggers.py",
    "github/test_webhook.py",
    "github_style/test_lists_and_deletion.py",
    "github_style/test_statuses.py",
    "incidents/test_pages.py",
    "metrics/test_badges.py",
    "metrics/test_digests.py",
    "metrics/test_goals.py",
    "metrics/test_review.py",
    "metrics/test_why_page.py",
    "webhooks/test_api.py",
    "webhooks/test_pages.py",
}


def _is_about_the_wire(item: pytest.Item) -> bool:
    return item.path.relative_to(Path(__file__).parent).as_posix() in _ABOUT_THE_WIRE


def _touches_a_database(item: pytest.Item) -> bool:
    of_class = getattr(item, "cls", None)
    return bool(
        item.get_closest_marker("django_db")
        or item.get_closest_marker("processes")
        or set(getattr(item, "fixturenames", ())) & {"db", "transactional_db", "live_server", "django_db_blocker"}
        or (of_class and issubclass(of_class, SimpleTestCase))
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let nothing be skipped where `SLIPWAY_TESTS_MAY_SKIP=no` says that all is there that tests need: in CI."""
    report = yield
    if report.skipped and os.environ.get("SLIPWAY_TESTS_MAY_SKIP") == "no":
        report.outcome = "failed"
    return report


pytest.register_assert_rewrite("tests.lineage.stories", "tests.lineage.imports")


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
