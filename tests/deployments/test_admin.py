"""The operator's admin: what its lists cost, what they find, what can be done and what cannot."""

import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from deployments.models import (
    ApiKey,
    Backfill,
    Commit,
    Deployment,
    DeploymentOrigin,
    DeploymentSecret,
    DeploymentTrigger,
    Environment,
    FailureFinding,
    FailureRules,
    FormerName,
    FreezePeriod,
    GithubConnection,
    GitRef,
    HistoryGap,
    Incident,
    Job,
    MissingParent,
    Overruling,
    PullRequest,
    PullRequestCommit,
    PullRequestReview,
    Push,
    RateLimitWindow,
    RefusedRequest,
    Release,
    RuleChange,
    ShippedCommit,
    Team,
    User,
    WebhookDelivery,
    WebhookSubscription,
    Workspace,
)
from tests import factories

MODELS: list[type[Any]] = [model for model in admin.site._registry if model._meta.app_label == "deployments"]
OF_GITHUB = ["push", "gitref", "release", "pullrequest", "pullrequestreview", "pullrequestcommit", "deploymentorigin"]
LARGE = ["deployment", "deploymentstatus", "job", "refusedrequest", "commit", "change", "shippedcommit", "historygap",
         *OF_GITHUB]  # fmt: skip
DAY = dt.timedelta(days=1)


@pytest.fixture
def operator(client: Client, db: None) -> Client:
    client.force_login(User.objects.create_superuser("op@example.com", "x"))
    return client


def add(workspace: Workspace, number: int) -> Deployment:
    """Add one row, each of others than the last time, to every table that the admin shows."""
    of = factories.make_workspace(f"Tenant{number}")
    person = factories.make_user(of)
    track = factories.make_track(workspace, f"app-{number}", f"env-{number}", f"acme/{number}")
    deployment = factories.make_deployment(track)
    change = factories.make_change(deployment, factories.HOUR)
    repository = track.application.repository
    key, _ = ApiKey.create(workspace=of, name=f"key {number}", created_by=person)
    of.default_application, of.default_environment = track.application, track.environment
    of.save()
    Job.objects.create(workspace=of, api_key=key, payload={"app": "<b>"}, deployment=deployment)
    RefusedRequest.objects.create(workspace=of, method="POST", path="/v1/deployments", http_status=422)
    Team.objects.create(workspace=of, name=f"Team {number}").people.create(name="Ada")
    FreezePeriod.objects.create(workspace=of, first_day="2026-12-24", last_day="2026-12-26", reason="Christmas")
    RateLimitWindow.objects.create(key=f"counter-{number}", hits=number, expires_at=0)
    ShippedCommit.objects.create(track=track, commit=change.commit, deployment=deployment, outcome="change")
    HistoryGap.objects.create(repository=repository, deployment=deployment, sha="f" * 40)
    MissingParent.objects.create(repository=repository, child=change.commit, sha="e" * 40)
    add_of_failures(of, deployment, person)
    webhook = WebhookSubscription.objects.create(workspace=of, url="https://a.example/", secret="s", events=[])
    WebhookDelivery.objects.create(subscription=webhook, event="ping", payload="{}")
    add_of_github(of, deployment, number)
    return deployment


def add_of_failures(of: Workspace, deployment: Deployment, person: User) -> None:
    """Add one row to every table about failures."""
    FailureRules.objects.create(workspace=of)
    FailureFinding.objects.create(deployment=deployment, reason="hotfix", why="v2 ships a hotfix.")
    Overruling.objects.create(deployment=deployment, verdict="failure", holds=True, reason="Seen", made_by=person)
    RuleChange.objects.create(workspace=of, summary="Minutes of failure: 0 → 7", made_by=person)


def add_of_github(of: Workspace, deployment: Deployment, number: int) -> None:
    """Add one row to every table that GitHub fills, or that is there so that it does."""
    moment, application = factories.NOON, deployment.application
    repository = application.repository
    DeploymentSecret.rotate(of, DAY)
    GithubConnection.objects.create(workspace=of, token="ghp_secret", private_key="PEM", error=f"Error {number}")
    DeploymentTrigger.objects.create(
        application=application, kind="tag", pattern="v*", environment=deployment.environment
    )
    FormerName.objects.create(workspace=of, repository=repository, full_name_key=f"acme/former-{number}")
    Push.objects.create(repository=repository, ref="refs/heads/main", after="d" * 40, pushed_at=moment)
    GitRef.objects.create(repository=repository, name="refs/heads/main", sha="d" * 40, moved_at=moment)
    Release.objects.create(repository=repository, github_id=number, tag_name="v1", published_at=moment)
    pull_request = PullRequest.objects.create(
        repository=repository, number=number + 1, title="Mend", opened_at=moment, facts_at=moment
    )
    PullRequestReview.objects.create(pull_request=pull_request, github_id=number, submitted_at=moment)
    PullRequestCommit.objects.create(pull_request=pull_request, repository=repository, sha="d" * 40, role="head")
    DeploymentOrigin.objects.create(
        deployment=deployment, application=application, source="github", external_id="1", version="v1"
    )
    Incident.objects.create(workspace=of, repository=repository, title="Down", started_at=moment)
    Backfill.objects.create(repository=repository, what="releases", since=moment, until=moment)


def address(model: type[Model] | str) -> str:
    name = model if isinstance(model, str) else model._meta.model_name
    return f"/admin/deployments/{name}/"


def shown(operator: Client, model: str, query: str = "") -> list[Any]:
    return list(operator.get(f"{address(model)}?{query}").context["cl"].result_list)


def by_name(model: type[Model]) -> str:
    return str(model._meta.model_name)


@pytest.mark.parametrize("model", MODELS, ids=by_name)
def test_every_list_costs_the_same_for_one_row_and_for_thirty(
    operator: Client, workspace: Workspace, model: type[Model]
) -> None:
    add(workspace, 0)
    operator.get(address(model))
    with CaptureQueriesContext(connection) as one:
        operator.get(address(model))
    for number in range(1, 30):
        add(workspace, number)
    with CaptureQueriesContext(connection) as thirty:
        answer = operator.get(address(model))
    assert len(answer.context["cl"].result_list) >= 30
    assert len(thirty) == len(one), "\n".join(query["sql"] for query in thirty)


@pytest.mark.parametrize("name", LARGE)
def test_no_large_table_is_counted_or_sorted_as_a_whole(operator: Client, workspace: Workspace, name: str) -> None:
    for number in range(51):  # more than a page: what fits on one is read without a limit
        add(workspace, number)
    with CaptureQueriesContext(connection) as queries:
        operator.get(address(name))
    of_table = [query["sql"] for query in queries if f'FROM "deployments_{name}"' in query["sql"]]
    assert any("COUNT" in sql for sql in of_table)
    for sql in of_table:
        assert "LIMIT" in sql
        assert "DISTINCT" not in sql
        if "COUNT" not in sql:
            assert f'ORDER BY "deployments_{name}"."id" DESC' in sql


@pytest.mark.parametrize("model", MODELS, ids=by_name)
def test_one_row_of_everything_is_shown(operator: Client, workspace: Workspace, model: type[Model]) -> None:
    add(workspace, 0)
    row = model._default_manager.first()
    assert row is not None
    assert operator.get(f"{address(model)}{admin.utils.quote(row.pk)}/change/").status_code == 200


@pytest.mark.parametrize("model", MODELS, ids=by_name)
def test_a_search_for_anything_at_all_is_answered(operator: Client, model: type[Model]) -> None:
    assert operator.get(f"{address(model)}?q=anything at all %25 _").status_code == 200


def test_rows_are_found_by_what_an_operator_has_at_hand(operator: Client, workspace: Workspace) -> None:
    first, second = add(workspace, 0), add(workspace, 1)
    job = Job.objects.create(workspace=workspace, payload={}, idempotency_key="run-42", error="Disk on fire")
    assert shown(operator, "job", f"q={job.pk}") == [job]
    assert shown(operator, "job", "q=run-4") == [job]
    assert shown(operator, "job", "q=on fire") == [job]
    assert shown(operator, "deployment", f"q={first.version}") == [first]
    assert shown(operator, "deployment", f"q={second.commit_sha}") == [second]
    commit = first.changes.get().commit
    assert shown(operator, "commit", f"q={commit.sha}") == [commit]
    assert shown(operator, "change", f"deployment__id__exact={first.pk}") == [first.changes.get()]
    assert [gap.deployment for gap in shown(operator, "historygap", "q=acme/1")] == [second]


def act(operator: Client, model: str, action: str, *rows: Model) -> str:
    chosen = {"action": action, "_selected_action": [row.pk for row in rows]}
    return operator.post(address(model), chosen, follow=True).content.decode()


def test_a_key_is_created_shown_once_and_revoked(operator: Client, workspace: Workspace) -> None:
    answer = operator.post(
        f"{address('apikey')}add/",
        {"workspace": str(workspace.pk), "name": "CI", "scopes": ["metrics:read"]},
        follow=True,
    ).content.decode()
    key = ApiKey.objects.get()
    text = answer.partition("shown once: ")[2].partition("<")[0].strip()
    assert ApiKey.digest_of(text) == key.digest
    assert (key.scopes, key.created_by) == (["metrics:read"], User.objects.get())
    for page in (address("apikey"), f"{address('apikey')}{key.pk}/change/", f"{address('apikey')}{key.pk}/history/"):
        again = operator.get(page).content.decode()
        assert text not in again
        assert key.digest not in again
        assert key.prefix in again
    assert "1 keys revoked" in act(operator, "apikey", "revoke", key)
    assert "0 keys revoked" in act(operator, "apikey", "revoke", key)
    key.refresh_from_db()
    assert not key.is_usable


def test_a_key_changes_neither_its_workspace_nor_its_digest(operator: Client, workspace: Workspace) -> None:
    key, _ = ApiKey.create(workspace=workspace, name="CI")
    said = {"workspace": str(factories.make_workspace("Other").pk), "name": "CI 2", "scopes": ["metrics:read"],
            "digest": "0" * 64, "prefix": "00000000"}  # fmt: skip
    operator.post(f"{address('apikey')}{key.pk}/change/", said)
    changed = ApiKey.objects.get()
    assert (changed.name, changed.scopes) == ("CI 2", ["metrics:read"])
    assert (changed.workspace, changed.digest, changed.prefix) == (workspace, key.digest, key.prefix)


def test_keys_are_found_by_their_state(operator: Client, workspace: Workspace) -> None:
    now = timezone.now()

    def make(name: str, **fields: Any) -> None:
        key, _ = ApiKey.create(workspace=workspace, name=name)
        ApiKey.objects.filter(pk=key.pk).update(**{"last_used_at": now, **fields})

    make("used")
    make("fresh", last_used_at=None)
    make("expiring", expires_at=now + DAY)
    make("expired", expires_at=now - DAY)
    make("revoked", revoked_at=now)
    make("idle", created_at=now - 200 * DAY, last_used_at=now - 100 * DAY)
    make("forgotten", created_at=now - 200 * DAY, last_used_at=None)

    def names(state: str) -> set[str]:
        return {key.name for key in shown(operator, "apikey", f"state={state}")}

    assert names("usable") == {"used", "fresh", "expiring", "idle", "forgotten"}
    assert names("expiring") == {"expiring"}
    assert names("expired") == {"expired"}
    assert names("revoked") == {"revoked"}
    assert names("unused") == {"fresh", "forgotten"}
    assert names("idle") == {"idle", "forgotten"}


def test_jobs_are_found_by_their_trouble(operator: Client, workspace: Workspace) -> None:
    long_ago = timezone.now() - DAY

    def make(**fields: Any) -> Job:
        return Job.objects.create(workspace=workspace, payload={}, **fields)

    make(status="COMPLETE")
    make(status="RUNNING", claimed_until=timezone.now() + DAY)
    failed = make(status="ERROR", error="It broke")
    waiting = make(attempt=2, available_at=timezone.now() + DAY)
    late, silent = make(available_at=long_ago), make(status="RUNNING", claimed_until=long_ago, workers_lost=3)
    assert shown(operator, "job", "trouble=failed") == [failed]
    assert shown(operator, "job", "trouble=retrying") == [waiting]
    assert {job.pk for job in shown(operator, "job", "trouble=stuck")} == {late.pk, silent.pk}
    assert shown(operator, "job", "trouble=killing") == [silent]
    assert len(shown(operator, "job", "trouble=nonsense")) == 6


def test_refused_requests_are_found_by_their_reason(operator: Client, workspace: Workspace) -> None:
    for status in (401, 422, 413):
        RefusedRequest.objects.create(workspace=workspace, method="POST", path="/", http_status=status)
    assert [row.http_status for row in shown(operator, "refusedrequest", "reason=422")] == [422]
    assert [row.http_status for row in shown(operator, "refusedrequest", "reason=other")] == [413]
    assert len(shown(operator, "refusedrequest", "reason=nonsense")) == 3


def test_failed_jobs_are_run_again_and_queued_ones_withdrawn(operator: Client, workspace: Workspace) -> None:
    failed = Job.objects.create(workspace=workspace, payload={}, status="ERROR", error="It broke")
    queued = Job.objects.create(workspace=workspace, payload={})
    assert "It broke" in operator.get(f"{address('job')}?trouble=failed").content.decode()
    assert "1 jobs queued once more" in act(operator, "job", "run_again", failed, queued)
    assert "1 jobs withdrawn" in act(operator, "job", "withdraw", queued)
    assert [Job.objects.get(pk=job.pk).status for job in (failed, queued)] == ["QUEUED", "STOPPED"]


def test_running_a_job_again_wakes_a_worker(
    operator: Client, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    rings: list[None] = []
    monkeypatch.setattr("deployments.admin.base.ring_bell", lambda: rings.append(None))
    failed = Job.objects.create(workspace=workspace, payload={}, status="ERROR")
    with django_capture_on_commit_callbacks(execute=True):
        act(operator, "job", "run_again", failed)
    assert len(rings) == 1


def test_only_jobs_that_have_ended_are_deleted(operator: Client, workspace: Workspace) -> None:
    queued = Job.objects.create(workspace=workspace, payload={})
    ended = Job.objects.create(workspace=workspace, payload={}, status="COMPLETE")
    for job in (queued, ended):
        operator.post(f"{address('job')}{job.pk}/delete/", {"post": "yes"})
        operator.post(
            address("job"), {"action": "delete_selected", "_selected_action": [job.pk], "post": "yes"}, follow=True
        )
    assert list(Job.objects.all()) == [queued]


def test_deployments_are_archived_and_restored(operator: Client, workspace: Workspace) -> None:
    deployment = add(workspace, 0)
    assert "1 deployments archived" in act(operator, "deployment", "archive", deployment)
    assert "0 deployments archived" in act(operator, "deployment", "archive", deployment)
    deployment.refresh_from_db()
    assert deployment.archived_at is not None
    assert deployment.lineage_pending
    assert shown(operator, "deployment", "archived_at__isempty=0") == [deployment]
    assert "1 deployments restored" in act(operator, "deployment", "restore", deployment)
    deployment.refresh_from_db()
    assert deployment.archived_at is None


READ_ONLY = [*LARGE, "track", "missingparent", "ratelimitwindow", "backfill", "deploymentsecret", "githubconnection",
             "deploymenttrigger", "formername", "incident"]  # fmt: skip
TOLD = [model for model in MODELS if model._meta.model_name in READ_ONLY]


@pytest.mark.parametrize("model", TOLD, ids=by_name)
def test_what_was_told_or_worked_out_is_not_edited(
    operator: Client, workspace: Workspace, model: type[Model]
) -> None:
    add(workspace, 0)
    row = model._default_manager.first()
    assert row is not None
    assert operator.post(f"{address(model)}{admin.utils.quote(row.pk)}/change/", {}).status_code == 403
    assert operator.get(f"{address(model)}add/").status_code == 403


KEPT = [*OF_GITHUB, "deployment", "deploymentstatus", "commit", "change", "shippedcommit", "historygap",
        "missingparent", "track", "application", "environment", "repository"]  # fmt: skip


@pytest.mark.parametrize("name", KEPT)
def test_what_others_are_worked_out_from_is_not_deleted(operator: Client, workspace: Workspace, name: str) -> None:
    add(workspace, 0)
    (row,) = shown(operator, name)
    assert operator.post(f"{address(name)}{row.pk}/delete/", {"post": "yes"}).status_code == 403
    assert "delete_selected" not in operator.get(address(name)).content.decode()
    workspace_page = f"{address('workspace')}{workspace.pk}/delete/"
    assert operator.post(workspace_page, {"post": "yes"}).status_code == 403


def test_what_was_never_deployed_is_deleted(operator: Client, workspace: Workspace) -> None:
    track = factories.make_track(workspace)
    for name, row in (("application", track.application), ("environment", track.environment)):
        assert operator.post(f"{address(name)}{row.pk}/delete/", {"post": "yes"}).status_code == 302
    assert operator.post(f"{address('workspace')}{workspace.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not Workspace.objects.exists()


@pytest.mark.parametrize(
    ("payload", "expected"),
    [({"app": "<b>"}, "&lt;b&gt;"), ({"message": "ü" * 30_000}, "characters more")],
    ids=["escaped", "cut"],
)
def test_a_payload_is_shown_readable_and_runs_nothing(
    operator: Client, workspace: Workspace, payload: dict[str, str], expected: str
) -> None:
    job = Job.objects.create(workspace=workspace, payload=payload, error="x" * 500)
    text = operator.get(f"{address('job')}{job.pk}/change/").content.decode()
    assert expected in text
    assert json.dumps(payload, indent=2, ensure_ascii=False)[3:8] in text.replace("&quot;", '"')
    assert "x" * 101 not in operator.get(address("job")).content.decode()


def person(email: str) -> dict[str, str]:
    forms = {"memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}
    return {"email": email, "password1": "a long enough secret", "password2": "a long enough secret"} | forms


def test_a_person_is_added_by_address_and_logs_in(operator: Client, client: Client) -> None:
    operator.post(f"{address('user')}add/", person("New@Example.com"))
    added = User.objects.get(email="new@example.com")
    assert added.check_password("a long enough secret")
    answer = operator.post(f"{address('user')}add/", person("NEW@example.com"))
    assert "already exists" in answer.content.decode()
    client.logout()
    assert client.login(username="new@example.com", password="a long enough secret")


@pytest.mark.parametrize("change", [{"password2": "another"}, {"email": "no address"}])
def test_a_person_with_a_mistake_is_not_added(operator: Client, change: dict[str, str]) -> None:
    assert operator.post(f"{address('user')}add/", person("new@example.com") | change).status_code == 200
    assert User.objects.count() == 1


@pytest.mark.parametrize("visit", [lambda: "/admin/", lambda: address("job"), lambda: address("apikey")])
def test_a_member_is_no_operator(pages: Client, visit: Callable[[], str]) -> None:
    assert pages.get(visit()).status_code == 302


def test_who_guesses_passwords_here_has_to_wait_as_at_the_other_door(
    client: Client, workspace: Workspace, settings: Any
) -> None:
    settings.SLIPWAY_FAILED_AUTH_RATE_LIMIT = "2/minute"
    guess = {"username": "op@example.com", "password": "guess"}
    answers = [client.post("/admin/login/", guess).content.decode() for _ in range(3)]
    assert ["too many attempts" in answer for answer in answers] == [False, False, True]


def test_one_who_may_only_look_does_nothing(client: Client, workspace: Workspace) -> None:
    watcher = User.objects.create_user("watch@example.com", "x", is_staff=True)
    watcher.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client.force_login(watcher)
    deployment, (key, _) = add(workspace, 0), ApiKey.create(workspace=workspace, name="CI")
    job = Job.objects.create(workspace=workspace, payload={}, status="ERROR")
    act(client, "deployment", "archive", deployment)
    act(client, "apikey", "revoke", key)
    act(client, "job", "run_again", job)
    assert Deployment.objects.get().archived_at is None
    assert ApiKey.objects.get(pk=key.pk).is_usable
    assert Job.objects.get(pk=job.pk).status == "ERROR"
    assert Commit.objects.exists()


def test_secrets_are_shown_to_no_operator_and_need_not_be_readable(
    operator: Client, workspace: Workspace, settings: Any
) -> None:
    add(workspace, 0)
    secret = DeploymentSecret.objects.get()
    pages = [address(name) for name in ("deploymentsecret", "githubconnection")]
    pages += [f"{address('deploymentsecret')}{secret.pk}/change/",
              f"{address('githubconnection')}{GithubConnection.objects.get().pk}/change/"]  # fmt: skip
    for page in pages:
        text = operator.get(page).content.decode()
        assert secret.secret not in text
        assert "ghp_secret" not in text
        assert "PEM" not in text
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "quite another key " * 4, []
    operator.force_login(User.objects.get(email="op@example.com"))
    for page in pages:
        assert operator.get(page).status_code == 200


def test_a_disclosed_secret_is_ended_at_once(operator: Client, workspace: Workspace) -> None:
    DeploymentSecret.rotate(workspace, DAY)
    secret = DeploymentSecret.objects.get()
    assert "1 secrets ended" in act(operator, "deploymentsecret", "end_now", secret)
    assert "0 secrets ended" in act(operator, "deploymentsecret", "end_now", secret)
    assert not DeploymentSecret.objects.usable(timezone.now()).exists()


@pytest.mark.parametrize("query", ["1", "%231", "acme/0%231", "acme/0"])
def test_a_pull_request_is_found_by_its_number(operator: Client, workspace: Workspace, query: str) -> None:
    add(workspace, 0)
    add(workspace, 7)
    assert [row.number for row in shown(operator, "pullrequest", f"q={query}")] == [1]


def test_what_an_operator_says_of_an_environment_is_kept(operator: Client, workspace: Workspace) -> None:
    environment = Environment.objects.create(workspace=workspace, name="qa")
    fields = {"workspace": str(workspace.pk), "name": "qa", "is_production": "on"}
    operator.post(f"{address('environment')}{environment.pk}/change/", fields)
    environment.refresh_from_db()
    assert (environment.is_production, environment.is_production_is_pinned) == (True, True)
