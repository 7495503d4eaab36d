"""What people do with webhooks: add, change, pause and remove them, say hello, deliver again."""

import datetime
import secrets
from typing import Any

from django.db import transaction
from django.utils import timezone

from deployments import outgoing
from deployments.models import DeliveryState, User, WebhookDelivery, WebhookSubscription, Workspace
from deployments.webhooks import outbox, schedule

MOST_WEBHOOKS = 50
BY_HAND = "Paused by hand."
_CHANGED = [
    "url", "host", "events", "is_active", "paused_at", "pause_reason", "failing_since", "resting_until", "updated_at",
]  # fmt: skip


class TooMany(ValueError):
    """A workspace has as many webhooks as it may have."""


def new_secret() -> str:
    """Return a secret that nobody guesses."""
    return secrets.token_hex(32)


def check_url(url: str) -> None:
    """See whether anything may be sent to an address. Raises NotDelivered."""
    outgoing.check(url)


def create(
    workspace: Workspace,
    *,
    url: str,
    events: list[str],
    secret: str,
    created_by: User | None,
    is_active: bool = True,
) -> WebhookSubscription:
    """Add a webhook and say hello to it. The address was checked. Raises TooMany."""
    with transaction.atomic():
        Workspace.objects.select_for_update().get(pk=workspace.pk)
        if workspace.webhooks.count() >= MOST_WEBHOOKS:
            raise TooMany(f"There are {MOST_WEBHOOKS} webhooks already; remove one first.")
        subscription = WebhookSubscription.objects.create(
            workspace=workspace,
            url=url,
            host=WebhookSubscription.host_of(url),
            secret=secret,
            events=events,
            is_active=is_active,
            created_by=created_by,
        )
        if is_active:
            ping(subscription)
    return subscription


def change(subscription: WebhookSubscription, *, secret: str = "", **facts: Any) -> None:
    """Change what is stated of a webhook: url, events, is_active. Without a secret the present one stays."""
    with transaction.atomic():
        held = _held(subscription)
        for name, value in facts.items():
            setattr(held, name, value)
        held.host = WebhookSubscription.host_of(held.url)
        held.updated_at = timezone.now()
        held.save(update_fields=_CHANGED)
        if secret:
            held.secret = secret
            held.save(update_fields=["secret"])
        if facts.get("url", subscription.url) != subscription.url:
            _try_again(held)


def _held(subscription: WebhookSubscription) -> WebhookSubscription:
    return WebhookSubscription.objects.select_for_update(no_key=True).defer("secret").get(pk=subscription.pk)


def _try_again(subscription: WebhookSubscription) -> None:
    """Have what waits tried now, each with all its time before it."""
    waiting = subscription.deliveries.filter(state=DeliveryState.WAITING)
    waiting.update(next_attempt_at=timezone.now(), retry_until=None)
    subscription.resting_until = None
    subscription.save(update_fields=["resting_until"])
    outbox.ring_after_commit()


def pause(subscription: WebhookSubscription, reason: str = BY_HAND) -> None:
    """Send nothing for the time being; what happens meanwhile is kept."""
    rows = WebhookSubscription.objects.filter(pk=subscription.pk, paused_at=None)
    rows.update(paused_at=timezone.now(), pause_reason=reason[:500])


def resume(subscription: WebhookSubscription) -> int:
    """Send again, and first what was kept meanwhile and what failed before; return how many deliveries wait."""
    with transaction.atomic():
        held = _held(subscription)
        if held.failing_since is not None:
            failed = held.deliveries.filter(state=DeliveryState.FAILED, attempted_at__gte=held.failing_since)
            failed.update(state=DeliveryState.WAITING)
        held.paused_at, held.pause_reason, held.failing_since = None, "", None
        held.save(update_fields=_CHANGED)
        _try_again(held)
        return held.deliveries.filter(state=DeliveryState.WAITING).count()


def ping(subscription: WebhookSubscription) -> WebhookDelivery:
    """Say hello, whatever the webhook is subscribed to."""
    with transaction.atomic():
        delivery = WebhookDelivery.objects.create(
            subscription=subscription, event="ping", payload=outbox.text_of(_hello(subscription))
        )
        outbox.ring_after_commit()
    return delivery


def _hello(subscription: WebhookSubscription) -> dict[str, Any]:
    return {
        "zen": "What is sent is sent again until it has arrived.",
        "hook_id": subscription.pk,
        "hook": {
            "type": "Organization",
            "id": subscription.pk,
            "name": "web",
            "active": subscription.is_active,
            "events": subscription.events,
            "config": {"content_type": "json", "insecure_ssl": "0", "url": subscription.url},
            "created_at": _moment(subscription.created_at),
            "updated_at": _moment(subscription.updated_at),
        },
        "slipway": {"workspace": subscription.workspace.slug},
    }


def _moment(value: datetime.datetime) -> str:
    return value.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def redeliver(delivery: WebhookDelivery) -> WebhookDelivery:
    """Deliver the same once more, under the same GUID."""
    with transaction.atomic():
        again = WebhookDelivery.objects.create(
            subscription_id=delivery.subscription_id,
            event=delivery.event,
            action=delivery.action,
            guid=delivery.guid,
            payload=delivery.payload,
            incomplete_id=delivery.incomplete_id,
            redelivery_of=delivery,
        )
        outbox.ring_after_commit()
    return again


def prune(now: datetime.datetime) -> int:
    """Delete deliveries past their time, a thousand at once, and return how many."""
    total = 0
    old = WebhookDelivery.objects.filter(created_at__lt=now - schedule.KEPT_FOR)
    while ids := list(old.order_by("created_at").values_list("pk", flat=True)[:1000]):
        WebhookDelivery.objects.filter(pk__in=ids).delete()
        total += len(ids)
    return total
