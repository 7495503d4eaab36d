"""Connecting GitHub in a real browser: the page follows what arrives, and leaves alone what a person does on it."""

import datetime as dt

import pytest
from django.test import Client
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from deployments.models import Application, DeploymentSecret, DeploymentTrigger, Job, Workspace
from tests import factories
from tests.browser.conftest import Window
from tests.github.hooks import Github, Repo, commit, work

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PASSWORD = "correct horse battery"
PAGE = "/settings/github/"


@pytest.fixture
def workspace(transactional_db: None) -> Workspace:
    workspace = factories.make_workspace()
    factories.make_user(workspace, "ada@example.com", PASSWORD)
    return workspace


@pytest.fixture
def page(live_server: LiveServer, workspace: Workspace, window: Window) -> Page:
    """The page about GitHub, open, in a window that will not have been loaded again."""
    window.log_in(live_server.url, "ada@example.com", PASSWORD)
    window.page.goto(live_server.url + PAGE)
    remember(window.page)
    return window.page


class Webhook(Github):
    """GitHub, with the secret that a person has copied from the page."""

    def __init__(self, workspace: Workspace, secret: str) -> None:
        self.workspace = workspace
        self.secret = secret
        self.path = f"/api/workspaces/{workspace.pk}/deployments/github-webhook"
        self.client = Client()


def remember(page: Page) -> None:
    page.evaluate("window.isTheSame = true")


def is_the_same(page: Page) -> bool:
    return bool(page.evaluate("window.isTheSame === true"))


def test_from_the_first_secret_to_the_first_deployment(workspace: Workspace, page: Page, window: Window) -> None:
    expect(page.get_by_role("heading", name="Connect GitHub in three steps")).to_be_visible()
    page.get_by_role("button", name="Make a secret").click()
    secret = page.locator("#new-secret").inner_text()
    done = page.locator(".steps li.done")
    expect(done).to_have_count(1)
    remember(page)

    github, repo = Webhook(workspace, secret), Repo()
    github.tell(("ping", {"zen": "Keep it simple.", "hook_id": 1}))
    expect(done).to_have_count(2)
    expect(page.locator(".deliveries")).to_contain_text("GitHub says hello: Keep it simple.")
    expect(page.locator("#new-secret")).to_have_text(secret)

    github.tell(repo.push("main", "", [commit("a", 0)], 0))
    expect(page.locator("#repositories")).to_contain_text("No deployment yet")
    github.tell(repo.deployment_status(1, "a", "success", 1))
    expect(page.locator("#guide")).to_have_count(0)
    expect(page.locator("#repositories")).not_to_contain_text("No deployment yet")
    assert is_the_same(page)
    assert window.console == []


def test_what_arrives_takes_nothing_from_whoever_watches(workspace: Workspace, page: Page, window: Window) -> None:
    github, repo = Github(workspace), Repo()
    github.tell(repo.push("main", "", [commit("a", 0)], 0), repo.deployment_status(1, "a", "success", 1))
    rows = page.locator(".deliveries > li")
    expect(rows).to_have_count(2)
    rows.last.locator("summary").click()
    rows.last.get_by_role("link", name="Payload and job").focus()
    page.evaluate("document.querySelector('#repositories-table').scrollLeft = 40")
    scrolled = page.evaluate("document.querySelector('#repositories-table').scrollLeft")

    github.tell(repo.push("main", "a", [commit("b", 2)], 2))
    expect(rows).to_have_count(3)
    expect(rows.last.locator("details")).to_have_attribute("open", "")
    assert page.evaluate("document.activeElement.textContent") == "Payload and job"
    assert page.evaluate("document.querySelector('#repositories-table').scrollLeft") == scrolled
    assert is_the_same(page)

    rows.last.get_by_role("link", name="Payload and job").click()
    expect(page.get_by_role("heading", name="Delivered by GitHub")).to_be_visible()
    assert window.console == []


def test_a_failed_delivery_is_run_again_from_its_row(workspace: Workspace, page: Page, window: Window) -> None:
    job = Github(workspace).deliver("push", {"ref": "refs/heads/main"})
    Job.objects.filter(pk=job.pk).update(max_attempts=1)
    work()
    row = page.locator(f"#delivery-a-{job.pk}")
    expect(row).to_contain_text("The event names no repository.")
    row.locator("summary").click()
    row.get_by_role("button", name="Run again").click()
    expect(page.get_by_text("Queued once more.")).to_be_visible()
    assert window.console == []


def test_a_page_whose_session_has_ended_leads_to_the_log_in(page: Page, window: Window) -> None:
    window.context.clear_cookies()
    expect(page.get_by_label("Password")).to_be_visible(timeout=10_000)


def test_a_trigger_is_added_with_the_fields_of_its_kind(
    live_server: LiveServer, workspace: Workspace, page: Page, window: Window
) -> None:
    application = factories.make_track(workspace, environment="staging").application
    page.goto(f"{live_server.url}/applications/{application.pk}/#triggers")
    page.get_by_text("Add one").click()
    expect(page.get_by_label("Branch")).to_be_hidden()
    page.get_by_label("When").select_option("workflow")
    expect(page.get_by_label("Branch")).to_be_visible()
    expect(page.get_by_label("Pre-releases too")).to_be_hidden()
    page.get_by_label("Pattern").fill("deploy.yml")
    page.get_by_label("Branch").fill("main")
    page.get_by_label("New environment").fill("production")
    page.locator("#triggers").get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("#triggers")).to_contain_text(
        "A run of the workflow deploy.yml that succeeds on main is a deployment to production."
    )
    trigger = DeploymentTrigger.objects.get()
    page.get_by_role("button", name="Remove: Workflow run succeeds: deploy.yml").click()
    expect(page.locator("#triggers")).not_to_contain_text("deploy.yml")
    assert not DeploymentTrigger.objects.filter(pk=trigger.pk).exists()
    assert window.console == []


def test_no_page_scrolls_sideways_or_writes_to_the_console(
    live_server: LiveServer, workspace: Workspace, window: Window
) -> None:
    github = Github(workspace)
    long = Repo("acme-corporation-of-the-north/a-rather-long-name-of-a-repository", 12)
    github.tell(long.push("main", "", [commit("a", 0)], 0), long.deployment_status(1, "a", "success", 1))
    github.send(b"{}", X_GitHub_Event="push")
    Github(workspace)
    workspace.github_connections.create(token="x", error="An error with_a_long_word_" * 5)
    application = Application.objects.get()
    window.log_in(live_server.url, "ada@example.com", PASSWORD)
    of_job, of_application = f"/jobs/{Job.objects.all()[0].pk}/", f"/applications/{application.pk}/"
    for path in (PAGE, f"{PAGE}connections/add/", of_application, of_job):
        window.page.goto(live_server.url + path)
        window.page.wait_for_load_state("networkidle")
        for summary in window.page.locator("summary").all():
            summary.click()
        width = window.page.evaluate("document.documentElement.scrollWidth")
        assert (path, width) == (path, window.page.viewport_size["width"])  # type: ignore[index]
    assert window.console == []


def test_a_former_secret_is_ended_on_the_page(workspace: Workspace, page: Page, window: Window) -> None:
    Github(workspace)
    DeploymentSecret.rotate(workspace, dt.timedelta(hours=24))
    page.get_by_role("button", name="End it now").click()
    expect(page.get_by_text("The former secret is no longer good.")).to_be_visible()
    expect(page.get_by_role("button", name="End it now")).to_have_count(0)
    assert window.console == []
