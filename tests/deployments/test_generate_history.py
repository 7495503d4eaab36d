"""A made-up history is what the whole road would have made of the same reports."""

import datetime as dt
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection

from deployments.changes import derive_changes
from deployments.generating import loading
from deployments.generating.moments import Calendar
from deployments.generating.releases import SHARES, Lifetime, plan_application
from deployments.models import (
    Application,
    Change,
    Commit,
    Deployment,
    FailureFinding,
    HistoryGap,
    Incident,
    MissingParent,
    PullRequest,
    PullRequestCommit,
    ShippedCommit,
    Team,
    Track,
    Workspace,
)
from deployments.pull_requests import work_out_pull_requests
from deployments.signals import days_changed
from deployments.verdicts import judge_incidents, judge_track, request_judging
from deployments.waiting import count_waiting
from tests import factories

pytestmark = pytest.mark.django_db

DERIVED = (
    "id", "change_kind", "changes_count", "history_is_complete", "has_failed", "repaired_at", "repaired_by_id",
    "is_rework", "refers_back",
)  # fmt: skip
CHANGE = [field.attname for field in Change._meta.concrete_fields if field.name != "id"]


def generate(deployments: int = 300, applications: int = 4, **options: Any) -> Workspace:
    call_command(
        "generate_history",
        deployments=deployments,
        applications=applications,
        end="2026-03-01",
        **{"years": 1, "verbosity": 0, "workspace": "made-up", **options},
    )
    return Workspace.objects.get(slug=options.get("workspace", "made-up"))


def rows(model: Any, *names: str) -> list[tuple[Any, ...]]:
    return sorted(model.objects.values_list(*names), key=repr)


def everything() -> dict[str, list[tuple[Any, ...]]]:
    """Return all that is derived, in an order of its own."""
    return {
        "deployments": rows(Deployment, *DERIVED),
        "changes": rows(Change, *CHANGE),
        "marks": rows(ShippedCommit, "track_id", "commit_id", "deployment_id", "outcome"),
        "gaps": rows(HistoryGap, "deployment_id", "sha", "concerns_kind_only"),
        "findings": rows(FailureFinding, "deployment_id", "reason", "repair_id", "incident_id", "why", "repaired_at"),
        "incidents": rows(Incident, "id", "cause_id"),
        "tracks": rows(Track, "id", "baseline_frontier", "waiting_changes", "waiting_since"),
        "pull requests": rows(PullRequest, "id", "first_commit_at", "first_review_at", "approved_at"),
        "their commits": rows(PullRequestCommit, "pull_request_id", "sha", "role"),
    }


def derive_anew() -> None:
    Track.objects.update(rebuild_pending=True)
    Deployment.objects.update(
        has_failed=False, repaired_at=None, repaired_by=None, is_rework=False, refers_back=False
    )
    FailureFinding.objects.all().delete()
    Track.objects.update(baseline_frontier=[], waiting_changes=None, waiting_since=None, waiting_pending=True)
    for pk in Track.objects.values_list("pk", flat=True):
        derive_changes(pk)
        count_waiting(pk)
    for workspace in Workspace.objects.all():
        request_judging(workspace)
        for pk in Track.objects.values_list("pk", flat=True):
            judge_track(pk)
        judge_incidents(workspace.pk)


# Four applications of repositories of their own, five in a monorepo, and one of which no commits are told.
@pytest.mark.parametrize(
    ("deployments", "applications", "seed"),
    [
        pytest.param(400, 2, 1, marks=pytest.mark.once),
        pytest.param(200, 10, 2, marks=pytest.mark.once),
        pytest.param(150, 40, 3, marks=pytest.mark.once),
        (30, 10, 4),
    ],
)
def test_the_road_finds_the_same(deployments: int, applications: int, seed: int) -> None:
    generate(deployments, applications, seed=seed)
    made = everything()
    derive_anew()
    found = everything()
    for name in made:
        assert found[name] == made[name], name
    assert not Deployment.objects.filter(lineage_pending=True).exists()


def test_pull_requests_are_found_the_same(workspace: Workspace) -> None:
    generate(600, 10)
    made = everything()
    PullRequest.objects.update(changes_pending=True, first_commit_at=None, first_review_at=None)
    for pk in Application.objects.values_list("repository", flat=True).distinct():
        work_out_pull_requests(pk, lambda ids: None)
    assert everything() == made


def test_the_same_seed_makes_the_same_history() -> None:
    first = generate(200, 4, workspace="first")
    second = generate(200, 4, workspace="second")
    other = generate(200, 4, workspace="other", seed=2)

    def told(workspace: Workspace) -> list[tuple[Any, ...]]:
        return sorted(workspace.deployments.values_list("application__name", "deployed_at", "commit_sha", "state"))

    assert told(first) == told(second) != told(other)


def test_it_has_the_size_and_the_shape_that_was_asked_for() -> None:
    workspace = generate(2000, 20, years=2)
    deployments = workspace.deployments
    assert deployments.count() == 2000
    assert workspace.applications.count() == 20
    assert workspace.repositories.count() < 20
    times = list(deployments.values_list("deployed_at", flat=True))
    assert dt.datetime(2024, 3, 1, tzinfo=dt.UTC) < min(times)
    assert max(times) < dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
    assert sum(time.weekday() >= 5 for time in times) < 0.1 * len(times)
    assert sum(5 <= time.hour < 20 for time in times) > 0.9 * len(times)
    assert 0.15 < deployments.filter(environment__is_production=True).count() / 2000 < 0.2
    assert set(FailureFinding.objects.values_list("reason", flat=True)) == set(FailureFinding.Reason.values)
    assert {"baseline", "forward", "rollback", "redeploy"} <= set(deployments.values_list("change_kind", flat=True))
    assert PullRequest.objects.filter(author_is_bot=True).exists()
    assert Team.objects.filter(workspace=workspace, applications__isnull=False).exists()
    assert not MissingParent.objects.exists()
    parents = set(Commit.objects.exclude(parents="").values_list("repository", "parents"))
    assert parents <= set(Commit.objects.values_list("repository", "sha"))


@pytest.mark.parametrize("deployments", [500, 5_000, 50_000])
def test_production_is_of_the_same_shape_however_often_is_deployed(deployments: int) -> None:
    calendar = Calendar(dt.date(2023, 3, 1), dt.date(2026, 2, 28))
    counts = tuple(round(deployments * share) for share in SHARES)
    plan = plan_application(
        np.random.default_rng(1), calendar, Lifetime(calendar.start, calendar.end), counts, app=0, first_key=0
    )
    landed_at = dict(zip(plan.landings["key"].tolist(), plan.landings["at"].tolist(), strict=True))
    production = plan.tracks["production"]
    moments = [landed_at[key] for key in production["key"][production["reached"]].tolist()]
    steps = list(itertools.pairwise(moments))
    assert len(production) == counts[2]
    assert sum(now == before for before, now in steps) < 0.1 * len(steps)  # redeploys
    assert 0.01 < sum(now < before for before, now in steps) / len(steps) < 0.1  # rollbacks


def test_what_is_there_already_stays_as_it_is(workspace: Workspace) -> None:
    track = factories.make_track(workspace)
    deployment = factories.make_deployment(track)
    before = Deployment.objects.filter(pk=deployment.pk).values().get()
    with pytest.raises(CommandError, match="has deployments or repositories already"):
        generate(workspace=workspace.slug)
    made = generate(100)
    assert Deployment.objects.filter(pk=deployment.pk).values().get() == before
    assert not made.deployments.filter(pk=deployment.pk).exists()
    assert factories.make_deployment(track).pk > max(made.deployments.values_list("pk", flat=True))


def test_a_large_history_leaves_every_index_and_constraint_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "_WORTH_REBUILDING", 100)

    def schema() -> dict[str, Any]:
        with connection.cursor() as cursor:
            return {
                model._meta.db_table: connection.introspection.get_constraints(cursor, model._meta.db_table)
                for model in apps.get_app_config("deployments").get_models()
            }

    before = schema()
    generate(300)
    assert schema() == before


def test_an_empty_workspace_is_filled_and_its_days_are_told_of(workspace: Workspace, told_days: set[int]) -> None:
    generate(50, workspace=workspace.slug)
    assert told_days == set(workspace.deployments.values_list("environment", flat=True))


@pytest.fixture
def told_days() -> Iterator[set[int]]:
    """The environments of which it was told that days have changed."""
    told: set[int] = set()

    def listen(places: Any, **_: Any) -> None:
        told.update(environment for environment, _, _ in places)

    days_changed.connect(listen)
    yield told
    days_changed.disconnect(listen)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"deployments": 0}, "--deployments must lie between 1 and"),
        ({"applications": 0}, "--applications must lie between 1 and"),
        ({"years": 99}, "--years must lie between 1 and 20"),
        ({"seed": -1}, "--seed must not be below 0"),
        ({"workspace": "No Slug"}, "--workspace must be a slug"),
    ],
)
def test_a_wish_that_cannot_be_met_is_refused_by_name(options: dict[str, Any], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        generate(**options)
    assert not Workspace.objects.exists()


@pytest.mark.parametrize("end", ["tomorrow", "2999-01-01"])
def test_a_last_day_that_is_none_is_refused(end: str) -> None:
    with pytest.raises(CommandError, match="--end must"):
        call_command("generate_history", deployments=10, end=end)
