"""GET /v1/jobs: what became of what was sent, and why something was refused."""

import json
from typing import Any

import pytest
from django.test import override_settings
from django.utils import timezone

from deployments import jobs
from deployments.models import Job, RefusedRequest, Workspace
from deployments.processing import process_due_jobs
from tests.factories import make_key
from tests.machines import Machine, make_report

pytestmark = pytest.mark.django_db


def all_pages(ci: Machine, path: str) -> list[dict[str, Any]]:
    """Follow a list to its end."""
    results, pages = [], 0
    while path:
        body = ci.get(path).json()
        results += body["results"]
        path, pages = body["next"], pages + 1
        assert pages < 50
    return results


def test_the_latest_jobs_are_listed_with_their_outcomes(ci: Machine) -> None:
    deployment = ci.deploy()
    queued = ci.report().json()["id"]

    first, second = ci.get("/v1/jobs").json()["results"]
    assert (first["id"], first["status"], first["deployment"]) == (queued, "QUEUED", None)
    assert (second["status"], second["deployment"], second["error"]) == ("COMPLETE", deployment.pk, None)
    assert second["_links"]["logs"]["href"].endswith("/logs?sequence=0")


@override_settings(SLIPWAY_RATE_LIMIT="4/minute")
def test_refused_requests_are_listed_among_them(ci: Machine, workspace: Workspace) -> None:
    ci.report({"app": "x"})
    ci.report(b"{")
    ci.report()
    ci.post("/v1/deployments", make_report(), Content_Encoding="gzip")
    ci.report()
    Machine(make_key(workspace, scopes=[])).report()

    listed = ci.get("/v1/jobs").json()["results"]
    assert [entry.get("httpStatus") for entry in listed] == [403, 429, 415, None, 400, 422]
    refused = listed[-1]
    assert refused["status"] == "REFUSED"
    assert refused["request"] == "POST /v1/deployments"
    assert {error["field"] for error in refused["errors"]} == {
        "repositoryFullName",
        "environment",
        "version",
        "commitHash",
    }


def test_refused_requests_are_kept_without_their_secrets(ci: Machine, key: str) -> None:
    ci.report(make_report(app=["hunter2"], description="hunter2" * 100, state="hunter2", token="hunter2"))
    ci.request("POST", "/v1/deployments?token=hunter2", b"hunter2", Idempotency_Key="hunter2")

    assert RefusedRequest.objects.count() == 2
    kept = json.dumps(list(RefusedRequest.objects.values()), default=str)
    listed = ci.get("/v1/jobs").content.decode()
    for text in (kept, listed):
        assert "hunter2" not in text
        assert key.rpartition("_")[2] not in text


def test_requests_that_only_read_are_not_kept(ci: Machine) -> None:
    ci.get("/v1/deployments?from=yesterday")
    ci.get("/v1/jobs?status=x")

    assert not RefusedRequest.objects.exists()


def test_a_flood_of_refused_requests_is_no_flood_of_rows(ci: Machine) -> None:
    for _ in range(70):
        ci.report({})

    assert RefusedRequest.objects.count() == 60


def test_what_another_tenant_sent_is_not_listed(ci: Machine, other_ci: Machine) -> None:
    other_ci.report()
    other_ci.report({})
    Machine("slipway_unknown_key").report()

    assert ci.get("/v1/jobs").json()["results"] == []


def test_the_list_can_be_narrowed_down_to_a_status(ci: Machine) -> None:
    ci.deploy()
    ci.report()
    ci.report({})

    for status in ("COMPLETE", "queued", "REFUSED"):
        (entry,) = ci.get(f"/v1/jobs?status={status}").json()["results"]
        assert entry["status"] == status.upper()
    assert ci.get("/v1/jobs?status=ERROR").json() == {"results": [], "next": None}


@override_settings(SLIPWAY_RATE_LIMIT="off")
def test_pages_show_each_job_once(ci: Machine) -> None:
    ids = [ci.report().json()["id"] for _ in range(60)]
    ci.report({})
    ids += [ci.report().json()["id"] for _ in range(60)]

    listed = all_pages(ci, "/v1/jobs")
    assert [entry["id"] for entry in listed] == [*reversed(ids[60:]), None, *reversed(ids[:60])]


@override_settings(SLIPWAY_RATE_LIMIT="off")
def test_jobs_of_one_moment_are_all_on_some_page(ci: Machine) -> None:
    ids = {item["id"] for item in ci.post("/v1/deployments/batch", [make_report()] * 120).json()["results"]}
    Job.objects.update(created_at=Job.objects.first().created_at)  # type: ignore[union-attr]

    listed = all_pages(ci, "/v1/jobs")
    assert len(listed) == 120
    assert {entry["id"] for entry in listed} == ids


def test_the_list_takes_as_many_queries_however_long_it_is(
    ci: Machine, django_assert_num_queries: Any, django_assert_max_num_queries: Any
) -> None:
    ci.report()
    process_due_jobs()
    ci.get("/v1/jobs")
    with django_assert_max_num_queries(6) as few:
        ci.get("/v1/jobs")
    count = len(few)
    for _ in range(20):
        ci.report()
        ci.report({})
    process_due_jobs()
    with django_assert_num_queries(count) as many:
        assert len(ci.get("/v1/jobs").json()["results"]) == 41

    assert not [query for query in many if '"payload"' in query["sql"]]


def test_withdrawing_a_job_that_is_gone_is_no_error(ci: Machine) -> None:
    ci.report()
    job = Job.objects.get()
    Job.objects.all().delete()

    assert jobs.withdraw(job) is False
    assert jobs.run_again(job) is False
    assert jobs.delete(job) is False


def test_a_failed_job_can_be_run_again(ci: Machine) -> None:
    ci.report()
    Job.objects.update(status="ERROR", attempt=5, error="It broke")
    job = Job.objects.get()

    assert jobs.run_again(job)
    assert not jobs.run_again(job)
    process_due_jobs()
    job.refresh_from_db()
    assert (job.status, job.error) == ("COMPLETE", "")
    assert job.deployment is not None


def test_old_jobs_and_refusals_are_cleared_out(ci: Machine, settings: Any) -> None:
    settings.SLIPWAY_JOB_RETENTION_DAYS = settings.SLIPWAY_REFUSED_RETENTION_DAYS = 0
    deployment = ci.deploy()
    queued = ci.report().json()["id"]
    ci.report({})

    assert jobs.prune(timezone.now()) == (1, 1)
    assert [str(job.pk) for job in Job.objects.all()] == [queued]
    deployment.refresh_from_db()
