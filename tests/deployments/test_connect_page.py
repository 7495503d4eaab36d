"""The pages about GitHub: the webhook, what it delivered, connections, triggers. Through a logged-in browser."""

import datetime as dt
import re
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from deployments.github.events import EVENTS
from deployments.models import (
    Application,
    Deployment,
    DeploymentSecret,
    DeploymentTrigger,
    Environment,
    GithubConnection,
    Job,
    Membership,
    PullRequest,
    RefusedRequest,
    Repository,
    User,
    Workspace,
)
from deployments.pages.github import OF_APPS_ONLY, TICKS
from tests import factories
from tests.github.hooks import Github, Repo, commit, sha, work
from tests.machines import Machine

PAGE = "/settings/github/"
LIVE = "/settings/github/live/"


@pytest.fixture
def github(workspace: Workspace) -> Github:
    return Github(workspace)


@pytest.fixture
def member(client: Client, workspace: Workspace) -> Client:
    """A browser of somebody who does not own the workspace."""
    person = factories.make_user()
    Membership.objects.create(user=person, workspace=workspace, role=Membership.Role.MEMBER)
    client.force_login(person)
    return client


def text_of(answer: Any) -> str:
    """Return what a person reads, without the marks."""
    assert answer.status_code == 200, answer.content
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


def shown(answer: Any) -> list[Any]:
    return list(answer.context["deliveries"])


def state_of(answer: Any, name: str = "acme/shop") -> Any:
    return next(state for state in answer.context["states"] if state.repository.full_name == name)


# --- The webhook -------------------------------------------------------------------------------------------------


def test_what_to_tick_is_what_is_understood() -> None:
    assert set(TICKS) | OF_APPS_ONLY == set(EVENTS)
    assert not set(TICKS) & OF_APPS_ONLY


def test_the_page_says_what_to_enter_at_github(pages: Client, workspace: Workspace, settings: Any) -> None:
    settings.BASE_URL = "https://slipway.example"
    text = text_of(pages.get(PAGE))
    assert f"https://slipway.example/api/workspaces/{workspace.pk}/deployments/github-webhook" in text
    assert "application/json" in text
    assert "cannot reach this address" not in text
    for name, _ in TICKS.values():
        assert name in text


def test_an_address_of_this_computer_is_told_apart(pages: Client) -> None:
    assert "GitHub cannot reach this address" in text_of(pages.get(PAGE, headers={"host": "localhost:8000"}))


def test_a_secret_is_shown_once_and_deliveries_are_taken_with_it(
    pages: Client, workspace: Workspace, github: Github
) -> None:
    former = github.secret
    answer = pages.post(PAGE)
    new = answer.context["new_secret"]
    assert new in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    assert new not in pages.get(PAGE).content.decode()
    assert new not in pages.get(LIVE).content.decode()
    for secret in (new, former):  # the overlap
        github.secret = secret
        github.deliver("ping", {"zen": "Keep it simple."})
    assert "A former one is good until" in text_of(pages.get(PAGE))


def test_a_former_secret_is_ended_at_once_and_the_present_one_is_not(
    pages: Client, workspace: Workspace, github: Github
) -> None:
    pages.post(PAGE)
    present, former = DeploymentSecret.objects.filter(workspace=workspace)
    assert pages.post(f"{PAGE}secrets/{present.pk}/end/").status_code == 404
    pages.post(f"{PAGE}secrets/{former.pk}/end/")
    assert list(DeploymentSecret.objects.usable(timezone.now())) == [present]
    assert "A former one" not in text_of(pages.get(PAGE))
    assert pages.post(f"{PAGE}secrets/{former.pk}/end/").status_code == 404


def test_a_secret_that_cannot_be_read_any_more_does_not_keep_the_page_away(
    pages: Client, github: Github, settings: Any
) -> None:
    GithubConnection.objects.create(workspace=github.workspace, token="ghp_secret")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another key altogether" * 3, []
    pages.force_login(User.objects.get())
    row = GithubConnection.objects.defer("token", "private_key").get()
    for path in (PAGE, LIVE, f"{PAGE}connections/{row.pk}/"):
        assert pages.get(path).status_code == 200
    assert pages.post(PAGE).status_code == 200
    pages.post(f"{PAGE}connections/{row.pk}/", token_fields(token="ghp_new"))
    assert GithubConnection.objects.get().token == "ghp_new"


def test_members_see_the_page_and_owners_alone_change_it(member: Client, github: Github) -> None:
    connection = GithubConnection.objects.create(workspace=github.workspace, token="x")
    secret = DeploymentSecret.objects.get()
    text = text_of(member.get(PAGE))
    assert "Owners of the workspace can make a new one" in text
    assert "Make a new secret" not in text
    assert "Add one" not in text
    assert member.post(PAGE).status_code == 403
    for path in (
        f"secrets/{secret.pk}/end/", f"connections/{connection.pk}/", f"connections/{connection.pk}/remove/",
        "connections/add/",
    ):  # fmt: skip
        assert member.post(PAGE + path).status_code == 403
    assert (DeploymentSecret.objects.count(), GithubConnection.objects.count()) == (1, 1)


def test_nothing_of_another_workspace_is_shown_or_changed(client: Client, github: Github, repo: Repo) -> None:
    github.tell(repo.push("main", "", [commit("a", 0)], 0))
    connection = GithubConnection.objects.create(workspace=github.workspace, token="x")
    DeploymentSecret.rotate(github.workspace, dt.timedelta(hours=1))
    repository = Repository.objects.get()
    former = DeploymentSecret.objects.exclude(expires_at=None).get()
    trigger = DeploymentTrigger.objects.create(
        application=factories.make_track(github.workspace).application,
        kind="push", pattern="main", environment=Environment.objects.get(),
    )  # fmt: skip
    client.force_login(factories.make_user(factories.make_workspace("Other")))
    for path in (PAGE, LIVE, f"{PAGE}?repository=acme/shop"):
        assert "acme/shop</" not in client.get(path).content.decode()
    for path in (
        f"{PAGE}secrets/{former.pk}/end/", f"{PAGE}connections/{connection.pk}/",
        f"{PAGE}connections/{connection.pk}/remove/", f"{PAGE}repositories/{repository.pk}/deployments/",
        f"/applications/{trigger.application_id}/triggers/{trigger.pk}/remove/",
    ):  # fmt: skip
        assert client.post(path).status_code == 404
    assert GithubConnection.objects.exists()
    assert DeploymentTrigger.objects.exists()


@pytest.fixture
def repo() -> Repo:
    return Repo()


# --- The guide ---------------------------------------------------------------------------------------------------


def test_the_guide_ticks_off_each_step_and_goes(pages: Client, workspace: Workspace, repo: Repo) -> None:
    def steps() -> list[bool]:
        return list(pages.get(LIVE).context["steps"].values())

    assert steps() == [False, False, False]
    assert "Connect GitHub in three steps" in text_of(pages.get(PAGE))
    factories.make_deployment(factories.make_track(workspace))  # reported by CI: GitHub has no part in it
    github = Github(workspace)
    assert steps() == [True, False, False]
    github.tell(("ping", {"zen": "Keep it simple.", "hook_id": 1}))
    assert steps() == [True, True, False]
    github.tell(repo.deployment_status(1, "a", "success", 1))
    assert steps() == [True, True, True]
    assert "three steps" not in text_of(pages.get(PAGE))


# --- Repositories ------------------------------------------------------------------------------------------------


def test_the_state_of_a_repository_says_what_is_missing(pages: Client, github: Github, repo: Repo) -> None:
    Repository.objects.create(workspace=github.workspace, full_name="acme/shop", github_id=repo.github_id)
    assert "Nothing delivered yet" in state_of(pages.get(PAGE)).missing[0]
    github.tell(repo.pull_request(1, "opened", 0))
    missing = state_of(pages.get(PAGE)).missing
    assert "No push yet: tick “Pushes”" in missing[0]
    assert "No deployment yet: tick “Deployments”" in missing[1]
    github.tell(repo.push("main", "", [commit("a", 0)], 0))
    assert len(state_of(pages.get(PAGE)).missing) == 1
    github.tell(repo.deployment_status(1, "a", "success", 2), repo.deployment_status(2, "a", "success", 1))
    state = state_of(pages.get(PAGE))
    assert (state.missing, state.deployments) == ([], 2)
    first = Deployment.objects.order_by("deployed_at")[0]
    assert state.first_deployment_at == first.deployed_at
    assert state.last_push_at is not None
    assert state.last_delivery_at == Job.objects.latest("created_at").created_at


def test_an_archived_repository_lacks_nothing(pages: Client, github: Github) -> None:
    Repository.objects.create(workspace=github.workspace, full_name="acme/shop", is_archived=True)
    answer = pages.get(PAGE)
    assert state_of(answer).missing == []
    assert "archived" in text_of(answer)


def test_a_repository_without_an_application_gets_one_to_say_what_its_deployments_are(
    pages: Client, github: Github, repo: Repo
) -> None:
    github.tell(repo.push("main", "", [commit("a", 0)], 0))
    repository = Repository.objects.get()
    for _ in range(2):
        answer = pages.post(f"{PAGE}repositories/{repository.pk}/deployments/")
        application = Application.objects.get()
        assert (application.name, application.is_default) == ("shop", True)
        assert answer["Location"] == f"/applications/{application.pk}/#triggers"
    pages.post(f"/applications/{application.pk}/", trigger_fields(kind="push", pattern="main"))
    assert state_of(pages.get(PAGE)).missing == ["No deployment yet: its trigger has not been met."]
    github.tell(repo.push("main", "a", [commit("b", 1)], 1))
    assert state_of(pages.get(PAGE)).deployments == 1


@pytest.mark.parametrize("path", [PAGE, LIVE])
def test_thirty_repositories_cost_the_queries_of_one(
    pages: Client, github: Github, path: str, django_assert_num_queries: DjangoAssertNumQueries,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:  # fmt: skip
    def add(number: int) -> None:
        repo = Repo(f"acme/shop-{number}", number)
        github.tell(
            repo.push("main", "", [commit(f"a{number}", 0)], 0),
            repo.deployment_status(number, f"a{number}", "success", 1),
        )
        GithubConnection.objects.create(workspace=github.workspace, token="x")
        RefusedRequest.objects.create(
            workspace=github.workspace, method="POST", path=github.path, http_status=401, title="Wrong"
        )

    add(1)
    pages.get(path)
    with django_assert_max_num_queries(20) as one:
        pages.get(path)
    cost = len(one)
    for number in range(2, 31):
        add(number)
    with django_assert_num_queries(cost):
        pages.get(path)


# --- Deliveries --------------------------------------------------------------------------------------------------


def test_deliveries_say_what_became_of_them(pages: Client, github: Github, repo: Repo) -> None:
    github.tell(repo.push("main", "", [commit("a", 0)], 0), repo.deployment_status(1, "a", "success", 1))
    github.deliver("push", {"ref": "refs/heads/x", "repository": repo.json(dt.datetime.now(dt.UTC))})
    deployment, push = shown(pages.get(PAGE))[1:]
    assert (push.event, push.repository, push.outcome) == ("push", "acme/shop", "complete")
    assert push.said == "Recorded 1 commit of refs/heads/main"
    assert deployment.event == "deployment_status.created"
    assert deployment.said.startswith("It is the first one in production")
    assert deployment.job.deployment == Deployment.objects.get()
    waiting = shown(pages.get(PAGE))[0]
    assert (waiting.outcome, waiting.said) == ("queued", "Waits for a worker")
    text = text_of(pages.get(f"/jobs/{push.job.pk}/"))
    assert "Delivered by GitHub" in text
    assert "What was reported" not in text
    assert "acme/shop" in text


def test_a_failed_delivery_says_why_and_is_run_again(pages: Client, github: Github) -> None:
    job = github.deliver("push", {"ref": "refs/heads/main"})
    Job.objects.filter(pk=job.pk).update(max_attempts=1)
    work()
    answer = pages.get(PAGE)
    assert (shown(answer)[0].outcome, shown(answer)[0].said) == ("error", "The event names no repository.")
    assert f'formaction="/jobs/{job.pk}/run-again/"' in answer.content.decode()
    pages.post(f"/jobs/{job.pk}/run-again/")
    answer = pages.get(PAGE)
    assert shown(answer)[0].outcome == "queued"
    assert "run-again" not in answer.content.decode()


def test_refused_deliveries_are_among_them(pages: Client, github: Github) -> None:
    github.deliver("ping", {})
    github.send(b"{}", X_GitHub_Event="push", X_Hub_Signature_256="sha256=" + "0" * 64)
    RefusedRequest.objects.create(workspace=github.workspace, method="POST", path="/v1/deployments", http_status=422)
    answer = pages.get(PAGE)
    assert [one.outcome for one in shown(answer)] == ["refused", "queued"]
    assert "Make a new one and enter it there" in text_of(answer)


def test_deliveries_are_narrowed_down_in_the_address(pages: Client, github: Github) -> None:
    for number, status in enumerate(["COMPLETE", "ERROR", "RUNNING", "QUEUED", "STOPPED"]):
        job = github.deliver("push", {"repository": {"full_name": f"acme/{number % 2}", "id": number % 2}})
        Job.objects.filter(pk=job.pk).update(status=status)
    github.send(b"{}", X_GitHub_Event="push")
    counts = {"": 6, "complete": 1, "error": 1, "waiting": 2, "stopped": 1, "refused": 1, "nonsense": 6}
    for outcome, number in counts.items():
        assert len(shown(pages.get(f"{PAGE}?outcome={outcome}"))) == number, outcome
    found = shown(pages.get(f"{PAGE}?repository=acme/1"))
    assert [one.repository for one in found] == ["acme/1"] * 2
    assert len(shown(pages.get(f"{LIVE}?repository=acme/1&outcome=error"))) == 1
    assert "None of that kind" in text_of(pages.get(f"{PAGE}?repository=nobody/knows%00"))


def test_pages_of_deliveries_show_each_once(pages: Client, workspace: Workspace) -> None:
    github = Github(workspace)
    moments = [factories.NOON + dt.timedelta(minutes=number // 7) for number in range(70)]
    made = set()
    for moment in moments:
        job = Job.objects.create(workspace=workspace, type="GITHUB_WEBHOOK", payload={}, created_at=moment)
        row = RefusedRequest.objects.create(
            workspace=workspace, method="POST", path=github.path, http_status=401, created_at=moment
        )
        made |= {f"a-{job.pk}", f"b-{row.pk:019}"}
    address, seen = PAGE, []
    while address:
        answer = pages.get(address)
        seen += [one.key for one in shown(answer)]
        address = answer.context["older"]
    assert len(seen) == len(made)
    assert set(seen) == made


@pytest.mark.parametrize(
    "before",
    [
        "x", "2026-01-01_", "2026-01-01T00:00:00_a-1", "0001-01-01T00:00:00+14:00_b-1", "2026-01-01T00:00:00Z_c-5",
        "2026-01-01T00:00:00Z_b-" + "9" * 99,
    ],
)  # fmt: skip
def test_a_place_to_go_on_from_that_is_none_is_passed_over(pages: Client, github: Github, before: str) -> None:
    github.deliver("ping", {})
    assert pages.get(PAGE, {"before": before}).status_code == 200


def test_where_nothing_has_changed_only_that_is_told(pages: Client, github: Github, repo: Repo) -> None:
    github.tell(repo.push("main", "", [commit("a", 0)], 0))
    first = pages.get(LIVE)
    assert b"csrfmiddlewaretoken" not in first.content
    again = pages.get(LIVE, headers={"if-none-match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    github.deliver("ping", {})
    assert pages.get(LIVE, headers={"if-none-match": first["ETag"]}).status_code == 200


# --- Connections -------------------------------------------------------------------------------------------------


def token_fields(**fields: Any) -> dict[str, Any]:
    return {"kind": "token", "base_url": "https://api.github.com", "repositories": "*", **fields}


def app_fields(**fields: Any) -> dict[str, Any]:
    return {
        "kind": "app", "base_url": "https://api.github.com", "repositories": "*", "app_id": "42",
        "installation_id": "", "private_key": pem(), **fields,
    }  # fmt: skip


def pem(key: Any = None, encryption: KeySerializationEncryption | None = None) -> str:
    key = key or rsa.generate_private_key(65537, 2048)
    text = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, encryption or NoEncryption())
    return str(text.decode())


ADD = f"{PAGE}connections/add/"


def test_a_token_is_added_used_and_never_shown(pages: Client, workspace: Workspace) -> None:
    answer = pages.post(ADD, token_fields(token=" ghp_abc ", repositories="acme/*\r\nacme/*, other/web"), follow=True)
    row = GithubConnection.objects.get()
    assert (row.workspace, row.kind, row.token, row.repositories) == (
        workspace,
        "token",
        "ghp_abc",
        "acme/*\nother/web",
    )
    assert "Token for acme/*, other/web" in text_of(answer)
    for path in (PAGE, LIVE, f"{PAGE}connections/{row.pk}/"):
        assert "ghp_abc" not in pages.get(path).content.decode()
    GithubConnection.objects.update(error="Bad credentials", used_at=factories.NOON)
    text = text_of(pages.get(PAGE))
    assert "Bad credentials" in text
    assert "Last used 2 Mar 2026, 12:00" in text


def test_an_app_is_added_with_its_key(pages: Client) -> None:
    key = pem()
    pages.post(ADD, app_fields(private_key=key.replace("\n", "\r\n"), installation_id="7"))
    row = GithubConnection.objects.get()
    assert (row.app_id, row.installation_id, row.private_key.strip()) == ("42", 7, key.strip())
    assert "PRIVATE KEY-----\n" not in pages.get(f"{PAGE}connections/{row.pk}/").content.decode()


def test_a_secret_left_empty_stays_and_the_error_of_before_goes(pages: Client, workspace: Workspace) -> None:
    row = GithubConnection.objects.create(workspace=workspace, token="ghp_abc", error="Bad credentials")
    pages.post(f"{PAGE}connections/{row.pk}/", token_fields(repositories="acme/web"))
    row.refresh_from_db()
    assert (row.token, row.repositories, row.error) == ("ghp_abc", "acme/web", "")


def test_a_secret_is_not_sent_to_another_address_unless_it_is_entered_again(
    pages: Client, workspace: Workspace
) -> None:
    row = GithubConnection.objects.create(workspace=workspace, token="ghp_abc")
    path = f"{PAGE}connections/{row.pk}/"
    moved = token_fields(base_url="https://evil.example/api/v3")
    assert "Enter it again" in text_of(pages.post(path, moved))
    row.refresh_from_db()
    assert row.base_url == "https://api.github.com"
    pages.post(path, {**moved, "token": "ghp_other"})
    row.refresh_from_db()
    assert (row.base_url, row.token) == ("https://evil.example/api/v3", "ghp_other")


def test_another_kind_takes_the_secrets_of_the_former_one_away(pages: Client, workspace: Workspace) -> None:
    row = GithubConnection.objects.create(workspace=workspace, token="ghp_abc")
    path = f"{PAGE}connections/{row.pk}/"
    assert "Enter it: without it nothing can be asked" in text_of(pages.post(path, app_fields(private_key="")))
    pages.post(path, app_fields())
    row.refresh_from_db()
    assert (row.kind, row.token, bool(row.private_key)) == ("app", "", True)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (token_fields(token=""), "Enter it: without it nothing can be asked"),
        (token_fields(token="ghp a"), "There is a space"),
        (token_fields(token="ghp\na"), "There is a space"),
        (token_fields(token="ghpä"), "There is a space"),
        (token_fields(token="x", base_url="ftp://api.github.com"), "Must be an http(s) address"),
        (token_fields(token="x", base_url="api.github.com"), "Must be an http(s) address"),
        (token_fields(token="x", base_url="https://me:pw@ghe.example"), "Must be an http(s) address"),
        (token_fields(token="x", base_url="https://ghe.example/api?x=1"), "without spaces"),
        (token_fields(token="x", base_url="https://github.com/acme"), "Its API is at https://api.github.com"),
        (token_fields(token="x", repositories="acme"), "“acme” is none: write owner/name"),
        (token_fields(token="x", repositories="acme/* https://github.com/acme/web"), "is none: write owner/name"),
        (token_fields(token="x", repositories=" "), "This field is required"),
        (token_fields(token="x", app_id="42"), "A token has none. Leave it empty."),
        (app_fields(private_key="", token="x"), "A GitHub App has none. Leave it empty."),
        (app_fields(app_id=""), "A GitHub App needs its ID"),
        (app_fields(app_id="my app"), "Must be the App ID"),
        (app_fields(installation_id="-1"), "Must be the number at the end"),
        (app_fields(installation_id="x"), "Enter a whole number"),
        (app_fields(private_key="hello"), "No private key in PEM format"),
        (app_fields(private_key=pem(ec.generate_private_key(ec.SECP256R1()))), "a key of another kind"),
        (app_fields(private_key=pem(encryption=BestAvailableEncryption(b"pw"))), "protected by a password"),
        (
            app_fields(
                private_key=rsa.generate_private_key(65537, 2048)
                .public_key()
                .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
                .decode()
            ),
            "No private key in PEM format",
        ),
    ],
)
def test_a_connection_that_cannot_work_says_what_to_mend(pages: Client, fields: dict[str, Any], said: str) -> None:
    answer = pages.post(ADD, fields)
    assert said in text_of(answer).replace("&quot;", '"')
    assert not GithubConnection.objects.exists()
    for secret in (fields.get("token"), fields.get("private_key")):
        assert not secret or len(secret) < 6 or secret[:60] not in answer.content.decode()


def test_a_connection_is_removed(pages: Client, workspace: Workspace) -> None:
    row = GithubConnection.objects.create(workspace=workspace, token="x")
    assert pages.get(f"{PAGE}connections/{row.pk}/remove/").status_code == 405
    pages.post(f"{PAGE}connections/{row.pk}/remove/")
    assert not GithubConnection.objects.exists()


# --- Triggers ----------------------------------------------------------------------------------------------------


def trigger_fields(**fields: Any) -> dict[str, Any]:
    return {"kind": "release", "pattern": "v*", "environment": "", "new_environment": "production", **fields}


@pytest.fixture
def application(workspace: Workspace) -> Application:
    return factories.make_track(workspace, environment="staging").application


def test_a_trigger_is_a_sentence_on_the_page_of_its_application(
    pages: Client, workspace: Workspace, application: Application
) -> None:
    path = f"/applications/{application.pk}/"
    staging = Environment.objects.get()
    for fields, sentence in [
        (trigger_fields(), "A release whose tag matches v* is a deployment to production ."),
        (
            trigger_fields(pattern="r*", includes_prereleases="on"),
            "A release whose tag matches r* , pre-releases too, is a deployment to production .",
        ),
        (
            trigger_fields(kind="workflow", pattern="deploy.yml", branch="refs/heads/main"),
            "A run of the workflow deploy.yml that succeeds on main is a deployment to production .",
        ),
        (
            trigger_fields(kind="push", pattern="main", environment=staging.pk, new_environment=""),
            "A push to main is a deployment to staging .",
        ),
        (
            trigger_fields(kind="merge", pattern="refs/heads/main", new_environment=" PRODUCTION "),
            "A pull request that is merged into main is a deployment to production .",
        ),
        (trigger_fields(kind="tag"), "A tag that matches v* is a deployment to production ."),
        (
            trigger_fields(kind="github_deployment", pattern="prod", new_environment="eu"),
            "A GitHub deployment to prod that succeeds is a deployment to eu .",
        ),
    ]:
        answer = pages.post(path, fields, follow=True)
        assert sentence in text_of(answer)
    assert sorted(Environment.objects.values_list("name", flat=True)) == ["eu", "production", "staging"]
    assert Environment.objects.get(name="production").is_production


def test_what_a_trigger_records_is_what_its_sentence_says(
    pages: Client, github: Github, repo: Repo, workspace: Workspace
) -> None:
    application = factories.make_track(workspace, "shop", "staging", "acme/shop").application
    pages.post(f"/applications/{application.pk}/", trigger_fields(kind="push", pattern="release/*"))
    github.tell(repo.push("main", "", [commit("a", 0)], 0), repo.push("release/1", "", [commit("b", 1)], 1))
    deployment = Deployment.objects.get()
    assert (deployment.application, deployment.environment.name, deployment.commit_sha) == (
        application, "production", sha("b"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (trigger_fields(branch="main"), "Only of workflow runs can the branch be chosen"),
        (trigger_fields(kind="tag", includes_prereleases="on"), "Only releases can be pre-releases"),
        (trigger_fields(pattern=" "), "This field is required"),
        (trigger_fields(kind="moon"), "Select a valid choice"),
        (trigger_fields(new_environment=""), "Choose an environment, or name a new one"),
        (trigger_fields(environment="STAGING"), "Either choose an environment or name a new one"),
        (trigger_fields(environment="OTHERS", new_environment=""), "Select a valid choice"),
        (trigger_fields(pattern="x" * 256), "at most 255 characters"),
        (trigger_fields(pattern="known"), "There is such a trigger already"),
    ],
)
def test_a_trigger_that_cannot_be_says_what_to_mend(
    pages: Client, application: Application, fields: dict[str, Any], said: str
) -> None:
    others = Environment.objects.create(workspace=factories.make_workspace("Other"), name="theirs")
    production = Environment.objects.create(workspace=application.workspace, name="production")
    DeploymentTrigger.objects.create(application=application, kind="release", pattern="known", environment=production)
    known = {"STAGING": Environment.objects.get(name="staging").pk, "OTHERS": others.pk}
    fields = {**fields, "environment": known.get(fields["environment"], fields["environment"])}
    assert said in text_of(pages.post(f"/applications/{application.pk}/", fields))
    assert DeploymentTrigger.objects.count() == 1


def test_a_trigger_is_removed_and_the_settings_beside_it_still_work(pages: Client, application: Application) -> None:
    path = f"/applications/{application.pk}/"
    pages.post(path, trigger_fields())
    trigger = DeploymentTrigger.objects.get()
    pages.post(path, {"monorepo_path": "services/api"})
    application.refresh_from_db()
    assert application.monorepo_path == "services/api"
    other = factories.make_track(application.workspace, "other").application
    assert pages.post(f"/applications/{other.pk}/triggers/{trigger.pk}/remove/").status_code == 404
    pages.post(f"{path}triggers/{trigger.pk}/remove/")
    assert not DeploymentTrigger.objects.exists()


# --- Settings of the workspace and of environments -----------------------------------------------------------------


def settings_of(workspace: Workspace, **fields: Any) -> dict[str, Any]:
    return {"name": workspace.name, "time_zone": "UTC", "incident_labels": "incident", **fields}


def test_leaving_out_bots_has_their_pull_requests_worked_out_anew(
    pages: Client, workspace: Workspace, github: Github, repo: Repo
) -> None:
    github.tell(
        repo.pull_request(1, "opened", 0, login="dependabot[bot]"), repo.pull_request(2, "opened", 0, login="ada")
    )
    PullRequest.objects.update(changes_pending=False)
    pages.post("/settings/", settings_of(workspace))
    assert not PullRequest.objects.filter(changes_pending=True).exists()
    pages.post("/settings/", settings_of(workspace, leave_out_bots="on"))
    assert [row.number for row in PullRequest.objects.filter(changes_pending=True)] == [1]
    workspace.refresh_from_db()
    assert workspace.leave_out_bots


def test_labels_of_incidents_are_a_list_between_commas_or_lines(pages: Client, workspace: Workspace) -> None:
    pages.post("/settings/", settings_of(workspace, incident_labels=" outage, sev-1 ,\r\n Outage,, post mortem\n"))
    workspace.refresh_from_db()
    assert workspace.incident_labels == ["outage", "sev-1", "post mortem"]
    assert "outage, sev-1, post mortem" in pages.get("/settings/").content.decode()
    assert "longer than any label" in text_of(
        pages.post("/settings/", settings_of(workspace, incident_labels="x" * 101))
    )
    pages.post("/settings/", settings_of(workspace, incident_labels=""))
    workspace.refresh_from_db()
    assert workspace.incident_labels == []


def test_what_a_person_says_of_an_environment_is_kept_from_then_on(pages: Client, workspace: Workspace) -> None:
    environment = Environment.objects.create(workspace=workspace, name="qa")
    path = f"/environments/{environment.pk}/"
    pages.post(path, {})
    environment.refresh_from_db()
    assert not environment.is_production_is_pinned
    pages.post(path, {"is_production": "on"})
    environment.refresh_from_db()
    assert (environment.is_production, environment.is_production_is_pinned) == (True, True)


# --- Changes that are pull requests --------------------------------------------------------------------------------


def ship(github: Github, repo: Repo, *numbers: int) -> Deployment:
    """Deploy a commit, then the merges of pull requests, each with a review; return the later deployment."""
    github.tell(repo.push("main", "", [commit("base", 0)], 0), repo.deployment_status(1, "base", "success", 1))
    former = "base"
    for number in numbers:
        merge = f"merge-{number}"
        head: dict[str, Any] = {"head": f"topic-{number}", "head_sha": f"work-{number}", "opened": 4}
        done = {**head, "merged": 8, "merge_sha": merge, "title": f"Mend <door> {number}"}
        github.tell(
            repo.push(f"topic-{number}", "", [commit(f"work-{number}", 2)], 3),
            repo.pull_request(number, "opened", 4, **head),
            repo.review(number, 6, "approved", **head),
            repo.push("main", former, [commit(merge, 8)], 8),
            repo.pull_request(number, "closed", 8, **done),
        )
        former = merge
    github.tell(repo.deployment_status(2, former, "success", 10))
    return Deployment.objects.latest("deployed_at")


def test_a_change_that_is_a_pull_request_is_shown_with_its_stages(
    pages: Client, github: Github, repo: Repo, key: str
) -> None:
    deployment = ship(github, repo, 7)
    answer = pages.get(f"/deployments/{deployment.pk}/")
    assert 'href="https://github.com/acme/shop/pull/7"' in answer.content.decode()
    text = text_of(answer)
    assert "#7 Mend &lt;door&gt; 7" in text
    assert "coding 2 h waiting for review 2 h review 2 h waiting for deployment 2 h" in text
    assert "Reported by GitHub deployment" in text
    assert "style=" not in answer.content.decode()
    (change,) = Machine(key).get(f"/v1/deployments/{deployment.pk}").json()["changes"]
    assert change["pullRequest"] == {
        "number": 7, "title": "Mend <door> 7", "url": "https://github.com/acme/shop/pull/7", "author": "ada",
        "mergedAt": "2026-03-02T17:00:00Z",
    }  # fmt: skip
    assert change["stages"] == {
        "codingSeconds": 7200, "draftSeconds": 0, "waitingForReviewSeconds": 7200, "reviewSeconds": 7200,
        "waitingForDeploymentSeconds": 7200,
    }  # fmt: skip
    assert sum(change["stages"].values()) == change["leadTimeSeconds"]


def test_a_single_commit_has_neither_a_pull_request_nor_stages(pages: Client, workspace: Workspace, key: str) -> None:
    deployment = factories.make_deployment(factories.make_track(workspace))
    factories.make_change(deployment, factories.HOUR, message="Mend the door")
    Deployment.objects.update(sources=["github", "api"])
    answer = pages.get(f"/deployments/{deployment.pk}/")
    assert "Reported by GitHub deployment, API" in text_of(answer)
    assert 'class="stages"' not in answer.content.decode()
    told = Machine(key).get(f"/v1/deployments/{deployment.pk}").json()
    assert told["sources"] == ["github", "api"]
    assert (told["changes"][0]["pullRequest"], told["changes"][0]["stages"]) == (None, None)


def test_thirty_pull_requests_cost_the_queries_of_one(
    pages: Client, github: Github, repo: Repo, key: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    deployment = ship(github, repo, *range(1, 31))
    assert deployment.changes_count == 30
    for ask in (lambda: pages.get(f"/deployments/{deployment.pk}/"),
                lambda: Machine(key).get(f"/v1/deployments/{deployment.pk}")):  # fmt: skip
        with django_assert_max_num_queries(16):
            ask()
