"""Rollups keep up with what happens, through crashes, several workers, and another time zone."""

import datetime as dt
import io
import threading
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.http import QueryDict
from django.test import Client

from deployments.models import Deployment, Environment, User, Workspace
from deployments.signals import tell_days_changed
from metrics import facts, rebuilding, rollups, tasks
from metrics.models import DayRollup, RollupBasis, StaleHour
from metrics.packing import integers, pack_columns
from metrics.selections import read_selection
from tests import factories
from tests.factories import NOON
from tests.metrics.histories import RandomHistory
from tests.metrics.test_facts import WINDOW, check, load


@pytest.fixture
def unaffordable(monkeypatch: pytest.MonkeyPatch) -> None:
    """No page reads raw rows: it shows what rollups there are."""
    monkeypatch.setattr(rollups, "MOST_RAW_DAYS", -1)
    monkeypatch.setattr(rollups, "MOST_RAW_DEPLOYMENTS", -1)


def deployments(workspace: Workspace) -> dict[str, int]:
    """Return how many deployments each day has that has any."""
    return {str(day.day): day.sums.deployments for day in load(workspace).days if day.sums.deployments}


def run(name: str, *arguments: str) -> str:
    out = io.StringIO()
    call_command(name, *arguments, stdout=out, stderr=out)
    return out.getvalue()


@pytest.mark.django_db(transaction=True)
def test_what_is_rolled_back_marks_nothing_and_what_is_committed_is_marked() -> None:
    track = factories.make_track(factories.make_workspace())
    StaleHour.objects.all().delete()
    with pytest.raises(RuntimeError), transaction.atomic():
        factories.make_deployment(track, NOON)
        raise RuntimeError("the worker dies")
    assert not StaleHour.objects.exists()
    with transaction.atomic():
        factories.make_deployment(track, NOON)
        assert StaleHour.objects.count() == 1
    assert StaleHour.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_mark_that_a_savepoint_took_back_is_made_again() -> None:
    track = factories.make_track(factories.make_workspace())
    with transaction.atomic():
        with pytest.raises(RuntimeError), transaction.atomic():
            factories.make_deployment(track, NOON)
            raise RuntimeError("one job of a batch fails")
        factories.make_deployment(track, NOON)
    assert StaleHour.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_transaction_marks_an_hour_once(django_assert_num_queries: Any) -> None:
    track = factories.make_track(factories.make_workspace())
    with transaction.atomic():
        tell_days_changed([(track.environment_id, NOON, track.application_id)])
        with django_assert_num_queries(0):
            tell_days_changed([(track.environment_id, NOON + dt.timedelta(minutes=59), track.application_id)])
    assert StaleHour.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_one_more_deployment_reads_no_other_application_of_the_day(workspace: Workspace) -> None:
    busy, other = (factories.make_track(workspace, app=name) for name in ("busy", "other"))
    factories.make_deployment(busy, NOON)
    lost = factories.make_deployment(busy, NOON)
    factories.make_deployment(other, NOON, author="Ada")
    rebuilding.rebuild()
    Deployment.objects.filter(pk=lost.pk).update(has_failed=True)  # nobody is told of it
    shipped = factories.make_deployment(other, NOON, author="Bo")
    factories.make_change(shipped, dt.timedelta(hours=2))
    rebuilding.rebuild()
    sums = load(workspace).days[1].sums
    assert (sums.deployments, sums.failed) == (4, 0)

    tell_days_changed([(busy.environment_id, NOON, None)])
    rebuilding.rebuild()
    assert load(workspace).days[1].sums.failed == 1
    assert "are what their rows say" in run("check_rollups")


@pytest.mark.django_db(transaction=True)
def test_a_rebuild_that_crashes_leaves_the_day_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = factories.make_workspace()
    factories.make_deployment(factories.make_track(workspace), NOON)
    with monkeypatch.context() as patched:
        patched.setattr(rebuilding.stale, "take_back", lambda ids: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            rebuilding.rebuild()
    assert StaleHour.objects.exists()
    assert not DayRollup.objects.exists()
    rebuilding.rebuild()
    assert DayRollup.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_day_that_changes_while_it_is_rebuilt_stays_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = factories.make_workspace()
    track = factories.make_track(workspace)
    factories.make_deployment(track, NOON)
    read_days = rebuilding.read_days

    def read_and_be_overtaken(*arguments: Any) -> Any:
        found = read_days(*arguments)
        monkeypatch.setattr(rebuilding, "read_days", read_days)
        StaleHour.objects.bulk_create([StaleHour(environment_id=track.environment_id, hour=NOON)])
        return found

    monkeypatch.setattr(rebuilding, "read_days", read_and_be_overtaken)
    assert rebuilding.rebuild_some(workspace.pk)
    assert StaleHour.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_several_workers_rebuild_while_deployments_arrive() -> None:
    workspace = factories.make_workspace(time_zone="Asia/Kolkata")
    history = RandomHistory(workspace, 3, NOON, days=2)
    faults: list[BaseException] = []
    over = threading.Event()

    def work() -> None:
        try:
            while not over.is_set():
                rebuilding.rebuild()
        except BaseException as fault:
            faults.append(fault)
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for _ in range(40):
        with transaction.atomic():
            history.happen()
    over.set()
    for worker in workers:
        worker.join()
    assert not faults
    rebuilding.rebuild()
    assert not StaleHour.objects.exists()
    check(workspace)
    assert "are what their rows say" in run("check_rollups")


def test_a_time_zone_is_changed_without_a_gap(
    workspace: Workspace, unaffordable: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuilding, "_DEPLOYMENTS_AT_ONCE", 4)
    track = factories.make_track(workspace)
    for day in range(10):
        factories.make_deployment(track, NOON.replace(hour=20) + dt.timedelta(days=day))
    rebuilding.rebuild()
    before = deployments(workspace)
    workspace.time_zone = "Asia/Kolkata"
    workspace.save()
    assert deployments(workspace) == before
    assert load(workspace).recomputing is not None
    assert rebuilding.rebuild_some(workspace.pk)  # builds the new days beside the old ones
    assert deployments(workspace) == before
    factories.make_deployment(track, NOON.replace(hour=20))  # meanwhile others arrive
    assert load(workspace).recomputing is not None
    rebuilding.rebuild()
    assert load(workspace).recomputing is None
    assert deployments(workspace) == {"2026-03-03": 2} | {f"2026-03-{day:02}": 1 for day in range(4, 13)}
    assert list(RollupBasis.objects.values_list("time_zone", "is_active")) == [("Asia/Kolkata", True)]
    assert DayRollup.objects.count() == 10


def test_a_page_that_is_read_while_another_time_zone_takes_over_is_whole(
    workspace: Workspace, unaffordable: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    factories.make_deployment(factories.make_track(workspace), NOON.replace(hour=20))
    rebuilding.rebuild()
    workspace.time_zone = "Asia/Kolkata"
    workspace.save()
    plan = rollups._plan

    def plan_and_be_overtaken(*arguments: Any) -> Any:
        planned = plan(*arguments)
        rebuilding.rebuild()
        return planned

    monkeypatch.setattr(rollups, "_plan", plan_and_be_overtaken)
    assert deployments(workspace) == {"2026-03-03": 1}


def test_progress_of_another_time_zone(workspace: Workspace, unaffordable: None, monkeypatch: Any) -> None:
    monkeypatch.setattr(rebuilding, "_DEPLOYMENTS_AT_ONCE", 2)
    track = factories.make_track(workspace)
    for day in range(10):
        factories.make_deployment(track, NOON + dt.timedelta(days=day))
    rebuilding.rebuild()
    workspace.time_zone = "Europe/Berlin"
    workspace.save()
    told = []
    while rebuilding.rebuild_some(workspace.pk):
        told.append(load(workspace).recomputing)
    assert told[0] == facts.Progress(2, 10)
    assert told[1] == facts.Progress(4, 10)
    assert told[-1] is None


def test_a_small_history_is_shown_in_the_new_time_zone_at_once(workspace: Workspace) -> None:
    factories.make_deployment(factories.make_track(workspace), NOON.replace(hour=20))
    rebuilding.rebuild()
    workspace.time_zone = "Asia/Kolkata"
    workspace.save()
    assert check(workspace)[2]["deployments"] == 1


def test_a_time_zone_that_is_changed_back_costs_nothing(workspace: Workspace) -> None:
    factories.make_deployment(factories.make_track(workspace), NOON)
    rebuilding.rebuild()
    for zone in ("Asia/Kolkata", "UTC"):
        workspace.time_zone = zone
        workspace.save()
        rebuilding.rebuild_some(workspace.pk)
    assert RollupBasis.objects.count() == 1
    rebuilding.rebuild()
    check(workspace)


def test_who_is_a_bot_can_be_changed(workspace: Workspace) -> None:
    deployment = factories.make_deployment(factories.make_track(workspace), NOON)
    factories.make_change(deployment, factories.HOUR)
    rebuilding.rebuild()
    assert check(workspace)[1]["bot_changes"] == 0
    workspace.bot_names = ["ADA"]
    workspace.save()
    assert check(workspace)[1]["bot_changes"] == 1
    rebuilding.rebuild()
    assert check(workspace)[1]["bot_changes"] == 1


def test_the_settings_page_changes_the_time_zone(pages: Client, workspace: Workspace, person: User) -> None:
    factories.make_deployment(factories.make_track(workspace), NOON.replace(hour=20))
    rebuilding.rebuild()
    workspace.time_zone = "Asia/Kolkata"
    workspace.save()
    rebuilding.rebuild()
    assert RollupBasis.objects.get().time_zone == "Asia/Kolkata"


def test_a_flag_of_production_needs_no_rebuilding(workspace: Workspace) -> None:
    factories.make_deployment(factories.make_track(workspace, environment="staging"), NOON)
    rebuilding.rebuild()
    Environment.objects.filter(name="staging").update(is_production=True)
    assert check(workspace)[1]["deployments"] == 1


def test_a_broker_that_is_away_costs_nobody_anything(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise ConnectionError("no broker")

    monkeypatch.setattr(tasks._bell, "_next", 0.0)
    monkeypatch.setattr(tasks.rebuild_rollups, "delay", refuse)
    tasks.ring_bell()
    assert "the sweep will build the rollups: no broker" in caplog.text


def test_the_task_builds_what_is_stale(workspace: Workspace) -> None:
    factories.make_deployment(factories.make_track(workspace), NOON)
    tasks.rebuild_rollups()
    assert not StaleHour.objects.exists()
    assert DayRollup.objects.count() == 1


def test_rollups_can_be_rebuilt_at_any_time(workspace: Workspace) -> None:
    track = factories.make_track(workspace)
    factories.make_deployment(track, NOON)
    factories.make_deployment(track, NOON + dt.timedelta(days=3))
    assert "Built" in run("rebuild_rollups")
    assert DayRollup.objects.count() == 2
    DayRollup.objects.all().delete()
    run("rebuild_rollups", "--from", "2026-03-03", "--workspace", workspace.slug)
    assert [str(row.day) for row in DayRollup.objects.all()] == ["2026-03-05"]
    run("rebuild_rollups", "--to", "2026-03-03")
    assert DayRollup.objects.count() == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(("--from", "2026-03-05", "--to", "2026-03-01"), "--from must not lie after"), (("--from", "soon"), "a date")],
)
def test_days_that_make_no_sense_are_refused(workspace: Workspace, arguments: tuple[str, ...], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        run("rebuild_rollups", *arguments)


def test_a_rollup_that_somebody_tampered_with_is_found_and_mended(workspace: Workspace) -> None:
    deployment = factories.make_deployment(factories.make_track(workspace), NOON)
    factories.make_change(deployment, factories.HOUR)
    rebuilding.rebuild()
    assert "The rollups of 1 days are what their rows say" in run("check_rollups")
    DayRollup.objects.update(leads=pack_columns([integers([7])]))
    assert load(workspace).days[1].leads.tolist() == [7]
    out = io.StringIO()
    with pytest.raises(CommandError, match="1 of 1 days differ"):
        call_command("check_rollups", stdout=out)
    assert "2026-03-02 in production: leads differ" in out.getvalue()
    run("rebuild_rollups")
    assert "are what their rows say" in run("check_rollups")
    check(workspace)


def test_a_change_that_nobody_told_of_is_named(workspace: Workspace) -> None:
    track = factories.make_track(workspace)
    factories.make_deployment(track, NOON)
    rebuilding.rebuild()
    Deployment.objects.update(has_failed=True)  # no model is asked, so nothing is marked
    out = io.StringIO()
    with pytest.raises(CommandError):
        call_command("check_rollups", stdout=out)
    assert "2026-03-02 in production: failed 0, by the rows 1; open since differ" in out.getvalue()
    tell_days_changed([(track.environment_id, NOON, track.application_id)])
    assert "1 days have changed" in run("check_rollups")
    rebuilding.rebuild()
    assert "are what their rows say" in run("check_rollups")


def test_a_workspace_without_deployments_has_nothing_to_rebuild_or_check(workspace: Workspace) -> None:
    assert "Built 0 days" in run("rebuild_rollups")
    assert "0 days" in run("check_rollups")


def test_another_workspace_is_left_alone(workspace: Workspace) -> None:
    other = factories.make_workspace("Globex", time_zone="Asia/Kolkata")
    for owner in (workspace, other):
        factories.make_deployment(factories.make_track(owner), NOON)
    rebuilding.rebuild()
    assert check(workspace)[1]["deployments"] == check(other)[1]["deployments"] == 1
    selection = read_selection(other, QueryDict(WINDOW))
    assert facts.load(selection, NOON.date(), NOON.date()).days[0].sums.deployments == 1
