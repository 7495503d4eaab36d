"""Idempotency-Key: one key from one API key is one deployment."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from deployments.models import Deployment, Job, Workspace
from deployments.processing import process_due_jobs
from tests.factories import make_key
from tests.machines import Machine, assert_problem, faults_of, make_report

PATH = "/v1/deployments"


@pytest.mark.django_db
def test_the_second_call_gets_the_job_of_the_first(ci: Machine) -> None:
    first = ci.post(PATH, make_report(), Idempotency_Key="run-42")
    second = ci.post(PATH, make_report(), Idempotency_Key="run-42")

    assert first.status_code == second.status_code == 202
    assert first.json() == second.json()
    process_due_jobs()
    assert Deployment.objects.count() == 1


@pytest.mark.django_db
def test_the_key_still_means_the_first_job_when_that_has_ended(ci: Machine) -> None:
    first = ci.post(PATH, make_report(), Idempotency_Key="run-42")
    process_due_jobs()

    assert ci.post(PATH, make_report(), Idempotency_Key="run-42").json() == first.json()
    assert process_due_jobs() == 0


@pytest.mark.django_db
def test_the_same_key_with_another_body_is_422(ci: Machine) -> None:
    ci.post(PATH, make_report(), Idempotency_Key="run-42")
    answer = ci.post(PATH, make_report(version="v2"), Idempotency_Key="run-42")

    assert_problem(answer, 422)
    assert faults_of(answer) == {("Idempotency-Key", "reused")}
    assert Job.objects.count() == 1


@pytest.mark.django_db
def test_bodies_are_the_same_where_they_say_the_same(ci: Machine) -> None:
    first = ci.post(PATH, make_report(app="api"), Idempotency_Key="a")
    backwards = dict(reversed(make_report(app=" api ", unknown=1).items()))

    assert ci.post(PATH, backwards, Idempotency_Key="a").json() == first.json()


@pytest.mark.django_db
def test_a_refused_body_uses_up_no_key(ci: Machine) -> None:
    assert ci.post(PATH, make_report(version=None), Idempotency_Key="a").status_code == 422
    assert ci.post(PATH, make_report(), Idempotency_Key="a").status_code == 202


@pytest.mark.django_db
def test_quotes_around_a_key_do_not_matter(ci: Machine) -> None:
    first = ci.post(PATH, make_report(), Idempotency_Key='"a"')

    assert ci.post(PATH, make_report(), Idempotency_Key="a").json() == first.json()


@pytest.mark.django_db
def test_without_a_key_each_call_is_a_job(ci: Machine) -> None:
    for header in ({}, {}, {"Idempotency_Key": ""}, {"Idempotency_Key": '""'}):
        ci.post(PATH, make_report(), **header)

    assert Job.objects.count() == 4


@pytest.mark.django_db
def test_the_keys_of_another_api_key_are_its_own(ci: Machine, workspace: Workspace) -> None:
    other = Machine(make_key(workspace))
    first = ci.post(PATH, make_report(), Idempotency_Key="a")
    second = other.post(PATH, make_report(version="v2"), Idempotency_Key="a")

    assert second.status_code == 202
    assert first.json()["id"] != second.json()["id"]


@pytest.mark.django_db
def test_a_key_works_on_the_address_of_the_workspace_too(ci: Machine, workspace: Workspace) -> None:
    path = f"/api/workspaces/{workspace.pk}/deployments"
    first = ci.post(path, make_report(), Idempotency_Key="a")

    assert ci.post(path, make_report(), Idempotency_Key="a").json()["id"] == first.json()["id"]
    assert Job.objects.count() == 1


@pytest.mark.django_db
def test_a_batch_sent_again_gets_the_first_jobs(ci: Machine) -> None:
    batch = {"deployments": [make_report(version=f"v{number}") for number in range(5)]}
    first = ci.post(f"{PATH}/batch", batch, Idempotency_Key="night")
    second = ci.post(f"{PATH}/batch", batch, Idempotency_Key="night")

    assert first.json() == second.json()
    assert Job.objects.count() == 5


@pytest.mark.django_db
def test_an_item_of_a_batch_that_changed_is_refused_alone(ci: Machine) -> None:
    ci.post(f"{PATH}/batch", [make_report(), make_report()], Idempotency_Key="night")
    answer = ci.post(f"{PATH}/batch", [make_report(), make_report(app="b")], Idempotency_Key="night")

    assert answer.status_code == 202
    assert [item["status"] for item in answer.json()["results"]] == [202, 422]
    assert Job.objects.count() == 2


@pytest.mark.django_db
def test_a_batch_of_which_nothing_is_stored_is_422(ci: Machine) -> None:
    ci.post(f"{PATH}/batch", [make_report()], Idempotency_Key="night")
    answer = ci.post(f"{PATH}/batch", [make_report(app="b")], Idempotency_Key="night")

    assert answer.status_code == 422


@pytest.mark.django_db(transaction=True)
def test_two_calls_at_once_are_one_deployment(key: str) -> None:
    callers = 8
    together = Barrier(callers)

    def call(number: int) -> tuple[int, str]:
        machine = Machine(key)
        together.wait()
        answers = [machine.post(PATH, make_report(), Idempotency_Key=f"run-{turn}") for turn in range(5)]
        connection.close()
        return number, str([(answer.status_code, answer.json()["id"]) for answer in answers])

    with ThreadPoolExecutor(callers) as pool:
        answers = dict(pool.map(call, range(callers)))

    assert len(set(answers.values())) == 1
    assert "(202, " in answers[0]
    process_due_jobs()
    assert Deployment.objects.count() == 5
