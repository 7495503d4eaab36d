"""Lists as CSV, through a logged-in browser's requests."""

import csv
import io
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from deployments.csv_files import as_csv
from deployments.models import Incident, Job, Team, TeamMember, Track, Workspace
from metrics.models import Goal
from tests import factories


def rows_of(pages: Client, path: str) -> list[dict[str, str]]:
    answer: Any = pages.get(path)
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/csv; charset=utf-8")
    assert answer["Content-Disposition"].startswith("attachment; filename=")
    return list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))


def test_the_list_of_deployments_as_csv_has_what_the_filters_leave(pages: Client, workspace: Workspace) -> None:
    track = factories.make_track(workspace)
    factories.make_deployment(track, version="v1", author="Ada")
    kept = factories.make_deployment(track, version="v2", author="Bob", change_kind="rollback")
    factories.make_deployment(factories.make_track(factories.make_workspace("Other")), version="v3")
    assert [row["version"] for row in rows_of(pages, "/deployments/?format=csv")] == ["v2", "v1"]
    row = rows_of(pages, "/deployments/?format=csv&author=bob")[0]
    assert row == {
        "id": str(kept.pk), "deployedAt": "2026-03-02T12:00:00+00:00", "app": "api", "repository": "acme/backend",
        "environment": "production", "version": "v2", "commit": kept.commit_sha, "state": "success",
        "changeKind": "rollback", "changes": "0", "author": "Bob", "failed": "no", "repairedAt": "", "rework": "no",
    }  # fmt: skip


def test_all_pages_of_a_list_are_in_its_csv_at_the_cost_of_one(
    pages: Client, workspace: Workspace, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    track = factories.make_track(workspace)
    with django_assert_max_num_queries(100) as one:
        rows_of(pages, "/deployments/?format=csv")
    made = {str(factories.make_deployment(track, factories.NOON).pk) for _ in range(60)}
    with django_assert_max_num_queries(len(one)):
        assert {row["id"] for row in rows_of(pages, "/deployments/?format=csv&before=")} == made


def test_teams_and_goals_as_csv(pages: Client, workspace: Workspace) -> None:
    track = factories.make_track(workspace)
    factories.make_deployment(track, timezone.now())
    team = Team.objects.create(workspace=workspace, name="Core")
    team.applications.add(track.application)
    TeamMember.objects.create(team=team, name="Ada")
    assert [tuple(row.values()) for row in rows_of(pages, "/settings/teams/?format=csv")] == [
        ("Core", "application", "api", "acme/backend"), ("Core", "person", "Ada", ""),
    ]  # fmt: skip
    Goal.objects.create(workspace=workspace, metric="change_fail_rate", target=0.1)
    row = rows_of(pages, "/goals/?format=csv")[0]
    assert (row["metric"], row["about"], row["target"], row["value"]) == (
        "change_fail_rate", "All production", "0.1", "0.0",
    )  # fmt: skip


def test_applications_environments_and_jobs_as_csv(pages: Client, workspace: Workspace) -> None:
    deployment = factories.make_deployment(factories.make_track(workspace), version="v7")
    factories.make_track(workspace, "idle", "staging")
    job = Job.objects.create(workspace=workspace, payload={}, deployment=deployment, status="COMPLETE")
    Job.objects.create(workspace=workspace, payload={}, error="no such thing", status="ERROR")
    applications = rows_of(pages, "/applications/?format=csv")
    assert [(row["app"], row["environment"], row["version"]) for row in applications] == [
        ("api", "production", "v7"), ("idle", "", ""),
    ]  # fmt: skip
    environments = rows_of(pages, "/environments/?format=csv")
    assert [tuple(row.values()) for row in environments] == [
        ("production", "yes", "2026-03-02T12:00:00+00:00"), ("staging", "no", ""),
    ]  # fmt: skip
    assert [row["error"] for row in rows_of(pages, "/jobs/?format=csv")] == ["no such thing", ""]
    done = rows_of(pages, "/jobs/?format=csv&status=COMPLETE")
    assert [(row["id"], row["version"]) for row in done] == [(str(job.id), "v7")]


def test_incidents_and_what_waits_as_csv(pages: Client, workspace: Workspace) -> None:
    track = factories.make_track(workspace)
    deployment = factories.make_deployment(track, version="v7")
    Incident.objects.create(
        workspace=workspace, title="=Down", started_at=factories.NOON, resolved_at=factories.NOON + factories.HOUR,
        cause=deployment,
    )  # fmt: skip
    Incident.objects.create(workspace=workspace, title="Slow", started_at=factories.NOON)
    assert [row["title"] for row in rows_of(pages, "/incidents/?format=csv")] == ["Slow", "'=Down"]
    row = rows_of(pages, "/incidents/?format=csv&state=resolved")[0]
    assert (row["durationSeconds"], row["app"], row["causeVersion"]) == ("3600", "api", "v7")
    Track.objects.update(waiting_changes=3, waiting_since=factories.NOON)
    row = rows_of(pages, "/waiting/?format=csv")[0]
    assert (row["app"], row["environment"], row["waitingChanges"], row["runningVersion"]) == (
        "api", "production", "3", "v7",
    )  # fmt: skip
    assert row["waitingSince"] == "2026-03-02T12:00:00+00:00"


@pytest.mark.parametrize(
    "path", ["/deployments/", "/applications/", "/environments/", "/jobs/", "/incidents/", "/waiting/"]
)
def test_each_list_leads_to_its_csv_with_the_filters_of_the_page(pages: Client, path: str) -> None:
    assert "format=csv" in pages.get(path).content.decode()
    assert "status=ERROR&amp;format=csv" in pages.get("/jobs/?status=ERROR").content.decode()


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_no_name_is_a_formula_to_a_spreadsheet(pages: Client, workspace: Workspace, name: str) -> None:
    factories.make_deployment(factories.make_track(workspace), author=name)
    assert rows_of(pages, "/deployments/?format=csv")[0]["author"] == "'" + name


@given(st.lists(st.lists(st.text(), min_size=2, max_size=2), max_size=20))
def test_cells_come_back_as_they_were_but_for_the_quote(rows: list[list[str]]) -> None:
    found = list(csv.reader(io.StringIO(as_csv(["a", "b"], rows), newline="")))[1:]
    assert len(found) == len(rows)
    for cells, kept in zip(rows, found, strict=True):
        assert [text in (cell, "'" + cell) for cell, text in zip(cells, kept, strict=True)] == [True, True]
        assert not any(text.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) for text in kept)
