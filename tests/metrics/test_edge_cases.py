"""Cases in which products of this kind go wrong, each reported over HTTP and read back from the API."""

import datetime as dt
from collections.abc import Iterable
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from deployments.models import Deployment, Workspace
from deployments.processing import finish_pending_work, process_due_jobs
from tests import factories
from tests.machines import Machine

HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)


@pytest.fixture
def ci(key: str) -> Machine:
    return Machine(key)


def sha(number: int) -> str:
    return f"{number:040x}"


def line(numbers: Iterable[int], authored: dt.datetime, author: str = "Ada") -> list[dict[str, Any]]:
    """Return commits that follow one another, each authored at the same time."""
    moment = authored.isoformat()
    return [
        {
            "sha": sha(number), "parents": [sha(number - 1)] if number > 1 else [], "authoredAt": moment,
            "committedAt": moment, "author": author, "message": f"Change {number}",
        }
        for number in numbers
    ]  # fmt: skip


def deploy(ci: Machine, version: str, tip: int, at: dt.datetime, **more: Any) -> None:
    answer = ci.report(version=version, commitHash=sha(tip), deployedAt=at.isoformat(), **more)
    assert answer.status_code == 202, answer.content


def told(ci: Machine, query: str) -> Any:
    process_due_jobs()
    finish_pending_work()
    answer = ci.get(f"/v1/metrics/dora?{query}")
    assert answer.status_code == 200, answer.content
    return answer.json()


def utc(*parts: int) -> dt.datetime:
    return dt.datetime(*parts, tzinfo=dt.UTC)  # type: ignore[arg-type,misc]


def test_half_past_eleven_at_night_belongs_to_the_day_of_the_workspace(workspace: Workspace, ci: Machine) -> None:
    workspace.time_zone = "America/New_York"
    workspace.save()
    deploy(ci, "v1", 1, utc(2026, 3, 3, 4, 30))  # 23:30 on Monday in New York, Tuesday in UTC
    series = told(ci, "from=2026-03-02&to=2026-03-03&interval=day")["deploymentFrequency"]["series"]
    assert [day["deployments"] for day in series] == [1, 0]


@pytest.mark.parametrize(
    ("sunday", "moments"),
    [
        ("2025-03-30", [(30, 0, 59), (30, 1, 0), (30, 21, 59)]),  # a day of 23 hours in Berlin
        ("2025-10-26", [(25, 22, 0), (26, 0, 30), (26, 1, 30), (26, 22, 59)]),  # and one of 25
    ],
)
def test_days_of_23_and_25_hours_hold_what_happened_in_them(
    workspace: Workspace, ci: Machine, sunday: str, moments: list[tuple[int, int, int]]
) -> None:
    workspace.time_zone = "Europe/Berlin"
    workspace.save()
    month = int(sunday[5:7])
    for number, moment in enumerate([*moments, (dt.date.fromisoformat(sunday).day, 23, 0)], start=1):
        deploy(ci, f"v{number}", number, utc(2025, month, *moment))
    monday = dt.date.fromisoformat(sunday) - 6 * DAY
    body = told(ci, f"from={monday}&to={sunday}&interval=week")
    day = told(ci, f"from={sunday}&to={sunday}&interval=day")
    assert [week["deployments"] for week in body["deploymentFrequency"]["series"]] == [len(moments)]
    assert day["deploymentFrequency"]["deployments"] == len(moments)


def test_an_incident_open_over_the_end_of_the_month_runs_on(ci: Machine) -> None:
    deploy(ci, "v1", 1, utc(2026, 3, 1, 9))
    deploy(ci, "v2", 2, utc(2026, 3, 31, 20))
    process_due_jobs()
    incident = {
        "title": "Slow",
        "app": "backend-api",
        "environment": "production",
        "startedAt": "2026-03-31T22:00:00Z",
    }
    opened = ci.post("/v1/incidents", incident).json()
    march = "from=2026-03-01&to=2026-03-31&interval=month"
    recovery = told(ci, march)["failedDeploymentRecoveryTime"]
    assert (recovery["medianSeconds"], recovery["open"]) == (None, 1)
    assert recovery["noData"] == "No failure of this period is repaired yet."
    ci.request("PATCH", f"/v1/incidents/{opened['id']}", {"resolvedAt": "2026-04-02T20:00:00Z"})
    recovery = told(ci, march)["failedDeploymentRecoveryTime"]
    assert (recovery["medianSeconds"], recovery["recovered"], recovery["open"]) == (48 * 3600, 1, 0)
    april = told(ci, "from=2026-04-01&to=2026-04-30&interval=month")["failedDeploymentRecoveryTime"]
    assert april["recovered"] == 0


def test_two_incidents_of_one_deployment_are_one_failure(ci: Machine) -> None:
    deploy(ci, "v1", 1, utc(2026, 3, 2, 9))
    deploy(ci, "v2", 2, utc(2026, 3, 2, 10))
    process_due_jobs()
    for minute in (5, 10):
        started = f"2026-03-02T10:{minute:02}:00Z"
        body = {"title": "Down", "app": "backend-api", "environment": "production", "startedAt": started}
        assert ci.post("/v1/incidents", body).status_code == 201
    fail = told(ci, "from=2026-03-02&to=2026-03-02")["changeFailRate"]
    assert (fail["failed"], fail["deployments"], fail["value"]) == (1, 2, 0.5)


def test_a_month_with_nothing_is_a_gap_and_no_zero(ci: Machine) -> None:
    deploy(ci, "v1", 1, utc(2026, 1, 5), commits=line([1], utc(2026, 1, 4)))
    deploy(ci, "v2", 2, utc(2026, 1, 6), commits=line([1, 2], utc(2026, 1, 5)))
    body = told(ci, "from=2026-01-01&to=2026-02-28&interval=month")
    assert [month["medianSeconds"] for month in body["changeLeadTime"]["series"]] == [86400, None]
    assert [month["value"] for month in body["changeFailRate"]["series"]] == [0, None]
    quiet = told(ci, "from=2026-02-01&to=2026-02-28")
    for name in ("deploymentFrequency", "changeLeadTime", "changeFailRate", "deploymentReworkRate"):
        assert quiet[name]["noData"], name
    assert quiet["deploymentFrequency"]["perDay"] is None


def test_a_first_deployment_with_ten_years_behind_it_has_no_lead_time(ci: Machine) -> None:
    deploy(ci, "v1", 300, utc(2026, 3, 2), commits=line(range(1, 301), utc(2016, 3, 2)))
    deploy(ci, "v2", 301, utc(2026, 3, 3), commits=line([301], utc(2026, 3, 2)))
    lead = told(ci, "from=2026-03-01&to=2026-03-31")["changeLeadTime"]
    assert (lead["changes"], lead["medianSeconds"], lead["coverage"]["baselines"]) == (1, 86400, 1)


@pytest.mark.parametrize("count", [251, 5_100])
def test_a_release_of_many_commits_has_them_all(ci: Machine, count: int) -> None:
    deploy(ci, "v1", 1, utc(2026, 3, 2), commits=line([1], utc(2026, 3, 1)))
    deploy(ci, "v2", count + 1, utc(2026, 3, 3), commits=line(range(2, count + 2), utc(2026, 3, 2)))
    lead = told(ci, "from=2026-03-01&to=2026-03-31")["changeLeadTime"]
    assert (lead["changes"], lead["medianSeconds"]) == (count, 86400)


def test_a_deployment_dated_back_takes_its_changes_from_the_later_one(ci: Machine) -> None:
    history = line([1, 2, 3], utc(2026, 3, 1))
    deploy(ci, "v1", 1, utc(2026, 3, 2), commits=history)
    deploy(ci, "v3", 3, utc(2026, 3, 6), commits=history)
    query = "from=2026-03-01&to=2026-03-07&interval=day"
    assert told(ci, query)["changeLeadTime"]["medianSeconds"] == 5 * 86400
    deploy(ci, "v2", 2, utc(2026, 3, 4))
    series = told(ci, query)["changeLeadTime"]["series"]
    assert [(day["start"], day["medianSeconds"]) for day in series if day["changes"]] == [
        ("2026-03-04", 3 * 86400),
        ("2026-03-06", 5 * 86400),
    ]


def test_two_deployments_in_the_same_second_are_two_in_the_order_of_their_arrival(ci: Machine) -> None:
    history = line([1, 2, 3], utc(2026, 3, 1))
    deploy(ci, "v1", 1, utc(2026, 3, 1), commits=history)
    for version, tip in (("v2", 2), ("v3", 3)):
        deploy(ci, version, tip, utc(2026, 3, 2, 12))
    body = told(ci, "from=2026-03-02&to=2026-03-02")
    assert body["deploymentFrequency"]["deployments"] == 2
    assert body["changeLeadTime"]["changes"] == 2
    assert list(Deployment.objects.order_by("id").values_list("changes_count", flat=True)) == [0, 1, 1]


def test_the_same_report_again_counts_once(ci: Machine) -> None:
    for _ in range(3):
        deploy(ci, "v1", 1, utc(2026, 3, 2))
    assert told(ci, "from=2026-03-02&to=2026-03-02")["deploymentFrequency"]["deployments"] == 1


def test_failed_then_successful_is_one_attempt_that_failed_and_one_deployment(ci: Machine) -> None:
    deploy(ci, "v1", 1, utc(2026, 3, 2, 8))
    deploy(ci, "v2", 2, utc(2026, 3, 2, 9), state="failure")
    deploy(ci, "v2", 2, utc(2026, 3, 2, 10))
    body = told(ci, "from=2026-03-02&to=2026-03-02")
    assert body["deploymentFrequency"]["deployments"] == 2
    fail, recovery = body["changeFailRate"], body["failedDeploymentRecoveryTime"]
    assert (fail["failed"], fail["deployments"], fail["failedAttempts"]) == (1, 3, 1)
    assert recovery["medianSeconds"] == 3600
    assert body["deploymentReworkRate"]["rework"] == 0


def test_a_clock_that_was_ahead_makes_no_time_below_zero(ci: Machine) -> None:
    deploy(ci, "v1", 1, utc(2026, 3, 2), commits=line([1], utc(2026, 3, 1)))
    deploy(ci, "v2", 2, utc(2026, 3, 3), commits=line([2], utc(2026, 3, 4)))
    lead = told(ci, "from=2026-03-01&to=2026-03-31")["changeLeadTime"]
    assert (lead["medianSeconds"], lead["coverage"]["clocksAhead"]) == (0, 1)


def test_changes_by_bots_are_set_apart_unless_asked_for(ci: Machine) -> None:
    deploy(ci, "v1", 1, utc(2026, 3, 2), commits=line([1], utc(2026, 3, 1)))
    deploy(ci, "v2", 2, utc(2026, 3, 3), commits=line([2], utc(2026, 3, 2)))
    deploy(ci, "v3", 3, utc(2026, 3, 4), commits=line([3], utc(2026, 3, 3, 23), author="renovate[bot]"))
    march = "from=2026-03-01&to=2026-03-31"
    lead = told(ci, march)["changeLeadTime"]
    assert (lead["changes"], lead["medianSeconds"], lead["coverage"]["botChanges"]) == (1, 86400, 1)
    assert told(ci, f"{march}&bots=include")["changeLeadTime"]["changes"] == 2
    only = told(ci, f"{march}&bots=only")["changeLeadTime"]
    assert (only["changes"], only["medianSeconds"]) == (1, 3600)
    assert ci.get(f"/v1/metrics/dora?{march}&bots=perhaps").json()["errors"][0]["field"] == "bots"


def test_two_hundred_services_cost_no_more_queries_than_two(
    workspace: Workspace, ci: Machine, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(200):
        track = factories.make_track(workspace, f"service-{number}", repository=f"acme/service-{number}")
        factories.make_deployment(track, utc(2026, 3, 2) + number * HOUR)
    with django_assert_max_num_queries(12):
        answer = ci.get("/v1/metrics/dora?from=2026-03-01&to=2026-03-31")
    assert answer.json()["deploymentFrequency"]["deployments"] == 200


def test_weekends_and_freezes_leave_the_rate_and_say_why(workspace: Workspace, ci: Machine) -> None:
    workspace.working_days = [1, 2, 3, 4, 5]
    workspace.save()
    workspace.freeze_periods.create(first_day="2026-03-04", last_day="2026-03-05", reason="Stocktaking")
    for day in (2, 3, 6, 7):  # the last is a Saturday: it was deployed all the same
        deploy(ci, f"v{day}", day, utc(2026, 3, day, 12))
    body = told(ci, "from=2026-03-02&to=2026-03-08&interval=week")
    frequency = body["deploymentFrequency"]
    assert (frequency["deployments"], frequency["daysCounted"]) == (4, 3)
    assert frequency["perDay"] == pytest.approx(4 / 3)
    assert body["daysLeftOut"] == [{"from": "2026-03-04", "to": "2026-03-05", "reason": "Stocktaking"}]
