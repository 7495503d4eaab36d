"""The pages of webhooks: for owners to set up, for others to see that there are some."""

import re

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from deployments.models import Membership, User, WebhookDelivery, WebhookSubscription, Workspace
from tests.deployments.receivers import Receiver
from tests.factories import make_user, make_workspace
from tests.webhooks.deliveries import EVERYTHING, SECRET, deliver, enqueue, is_signed, subscribe


def form_for(receiver: Receiver, **changes: object) -> dict[str, object]:
    return {
        "url": f"http://127.0.0.1:{receiver.port}/hook?token=abc",
        "secret": "",
        "events": ["deployment", "incident"],
        "is_active": "on",
        **changes,
    }


@pytest.fixture
def member(client: Client, workspace: Workspace) -> Client:
    """A browser of somebody who belongs to the workspace and does not own it."""
    user = make_user(workspace, "grace@example.com")
    Membership.objects.filter(user=user).update(role=Membership.Role.MEMBER)
    browser = Client()
    browser.force_login(user)
    return browser


def test_an_owner_adds_a_webhook_and_sees_its_secret_once(pages: Client, receiver: Receiver) -> None:
    answer = pages.post("/settings/webhooks/add/", form_for(receiver))
    assert answer.status_code == 200
    secret = re.search(r'id="new-secret">([0-9a-f]{64})<', answer.content.decode())
    assert secret is not None
    deliver()
    assert is_signed(*receiver.got[0][1:], secret[1])
    row = WebhookSubscription.objects.get()
    for path in ("", f"{row.pk}/", f"{row.pk}/change/", f"{row.pk}/deliveries/{row.deliveries.get().pk}/"):
        page = pages.get(f"/settings/webhooks/{path}")
        assert page.status_code == 200
        assert secret[1] not in page.content.decode()


def test_an_address_in_a_private_network_is_refused_at_once(pages: Client, receiver: Receiver) -> None:
    answer = pages.post("/settings/webhooks/add/", form_for(receiver, url="http://192.168.0.1/"))
    assert "private network" in answer.content.decode()
    assert not WebhookSubscription.objects.exists()


def test_a_webhook_is_changed_and_its_secret_stays_unless_another_is_given(
    pages: Client, workspace: Workspace, receiver: Receiver
) -> None:
    row = subscribe(workspace, receiver)
    pages.post(f"/settings/webhooks/{row.pk}/change/", form_for(receiver, events=["incident"], is_active=""))
    now = WebhookSubscription.objects.get()
    assert (now.events, now.is_active, now.secret) == (["incident"], False, SECRET)
    pages.post(f"/settings/webhooks/{row.pk}/change/", form_for(receiver, secret="hush-hush"))
    assert WebhookSubscription.objects.get().secret == "hush-hush"
    assert "hush-hush" not in pages.get(f"/settings/webhooks/{row.pk}/change/").content.decode()


def test_deliveries_are_shown_with_what_came_back_and_delivered_again(
    pages: Client, workspace: Workspace, receiver: Receiver
) -> None:
    receiver.status, receiver.body = 503, b"<b>sorry</b>"
    row = subscribe(workspace, receiver)
    delivery = enqueue(row, payload='{"title":"<script>"}')
    deliver()
    page = pages.get(f"/settings/webhooks/{row.pk}/").content.decode()
    assert "The receiver answered 503." in page
    assert "Every delivery has failed since" in page
    shown = pages.get(f"/settings/webhooks/{row.pk}/deliveries/{delivery.pk}/").content.decode()
    for text in ("&lt;b&gt;sorry&lt;/b&gt;", "&lt;script&gt;", "X-Hub-Signature-256: sha256=", "Deliver again"):
        assert text in shown
    assert SECRET not in shown

    receiver.status = 200
    pages.post(f"/settings/webhooks/{row.pk}/deliveries/{delivery.pk}/redeliver/")
    deliver()
    assert WebhookDelivery.objects.get(redelivery_of=delivery).state == "delivered"


def test_a_webhook_is_pinged_paused_resumed_and_removed(
    pages: Client, workspace: Workspace, receiver: Receiver
) -> None:
    row = subscribe(workspace, receiver)
    pages.post(f"/settings/webhooks/{row.pk}/pause/")
    pages.post(f"/settings/webhooks/{row.pk}/ping/")
    assert deliver() == 0
    assert "Paused by hand." in pages.get("/settings/webhooks/").content.decode()
    answer = pages.post(f"/settings/webhooks/{row.pk}/resume/", follow=True)
    assert "1 delivery waits" in answer.content.decode()
    assert deliver() == 1
    pages.post(f"/settings/webhooks/{row.pk}/remove/")
    assert not WebhookSubscription.objects.exists()


def test_members_see_that_there_are_webhooks_and_no_more(
    member: Client, workspace: Workspace, receiver: Receiver
) -> None:
    row = subscribe(workspace, receiver, path="/hook?token=abc123")
    delivery = enqueue(row)
    page = member.get("/settings/webhooks/").content.decode()
    assert f"127.0.0.1:{receiver.port}/…" in page
    assert "abc123" not in page
    for path in ("add/", f"{row.pk}/", f"{row.pk}/change/", f"{row.pk}/deliveries/{delivery.pk}/"):
        assert member.get(f"/settings/webhooks/{path}").status_code == 403
    for path in ("ping/", "pause/", "resume/", "remove/", f"deliveries/{delivery.pk}/redeliver/"):
        assert member.post(f"/settings/webhooks/{row.pk}/{path}").status_code == 403
    assert "webhooks:write" not in member.get("/settings/api-keys/").content.decode()
    refused = member.post("/settings/api-keys/", {"name": "mine", "scopes": ["webhooks:write"]})
    assert "not one of the available choices" in refused.content.decode()


def test_others_webhooks_are_not_there(pages: Client, receiver: Receiver) -> None:
    theirs = subscribe(make_workspace("Globex"), receiver)
    assert pages.get(f"/settings/webhooks/{theirs.pk}/").status_code == 404
    assert pages.post(f"/settings/webhooks/{theirs.pk}/remove/").status_code == 404


def test_owners_can_give_keys_the_scopes_and_do_not_by_accident(pages: Client) -> None:
    page = pages.get("/settings/api-keys/").content.decode()
    assert re.search(r'value="deployments:read"[^>]*checked', page)
    assert re.search(r'value="webhooks:write"(?![^>]*checked)', page)


def test_pages_cost_the_same_however_long(
    pages: Client, workspace: Workspace, receiver: Receiver, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    rows = [subscribe(workspace, receiver, path=f"/{number}", events=EVERYTHING) for number in range(10)]
    for _ in range(60):
        enqueue(rows[0])
    pages.get("/settings/webhooks/")
    with django_assert_max_num_queries(8):
        pages.get("/settings/webhooks/")
    with django_assert_max_num_queries(8):
        page = pages.get(f"/settings/webhooks/{rows[0].pk}/").content.decode()
    assert "Older" in page


def test_operators_see_webhooks_without_their_secrets(
    client: Client, workspace: Workspace, receiver: Receiver
) -> None:
    operator = User.objects.create_superuser("root@example.com", "correct horse")
    client.force_login(operator)
    row = subscribe(workspace, receiver, path="/hook?token=abc123")
    delivery = enqueue(row)
    for path in (
        "webhooksubscription/",
        f"webhooksubscription/{row.pk}/change/",
        "webhookdelivery/",
        f"webhookdelivery/{delivery.pk}/change/",
    ):
        page = client.get(f"/admin/deployments/{path}")
        assert page.status_code == 200
        assert SECRET not in page.content.decode()
        assert "abc123" not in page.content.decode()
