"""Rate limits: how often an API key may report, and an address may fail to authenticate."""

import datetime as dt
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import time_machine
from django.db import connection
from django.test import override_settings

from deployments import throttling
from deployments.models import Job, RateLimitWindow, Workspace
from tests.factories import NOON, make_key
from tests.machines import Machine, assert_problem, make_report

THREE = override_settings(SLIPWAY_RATE_LIMIT="3/minute")


@pytest.fixture
def counted_in_the_database() -> Iterator[None]:
    """Count in the database, whose clock is ours, also where the suite is run with Redis."""
    throttling._open_storage.cache_clear()
    with override_settings(CACHE_URL=""):
        yield
    throttling._open_storage.cache_clear()


@pytest.fixture
def nothing_counts() -> Iterator[None]:
    """Redis is asked to count, and nobody is there."""
    throttling._open_storage.cache_clear()
    with override_settings(CACHE_URL="redis://127.0.0.1:1/0"):
        yield
    throttling._open_storage.cache_clear()


@THREE
@pytest.mark.django_db
def test_a_report_over_the_limit_is_429_and_is_not_stored(ci: Machine) -> None:
    answers = [ci.report() for _ in range(4)]

    assert [answer.status_code for answer in answers] == [202, 202, 202, 429]
    assert [answer["RateLimit-Limit"] for answer in answers] == ["3"] * 4
    assert [answer["RateLimit-Remaining"] for answer in answers] == ["2", "1", "0", "0"]
    assert_problem(answers[3], 429)
    assert 0 < int(answers[3]["Retry-After"]) <= 60
    assert answers[3]["Retry-After"] == answers[3]["RateLimit-Reset"]
    assert Job.objects.count() == 3


@pytest.mark.django_db
def test_120_a_minute_are_allowed_unless_it_is_set(ci: Machine) -> None:
    assert ci.report()["RateLimit-Limit"] == "120"


@THREE
@pytest.mark.django_db
@pytest.mark.usefixtures("counted_in_the_database")
def test_when_the_window_is_over_all_is_allowed_again(ci: Machine) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        for _ in range(3):
            assert ci.report().status_code == 202
        clock.shift(dt.timedelta(seconds=59))
        refused = ci.report()
        assert refused.status_code == 429
        assert refused["Retry-After"] == "1"
        clock.shift(dt.timedelta(seconds=int(refused["Retry-After"])))
        again = ci.report()

    assert again.status_code == 202
    assert again["RateLimit-Remaining"] == "2"
    assert again["RateLimit-Reset"] == "60"


@THREE
@pytest.mark.django_db
def test_each_key_has_a_limit_of_its_own(ci: Machine, workspace: Workspace) -> None:
    other = Machine(make_key(workspace))
    for _ in range(3):
        ci.report()

    assert ci.report().status_code == 429
    assert other.report().status_code == 202


@override_settings(SLIPWAY_RATE_LIMIT="3/minute", SLIPWAY_READ_RATE_LIMIT="2/minute")
@pytest.mark.django_db
def test_reading_is_counted_apart(ci: Machine) -> None:
    for _ in range(3):
        ci.report()

    assert [ci.get(path).status_code for path in ("/v1/deployments", "/v1/jobs", "/v1/jobs")] == [
        200,
        200,
        429,
    ]


@override_settings(SLIPWAY_RATE_LIMIT="off", SLIPWAY_READ_RATE_LIMIT="1/minute")
@pytest.mark.django_db
def test_off_means_no_limit(ci: Machine) -> None:
    answers = [ci.report() for _ in range(130)] + [ci.get("/v1/jobs") for _ in range(3)]

    assert {answer.status_code for answer in answers} == {202, 200}
    assert "RateLimit-Limit" not in answers[0]


@THREE
@pytest.mark.django_db
def test_refused_requests_count_too(ci: Machine) -> None:
    answers = [
        ci.report({}),
        ci.report(b"{"),
        ci.get("/v1/deployments/batch"),
        ci.post("/v1/jobs"),
        ci.report(),
    ]

    assert [answer.status_code for answer in answers] == [422, 400, 405, 405, 429]


@override_settings(SLIPWAY_FAILED_AUTH_RATE_LIMIT="3/minute")
@pytest.mark.django_db
def test_failed_authentication_is_limited_by_address(key: str) -> None:
    guesses = [Machine(text, address="192.0.2.1").report() for text in ("a", "slipway_1_2", key + "x", key[:-1])]

    assert [answer.status_code for answer in guesses] == [401, 401, 401, 429]
    assert_problem(guesses[3], 429)
    assert int(guesses[3]["Retry-After"]) > 0
    assert Machine("a", address="192.0.2.2").report().status_code == 401


@override_settings(SLIPWAY_FAILED_AUTH_RATE_LIMIT="3/minute")
@pytest.mark.django_db
def test_a_valid_key_is_let_in_whatever_others_do_from_its_address(key: str) -> None:
    for _ in range(5):
        Machine("guess", address="192.0.2.1").report()

    assert Machine(key, address="192.0.2.1").report().status_code == 202


@override_settings(SLIPWAY_FAILED_AUTH_RATE_LIMIT="3/minute")
@pytest.mark.django_db
def test_nobody_gets_around_the_limit_by_naming_another_address() -> None:
    answers = [
        Machine("guess").post("/v1/deployments", {}, X_Forwarded_For=f"192.0.2.{number}") for number in range(4)
    ]

    assert answers[3].status_code == 429


@pytest.mark.django_db
@pytest.mark.usefixtures("nothing_counts")
def test_a_counter_that_is_away_costs_nobody_a_report(ci: Machine) -> None:
    answer = ci.report()

    assert answer.status_code == 202
    assert Machine("guess").report().status_code == 401


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("limit", [20])
def test_of_many_threads_exactly_as_many_get_through_as_the_limit_says(key: str, limit: int) -> None:
    threads, calls = 8, 5

    def call(_: int) -> list[int]:
        machine = Machine(key)
        statuses = [machine.post("/v1/deployments", make_report()).status_code for _ in range(calls)]
        connection.close()
        return statuses

    with override_settings(SLIPWAY_RATE_LIMIT=f"{limit}/hour"), ThreadPoolExecutor(threads) as pool:
        statuses = [status for of_thread in pool.map(call, range(threads)) for status in of_thread]

    assert sorted(statuses) == [202] * limit + [429] * (threads * calls - limit)
    assert Job.objects.count() == limit


@THREE
@pytest.mark.django_db
@pytest.mark.usefixtures("counted_in_the_database")
def test_counters_whose_window_is_over_are_cleared_out(ci: Machine, workspace: Workspace) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        ci.report()
        clock.shift(dt.timedelta(seconds=61))
        Machine(make_key(workspace)).report()
        assert RateLimitWindow.objects.count() == 2
        assert throttling.prune() == 1
        assert RateLimitWindow.objects.count() == 1
