"""What a manager does, in a real browser."""

import datetime as dt
import json
import subprocess

import pytest
from playwright.sync_api import expect
from pytest_django.live_server_helper import LiveServer

from deployments.incidents import open_incident
from deployments.models import Workspace
from deployments.processing import process_due_jobs
from deployments.verdicts import overrule
from tests import factories
from tests.browser.conftest import Window

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PASSWORD = "correct horse battery"


@pytest.fixture
def workspace(transactional_db: None) -> Workspace:
    workspace = factories.make_workspace()
    factories.make_user(workspace, "ada@example.com", PASSWORD)
    return workspace


def report(live_server: LiveServer, key: str, version: str, sha: str, parents: list[str]) -> None:
    body = {
        "repositoryFullName": "acme/backend", "environment": "production", "app": "backend-api",
        "version": version, "commitHash": sha, "author": "jane-doe",
        "commits": [
            {"sha": sha, "parents": parents, "authoredAt": "2026-01-01T00:00:00Z", "message": f"Work on {version}"}
        ],
    }  # fmt: skip
    answer = subprocess.run(
        ["curl", "-sS", "-X", "POST", f"{live_server.url}/v1/deployments", "-H", f"Authorization: Bearer {key}",
         "-H", "Content-Type: application/json", "-d", json.dumps(body)],
        capture_output=True, check=True,
    )  # fmt: skip
    assert json.loads(answer.stdout)["status"] == 202
    process_due_jobs()


def test_from_the_empty_page_to_the_changes_of_a_deployment(
    live_server: LiveServer, workspace: Workspace, window: Window
) -> None:
    key = factories.make_key(workspace)
    page = window.page
    window.log_in(live_server.url, "ada@example.com", PASSWORD)
    expect(page.get_by_text("Waiting for the first deployment")).to_be_visible()
    expect(page.locator("#curl")).to_contain_text(f"{live_server.url}/v1/deployments")

    report(live_server, key, "v1", "a" * 40, [])
    expect(page.locator("#chart-deployment-frequency")).to_be_visible()
    expect(page.locator(".chart .main-svg").first).to_be_visible()
    expect(page.get_by_text("Only first deployments")).to_be_visible()

    report(live_server, key, "v2", "b" * 40, ["a" * 40])
    page.reload()
    expect(page.get_by_text("Median of 1 change;")).to_be_visible()
    page.get_by_role("link", name="v2").first.click()
    expect(page.get_by_text("Work on v2")).to_be_visible()
    expect(page.get_by_text("It contains what ran before, and adds to it.")).to_be_visible()
    assert window.console == []


def test_a_bar_leads_to_the_deployments_in_it(live_server: LiveServer, workspace: Workspace, window: Window) -> None:
    track = factories.make_track(workspace)
    deployment = factories.make_deployment(track, factories.recently(), version="v7")
    factories.make_change(deployment, factories.HOUR)
    window.log_in(live_server.url, "ada@example.com", PASSWORD)
    bars = window.page.get_by_role("img", name="Deployment frequency by day").locator(".bars path")
    expect(bars).to_have_count(30)
    heights = [(bars.nth(number).bounding_box() or {"height": 0.0})["height"] for number in range(30)]
    bar = bars.nth(heights.index(max(heights)))
    bar.hover(force=True)
    expect(window.page.locator(".hoverlayer .hovertext")).to_be_visible()
    bar.click(force=True)
    expect(window.page.get_by_role("heading", name="Deployments")).to_be_visible()
    expect(window.page.get_by_role("link", name="v7")).to_be_visible()
    assert window.console == []


PAGES = [
    "/", "/deployments/", "/applications/", "/environments/", "/incidents/", "/incidents/add/", "/waiting/", "/jobs/",
    "/explain/change-lead-time/", "/why/", "/goals/", "/review/", "/badges/", "/v1/docs/", "/settings/",
    "/settings/api-keys/", "/settings/teams/", "/settings/teams/add/", "/settings/calendar/", "/settings/failures/",
    "/settings/webhooks/", "/settings/webhooks/add/", "/settings/digests/",
]  # fmt: skip


def fill(workspace: Workspace) -> list[str]:
    """Put something with long names into each list; return the pages about it."""
    deployment = factories.make_deployment(
        factories.make_track(workspace, app="a-rather-long-application-name"),
        factories.recently(),
        author="someone-with-a-long-name",
    )
    factories.make_change(deployment, factories.HOUR, message="A long subject that says a lot " * 4)
    overrule(deployment, "failure", True, "The shop took no orders " * 4, None)
    incident, _ = open_incident(
        workspace, title="Nobody can pay " * 8, started_at=deployment.deployed_at, cause=deployment
    )
    return [
        f"/deployments/{deployment.pk}/",
        f"/applications/{deployment.application_id}/",
        f"/environments/{deployment.environment_id}/",
        f"/incidents/{incident.pk}/",
        "/explain/change-fail-rate/",
    ]


@pytest.mark.parametrize("full", [False, True], ids=["empty", "full"])
def test_no_page_scrolls_sideways_or_writes_to_the_console(
    live_server: LiveServer, workspace: Workspace, window: Window, full: bool
) -> None:
    paths = list(PAGES)
    if full:
        paths += fill(workspace)
    window.log_in(live_server.url, "ada@example.com", PASSWORD)
    for path in paths:
        window.page.goto(live_server.url + path)
        width = window.page.evaluate("document.documentElement.scrollWidth")
        assert (path, width) == (path, window.page.viewport_size["width"])  # type: ignore[index]
    assert window.console == []


def test_what_explains_a_number_is_read_without_scrolling_sideways(
    live_server: LiveServer, workspace: Workspace, window: Window
) -> None:
    fill(workspace)
    before = factories.make_deployment(
        factories.make_track(workspace, app="another-application"), factories.recently() - dt.timedelta(days=35)
    )
    factories.make_change(before, factories.HOUR)
    window.log_in(live_server.url, "ada@example.com", PASSWORD)
    for path, words in (
        ("/why/#stages", "Makes"), ("/explain/change-fail-rate/", "Repaired after"),
        ("/explain/change-lead-time/", "Lead time"),
    ):  # fmt: skip
        window.page.goto(live_server.url + path)
        # At the side of a wide window they head a column; in a narrow one they stand before each value.
        assert words in window.page.content()
        cut = window.page.evaluate(
            "[...document.querySelectorAll('.scroll:has(> .wide)')]"
            ".filter(box => box.scrollWidth > box.clientWidth).length"
        )
        seen = window.page.locator(".scroll:has(> .wide)").count()
        assert (path, cut, seen > 0) == (path, 0, True)


def test_the_theme_that_a_person_chooses_stays(live_server: LiveServer, workspace: Workspace, window: Window) -> None:
    window.log_in(live_server.url, "ada@example.com", PASSWORD)
    before = window.page.evaluate("getComputedStyle(document.body).backgroundColor")
    window.page.get_by_role("button", name="Switch between light and dark").click()
    window.page.goto(live_server.url + "/deployments/")
    assert window.page.evaluate("getComputedStyle(document.body).backgroundColor") != before
