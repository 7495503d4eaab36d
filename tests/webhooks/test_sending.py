"""Deliveries arrive, are tried again, and hold up nobody, whatever receivers do."""

import datetime as dt
import socket
import threading
from contextlib import suppress
from typing import Any

import pytest
import time_machine
from celery import current_app
from django.conf import settings
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from kombu import Queue
from kombu.exceptions import ChannelError
from pytest_django import DjangoAssertNumQueries

from deployments import outgoing, tasks
from deployments.models import DeliveryState, WebhookDelivery, WebhookSubscription, Workspace
from deployments.webhooks import schedule, sending, subscriptions
from tests.deployments.receivers import Receiver, receiving
from tests.factories import NOON
from tests.processes.installation import wait_until
from tests.webhooks.deliveries import SECRET, deliver, enqueue, is_signed, refreshed, subscribe

PATIENCE = 8.0  # seconds, less than Slipway waits for an answer
DAY, MINUTE = dt.timedelta(days=1), dt.timedelta(minutes=1)


def run_until(moment: dt.datetime) -> None:
    """Make every attempt that is due until a moment, each when it is due."""
    while True:
        rows = WebhookDelivery.objects.filter(state=DeliveryState.WAITING, next_attempt_at__lte=moment)
        rows = rows.filter(subscription__paused_at=None)
        first = rows.order_by("next_attempt_at").values_list("next_attempt_at", flat=True).first()
        if first is None:
            return
        with time_machine.travel(first, tick=False):
            deliver()


def test_a_delivery_arrives_with_githubs_headers_and_both_signatures(
    workspace: Workspace, receiver: Receiver
) -> None:
    receiver.status, receiver.headers, receiver.body = 202, {"X-Request-Id": "7"}, b"thanks\x00"
    delivery = enqueue(subscribe(workspace, receiver), payload='{"name":"Zoë"}')

    assert deliver() == 1

    path, headers, body = receiver.got[0]
    assert (path, body.decode()) == ("/hook", '{"name":"Zoë"}')
    assert is_signed(headers, body)
    assert headers["x-github-event"] == "deployment"
    assert headers["x-github-delivery"] == str(delivery.guid)
    assert headers["x-github-hook-id"] == str(delivery.subscription_id)
    assert headers["content-type"] == "application/json"
    assert headers["user-agent"].startswith("Slipway-Hookshot/")
    now = refreshed(delivery)
    assert (now.state, now.attempts, now.response_status, now.error) == ("delivered", 1, 202, "")
    assert now.response_body == "thanks\ufffd"
    assert now.response_headers["x-request-id"] == "7"
    assert now.request_headers["X-GitHub-Delivery"] == str(delivery.guid)
    assert deliver() == 0


def test_what_could_not_be_delivered_arrives_when_the_receiver_is_back(workspace: Workspace) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    subscription = subscribe(workspace, port)
    with time_machine.travel(NOON, tick=False):
        delivery = enqueue(subscription)
        deliver()
    down = refreshed(delivery)
    assert (down.state, down.attempts) == ("waiting", 1)
    assert "takes no connection" in down.error
    assert MINUTE * 0.75 <= down.next_attempt_at - NOON <= MINUTE * 1.25
    assert refreshed(subscription).failing_since == NOON

    with receiving() as receiver:
        WebhookSubscription.objects.update(url=f"http://127.0.0.1:{receiver.port}/")
        run_until(NOON + 2 * MINUTE)
        assert len(receiver.got) == 1
    up = refreshed(delivery)
    assert (up.state, up.attempts, up.error, up.next_attempt_at) == ("delivered", 2, "", None)
    assert refreshed(subscription).failing_since is None


def test_a_receiver_that_fails_for_three_days_is_paused_and_gets_everything_when_it_goes_on(
    workspace: Workspace, receiver: Receiver
) -> None:
    receiver.status = 500
    subscription = subscribe(workspace, receiver)
    with time_machine.travel(NOON, tick=False):
        first = enqueue(subscription)
    with time_machine.travel(NOON + DAY, tick=False):
        second = enqueue(subscription)

    run_until(NOON + 2 * DAY)
    assert refreshed(subscription).paused_at is None
    run_until(NOON + 10 * DAY)

    paused = refreshed(subscription)
    assert NOON + 3 * DAY <= paused.paused_at <= NOON + 4 * DAY
    assert paused.pause_reason == (
        "Paused, since all deliveries failed for 3 days. The last time: The receiver answered 500."
    )
    assert 15 < refreshed(first).attempts < 40
    assert refreshed(second).state in ("waiting", "failed")
    with time_machine.travel(NOON + 12 * DAY, tick=False):
        third = enqueue(subscription)
        assert deliver() == 0, "nothing is sent while it is paused"

        receiver.status = 200
        receiver.got.clear()
        assert subscriptions.resume(subscription) == 3
        deliver()
    assert {headers["x-github-delivery"] for _, headers, _ in receiver.got} == {
        str(one.guid) for one in (first, second, third)
    }
    assert refreshed(subscription).paused_at is None
    assert not WebhookDelivery.objects.exclude(state=DeliveryState.DELIVERED).exists()


def test_a_receiver_that_is_gone_is_paused_at_once(workspace: Workspace, receiver: Receiver) -> None:
    receiver.status = 410
    subscription = subscribe(workspace, receiver)
    delivery = enqueue(subscription)
    deliver()
    assert "410" in refreshed(subscription).pause_reason
    assert refreshed(delivery).state == "failed"

    receiver.status = 200
    assert subscriptions.resume(subscription) == 1
    deliver()
    assert refreshed(delivery).state == "delivered"


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("300", 300), ("0", 1), ("999999999999", 6 * 3600), ("Mon, 02 Mar 2026 12:10:00 GMT", 600), ("soon", None)],
)
def test_a_receiver_is_left_alone_for_as_long_as_it_asks(
    workspace: Workspace, receiver: Receiver, said: str, seconds: int | None
) -> None:
    receiver.status, receiver.headers = 429, {"Retry-After": said}
    subscription = subscribe(workspace, receiver)
    with time_machine.travel(NOON, tick=False):
        delivery = enqueue(subscription)
        deliver()
    rest = None if seconds is None else NOON + dt.timedelta(seconds=seconds)
    assert refreshed(subscription).resting_until == rest
    if rest is not None:
        assert refreshed(delivery).next_attempt_at == rest
        with time_machine.travel(rest - dt.timedelta(seconds=1), tick=False):
            other = enqueue(subscription)
            assert deliver() == 0, "others wait too"
        receiver.status = 200
        with time_machine.travel(rest, tick=False):
            assert deliver() == 2
        assert refreshed(other).state == "delivered"


def test_who_always_wants_to_be_asked_soon_is_asked_less_and_less_often(
    workspace: Workspace, receiver: Receiver
) -> None:
    receiver.status, receiver.headers = 503, {"Retry-After": "1"}
    with time_machine.travel(NOON, tick=False):
        delivery = enqueue(subscribe(workspace, receiver))
    run_until(NOON + dt.timedelta(hours=3))
    assert 8 <= refreshed(delivery).attempts <= 11
    assert refreshed(delivery).next_attempt_at > NOON + dt.timedelta(hours=3)


def test_a_redirect_is_not_followed(workspace: Workspace, receiver: Receiver) -> None:
    with receiving() as inside:
        receiver.status, receiver.headers = 307, {"Location": f"http://127.0.0.1:{inside.port}/metadata"}
        delivery = enqueue(subscribe(workspace, receiver))
        deliver()
        assert inside.got == []
    now = refreshed(delivery)
    assert (now.state, now.response_status) == ("waiting", 307)
    assert now.error == "The receiver answered 307: redirects are not followed."


def test_nothing_is_sent_to_a_name_of_which_one_address_is_private(
    workspace: Workspace, receiver: Receiver, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SLIPWAY_ALLOWED_PRIVATE_NETWORKS = []
    rows = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, receiver.port))
        for address in ("93.184.215.14", "127.0.0.1")
    ]
    monkeypatch.setattr(outgoing.socket, "getaddrinfo", lambda *_, **__: rows)
    delivery = enqueue(subscribe(workspace, receiver, url=f"http://two.example:{receiver.port}/"))
    deliver()
    assert receiver.got == []
    assert "private network" in refreshed(delivery).error


def test_a_slow_receiver_holds_up_nobody_else(workspace: Workspace, receiver: Receiver) -> None:
    with receiving() as slow:
        arrived = threading.Event()
        # It answers only when all of the other's have arrived, for which it must not be waited for.
        slow.hold = lambda: arrived.wait(PATIENCE)
        receiver.hold = lambda: len(receiver.got) == 20 and arrived.set()
        for subscription in (subscribe(workspace, slow), subscribe(workspace, receiver)):
            for _ in range(20 if subscription.url.endswith(f"{receiver.port}/hook") else 10):
                enqueue(subscription)
        deliver()
        assert arrived.is_set()
        assert len(slow.got) == 10
    assert not WebhookDelivery.objects.exclude(state=DeliveryState.DELIVERED).exists()


def test_one_receiver_is_asked_for_two_answers_at_once_and_no_more(workspace: Workspace, receiver: Receiver) -> None:
    lock, together = threading.Lock(), threading.Barrier(2)
    at_once: list[int] = [0]
    most: list[int] = []

    def hold() -> None:
        with lock:
            at_once[0] += 1
            most.append(at_once[0])
        together.wait(PATIENCE)
        with lock:
            at_once[0] -= 1

    receiver.hold = hold
    for path in ("/a", "/b", "/c"):
        subscription = subscribe(workspace, receiver, path=path)
        enqueue(subscription)
        enqueue(subscription)
    deliver()
    assert (len(receiver.got), max(most)) == (6, 2)


def test_receivers_that_fail_leave_threads_to_those_that_work(workspace: Workspace) -> None:
    for number in range(40):
        broken = subscribe(workspace, 9, url=f"http://127.0.0.{number + 2}:9/", failing_since=NOON)
        enqueue(broken)
    enqueue(subscribe(workspace, 9))
    claimed = sending._claim(sending.THREADS)
    assert claimed[0][0].subscription.failing_since is None
    assert len(claimed) == sending.THREADS // 2 + 1


def test_what_another_worker_has_claimed_is_left_to_it_until_its_claim_ends(
    workspace: Workspace, receiver: Receiver
) -> None:
    delivery = enqueue(subscribe(workspace, receiver))
    with time_machine.travel(NOON + 300 * DAY, tick=False) as clock:
        [[taken]] = sending._claim(10)
        assert taken == delivery
        assert deliver() == 0
        clock.shift(16)
        assert deliver() == 1
    assert len(receiver.got) == 1


def test_a_secret_that_cannot_be_read_is_told_and_tried_again(
    workspace: Workspace, receiver: Receiver, settings: Any
) -> None:
    delivery = enqueue(subscribe(workspace, receiver))
    settings.SECRET_KEY = "another one, without the former"
    deliver()
    assert receiver.got == []
    assert "SLIPWAY_SECRET_KEY" in refreshed(delivery).error
    assert refreshed(delivery).state == "waiting"


def test_secrets_are_nowhere_in_the_log_and_in_what_is_kept(
    workspace: Workspace, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.status = 500
    enqueue(subscribe(workspace, receiver, path="/hook?token=abc123"))
    with caplog.at_level("DEBUG"):
        deliver()
    assert "answered 500" in caplog.text
    assert SECRET not in caplog.text
    assert "abc123" not in caplog.text
    assert SECRET not in str(list(WebhookDelivery.objects.values()))


def test_many_deliveries_cost_queries_in_proportion(
    workspace: Workspace, receiver: Receiver, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    subscription = subscribe(workspace, receiver)
    for _ in range(20):
        enqueue(subscription)
    with django_assert_max_num_queries(20 * 14):
        deliver()
    assert len(receiver.got) == 20


def test_deliveries_are_kept_for_thirty_days(workspace: Workspace, receiver: Receiver) -> None:
    subscription = subscribe(workspace, receiver)
    old = enqueue(subscription, created_at=timezone.now() - 31 * DAY)
    young = enqueue(subscription, created_at=timezone.now() - 29 * DAY, redelivery_of=old)
    assert subscriptions.prune(timezone.now()) == 1
    assert list(WebhookDelivery.objects.all()) == [young]


@given(st.integers(1, 5000))
def test_pauses_grow_up_to_six_hours(attempts: int) -> None:
    pause = schedule.pause_after(attempts)
    wanted = min(MINUTE * 2 ** min(attempts - 1, 12), schedule.LONGEST_PAUSE)
    assert wanted * 0.74 <= pause <= min(wanted * 1.26, schedule.LONGEST_PAUSE)


@given(st.text(max_size=60))
def test_whatever_a_receiver_asks_for_is_bounded(text: str) -> None:
    rest = schedule.rest_asked_for(text, NOON)
    assert rest is None or dt.timedelta(seconds=1) <= rest <= schedule.LONGEST_PAUSE


def test_messages_do_not_pile_up_behind_a_receiver_that_is_slow(
    workspace: Workspace, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "_STILL_SECONDS", 0.1)
    waiting: list[int] = []

    def count() -> int:
        with current_app.connection_for_read() as connection:
            queue: Any = Queue(settings.WEBHOOK_QUEUE, channel=connection.default_channel)
            with suppress(ChannelError):  # of Redis, where an empty queue is none
                return int(queue.queue_declare(passive=True).message_count)
            return 0

    def hold() -> None:
        for _ in range(20):
            tasks.deliver_webhooks.delay()
        waiting.append(count())
        with suppress(AssertionError):
            wait_until(lambda: count() == 0, 3)
        waiting.append(count())

    receiver.hold = hold
    enqueue(subscribe(workspace, receiver))
    tasks.forget_webhook_bells()  # those of other tests
    tasks.deliver_webhooks()

    assert waiting == [20, 0]
    assert len(receiver.got) == 1
