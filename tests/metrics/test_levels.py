"""The levels of DORA's reports, year by year."""

import pytest

from metrics.levels import REPORTS, place

HOUR, DAY, WEEK = 3600.0, 86400.0, 604800.0


@pytest.mark.parametrize(
    ("year", "metric", "value", "level"),
    [
        (2021, "lead_time", 1800, "elite"),
        (2021, "lead_time", 3 * DAY, "high"),
        (2021, "lead_time", 60 * DAY, "medium"),
        (2021, "lead_time", 300 * DAY, "low"),
        (2021, "frequency", 3.0, "elite"),
        (2021, "frequency", 3 / 7, "high"),  # three days a week are not several deployments a day
        (2021, "fail_rate", 0.15, "elite"),
        (2022, "frequency", 3.0, "high"),  # the year without an elite
        (2022, "fail_rate", 0.5, "low"),
        (2023, "lead_time", 23 * HOUR, "elite"),
        (2023, "lead_time", 2 * WEEK, "medium"),
        (2023, "fail_rate", 0.05, "elite"),
        (2023, "fail_rate", 0.3, "low"),
        (2024, "recovery", 30 * 60, "elite"),
        (2024, "recovery", 20 * HOUR, "high"),
        (2024, "recovery", 2 * DAY, "low"),
        (2024, "frequency", 1 / 10, "medium"),
        (2024, "frequency", 1 / 60, "low"),
    ],
)
def test_a_value_has_the_level_of_its_year(year: int, metric: str, value: float, level: str) -> None:
    placed = place(year, metric, value)
    assert placed is not None
    assert placed.level == level
    assert str(year) in placed.source


@pytest.mark.parametrize(
    ("year", "metric", "value"),
    [(2024, "fail_rate", 0.12), (2021, "fail_rate", 0.2), (2025, "lead_time", 60), (2024, "lead_time", None),
     (2024, "rework_rate", 0.1)],
)  # fmt: skip
def test_nothing_is_claimed_that_the_report_does_not_say(year: int, metric: str, value: float | None) -> None:
    assert place(year, metric, value) is None


@pytest.mark.parametrize("year", REPORTS)
@pytest.mark.parametrize("metric", ["frequency", "lead_time", "recovery", "fail_rate"])
def test_a_better_value_never_has_a_lower_level(year: int, metric: str) -> None:
    steps = [10.0**power for power in range(-4, 9)]
    placed = [place(year, metric, value) for value in (reversed(steps) if metric == "frequency" else steps)]
    ranks = [["elite", "high", "medium", "low"].index(found.level) for found in placed if found]
    assert ranks == sorted(ranks)
