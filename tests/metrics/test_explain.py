"""From a figure to its rows: as many as the figure says, and page by page, also where there are very many."""

import datetime as dt
from typing import Any

import pytest
from django.http import QueryDict
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from deployments.models import Deployment, Workspace
from metrics import explanations, rebuilding
from metrics.explanations import explain
from metrics.models import Metric
from metrics.reports import dora_report
from metrics.selections import read_selection
from tests import factories
from tests.factories import NOON
from tests.metrics.histories import RandomHistory

WINDOW = "from=2026-02-27&to=2026-03-06"


def sections(workspace: Workspace, metric: Metric, query: str = WINDOW) -> dict[str, list[Any]]:
    report = dora_report(read_selection(workspace, QueryDict(query)))
    return {section.key: list(section.rows) for section in explain(report, metric).sections}


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), bots=st.sampled_from(["apart", "include", "only"]), many=st.booleans())
def test_each_section_has_the_rows_that_the_days_have(
    db: None, monkeypatch: pytest.MonkeyPatch, seed: int, bots: str, many: bool
) -> None:
    monkeypatch.setattr(explanations, "_MOST_SORTED", -1 if many else 10_000)
    workspace = factories.make_workspace(time_zone="Asia/Kolkata", bot_names=["CI-user"])
    history = RandomHistory(workspace, seed, NOON, days=3)
    for _ in range(8):
        history.deploy()
    for _ in range(6):
        history.happen()
    rebuilding.rebuild()
    report = dora_report(read_selection(workspace, QueryDict(f"{WINDOW}&bots={bots}")))
    for metric in Metric:
        for section in explain(report, metric).sections:
            whole = list(section.rows._of(report.selection))
            assert len(section.rows) == len(whole), section.key
            for start in range(0, len(whole), 3):
                assert section.rows[start : start + 3] == whole[start : start + 3], section.key
    workspace.delete()


def test_a_page_of_very_many_rows_reads_its_own_days_only(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    monkeypatch.setattr(explanations, "_MOST_SORTED", -1)
    track = factories.make_track(workspace)
    for day in range(5):
        for hour in range(4):
            factories.make_deployment(track, NOON + dt.timedelta(days=day - 2, hours=hour), version=f"{day}.{hour}")
    rebuilding.rebuild()
    report = dora_report(read_selection(workspace, QueryDict(WINDOW)))
    rows = explain(report, Metric.DEPLOYMENT_FREQUENCY).sections[0].rows
    with django_assert_num_queries(1) as captured:
        assert [row.version for row in rows[5:9]] == ["3.2", "3.1", "3.0", "2.3"]
    assert "2026-03-02 00:00" in captured.captured_queries[0]["sql"]
    assert "2026-03-04 00:00" in captured.captured_queries[0]["sql"]


def test_what_failed_is_shown_whether_it_reached_the_environment_or_not(workspace: Workspace) -> None:
    track = factories.make_track(workspace)
    factories.make_deployment(track, NOON, has_failed=True)
    factories.make_deployment(track, NOON, state="failure", has_failed=True)
    factories.make_deployment(track, NOON)
    archived = factories.make_deployment(track, NOON, has_failed=True)
    Deployment.objects.filter(pk=archived.pk).update(archived_at=NOON)
    found = sections(workspace, Metric.CHANGE_FAIL_RATE)
    assert {key: len(rows) for key, rows in found.items()} == {
        "counted": 2, "others": 1, "redeploys": 0, "unfinished": 0, "archived": 1,
    }  # fmt: skip


def test_a_page_beyond_the_last_is_the_last(workspace: Workspace, pages: Client) -> None:
    track = factories.make_track(workspace)
    for minute in range(3):
        factories.make_deployment(track, NOON + dt.timedelta(minutes=minute))
    answer = pages.get(f"/explain/deployment-frequency/?{WINDOW}&section=counted&page=99")
    assert "Page 1 of 1" in answer.content.decode()
