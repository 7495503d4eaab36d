"""Goals: set in the unit people think in, suggested from one's own past, and met or not this month."""

import datetime as dt
from typing import Any

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from deployments.models import Application, Deployment, Environment, Team, Workspace
from metrics.goals import Place, in_unit, past_of, rounded, suggest, suggest_by_weeks, units_of
from metrics.models import Goal, Metric
from tests import factories

FREQUENCY, LEAD_TIME = Metric.DEPLOYMENT_FREQUENCY, Metric.CHANGE_LEAD_TIME
TODAY = dt.datetime(2026, 3, 25, 12, tzinfo=dt.UTC)  # a Wednesday

values = st.one_of(st.none(), st.floats(0.001, 1e6))


@pytest.fixture
def _today(time_machine: Any) -> None:
    time_machine.move_to(TODAY, tick=False)


pytestmark = pytest.mark.usefixtures("_today")


def deploy(
    workspace: Workspace, at: dt.datetime, count: int = 1, app: str = "api", **fields: Any
) -> list[Deployment]:
    track = factories.make_track(workspace, app)
    return [factories.make_deployment(track, at + dt.timedelta(minutes=n), **fields) for n in range(count)]


@given(st.lists(values, max_size=13), st.sampled_from([FREQUENCY, LEAD_TIME]))
def test_a_suggestion_lies_between_the_median_and_the_best_weeks(weeks: list[float | None], metric: Metric) -> None:
    known = sorted(value for value in weeks if value is not None)
    found = suggest_by_weeks(metric, weeks)
    if len(known) < 6:
        assert found.value is None
        assert "too few" in found.sentence
    else:
        assert found.value is not None
        assert known[0] * 0.94 <= found.value <= known[-1] * 1.06


@given(st.sampled_from(list(Metric)), st.floats(0.01, 1.0))
def test_a_value_in_its_unit_is_still_that_value(metric: Metric, value: float) -> None:
    value *= 1e6 if metric in (LEAD_TIME, Metric.RECOVERY_TIME) else 1
    number, unit = in_unit(metric, value)
    assert number * units_of(metric)[unit] == pytest.approx(value, rel=1e-3)
    assert rounded(metric, value) <= value * 1.06


def test_the_suggestion_says_its_numbers(workspace: Workspace) -> None:
    monday = dt.datetime(2026, 3, 16, 9, tzinfo=dt.UTC)  # of the last complete week
    for week, count in enumerate([7, 7, 7, 14, 14, 21, 21, 21]):
        deploy(workspace, monday - dt.timedelta(weeks=week), count)
    deploy(workspace, TODAY, 100)  # this week is not over, and says nothing yet
    found = suggest(FREQUENCY, past_of(workspace, Place()))
    assert found.sentence == (
        "Your last 13 weeks (5 without data left out): median 2.0 a day, best quarter 3.0 a day or more;"
        " half-way is 2.5 a day."
    )
    assert found.value == pytest.approx(2.5)


def test_of_what_is_rare_a_tenth_less_than_the_past_is_suggested(workspace: Workspace) -> None:
    deploy(workspace, TODAY - dt.timedelta(days=20), 5, has_failed=True)
    deploy(workspace, TODAY - dt.timedelta(days=21), 45)
    past = past_of(workspace, Place())
    assert suggest(Metric.CHANGE_FAIL_RATE, past).value == pytest.approx(0.09)
    assert "5 of 50 deployments failed" in suggest(Metric.CHANGE_FAIL_RATE, past).sentence
    nothing = suggest(Metric.REWORK_RATE, past)
    assert nothing.value is None
    assert "nothing to better" in nothing.sentence


def test_a_goal_is_set_in_the_unit_people_think_in(workspace: Workspace, pages: Client) -> None:
    environment = factories.make_track(workspace).environment
    form = f"/goals/add/?metric={LEAD_TIME}&place=environment:{environment.pk}"
    assert "too few to suggest" in pages.get(form).content.decode()
    answer = pages.post(form, {"number": "1.5", "unit": "days"}, follow=True)
    assert "at most 1.5 days" in answer.content.decode()
    goal = Goal.objects.get()
    assert (goal.target, goal.environment, goal.application, goal.team) == (36 * 3600, environment, None, None)
    assert goal.created_by is not None


def test_a_goal_is_changed_and_removed_by_any_member(workspace: Workspace, pages: Client) -> None:
    goal = Goal.objects.create(workspace=workspace, metric=FREQUENCY, target=1)
    workspace.memberships.update(role="member")
    assert 'value="1"' in pages.get(f"/goals/{goal.pk}/").content.decode()
    pages.post(f"/goals/{goal.pk}/", {"number": "14", "unit": "a week"})
    goal.refresh_from_db()
    assert goal.target == pytest.approx(2)
    pages.post(f"/goals/{goal.pk}/remove/")
    assert not Goal.objects.exists()


@pytest.mark.parametrize(
    ("metric", "number", "unit", "error"),
    [
        (FREQUENCY, "0", "a day", "more than 0"),
        (LEAD_TIME, "-3", "hours", "more than 0"),
        (Metric.CHANGE_FAIL_RATE, "101", "%", "100 % at most"),
        (LEAD_TIME, "9000", "days", "right unit"),
        (FREQUENCY, "nan", "a day", "Enter a number"),
        (FREQUENCY, "2", "hours", "not one of the available choices"),
    ],
)
def test_what_cannot_be_a_target_is_refused(
    workspace: Workspace, pages: Client, metric: Metric, number: str, unit: str, error: str
) -> None:
    answer = pages.post(f"/goals/add/?metric={metric}", {"number": number, "unit": unit})
    assert error in answer.content.decode()
    assert not Goal.objects.exists()


@pytest.mark.parametrize("query", ["", "metric=nonsense", "metric=change_lead_time&place=team:99999999999999999999"])
def test_a_goal_of_nothing_that_there_is_leads_back_to_the_list(pages: Client, query: str) -> None:
    assert "Choose a metric" in pages.get(f"/goals/add/?{query}", follow=True).content.decode()


def test_one_goal_of_each_metric_and_place(workspace: Workspace, pages: Client) -> None:
    goal = Goal.objects.create(workspace=workspace, metric=FREQUENCY, target=1)
    answer = pages.get(f"/goals/add/?metric={FREQUENCY}", follow=True)
    assert answer.redirect_chain[-1][0] == f"/goals/{goal.pk}/"
    team = Team.objects.create(workspace=workspace, name="Core")
    assert pages.get(f"/goals/add/?metric={FREQUENCY}&place=team:{team.pk}").status_code == 200


def test_the_month_so_far_is_met_not_met_or_not_yet_known(workspace: Workspace, pages: Client) -> None:
    deploy(workspace, TODAY - dt.timedelta(days=10), 75)  # three a day in 25 days
    for target, words in ((1, ">met<"), (9, ">not met<"), (3.1, ">not yet known<")):
        Goal.objects.all().delete()
        Goal.objects.create(workspace=workspace, metric=FREQUENCY, target=target)
        told = pages.get("/goals/").content.decode()
        assert words in told
        assert "75 deployments on 1 of 25 days" in told
    Goal.objects.create(workspace=workspace, metric=LEAD_TIME, target=3600)
    assert "no data yet" in pages.get("/goals/").content.decode()


def test_goals_of_the_same_place_share_their_queries(
    workspace: Workspace, pages: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    deploy(workspace, TODAY - dt.timedelta(days=1), 3)
    counts = []
    for metric in Metric:
        Goal.objects.create(workspace=workspace, metric=metric, target=0.5)
        with django_assert_max_num_queries(40) as queries:
            pages.get("/goals/")
        counts.append(len(queries))
    assert len(set(counts)) == 1


def test_nothing_of_another_workspace_can_be_seen_or_touched(workspace: Workspace, pages: Client) -> None:
    other = factories.make_workspace("Other")
    track = factories.make_track(other, "secret", "hidden")
    goal = Goal.objects.create(workspace=other, metric=FREQUENCY, target=1, application=track.application)
    assert "secret" not in pages.get("/goals/").content.decode()
    assert pages.get(f"/goals/{goal.pk}/").status_code == 404
    assert pages.post(f"/goals/{goal.pk}/remove/").status_code == 404
    add = f"/goals/add/?metric={FREQUENCY}&place="
    for kind, row in (("application", Application), ("environment", Environment)):
        assert pages.get(f"{add}{kind}:{row.objects.get(workspace=other).pk}").status_code == 302
