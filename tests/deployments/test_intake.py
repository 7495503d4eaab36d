"""POST /v1/deployments: what is accepted, and what becomes of it."""

import contextlib
import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from django.db import connection

from deployments.models import Deployment, Job, JobStatus, Repository
from deployments.processing import process_due_jobs
from tests.factories import NOON
from tests.machines import Machine, assert_problem, faults_of, make_report

pytestmark = pytest.mark.django_db


def test_the_curl_of_the_documentation_is_answered_with_a_job(ci: Machine) -> None:
    answer = ci.report(description="Release v1.4.2", author="jane-doe")

    job = Job.objects.get()
    here = f"http://testserver/api/jobs/{job.pk}"
    assert answer.status_code == 202
    assert answer["Content-Type"] == "application/json"
    assert answer.json() == {
        "status": 202,
        "id": str(job.pk),
        "_links": {
            "self": {"href": here},
            "delete job": {"href": here, "type": "DELETE"},
            "logs": {"href": f"{here}/logs?sequence=0", "type": "GET"},
            "withdraw job": {"href": f"{here}/stopped", "type": "PUT"},
        },
    }


def test_the_job_is_stored_before_the_answer_and_processed_after_it(ci: Machine) -> None:
    ci.report()

    assert Job.objects.get().status == JobStatus.QUEUED
    assert not Deployment.objects.exists()


def test_every_field_of_a_report_is_recorded(ci: Machine) -> None:
    deployment = ci.deploy(
        description="Release v1.4.2",
        author="jane-doe",
        deployedAt="2026-03-01T14:00:00+02:00",
        monorepoPath="services/api",
        state="in_progress",
        environmentUrl="https://acme.example",
        logUrl="https://ci.example/42",
    )

    assert deployment.application.repository.full_name == "acme/backend"
    assert deployment.application.name == "backend-api"
    assert deployment.application.monorepo_path == "services/api"
    assert deployment.environment.name == "production"
    assert deployment.version == "v1.4.2"
    assert deployment.commit_sha == "a1b2c3d4e5f6a1b2c3d4e5f6a1b2c3d4e5f6a1b2"
    assert deployment.description == "Release v1.4.2"
    assert deployment.author == "jane-doe"
    assert deployment.deployed_at == dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
    assert deployment.state == "in_progress"
    assert deployment.environment_url == "https://acme.example"
    assert deployment.log_url == "https://ci.example/42"


def test_without_a_time_the_deployment_took_place_when_it_was_reported(ci: Machine) -> None:
    with time_machine.travel(NOON, tick=False):
        ci.report()
    process_due_jobs()

    assert Deployment.objects.get().deployed_at == NOON


@pytest.mark.parametrize("field", ["repositoryFullName", "environment", "app", "version", "commitHash"])
def test_text_is_trimmed(ci: Machine, field: str) -> None:
    text = make_report()[field]

    assert ci.report(**{field: f" \t{text}\n"}).status_code == 202
    payload = Job.objects.get().payload
    assert text in payload.values()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("services/api", "services/api"),
        ("/services/api/", "services/api"),
        ("./services/api", "services/api"),
        (" services//api ", "services/api"),
        ("services/./api/", "services/api"),
        (".", ""),
        ("/", ""),
        ("", ""),
    ],
)
def test_a_monorepo_path_may_be_written_in_several_ways(ci: Machine, given: str, kept: str) -> None:
    assert ci.deploy(monorepoPath=given).monorepo_path == kept


@pytest.mark.parametrize("path", ["../other", "services/../../other", ".."])
def test_a_monorepo_path_stays_inside_the_repository(ci: Machine, path: str) -> None:
    answer = ci.report(monorepoPath=path)

    assert answer.status_code == 422
    assert faults_of(answer) == {("monorepoPath", "invalid")}


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00+00:00"),
        ("2026-03-01t12:00:00z", "2026-03-01T12:00:00+00:00"),
        ("2026-03-01T12:00Z", "2026-03-01T12:00:00+00:00"),
        ("2026-03-01 12:00:00+00:00", "2026-03-01T12:00:00+00:00"),
        ("2026-03-01T23:30:00.123456789-08:00", "2026-03-02T07:30:00.123456+00:00"),
        ("2026-03-01T12:00:00,5+0530", "2026-03-01T06:30:00.500000+00:00"),
        ("20260301T120000Z", "2026-03-01T12:00:00+00:00"),
        ("1970-01-01T00:00:01Z", "1970-01-01T00:00:01+00:00"),
        (" 2026-03-01T12:00:00Z ", "2026-03-01T12:00:00+00:00"),
    ],
)
def test_a_date_time_may_have_any_offset(ci: Machine, given: str, meant: str) -> None:
    with time_machine.travel(NOON, tick=False):
        answer = ci.report(deployedAt=given)

    assert answer.status_code == 202, answer.content
    assert Job.objects.get().payload["deployed_at"] == meant


def test_a_clock_may_be_nine_minutes_ahead(ci: Machine) -> None:
    with time_machine.travel(NOON, tick=False):
        ahead = NOON + dt.timedelta(minutes=9)
        assert ci.report(deployedAt=ahead.isoformat()).status_code == 202


@pytest.mark.parametrize("field", ["description", "author", "deployedAt", "monorepoPath", "state", "commits"])
def test_null_says_the_same_as_leaving_a_field_out(ci: Machine, field: str) -> None:
    ci.report(json.dumps({**make_report(), field: None}).encode())
    ci.report()

    first, second = Job.objects.order_by("id")
    assert first.payload == second.payload


def test_unknown_fields_are_ignored(ci: Machine) -> None:
    assert ci.report(pipeline={"id": 7, "nested": [[]]}, Version="x").status_code == 202


@pytest.mark.parametrize(
    "content_type",
    ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x", "nonsense", ""],
)
def test_the_content_type_does_not_matter(ci: Machine, content_type: str) -> None:
    # curl sends a form's content type unless it is told otherwise.
    answer = ci.post("/v1/deployments", make_report(), Content_Type=content_type)

    assert answer.status_code == 202, answer.content


def test_a_byte_order_mark_does_not_matter(ci: Machine) -> None:
    assert ci.report(b"\xef\xbb\xbf" + json.dumps(make_report()).encode()).status_code == 202


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR", "token"])
def test_the_scheme_may_be_written_in_any_case(ci: Machine, key: str, scheme: str) -> None:
    assert ci.post("/v1/deployments", make_report(), Authorization=f"{scheme} {key}").status_code == 202


def test_the_longest_texts_are_taken(ci: Machine) -> None:
    longest = dict.fromkeys(["repositoryFullName", "environment", "app", "author"], "ü" * 255)
    deployment = ci.deploy(**longest, version="v" * 70, commitHash="a" * 70, description="ß" * 255)

    assert deployment.version == "v" * 70
    assert deployment.application.name == "ü" * 255


def test_commits_arrive_with_the_report(ci: Machine) -> None:
    first = {
        "sha": "A" * 40,
        "parents": [],
        "authoredAt": "2026-03-01T10:00:00+01:00",
        "committedAt": "2026-03-01T11:00:00Z",
        "message": "Begin\n\nWith a body",
        "author": "Ada",
        "files": ["README.md"],
    }
    ci.deploy(commits=[first, {"sha": "b" * 40, "parents": ["a" * 40]}], commitHash="b" * 40)

    commits = Repository.objects.get().commits
    known = commits.get(sha="a" * 40)
    assert known.authored_at == dt.datetime(2026, 3, 1, 9, tzinfo=dt.UTC)
    assert known.subject == "Begin"
    assert known.files == "README.md"
    assert commits.get(sha="b" * 40).parents == "a" * 40


def test_a_report_takes_as_many_queries_however_many_commits_it_brings(
    ci: Machine, django_assert_max_num_queries: Any
) -> None:
    ci.report()  # notes the use of the key
    for count in (1, 500):
        commits = [{"sha": f"{number:040x}"} for number in range(count)]
        # The key with its workspace, the counter and its end, and the one INSERT in its transaction.
        with django_assert_max_num_queries(6):
            assert ci.report(commits=commits).status_code == 202


def test_nothing_accepted_is_dropped_for_lack_of_acquaintance(ci: Machine) -> None:
    deployment = ci.deploy(repositoryFullName="never/heard-of", app="new", environment="moon base")

    assert str(deployment.application.repository) == "never/heard-of"
    assert not deployment.environment.is_production


@contextlib.contextmanager
def _refusing_jobs(condition: str = "") -> Iterator[None]:
    """Have the database refuse to store jobs, as it does when its disk is full; all, or those of a version."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            when = f"WHEN NEW.payload LIKE '%\"{condition}\"%'" if condition else ""
            cursor.execute(
                f"CREATE TRIGGER refuse BEFORE INSERT ON deployments_job {when}"
                " BEGIN SELECT RAISE(ABORT, 'disk full'); END"
            )
        else:
            when = f"WHEN (NEW.payload->>'version' = '{condition}')" if condition else ""
            cursor.execute(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql"
                " AS $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'disk_full'; END $$"
            )
            cursor.execute(
                f"CREATE TRIGGER refuse BEFORE INSERT ON deployments_job FOR EACH ROW {when}"
                " EXECUTE FUNCTION refuse()"
            )
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            if connection.vendor == "sqlite":
                cursor.execute("DROP TRIGGER refuse")
            else:
                cursor.execute("DROP FUNCTION refuse CASCADE")


def _assert_unavailable(answer: Any) -> None:
    problem = assert_problem(answer, 503)
    assert int(answer["Retry-After"]) > 0
    assert "Nothing was stored" in problem["detail"]


@pytest.mark.django_db(transaction=True)
def test_a_job_that_cannot_be_stored_is_503(ci: Machine) -> None:
    with _refusing_jobs():
        _assert_unavailable(ci.report())
        _assert_unavailable(ci.post("/v1/deployments", make_report(), Idempotency_Key="a"))

    assert not Job.objects.exists()
    assert ci.post("/v1/deployments", make_report(), Idempotency_Key="a").status_code == 202


@pytest.mark.django_db(transaction=True)
def test_of_a_batch_that_cannot_be_stored_nothing_is_half_stored(ci: Machine) -> None:
    batch = [make_report(version=f"v{number}") for number in range(50)]
    with _refusing_jobs("v33"):
        _assert_unavailable(ci.post("/v1/deployments/batch", batch))

    assert not Job.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_read_only_is_503(ci: Machine) -> None:
    ci.get("/v1/jobs")
    on, off = (
        ("PRAGMA query_only = ON", "PRAGMA query_only = OFF")
        if connection.vendor == "sqlite"
        else ("SET default_transaction_read_only = on", "SET default_transaction_read_only = off")
    )
    with connection.cursor() as cursor:
        cursor.execute(on)
    try:
        _assert_unavailable(ci.report())
        assert ci.get("/v1/deployments").status_code == 200
    finally:
        with connection.cursor() as cursor:
            cursor.execute(off)


@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_away_is_503(ci: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    connection.close()
    away = {"sqlite": ("NAME", "/nowhere/slipway.sqlite3"), "postgresql": ("PORT", "1")}
    monkeypatch.setitem(connection.settings_dict, *away[connection.vendor])
    _assert_unavailable(ci.report())
    _assert_unavailable(ci.get("/v1/deployments"))
    monkeypatch.undo()

    assert ci.report().status_code == 202
