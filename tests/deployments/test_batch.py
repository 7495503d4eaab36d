"""POST /v1/deployments/batch: up to 1,000 reports at once, for backfills."""

from typing import Any

import pytest
from django.test import override_settings

from deployments.models import Deployment, Job
from deployments.processing import process_due_jobs
from tests.machines import Machine, assert_problem, faults_of, make_report

pytestmark = pytest.mark.django_db
PATH = "/v1/deployments/batch"


def test_each_item_has_its_own_answer(ci: Machine) -> None:
    bad = make_report(version=None, deployedAt="yesterday")
    answer = ci.post(PATH, {"deployments": [make_report(version="v1"), bad, "x", make_report(version="v2")]})

    results = answer.json()["results"]
    assert answer.status_code == 202
    assert [item["status"] for item in results] == [202, 422, 422, 202]
    assert {error["field"] for error in results[1]["errors"]} == {"version", "deployedAt"}
    process_due_jobs()
    recorded = [Job.objects.get(pk=results[number]["id"]).deployment for number in (0, 3)]
    assert [deployment and deployment.version for deployment in recorded] == ["v1", "v2"]


def test_a_bare_list_is_taken_too(ci: Machine) -> None:
    assert len(ci.post(PATH, [make_report()]).json()["results"]) == 1


def test_a_batch_without_any_good_item_is_422(ci: Machine) -> None:
    answer = ci.post(PATH, [{}, {}])

    assert answer.status_code == 422
    assert [item["status"] for item in answer.json()["results"]] == [422, 422]


@pytest.mark.parametrize(
    "body",
    [[], {}, {"deployments": []}, {"deployments": {}}, {"deployments": None}, None, 7, "x", [{}] * 1001],
)
def test_what_is_no_list_of_1_to_1000_is_422(ci: Machine, body: Any) -> None:
    answer = ci.post(PATH, body)

    assert_problem(answer, 422)
    assert faults_of(answer) == {("deployments", "invalid")}


@override_settings(SLIPWAY_RATE_LIMIT="off")
def test_1000_items_are_stored_by_a_few_statements(ci: Machine, django_assert_max_num_queries: Any) -> None:
    batch = [make_report(version=f"v{number}") for number in range(1000)]
    ci.report()

    # The key; then one transaction with as many INSERTs as SQLite's 999 values ask for.
    with django_assert_max_num_queries(30):
        answer = ci.post(PATH, batch)

    assert answer.status_code == 202
    assert len({item["id"] for item in answer.json()["results"]}) == 1000


@override_settings(SLIPWAY_RATE_LIMIT="10/minute")
def test_each_item_counts_against_the_rate_limit(ci: Machine) -> None:
    answer = ci.post(PATH, [make_report() for _ in range(7)])

    assert answer["RateLimit-Remaining"] == "3"
    assert "Retry-After" not in answer


@override_settings(SLIPWAY_RATE_LIMIT="10/minute")
def test_items_over_the_rate_limit_are_refused_one_by_one(ci: Machine) -> None:
    ci.report()
    answer = ci.post(PATH, [make_report() for _ in range(12)])

    assert answer.status_code == 202
    assert [item["status"] for item in answer.json()["results"]] == [202] * 9 + [429] * 3
    assert answer["RateLimit-Remaining"] == "0"
    assert 0 < int(answer["Retry-After"]) <= 60
    assert Job.objects.count() == 10
    assert_problem(ci.post(PATH, [make_report()]), 429)


def test_a_deployment_that_is_in_a_batch_twice_is_one(ci: Machine) -> None:
    report = make_report(deployedAt="2026-03-01T12:00:00Z")
    ci.post(PATH, [report, report, report])
    process_due_jobs()

    assert Deployment.objects.count() == 1
    assert Job.objects.filter(deployment=Deployment.objects.get(), status="COMPLETE").count() == 3
