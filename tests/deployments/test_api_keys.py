"""API keys: stored as a digest, with scopes, an expiry, and a revocation that takes effect at once."""

import datetime as dt
import hashlib
import json

import pytest
import time_machine
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from deployments.models import ApiKey, RefusedRequest, Workspace
from tests.factories import NOON, make_key
from tests.machines import Machine, assert_problem

pytestmark = pytest.mark.django_db

READ_PATHS = ["/v1/deployments", "/v1/deployments/1"]
NO_JOB = "/api/jobs/00000000-0000-0000-0000-000000000000"


def test_only_a_digest_of_a_key_is_stored(workspace: Workspace, key: str, ci: Machine) -> None:
    ci.report()
    Machine(key + "x").report()
    ApiKey.objects.update(revoked_at=timezone.now())
    ci.report()
    secret = key.rpartition("_")[2]

    tables = connection.introspection.table_names()
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608
            assert secret not in str(cursor.fetchall()), table
    assert ApiKey.objects.get().digest == hashlib.sha256(key.encode()).hexdigest()


def test_a_key_is_recognisable_by_its_prefix(key: str) -> None:
    name, prefix, secret = key.split("_")

    assert name == "slipway"
    assert ApiKey.objects.get().prefix == prefix
    assert len(secret) == 64


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer unknown",
        "Bearer slipway_00000000_" + "0" * 64,
        "Basic dXNlcjpwYXNz",
        "Digest x",
        "Bearer a b",
        "Bearer slipway__",
        "Bearer slipway_%s_x",
    ],
)
def test_without_a_good_key_it_is_401(key: str, header: str | None) -> None:
    prefix = key.split("_")[1]
    machine = Machine()
    if header is not None:
        machine.headers["Authorization"] = header.replace("%s", prefix)
    answer = machine.report()

    assert_problem(answer, 401)
    assert answer["WWW-Authenticate"].startswith('Bearer realm="slipway"')


def test_the_challenge_tells_no_key_from_a_wrong_one() -> None:
    assert Machine().report()["WWW-Authenticate"] == 'Bearer realm="slipway"'
    assert Machine("x").report()["WWW-Authenticate"] == 'Bearer realm="slipway", error="invalid_token"'


def test_a_key_may_stand_without_the_word_bearer(key: str) -> None:
    # So do the Python examples of the HAL API send it.
    machine = Machine()
    machine.headers["Authorization"] = key

    assert machine.report().status_code == 202


def test_a_revoked_key_is_refused_at_once(ci: Machine) -> None:
    assert ci.report().status_code == 202
    assert ApiKey.objects.all().revoke() == 1

    problem = assert_problem(ci.report(), 401)
    assert "revoked" in problem["detail"]


def test_a_key_expires(workspace: Workspace) -> None:
    machine = Machine(make_key(workspace, expires_at=NOON))
    with time_machine.travel(NOON - dt.timedelta(seconds=1), tick=False):
        assert machine.report().status_code == 202
    with time_machine.travel(NOON, tick=False):
        problem = assert_problem(machine.report(), 401)

    assert "expired" in problem["detail"]


@pytest.mark.parametrize(
    ("scopes", "allowed"),
    [
        ([], set()),
        (["metrics:read"], set()),
        (["deployments:read"], {"read", "jobs"}),
        (["deployments:write"], {"write", "jobs"}),
        (["deployments:read", "deployments:write", "metrics:read"], {"read", "write", "jobs"}),
    ],
)
def test_a_key_may_do_what_its_scopes_say(workspace: Workspace, scopes: list[str], allowed: set[str]) -> None:
    machine = Machine(make_key(workspace, scopes=scopes))
    asked = {
        "write": [
            ("POST", "/v1/deployments"),
            ("POST", "/v1/deployments/batch"),
            ("DELETE", "/v1/deployments/1"),
            ("POST", "/v1/deployments/1/restore"),
            ("POST", f"/api/workspaces/{workspace.pk}/deployments"),
            ("DELETE", NO_JOB),
            ("PUT", f"{NO_JOB}/stopped"),
        ],
        "read": [("GET", path) for path in READ_PATHS] + [("HEAD", "/v1/deployments")],
        "jobs": [("GET", "/v1/jobs"), ("GET", NO_JOB), ("GET", f"{NO_JOB}/logs")],
    }

    for kind, requests in asked.items():
        for method, path in requests:
            answer = machine.request(method, path)
            assert (answer.status_code != 403) == (kind in allowed), (method, path)
            assert answer.status_code < 500


def test_a_missing_scope_is_named(workspace: Workspace) -> None:
    answer = Machine(make_key(workspace, scopes=["metrics:read"])).report()

    problem = assert_problem(answer, 403)
    assert "deployments:write" in problem["detail"]
    assert (
        answer["WWW-Authenticate"] == 'Bearer realm="slipway", error="insufficient_scope", scope="deployments:write"'
    )


def test_the_last_use_is_noted_without_a_write_per_request(ci: Machine) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        ci.get("/v1/jobs")
        clock.shift(dt.timedelta(seconds=50))
        ci.get("/v1/jobs")
        assert ApiKey.objects.get().last_used_at == NOON
        clock.shift(dt.timedelta(seconds=11))
        ci.get("/v1/jobs")
        assert ApiKey.objects.get().last_used_at == NOON + dt.timedelta(seconds=61)


def test_a_request_soon_after_another_writes_nothing_to_the_key(ci: Machine) -> None:
    ci.get("/v1/jobs")
    with CaptureQueriesContext(connection) as queries:
        ci.get("/v1/jobs")
        ci.report()

    assert [query["sql"] for query in queries if 'UPDATE "deployments_apikey"' in query["sql"]] == []


def test_a_failed_use_is_not_noted(key: str) -> None:
    Machine(key[:-1] + ("0" if key[-1] != "0" else "1")).report()

    assert ApiKey.objects.get().last_used_at is None


def test_a_refused_key_of_the_workspace_is_seen_there(workspace: Workspace, key: str, ci: Machine) -> None:
    stale = make_key(workspace, revoked_at=NOON)
    Machine(stale).report()
    Machine(stale[:-1]).report()  # anybody may know a prefix; that proves nothing

    refused = ci.get("/v1/jobs").json()["results"]
    assert [(entry["httpStatus"], entry["keyPrefix"]) for entry in refused] == [(401, stale.split("_")[1])]
    assert RefusedRequest.objects.filter(workspace=None).count() == 1


def test_the_key_that_the_command_prints_last_works(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("create_api_key", "--name", "CI", "--workspace", workspace.slug, "--scope", "deployments:write")
    text = capsys.readouterr().out.splitlines()[-1]

    assert Machine(text).report().status_code == 202
    assert Machine(text).get("/v1/deployments").status_code == 403
    assert json.dumps(ApiKey.objects.get().scopes) == '["deployments:write"]'


def test_a_key_says_nothing_of_another_tenant(ci: Machine, workspace: Workspace, other_ci: Machine) -> None:
    deployment = ci.deploy()
    job = deployment.jobs.get()
    ci.report({})

    assert other_ci.get("/v1/deployments").json()["results"] == []
    assert other_ci.get("/v1/jobs").json()["results"] == []
    for method, path in [
        ("GET", f"/v1/deployments/{deployment.pk}"),
        ("DELETE", f"/v1/deployments/{deployment.pk}"),
        ("POST", f"/v1/deployments/{deployment.pk}/restore"),
        ("GET", f"/api/jobs/{job.pk}"),
        ("DELETE", f"/api/jobs/{job.pk}"),
        ("GET", f"/api/jobs/{job.pk}/logs"),
        ("PUT", f"/api/jobs/{job.pk}/stopped"),
        ("POST", f"/api/workspaces/{workspace.pk}/deployments"),
    ]:
        assert_problem(other_ci.request(method, path), 404)
    deployment.refresh_from_db()
    assert deployment.archived_at is None
