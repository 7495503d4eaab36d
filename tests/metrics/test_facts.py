"""The facts of days are what the rows say, whatever is asked for and whatever has changed."""

import contextlib
import datetime as dt
import io
from typing import Any

import pytest
from django.core.management import call_command
from django.http import QueryDict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from deployments.models import Application, Environment, Team, Workspace
from metrics import facts, rebuilding, rollups
from metrics.models import DayRollup, StaleHour
from metrics.selections import InvalidSelection, read_selection
from tests import factories
from tests.factories import NOON
from tests.metrics.histories import RandomHistory
from tests.metrics.oracle import facts_by_hand

WINDOW = "from=2026-03-01&to=2026-03-30"
# Half-hour offsets, daylight saving by an hour and by half an hour, and a clock that went back over midnight.
ZONES = {
    "UTC": dt.datetime(2026, 3, 28, tzinfo=dt.UTC),
    "Asia/Kolkata": dt.datetime(2026, 3, 28, tzinfo=dt.UTC),
    "Europe/Berlin": dt.datetime(2026, 3, 28, tzinfo=dt.UTC),
    "Australia/Lord_Howe": dt.datetime(2026, 4, 4, tzinfo=dt.UTC),
    "America/St_Johns": dt.datetime(2009, 10, 31, tzinfo=dt.UTC),
    "America/Sao_Paulo": dt.datetime(2018, 11, 3, tzinfo=dt.UTC),
}
FILTERS = [
    "", "bots=include", "bots=only", "environment=staging", "environment=production&environment=staging", "app=api",
    "app=web&app=jobs", "repository=acme/web", "repository=acme/web&app=web&bots=include", "team=core", "team=ops",
    "team=web&team=ops", "author=ada", "author=grace&author=Renovate[bot]&bots=include", "team=web&author=ada",
    "app=jobs&team=ops&environment=production",
]  # fmt: skip


def plain(day: facts.DayFacts) -> dict[str, Any]:
    """Return what a day comes to, with arrays as lists and the stages by name."""
    times = {name: getattr(day, name).tolist() for name in ("leads", "recoveries", "open_since")}
    return {"day": day.day, **day.sums._asdict(), **times}


def load(workspace: Workspace, query: str = WINDOW) -> facts.Facts:
    selection = read_selection(workspace, QueryDict(query))
    return facts.load(selection, selection.period.first, selection.period.last)


def check(workspace: Workspace, query: str = WINDOW) -> list[dict[str, Any]]:
    """Hold what is loaded against what is counted by hand, and return it."""
    selection = read_selection(workspace, QueryDict(query))
    loaded = facts.load(selection, selection.period.first, selection.period.last)
    assert loaded.recomputing is None
    told = [plain(day) for day in loaded.days]
    assert told == facts_by_hand(selection, selection.period.first, selection.period.last)
    return told


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), zone=st.sampled_from(sorted(ZONES)), data=st.data())
def test_days_are_what_their_rows_say_whatever_happens_and_whatever_is_asked(
    db: None, seed: int, zone: str, data: st.DataObject
) -> None:
    around = ZONES[zone]
    workspace = factories.make_workspace(time_zone=zone, bot_names=["CI-user"])
    history = RandomHistory(workspace, seed, around, days=3)
    first, last = (around + dt.timedelta(days=days) for days in (-3, 4))
    window = f"from={first:%Y-%m-%d}&to={last:%Y-%m-%d}"
    for _ in range(data.draw(st.integers(1, 8))):
        history.deploy()
    for _ in range(data.draw(st.integers(1, 4))):
        for _ in range(data.draw(st.integers(0, 4))):
            history.happen()
        if data.draw(st.booleans()):
            rebuilding.rebuild()
            assert not StaleHour.objects.exists()
            call_command("check_rollups", stdout=io.StringIO())  # raises where a column differs
        query = data.draw(st.sampled_from(FILTERS))
        with contextlib.suppress(InvalidSelection):  # nobody of that name has done anything yet
            check(workspace, f"{window}&{query}")
    workspace.delete()


def test_a_day_has_what_was_deployed_on_it(workspace: Workspace) -> None:
    track = factories.make_track(workspace)
    deployment = factories.make_deployment(track, NOON, author="Ada", has_failed=True)
    factories.make_change(deployment, dt.timedelta(hours=5))
    factories.make_deployment(track, NOON, state="failure", has_failed=True, repaired_at=NOON + dt.timedelta(hours=1))
    day = check(workspace)[1]
    assert (day["deployments"], day["failed"], day["failed_attempts"], day["leads"]) == (1, 1, 1, [18000])
    assert (day["recoveries"], day["open_since"]) == ([3600], [int(NOON.timestamp())])
    assert check(workspace, WINDOW + "&author=ada")[1]["failed_attempts"] == 0


def test_a_deployment_shows_at_once_without_waiting_for_a_worker(workspace: Workspace) -> None:
    track = factories.make_track(workspace)
    factories.make_deployment(track, NOON)
    rebuilding.rebuild()
    assert DayRollup.objects.count() == 1
    factories.make_deployment(track, NOON + dt.timedelta(minutes=1))
    assert check(workspace)[1]["deployments"] == 2
    rebuilding.rebuild()
    assert not StaleHour.objects.exists()
    assert check(workspace)[1]["deployments"] == 2


def test_a_day_on_which_nothing_is_left_has_no_rollup(workspace: Workspace) -> None:
    deployment = factories.make_deployment(factories.make_track(workspace), NOON)
    rebuilding.rebuild()
    deployment.delete()
    assert check(workspace)[1]["deployments"] == 0
    rebuilding.rebuild()
    assert not DayRollup.objects.exists()


def test_where_too_much_has_changed_the_former_numbers_are_shown_with_progress(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollups, "MOST_RAW_DAYS", 3)
    monkeypatch.setattr(rollups, "MOST_RAW_DEPLOYMENTS", 3)
    track = factories.make_track(workspace)
    for number in range(5):
        factories.make_deployment(track, NOON + dt.timedelta(days=number))
    rebuilding.rebuild()
    for number in range(5):
        factories.make_deployment(track, NOON + dt.timedelta(days=number))
    loaded = load(workspace)
    assert loaded.recomputing == facts.Progress(0, 5)
    assert sum(day.sums.deployments for day in loaded.days) == 5
    rebuilding.rebuild()
    assert sum(day["deployments"] for day in check(workspace)) == 10


def test_the_number_of_queries_does_not_depend_on_how_much_there_is(
    workspace: Workspace, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    track = factories.make_track(workspace)
    selection = read_selection(workspace, QueryDict(WINDOW))
    for count in (1, 20):
        for number in range(count):
            deployment = factories.make_deployment(track, NOON + dt.timedelta(hours=5 * number + count))
            factories.make_change(deployment, factories.HOUR)
        with django_assert_num_queries(
            6 if count > 1 else 5
        ):  # basis, marks, how many, rollups (none at first), rows
            facts.load(selection, selection.period.first, selection.period.last)
        rebuilding.rebuild()
        with django_assert_num_queries(4):  # basis, marks, digests, and what is new
            facts.load(selection, selection.period.first, selection.period.last)
        with django_assert_num_queries(3):
            facts.load(selection, selection.period.first, selection.period.last)


def test_unknown_names_are_refused_by_name(workspace: Workspace) -> None:
    factories.make_deployment(factories.make_track(workspace), NOON, author="Ada")
    with pytest.raises(InvalidSelection) as refused:
        read_selection(workspace, QueryDict("team=x&author=nobody&bots=maybe"))
    assert set(refused.value.errors) == {"team", "author", "bots"}
    assert read_selection(workspace, QueryDict("author=ADA")).authors == ["Ada"]
    rebuilding.rebuild()
    assert read_selection(workspace, QueryDict("author= ada")).authors == ["Ada"]


def test_an_application_that_is_deleted_takes_its_deployments_along(workspace: Workspace) -> None:
    factories.make_deployment(factories.make_track(workspace, "api"), NOON)
    factories.make_deployment(factories.make_track(workspace, "web"), NOON)
    rebuilding.rebuild()
    Application.objects.get(name="web").delete()
    assert check(workspace)[1]["deployments"] == 1


def test_an_environment_that_is_deleted_leaves_nothing_behind(workspace: Workspace) -> None:
    factories.make_deployment(factories.make_track(workspace), NOON)
    rebuilding.rebuild()
    factories.make_deployment(factories.make_track(workspace), NOON)
    Environment.objects.get(name="production").delete()
    rebuilding.rebuild()
    assert not DayRollup.objects.exists()
    assert not StaleHour.objects.exists()


def test_whose_team_a_deployment_is_follows_the_team_at_once(workspace: Workspace) -> None:
    factories.make_deployment(factories.make_track(workspace), NOON, author="Ada")
    rebuilding.rebuild()
    team = Team.objects.create(workspace=workspace, name="Core")
    assert check(workspace, f"{WINDOW}&team=core")[1]["deployments"] == 0
    team.people.create(name="ADA")
    assert check(workspace, f"{WINDOW}&team=core")[1]["deployments"] == 1
    Team.objects.create(workspace=workspace, name="Web").applications.set(Application.objects.all())
    assert check(workspace, f"{WINDOW}&team=core")[1]["deployments"] == 0


def test_the_order_in_which_days_are_rebuilt_does_not_matter(workspace: Workspace) -> None:
    history = RandomHistory(workspace, 7, NOON, days=3)
    for _ in range(20):
        history.deploy()
    rebuilding.rebuild()
    before = set(DayRollup.objects.values_list("environment", "day", "sums", "leads", "detail"))
    rebuilding.plan_days(workspace, None, None)
    rebuilding.rebuild()
    assert set(DayRollup.objects.values_list("environment", "day", "sums", "leads", "detail")) == before
