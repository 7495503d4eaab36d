"""Webhooks by the API: added, changed, paused, removed, and what was delivered to them."""

from typing import Any

import pytest
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from deployments.models import ApiKey, WebhookDelivery, WebhookSubscription, Workspace
from deployments.webhooks import subscriptions
from tests.deployments.receivers import Receiver
from tests.factories import make_key, make_workspace
from tests.machines import Machine, assert_problem, faults_of
from tests.webhooks.deliveries import EVERYTHING, SECRET, deliver, enqueue, is_signed, payloads, subscribe


def body_for(receiver: Receiver, **changes: Any) -> dict[str, Any]:
    return {"url": f"http://127.0.0.1:{receiver.port}/hook", "events": ["deployment", "incident"], **changes}


def test_a_webhook_that_is_added_is_greeted_and_its_secret_shown_once(
    workspace: Workspace, machine: Machine, receiver: Receiver
) -> None:
    answer = machine.post("/v1/webhooks", body_for(receiver))
    assert answer.status_code == 201
    added = answer.json()
    assert answer["Location"].endswith(f"/v1/webhooks/{added['id']}")
    assert (added["events"], added["active"], added["paused"]) == (["deployment", "incident"], True, False)
    secret = added.pop("secret")
    assert len(secret) == 64

    deliver()
    _, headers, body = receiver.got[0]
    assert headers["x-github-event"] == "ping"
    assert is_signed(headers, body, secret)
    ping = payloads(receiver)[0]
    assert ping["hook_id"] == ping["hook"]["id"] == added["id"]
    assert ping["hook"]["events"] == ["deployment", "incident"]

    for path in ("/v1/webhooks", f"/v1/webhooks/{added['id']}", f"/v1/webhooks/{added['id']}/deliveries"):
        assert secret not in machine.get(path).content.decode()
    stored = WebhookSubscription.objects.get()
    assert stored.secret == secret
    assert machine.get(f"/v1/webhooks/{added['id']}").json() == added


def test_a_secret_can_be_given_and_is_kept_encrypted(machine: Machine, receiver: Receiver) -> None:
    answer = machine.post("/v1/webhooks", body_for(receiver, secret=SECRET, events=["*"]))
    assert (answer.json()["secret"], answer.json()["events"]) == (SECRET, EVERYTHING)
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM deployments_webhooksubscription")
        assert SECRET not in cursor.fetchone()[0]


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"url": "http://10.0.0.1/"}, ("url", "invalid")),
        ({"url": "http://169.254.169.254/latest/meta-data"}, ("url", "invalid")),
        ({"url": "ftp://example.com/"}, ("url", "invalid")),
        ({"url": "https://user:pass@127.0.0.1/"}, ("url", "invalid")),
        ({"url": 7}, ("url", "invalid")),
        ({"url": "https://127.0.0.1/" + "a" * 2000}, ("url", "max_length")),
        ({"events": []}, ("events", "not_a_list")),
        ({"events": ["push"]}, ("events", "invalid_choice")),
        ({"events": "deployment"}, ("events", "not_a_list")),
        ({"secret": 7}, ("secret", "invalid")),
        ({"active": "yes"}, ("active", "invalid")),
    ],
)
def test_what_cannot_be_taken_is_named(
    machine: Machine, receiver: Receiver, changes: dict[str, Any], fault: tuple[str, str]
) -> None:
    answer = machine.post("/v1/webhooks", body_for(receiver, **changes))
    assert_problem(answer, 422)
    assert faults_of(answer) == {fault}
    assert not WebhookSubscription.objects.exists()


def test_a_webhook_is_changed_paused_resumed_and_removed(
    workspace: Workspace, machine: Machine, receiver: Receiver
) -> None:
    row = subscribe(workspace, receiver, path="/old")
    address = f"/v1/webhooks/{row.pk}"
    url = f"http://127.0.0.1:{receiver.port}/new"
    changed = machine.request("PATCH", address, {"url": url, "events": ["incident"], "secret": "another one"})
    assert (changed.status_code, changed.json()["url"], changed.json()["events"]) == (200, url, ["incident"])
    assert WebhookSubscription.objects.get().secret == "another one"

    assert machine.request("PATCH", address, {"paused": True}).json()["pauseReason"] == "Paused by hand."
    enqueue(row)
    assert deliver() == 0
    assert machine.request("PATCH", address, {"paused": False}).json()["pausedAt"] is None
    assert deliver() == 1
    assert receiver.got[0][0] == "/new"
    assert is_signed(*receiver.got[0][1:], "another one")
    shown = machine.get(address).json()
    assert machine.request("PATCH", address, shown).json()["events"] == ["incident"], "it can be sent back"

    assert machine.request("DELETE", address).status_code == 204
    assert machine.get(address).status_code == 404
    assert not WebhookDelivery.objects.exists()


def test_a_delivery_is_shown_with_request_and_answer_and_delivered_again(
    workspace: Workspace, machine: Machine, receiver: Receiver
) -> None:
    receiver.status, receiver.body = 500, b"sorry"
    row = subscribe(workspace, receiver)
    enqueue(row, event="incident", action="opened")
    deliver()
    listed = machine.get(f"/v1/webhooks/{row.pk}/deliveries").json()["results"]
    assert [(one["event"], one["action"], one["state"], one["statusCode"]) for one in listed] == [
        ("incident", "opened", "waiting", 500)
    ]
    address = f"/v1/webhooks/{row.pk}/deliveries/{listed[0]['id']}"
    shown = machine.get(address).json()
    assert shown["request"]["payload"] == '{"a":1}'
    assert shown["request"]["headers"]["X-GitHub-Delivery"] == shown["guid"]
    assert shown["response"]["body"] == "sorry"
    assert SECRET not in str(shown)

    receiver.status = 200
    again = machine.post(f"{address}/redeliver")
    assert again.status_code == 202
    assert (again.json()["guid"], again.json()["redeliveryOf"]) == (shown["guid"], shown["id"])
    assert deliver() == 1
    (_, first, one), (_, second, two) = receiver.got
    assert (first["x-github-delivery"], one) == (second["x-github-delivery"], two)


def test_a_ping_can_be_sent_at_any_time(workspace: Workspace, machine: Machine, receiver: Receiver) -> None:
    row = subscribe(workspace, receiver, events=["incident"])
    answer = machine.post(f"/v1/webhooks/{row.pk}/ping")
    assert (answer.status_code, answer.json()["event"]) == (202, "ping")
    deliver()
    assert payloads(receiver)[0]["hook"]["events"] == ["incident"]


def test_only_keys_that_were_given_the_scopes_have_to_do_with_webhooks(
    workspace: Workspace, receiver: Receiver
) -> None:
    row = subscribe(workspace, receiver)
    usual = Machine(make_key(workspace))
    assert not [scope for scope in ApiKey.objects.get().scopes if scope.startswith("webhooks")]
    assert_problem(usual.get("/v1/webhooks"), 403)
    reader = Machine(make_key(workspace, scopes=["webhooks:read"]))
    assert reader.get("/v1/webhooks").status_code == 200
    for method, path in (
        ("POST", "/v1/webhooks"),
        ("PATCH", f"/v1/webhooks/{row.pk}"),
        ("DELETE", f"/v1/webhooks/{row.pk}"),
        ("POST", f"/v1/webhooks/{row.pk}/ping"),
    ):
        assert_problem(reader.request(method, path, {}), 403)


def test_others_webhooks_cannot_be_seen_or_changed(machine: Machine, receiver: Receiver) -> None:
    theirs = subscribe(make_workspace("Globex"), receiver)
    delivery = enqueue(theirs)
    base = f"/v1/webhooks/{theirs.pk}"
    assert machine.get("/v1/webhooks").json()["results"] == []
    for method, path in (
        ("GET", base), ("PATCH", base), ("DELETE", base), ("POST", f"{base}/ping"), ("GET", f"{base}/deliveries"),
        ("GET", f"{base}/deliveries/{delivery.pk}"), ("POST", f"{base}/deliveries/{delivery.pk}/redeliver"),
        ("GET", f"/v1/webhooks/{10**30}"),
    ):  # fmt: skip
        assert_problem(machine.request(method, path, {}), 404)


def test_there_is_an_end_to_webhooks(
    workspace: Workspace, machine: Machine, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "MOST_WEBHOOKS", 1)
    assert machine.post("/v1/webhooks", body_for(receiver)).status_code == 201
    assert_problem(machine.post("/v1/webhooks", body_for(receiver)), 409)


def test_lists_cost_the_same_however_long(
    workspace: Workspace, machine: Machine, receiver: Receiver, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    rows = [subscribe(workspace, receiver, path=f"/{number}") for number in range(5)]
    for _ in range(60):
        enqueue(rows[0])
    machine.get("/v1/webhooks")
    with django_assert_max_num_queries(6):
        assert len(machine.get("/v1/webhooks").json()["results"]) == 5
    with django_assert_max_num_queries(7):
        page = machine.get(f"/v1/webhooks/{rows[0].pk}/deliveries").json()
    assert len(page["results"]) == 50
    following = machine.get(page["next"].partition("example")[2] or page["next"]).json()
    assert len(following["results"]) == 10
