"""The operator's admin."""

import pytest
from django.contrib import admin
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from deployments.models import ApiKey, Deployment, Job, RefusedRequest, User, Workspace
from tests import factories

MODELS = [model for model in admin.site._registry if model._meta.app_label == "deployments"]


@pytest.fixture
def operator(client: Client, db: None) -> Client:
    client.force_login(User.objects.create_superuser("op@example.com", "x"))
    return client


def add(workspace: Workspace, number: int) -> Deployment:
    track = factories.make_track(workspace, f"app-{number}", f"env-{number}", f"acme/{number}")
    deployment = factories.make_deployment(track)
    factories.make_change(deployment, factories.HOUR)
    key, _ = ApiKey.create(workspace=workspace, name=f"key {number}", created_by=factories.make_user())
    Job.objects.create(workspace=workspace, api_key=key, payload={"app": "<b>"}, deployment=deployment)
    RefusedRequest.objects.create(workspace=workspace, method="POST", path="/v1/deployments", http_status=422)
    return deployment


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.model_name)
def test_every_list_costs_the_same_for_one_row_and_for_thirty(
    operator: Client, workspace: Workspace, model: type, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    address = f"/admin/deployments/{model._meta.model_name}/"  # type: ignore[attr-defined]
    add(workspace, 0)
    operator.get(address)
    with django_assert_max_num_queries(50) as one:
        assert operator.get(address).status_code == 200
    for number in range(1, 30):
        add(workspace, number)
    with django_assert_max_num_queries(len(one)):
        assert operator.get(f"{address}?q=a").status_code == 200
    row = model.objects.first()  # type: ignore[attr-defined]
    assert operator.get(f"{address}{row.pk}/change/").status_code == 200


def act(operator: Client, model: str, action: str, *rows: object) -> str:
    chosen = {"action": action, "_selected_action": [row.pk for row in rows]}  # type: ignore[attr-defined]
    return operator.post(f"/admin/deployments/{model}/", chosen, follow=True).content.decode()


def test_a_key_is_created_shown_once_and_revoked(operator: Client, workspace: Workspace) -> None:
    answer = operator.post(
        "/admin/deployments/apikey/add/",
        {"workspace": str(workspace.pk), "name": "CI", "scopes": '["metrics:read"]'},
        follow=True,
    )
    key = ApiKey.objects.get()
    assert f"slipway_{key.prefix}_" in answer.content.decode()
    assert key.digest not in answer.content.decode()
    assert "1 keys revoked" in act(operator, "apikey", "revoke", key)
    key.refresh_from_db()
    assert not key.is_usable


def test_failed_jobs_are_found_and_run_again_and_queued_ones_withdrawn(
    operator: Client, workspace: Workspace
) -> None:
    failed = Job.objects.create(workspace=workspace, payload={}, status="ERROR", error="It broke")
    queued = Job.objects.create(workspace=workspace, payload={})
    text = operator.get("/admin/deployments/job/?trouble=failed").content.decode()
    assert "It broke" in text
    assert str(queued.pk) not in text
    act(operator, "job", "run_again", failed, queued)
    act(operator, "job", "withdraw", queued)
    assert [Job.objects.get(pk=job.pk).status for job in (failed, queued)] == ["QUEUED", "STOPPED"]


@pytest.mark.parametrize("trouble", ["failed", "retrying", "stuck"])
def test_the_filters_for_trouble_work(operator: Client, workspace: Workspace, trouble: str) -> None:
    assert operator.get(f"/admin/deployments/job/?trouble={trouble}").status_code == 200


def test_deployments_are_archived_and_restored_and_not_edited(operator: Client, workspace: Workspace) -> None:
    deployment = add(workspace, 0)
    act(operator, "deployment", "archive", deployment)
    deployment.refresh_from_db()
    assert deployment.archived_at is not None
    act(operator, "deployment", "restore", deployment)
    deployment.refresh_from_db()
    assert deployment.archived_at is None
    assert (
        operator.post(f"/admin/deployments/deployment/{deployment.pk}/change/", {"version": "x"}).status_code == 403
    )


def test_a_payload_is_shown_and_runs_nothing(operator: Client, workspace: Workspace) -> None:
    add(workspace, 0)
    job = Job.objects.get()
    text = operator.get(f"/admin/deployments/job/{job.pk}/change/").content.decode()
    assert "&lt;b&gt;" in text


def test_a_person_is_added_by_address(operator: Client) -> None:
    secret = "a long enough secret"
    operator.post(
        "/admin/deployments/user/add/",
        {"email": "new@example.com", "password1": secret, "password2": secret,
         "memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"},
    )  # fmt: skip
    assert User.objects.get(email="new@example.com").check_password(secret)
