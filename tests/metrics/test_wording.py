"""How figures are written: in units that can be compared, and of what they are."""

import datetime as dt

import pytest
from django.test import Client

from deployments.models import Workspace
from deployments.units import frequency
from metrics.models import Metric
from metrics.reports import Comparison
from metrics.wording import change_in_words
from tests import factories


@pytest.mark.parametrize(
    ("per_day", "like", "words"),
    [
        (0.8, None, "5.6 a week"),
        (0.8, 1.2, "0.8 a day"),
        (1.4, 0.5, "9.8 a week"),
        (1.4, 0.1, "42.6 a month"),
        (60, 0.5, "420 a week"),
        (0.04, 1.0, "1.2 a month"),  # by the day it would read as none
        (0, 0, "0.0 a month"),
        (None, 1.0, "–"),
        (1234, None, "1,234 a day"),
    ],
)
def test_a_frequency_has_the_unit_of_the_one_beside_it(per_day: float | None, like: float | None, words: str) -> None:
    assert frequency(per_day, like) == words


@pytest.mark.parametrize(
    ("change", "words"), [(0.011, "1 point more"), (-0.07, "7 points less"), (0.004, "unchanged"), (0.0, "unchanged")]
)
def test_a_rate_changes_by_points(change: float, words: str) -> None:
    comparison = Comparison(change=change, is_signal=True, is_better=None)
    assert change_in_words(Metric.CHANGE_FAIL_RATE, comparison) == words


@pytest.mark.django_db
def test_days_that_do_not_count_are_said_and_never_fewer_than_those_with_deployments(
    workspace: Workspace, pages: Client
) -> None:
    workspace.working_days = [1, 2, 3, 4, 5]
    workspace.save()
    track = factories.make_track(workspace)
    for day in range(2, 9):  # Monday to Sunday
        factories.make_deployment(track, dt.datetime(2026, 3, day, 9, tzinfo=dt.UTC))
    week = "from=2026-03-02&to=2026-03-08"

    assert "7 deployments on 7 of 7 days, of which 5 count" in pages.get(f"/?{week}").content.decode()
    told = pages.get(f"/explain/deployment-frequency/?{week}").content.decode()
    assert "7 deployments ÷ 5 days (2 of 7 left out)" in told
    assert "Saturdays and Sundays left out: no working days." in told


@pytest.mark.django_db
def test_the_arithmetic_of_one_deployment_is_in_the_singular(workspace: Workspace, pages: Client) -> None:
    track = factories.make_track(workspace)
    factories.make_change(factories.make_deployment(track, factories.NOON), factories.HOUR)
    factories.make_deployment(track, factories.NOON + factories.HOUR, state="failure", has_failed=True)
    day = f"from={factories.NOON:%Y-%m-%d}&to={factories.NOON:%Y-%m-%d}"

    for metric, words in (
        ("deployment-frequency", "1 deployment ÷ 1 day = 1 a day"),
        ("change-lead-time", "The only lead time: 1 h."),
        ("change-fail-rate", "Among both is 1 that ended as failure or error"),
        ("deployment-rework-rate", "0 unplanned ÷ 1 deployment = 0 %"),
    ):
        assert words in pages.get(f"/explain/{metric}/?{day}").content.decode()
