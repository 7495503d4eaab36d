"""Jobs with HAL links: the API of Matatika and Meltano Cloud, with another host and token."""

from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from deployments import jobs, processing
from deployments.models import Deployment, Job, JobStatus, JobType, Membership, Workspace
from deployments.processing import process, process_due_jobs
from tests.factories import make_deployment, make_key, make_track, make_user
from tests.machines import Machine, assert_problem, faults_of, make_report

pytestmark = pytest.mark.django_db
HAL = "application/hal+json"


@pytest.fixture
def address(workspace: Workspace) -> str:
    return f"/api/workspaces/{workspace.pk}/deployments"


def use_defaults(workspace: Workspace) -> Deployment:
    """Choose a default application and environment, on which something runs already."""
    track = make_track(workspace)
    workspace.default_application = track.application
    workspace.default_environment = track.environment
    workspace.save()
    return make_deployment(track, commit_sha="c" * 40)


def test_the_answer_has_the_shape_of_the_reference(workspace: Workspace, address: str) -> None:
    ada = make_user(workspace, "ada@example.com")
    answer = Machine(make_key(workspace, name="CI", created_by=ada)).post(address, make_report())

    job = Job.objects.get()
    here = f"http://testserver/api/jobs/{job.pk}"
    body = answer.json()
    assert answer.status_code == 202
    assert answer["Content-Type"] == HAL
    assert list(body)[:6] == ["id", "created", "type", "maxAttempts", "attempt", "status"]
    assert UUID(body["id"]) == job.pk
    assert parse_datetime(body["created"]) == job.created_at
    assert (body["type"], body["maxAttempts"], body["attempt"], body["status"]) == (
        "WORKSPACE_DEPLOY",
        5,
        0,
        "QUEUED",
    )
    assert body["_embedded"]["profile"] == {
        "id": f"key|{job.api_key.prefix}",
        "name": "CI",
        "handle": f"@{workspace.slug}",
        "email": "ada@example.com",
    }
    assert body["_links"] == {
        "self": {"href": here},
        "delete job": {"href": here, "type": "DELETE"},
        "logs": {"href": f"{here}/logs?sequence=0", "type": "GET"},
        "withdraw job": {"href": f"{here}/stopped", "type": "PUT"},
    }


def test_the_links_lead_where_they_say(ci: Machine, address: str) -> None:
    links = ci.post(address, make_report()).json()["_links"]

    assert ci.get(links["self"]["href"]).json()["status"] == "QUEUED"
    assert ci.request(links["logs"]["type"], links["logs"]["href"]).status_code == 200
    assert ci.request(links["withdraw job"]["type"], links["withdraw job"]["href"]).status_code == 200
    assert ci.request(links["delete job"]["type"], links["delete job"]["href"]).status_code == 204
    assert_problem(ci.get(links["self"]["href"]), 404)


def test_the_curl_of_the_reference_deploys_the_defaults(ci: Machine, workspace: Workspace, address: str) -> None:
    before = use_defaults(workspace)
    answer = ci.post(address)
    process_due_jobs()

    assert answer.status_code == 202
    deployment = Job.objects.get().deployment
    assert deployment is not None
    assert deployment.pk != before.pk
    assert (deployment.track, deployment.commit_sha) == (before.track, before.commit_sha)


def test_the_python_of_the_reference_deploys_the_defaults(workspace: Workspace, key: str, address: str) -> None:
    use_defaults(workspace)
    machine = Machine()
    machine.headers = {"Authorization": key}  # the example sends the token alone

    # requests sends neither a body nor a content type
    assert machine.post(address, b"", Content_Type="").status_code == 202


@pytest.mark.parametrize("body", [b"", b"{}", b"{ }", b"\r\n"])
def test_an_empty_body_means_the_defaults(ci: Machine, workspace: Workspace, address: str, body: bytes) -> None:
    use_defaults(workspace)

    assert ci.post(address, body).status_code == 202


def test_the_newest_known_commit_of_the_default_branch_is_deployed(
    ci: Machine, workspace: Workspace, address: str
) -> None:
    repository = use_defaults(workspace).application.repository
    repository.default_branch_sha = "d" * 40
    repository.save()
    ci.post(address)
    process_due_jobs()

    assert Job.objects.get().deployment.commit_sha == "d" * 40  # type: ignore[union-attr]


def test_without_defaults_the_answer_says_what_to_set(ci: Machine, address: str) -> None:
    answer = ci.post(address)

    problem = assert_problem(answer, 422)
    assert faults_of(answer) == {("defaultApplication", "not_set"), ("defaultEnvironment", "not_set")}
    assert "settings" in problem["errors"][0]["message"]
    assert not Job.objects.exists()


def test_defaults_of_which_no_commit_is_known_are_422(ci: Machine, workspace: Workspace, address: str) -> None:
    use_defaults(workspace).delete()
    answer = ci.post(address)

    assert_problem(answer, 422)
    assert faults_of(answer) == {("commitHash", "not_known")}


@pytest.mark.parametrize("body", [b"null", b"[]", b"0", b'""', b"false"])
def test_a_body_that_says_nothing_is_no_request_for_the_defaults(
    ci: Machine, workspace: Workspace, address: str, body: bytes
) -> None:
    use_defaults(workspace)

    assert_problem(ci.post(address, body), 422)


def test_a_body_is_checked_as_on_v1(ci: Machine, address: str) -> None:
    answer = ci.post(address, make_report(app=None, deployedAt="now"))

    assert_problem(answer, 422)
    assert faults_of(answer) == {("app", "required"), ("deployedAt", "invalid")}


def test_the_key_of_another_workspace_finds_nothing(other_ci: Machine, address: str) -> None:
    assert_problem(other_ci.post(address, make_report()), 404)
    assert not Job.objects.exists()


@pytest.mark.parametrize("id", ["1", "main", "00000000-0000-0000-0000-000000000000"])
def test_a_workspace_that_there_is_not_is_404(ci: Machine, id: str) -> None:
    assert_problem(ci.post(f"/api/workspaces/{id}/deployments", make_report()), 404)


def test_without_a_person_the_profile_is_the_owner(ci: Machine, workspace: Workspace, address: str) -> None:
    owner = make_user(workspace, "owner@example.com")
    Membership.objects.filter(user=owner).update(role=Membership.Role.OWNER)

    profile = ci.post(address, make_report()).json()["_embedded"]["profile"]
    assert profile["email"] == "owner@example.com"


def make_job(ci: Machine, status: str = "QUEUED") -> str:
    """Return the address of a job in a state."""
    job = Job.objects.get(pk=ci.report().json()["id"])
    if status == "RUNNING":
        jobs.claim(1)
    elif status == "COMPLETE":
        process_due_jobs()
    elif status == "STOPPED":
        jobs.withdraw(job)
    elif status == "ERROR":
        Job.objects.filter(pk=job.pk).update(status="ERROR", finished_at=timezone.now())
    job.refresh_from_db()
    assert job.status == status
    return f"/api/jobs/{job.pk}"


@pytest.mark.parametrize("status", ["COMPLETE", "ERROR", "STOPPED"])
def test_an_ended_job_can_be_deleted(ci: Machine, status: str) -> None:
    here = make_job(ci, status)
    answer = ci.request("DELETE", here)

    assert (answer.status_code, answer.content) == (204, b"")
    assert_problem(ci.get(here), 404)
    assert_problem(ci.request("DELETE", here), 404)


def test_what_a_deleted_job_recorded_stays(ci: Machine) -> None:
    ci.request("DELETE", make_job(ci, "COMPLETE"))

    assert Deployment.objects.count() == 1


@pytest.mark.parametrize("status", ["QUEUED", "RUNNING"])
def test_a_job_that_has_not_ended_cannot_be_deleted(ci: Machine, status: str) -> None:
    here = make_job(ci, status)

    assert_problem(ci.request("DELETE", here), 409)
    assert ci.get(here).json()["status"] == status


def test_a_queued_job_can_be_withdrawn(ci: Machine) -> None:
    here = make_job(ci)
    answer = ci.request("PUT", f"{here}/stopped")

    assert (answer.status_code, answer["Content-Type"]) == (200, HAL)
    assert answer.json()["status"] == "STOPPED"
    assert answer.json()["endTime"]
    assert process_due_jobs() == 0
    assert not Deployment.objects.exists()


def test_a_running_job_that_is_withdrawn_finishes_its_step_and_stops(ci: Machine) -> None:
    ci.report()
    claimed = jobs.claim(1)
    here = f"/api/jobs/{claimed[0].pk}"
    assert ci.request("PUT", f"{here}/stopped").json()["status"] == "RUNNING"

    process(claimed)

    assert ci.get(here).json()["status"] == "STOPPED"
    assert not Deployment.objects.exists()
    assert "Asked to stop" in ci.get(f"{here}/logs").content.decode()


def test_a_running_job_whose_deployment_is_recorded_stops_after_that(
    ci: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    ci.report()
    claimed = jobs.claim(1)
    derive = processing._derive

    def withdraw_then_derive(batch: list[Job], heard: Any) -> list[Job]:
        assert ci.request("PUT", f"/api/jobs/{claimed[0].pk}/stopped").status_code == 200
        return derive(batch, heard)

    monkeypatch.setattr(processing, "_derive", withdraw_then_derive)
    process(claimed)

    job = Job.objects.get()
    assert job.status == JobStatus.STOPPED
    assert job.deployment is not None


@pytest.mark.parametrize("status", ["COMPLETE", "ERROR", "STOPPED"])
def test_an_ended_job_cannot_be_withdrawn(ci: Machine, status: str) -> None:
    here = make_job(ci, status)

    assert_problem(ci.request("PUT", f"{here}/stopped"), 409)
    assert ci.get(here).json()["status"] == status


def test_a_job_tells_what_became_of_it(ci: Machine) -> None:
    body = ci.get(make_job(ci, "COMPLETE")).json()

    assert body["status"] == "COMPLETE"
    assert body["deployment"] == Deployment.objects.get().pk
    assert body["created"] <= body["startTime"] <= body["endTime"]
    assert body["error"] is None
    assert body["type"] == JobType.DEPLOYMENT


def test_the_log_is_text_from_a_line_on(ci: Machine) -> None:
    here = make_job(ci, "COMPLETE")
    whole = ci.get(f"{here}/logs")
    lines = whole.content.decode().splitlines()

    assert whole["Content-Type"] == "text/plain; charset=utf-8"
    assert whole["X-Next-Sequence"] == str(len(lines))
    assert [line.partition(" ")[2] for line in lines] == [
        "Accepted",
        f"Recorded deployment {Deployment.objects.get().pk}",
        "It is the first one in production: it says what was there, and ships nothing",
        "Done",
    ]
    for sequence in range(len(lines) + 3):
        part = ci.get(f"{here}/logs?sequence={sequence}")
        assert part.content.decode().splitlines() == lines[sequence:]
        assert int(part["X-Next-Sequence"]) == max(sequence, len(lines))


def test_a_log_that_is_followed_shows_each_line_once(ci: Machine) -> None:
    here = make_job(ci)
    seen, sequence = "", "0"
    for step in (lambda: None, process_due_jobs, lambda: None):
        step()
        part = ci.get(f"{here}/logs?sequence={sequence}")
        seen, sequence = seen + part.content.decode(), part["X-Next-Sequence"]

    assert seen == Job.objects.get().log


@pytest.mark.parametrize("sequence", ["-1", "x", "1.5", "", "9" * 30, "%00", "²"])
def test_a_sequence_is_a_line_number(ci: Machine, sequence: str) -> None:
    answer = ci.get(f"{make_job(ci)}/logs?sequence={sequence}")

    assert_problem(answer, 422)
    assert {field for field, _ in faults_of(answer)} == {"sequence"}


def test_reading_a_job_does_not_read_its_body(ci: Machine, django_assert_max_num_queries: Any) -> None:
    here = make_job(ci, "COMPLETE")
    with django_assert_max_num_queries(6) as queries:
        ci.get(here)

    assert not [query for query in queries if '"payload"' in query["sql"]]
