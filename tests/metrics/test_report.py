"""The report: page, JSON and CSV say the same, and what it says is what the rows say."""

import datetime as dt
import random
import statistics
from typing import Any

import pytest
from django.http import QueryDict
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from deployments.models import Workspace
from metrics.models import Metric
from metrics.reports import dora_report
from metrics.selections import InvalidSelection, read_selection
from tests import factories
from tests.factories import NOON

WINDOW = "from=2026-03-01&to=2026-03-30"


def ask(client: Client, key: str, query: str, **headers: str) -> Any:
    return client.get(f"/v1/metrics/dora?{query}", headers={"authorization": f"Bearer {key}", **headers})


def report(workspace: Workspace, query: str) -> Any:
    return dora_report(read_selection(workspace, QueryDict(query)))


def test_frequency_and_lead_time_of_a_small_history(workspace: Workspace, key: str, client: Client) -> None:
    track = factories.make_track(workspace)
    for day, hours in ((0, [1, 5]), (0, [3]), (7, [24])):
        deployment = factories.make_deployment(track, NOON + dt.timedelta(days=day, minutes=len(hours)))
        for hour in hours:
            factories.make_change(deployment, dt.timedelta(hours=hour))
    factories.make_deployment(track, NOON - dt.timedelta(days=10))
    body = ask(client, key, f"{WINDOW}&interval=week").json()
    frequency, lead_time = body["deploymentFrequency"], body["changeLeadTime"]
    assert (body["from"], body["to"], body["timezone"], body["interval"]) == (
        "2026-03-01", "2026-03-30", "UTC", "week",
    )  # fmt: skip
    assert body["environments"] == ["production"]
    assert (frequency["deployments"], frequency["daysWithDeployments"], frequency["perDay"]) == (3, 2, 0.1)
    assert frequency["previous"]["deployments"] == 1
    assert frequency["series"][1] == {"start": "2026-03-02", "deployments": 2}
    assert (lead_time["medianSeconds"], lead_time["changes"]) == (4 * 3600, 4)
    assert lead_time["p90Seconds"] == pytest.approx(3600 * (5 + 0.7 * 19))
    assert lead_time["meanSeconds"] == pytest.approx(8.25 * 3600)
    assert lead_time["series"][0] == {"start": "2026-02-23", "medianSeconds": None, "p90Seconds": None, "changes": 0}


def test_a_random_history_is_counted_as_by_hand(workspace: Workspace) -> None:
    workspace.time_zone = "Asia/Kolkata"
    workspace.save()
    chance = random.Random(7)
    rows = []
    for track in [factories.make_track(workspace, app) for app in ("a", "b")]:
        for _ in range(30):
            moment = dt.datetime(2026, 2, 20, tzinfo=dt.UTC) + dt.timedelta(minutes=chance.randrange(60 * 24 * 45))
            deployment = factories.make_deployment(track, moment)
            leads = [chance.randrange(10**6) for _ in range(chance.randrange(4))]
            for seconds in leads:
                factories.make_change(deployment, dt.timedelta(seconds=seconds))
            rows.append((moment, leads))
    told = report(workspace, f"{WINDOW}&interval=day")
    zone = workspace.zone
    inside = [row for row in rows if dt.date(2026, 3, 1) <= row[0].astimezone(zone).date() <= dt.date(2026, 3, 30)]
    leads = [seconds for _, leads in inside for seconds in leads]
    assert told.now.frequency.deployments == len(inside)
    assert told.now.frequency.days_with_deployments == len({row[0].astimezone(zone).date() for row in inside})
    assert told.now.lead_time.median == statistics.median(leads)
    assert sum(bucket.measures.frequency.deployments for bucket in told.buckets) == len(inside)
    assert sum(bucket.measures.lead_time.count for bucket in told.buckets) == len(leads)


def test_three_states_without_data_are_told_apart(workspace: Workspace) -> None:
    track = factories.make_track(workspace)
    assert "Nothing has been deployed here yet" in report(workspace, WINDOW).no_data[Metric.DEPLOYMENT_FREQUENCY]
    factories.make_deployment(track, NOON - dt.timedelta(days=30), change_kind="baseline")
    silent = report(workspace, WINDOW)
    assert (
        "The last deployment was reported on 31 January 2026, 58 days before the end"
        in silent.no_data[Metric.DEPLOYMENT_FREQUENCY]
    )
    factories.make_deployment(track, NOON, change_kind="unknown", history_is_complete=False)
    unmeasured = report(workspace, WINDOW)
    assert unmeasured.no_data[Metric.DEPLOYMENT_FREQUENCY] == ""
    assert "commits of these deployments are not known" in unmeasured.no_data[Metric.CHANGE_LEAD_TIME]
    assert unmeasured.now.lead_time.median is None
    assert (unmeasured.coverage.expected, unmeasured.coverage.without_known_commits) == (1, 1)


def test_a_redeploy_counts_only_where_the_workspace_says_so(workspace: Workspace) -> None:
    track = factories.make_track(workspace)
    factories.make_deployment(track, NOON)
    factories.make_deployment(track, NOON + dt.timedelta(hours=1), change_kind="redeploy")
    assert report(workspace, WINDOW).now.frequency.deployments == 1
    workspace.count_redeploys = True
    workspace.save()
    assert report(workspace, WINDOW).now.frequency.deployments == 2


def test_failed_archived_and_other_environments_do_not_count(workspace: Workspace) -> None:
    factories.make_deployment(factories.make_track(workspace), NOON, state="failure")
    factories.make_deployment(factories.make_track(workspace), NOON, archived_at=NOON)
    factories.make_deployment(factories.make_track(workspace, environment="staging"), NOON)
    assert report(workspace, WINDOW).now.frequency.deployments == 0
    assert report(workspace, f"{WINDOW}&environment= Staging ").now.frequency.deployments == 1


def test_filters_take_names_and_refuse_unknown_ones_by_name(workspace: Workspace, key: str, client: Client) -> None:
    factories.make_deployment(factories.make_track(workspace, "api"), NOON)
    factories.make_deployment(factories.make_track(workspace, "web"), NOON)
    assert ask(client, key, f"{WINDOW}&app=API").json()["deploymentFrequency"]["deployments"] == 1
    answer = ask(client, key, "app=nothing&environment=x&repository=y&from=never&interval=year")
    assert answer.status_code == 422
    assert {error["field"] for error in answer.json()["errors"]} == {
        "app", "environment", "repository", "from", "interval",
    }  # fmt: skip


def test_too_many_buckets_are_refused(workspace: Workspace) -> None:
    with pytest.raises(InvalidSelection):
        read_selection(workspace, QueryDict("from=1980-01-01&to=2026-01-01&interval=day"))


@pytest.mark.parametrize("how", [{"query": "&format=csv"}, {"accept": "text/csv"}])
def test_the_series_as_csv(workspace: Workspace, key: str, client: Client, how: dict[str, str]) -> None:
    factories.make_change(factories.make_deployment(factories.make_track(workspace), NOON), factories.HOUR)
    headers = {name: value for name, value in how.items() if name == "accept"}
    answer = ask(client, key, WINDOW + how.get("query", ""), **headers)
    assert answer["Content-Type"].startswith("text/csv")
    lines = answer.content.decode().splitlines()
    assert lines[0].startswith(
        "start,deployments,changes,medianSeconds,p90Seconds,meanSeconds,perDay,daysCounted,failed"
    )
    assert lines[1] == "2026-03-01,0,0,,,,,1,0,0,,0,,0,0,"
    assert lines[2] == "2026-03-02,1,1,3600.0,3600.0,3600.0,1.0,1,0,1,0.0,0,0.0,0,0,"


def test_the_report_costs_the_same_queries_however_much_there_is(
    workspace: Workspace, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    track = factories.make_track(workspace)
    for count in (1, 40):
        for number in range(count):
            deployment = factories.make_deployment(track, NOON + dt.timedelta(minutes=number + count))
            factories.make_change(deployment, factories.HOUR)
        with django_assert_num_queries(7):
            report(workspace, WINDOW)


def test_another_workspace_sees_nothing_of_it(workspace: Workspace, client: Client) -> None:
    factories.make_deployment(factories.make_track(workspace), NOON)
    other = factories.make_key(factories.make_workspace("Other"))
    assert ask(client, other, WINDOW).json()["deploymentFrequency"]["deployments"] == 0


def test_a_key_without_the_scope_is_refused(workspace: Workspace, client: Client) -> None:
    key = factories.make_key(workspace, scopes=["deployments:write"])
    assert ask(client, key, WINDOW).status_code == 403
