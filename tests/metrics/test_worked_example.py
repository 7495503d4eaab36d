"""The worked example of docs/metrics.md, reported over HTTP and read back: every number is as the page has it."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from deployments.models import Workspace
from deployments.processing import finish_pending_work, process_due_jobs
from deployments.units import duration, percent
from tests import factories
from tests.machines import Machine

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
WEEK = "from=2026-03-02&to=2026-03-08&interval=day"
AUTHORED = {
    1: "2026-02-20T12:00:00Z",
    2: "2026-03-02T09:00:00Z",
    3: "2026-03-02T13:00:00Z",
    4: "2026-03-02T12:00:00Z",
    5: "2026-03-03T16:00:00Z",
    6: "2026-03-05T08:00:00Z",
    7: "2026-03-06T09:30:00Z",
    8: "2026-03-08T10:00:00Z",
}
DEPLOYED = [
    ("v1", 1, "2026-03-02T09:00:00Z", "success"),
    ("v2", 3, "2026-03-02T15:00:00Z", "success"),
    ("v3", 4, "2026-03-03T12:00:00Z", "success"),
    ("v2", 3, "2026-03-03T13:00:00Z", "success"),
    ("v4", 5, "2026-03-04T10:00:00Z", "success"),
    ("v4", 5, "2026-03-04T10:30:00Z", "success"),
    ("v5", 6, "2026-03-05T16:00:00Z", "success"),
    ("v6", 7, "2026-03-06T11:00:00Z", "failure"),
    ("v6", 7, "2026-03-06T11:30:00Z", "success"),
    ("v7", 8, "2026-03-08T11:00:00Z", "success"),
]


def sha(number: int) -> str:
    return f"{number:040x}"


def commit(number: int) -> dict[str, Any]:
    message = "Hotfix: round prices" if number == 8 else f"Change {number}"
    parents = [sha(number - 1)] if number > 1 else []
    moment = AUTHORED[number]
    return {"sha": sha(number), "parents": parents, "authoredAt": moment, "committedAt": moment, "message": message}


@pytest.fixture
def told(workspace: Workspace, key: str, client: Client) -> dict[str, Any]:
    """What the API tells of the week, reported in an order that is not that of time."""
    ci = Machine(key)
    for version, tip, moment, state in [*DEPLOYED[5:], *DEPLOYED[:5]]:
        answer = ci.report(
            repositoryFullName="acme/shop", app="shop", version=version, commitHash=sha(tip), deployedAt=moment,
            state=state, commits=[commit(number) for number in range(1, tip + 1)],
        )  # fmt: skip
        assert answer.status_code == 202
    process_due_jobs()
    opened = ci.post(
        "/v1/incidents",
        {
            "title": "Checkout is down", "app": "shop", "environment": "production",
            "startedAt": "2026-03-05T17:00:00Z", "resolvedAt": "2026-03-05T20:00:00Z",
        },
    )  # fmt: skip
    assert opened.status_code == 201, opened.content
    finish_pending_work()
    body: dict[str, Any] = ci.get(f"/v1/metrics/dora?{WEEK}").json()
    return body


def rows_of_the_page() -> dict[str, str]:
    """Return the table of results: what stands on the left, and on the right."""
    section = PAGE.read_text().partition("## A worked example")[2].partition("\n## ")[0]
    results = section.partition("What comes out")[2]
    return {
        left.strip(): right.strip() for left, right in re.findall(r"^\| (.+?) \| (.+?) \|$", results, re.MULTILINE)
    }


def hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h".replace(".0 h", " h")


def test_every_number_of_the_worked_example_is_what_comes_out(told: dict[str, Any]) -> None:
    frequency, lead = told["deploymentFrequency"], told["changeLeadTime"]
    recovery, fail = told["failedDeploymentRecoveryTime"], told["changeFailRate"]
    rework = told["deploymentReworkRate"]
    said = rows_of_the_page()
    assert said["Deployment frequency"] == (
        f"{frequency['deployments']} deployments ÷ {frequency['daysCounted']} days = {frequency['perDay']:.2f} a day,"
        f" on {frequency['daysWithDeployments']} of {frequency['daysCounted']} days"
    )
    assert said["Change lead time"] == (
        f"median {hours(lead['medianSeconds'])} of {lead['changes']} changes;"
        f" 90 % within {hours(lead['p90Seconds'])};"
        f" mean {hours(lead['meanSeconds'])}"
    )
    assert said["Failed deployment recovery time"] == (
        f"median {hours(recovery['medianSeconds'])} of {recovery['recovered']} failures;"
        f" {recovery['open']} still running"
    )
    low, high = (round(fail["range"][end] * 100) for end in ("low", "high"))
    assert said["Change fail rate"] == (
        f"{fail['failed']} of {fail['deployments']} = {percent(fail['value'])}, 95 % range {low}–{high} %"
    )
    low, high = (round(rework["range"][end] * 100) for end in ("low", "high"))
    assert said["Deployment rework rate"] == (
        f"{rework['rework']} of {rework['deployments']} = {percent(rework['value'])}, 95 % range {low}–{high} %"
    )


def test_the_days_of_the_worked_example(told: dict[str, Any]) -> None:
    counts = [day["deployments"] for day in told["deploymentFrequency"]["series"]]
    assert counts == [2, 2, 1, 1, 1, 0, 1]
    failed = [(day["failed"], day["deployments"]) for day in told["changeFailRate"]["series"]]
    assert failed == [(0, 2), (1, 2), (0, 1), (1, 1), (2, 2), (0, 0), (0, 1)]
    medians = [day["medianSeconds"] for day in told["changeLeadTime"]["series"]]
    assert [None if value is None else duration(value) for value in medians] == [
        "4 h", "1.0 days", "18 h", "8 h", "2 h", None, "1 h",
    ]  # fmt: skip
    assert told["changeLeadTime"]["coverage"]["share"] == 1.0


@pytest.mark.parametrize(
    ("metric", "counted"),
    [
        ("deployment-frequency", 8),
        ("change-lead-time", 7),
        ("failed-deployment-recovery-time", 4),
        ("change-fail-rate", 4),
        ("deployment-rework-rate", 2),
    ],
)
def test_each_number_leads_to_its_rows(told: dict[str, Any], pages: Client, metric: str, counted: int) -> None:
    answer = pages.get(f"/explain/{metric}/?{WEEK}")
    shown = {part["section"].key: part["count"] for part in answer.context["sections"]}
    assert shown["counted"] == counted
    if "others" in shown:
        assert shown["counted"] + shown["others"] == (9 if metric == "change-fail-rate" else 8)
    if metric == "deployment-frequency":
        assert (shown["attempts"], shown["redeploys"]) == (1, 1)
    csv = pages.get(f"/explain/{metric}/?{WEEK}&section=counted&format=csv")
    assert len(csv.content.decode().splitlines()) == counted + 1


def test_a_stranger_sees_nothing_of_it(told: dict[str, Any], client: Client) -> None:
    stranger = factories.make_user(factories.make_workspace("Globex"))
    client.force_login(stranger)
    answer = client.get(f"/explain/deployment-frequency/?{WEEK}")
    assert [part["count"] for part in answer.context["sections"]] == [0] * 5
