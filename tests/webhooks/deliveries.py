"""What the tests of outgoing webhooks have in common."""

import hashlib
import hmac
import json
from typing import Any

from deployments.models import WebhookDelivery, WebhookEvent, WebhookSubscription, Workspace
from deployments.webhooks import sending
from tests.deployments.receivers import Receiver

SECRET = "It's a Secret to Everybody"
EVERYTHING = list(WebhookEvent.values)


def subscribe(
    workspace: Workspace, receiver: Receiver | int, *, path: str = "/hook", **fields: Any
) -> WebhookSubscription:
    """Return a subscription of everything to a receiver on this machine, or to a port of it."""
    port = receiver if isinstance(receiver, int) else receiver.port
    url = fields.pop("url", f"http://127.0.0.1:{port}{path}")
    return WebhookSubscription.objects.create(
        workspace=workspace,
        url=url,
        host=WebhookSubscription.host_of(url),
        secret=fields.pop("secret", SECRET),
        events=fields.pop("events", EVERYTHING),
        **fields,
    )


def enqueue(subscription: WebhookSubscription, **fields: Any) -> WebhookDelivery:
    """Return a delivery that waits."""
    return WebhookDelivery.objects.create(
        subscription=subscription,
        event=fields.pop("event", "deployment"),
        payload=fields.pop("payload", '{"a":1}'),
        **fields,
    )


def deliver() -> int:
    """Deliver what is due now."""
    return sending.deliver_due()


def payloads(receiver: Receiver, event: str = "") -> list[dict[str, Any]]:
    """Return what a receiver was told, in the order of arrival."""
    return [json.loads(body) for _, headers, body in receiver.got if not event or headers["x-github-event"] == event]


def is_signed(headers: dict[str, str], body: bytes, secret: str = SECRET) -> bool:
    """Check both signatures as a receiver does."""
    return all(
        headers[name] == f"{algorithm}={hmac.new(secret.encode(), body, getattr(hashlib, algorithm)).hexdigest()}"
        for name, algorithm in (("x-hub-signature-256", "sha256"), ("x-hub-signature", "sha1"))
    )


def refreshed(row: Any) -> Any:
    """Return a row as it now is."""
    return type(row).objects.get(pk=row.pk)
