"""Writes what is to be delivered, in the transaction of what it tells of.

So nothing is lost in a crash, and nothing is sent of what was rolled back. Who knows how an event is told in JSON
writes its text, and completes it where something had still to be worked out.
"""

import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from deployments.models import WebhookDelivery, WebhookSubscription

# Returns the text of a delivery with what has been worked out meanwhile, or None where that is not done yet.
Complete = Callable[[WebhookDelivery], str | None]


@dataclass(frozen=True, slots=True)
class Told:
    """An event. `incomplete_id` is the deployment or incident of which something is still worked out."""

    event: str
    action: str
    payload: dict[str, Any]
    incomplete_id: int | None = None


@dataclass(slots=True)
class _Connections:
    ring: Callable[[], None]
    complete: Complete


_connections = _Connections(ring=lambda: None, complete=lambda delivery: delivery.payload)


def connect(*, ring: Callable[[], None] | None = None, complete: Complete | None = None) -> None:
    """Say what wakes a worker, and what completes a delivery."""
    _connections.ring = ring or _connections.ring
    _connections.complete = complete or _connections.complete


def complete(delivery: WebhookDelivery) -> str | None:
    """Return the text of a delivery as it is to be sent, or None where it is not ready."""
    return _connections.complete(delivery)


_asked: ContextVar[dict[uuid.UUID, list[WebhookSubscription]] | None] = ContextVar("asked", default=None)


@contextmanager
def asking_once() -> Iterator[None]:
    """Ask only once who is told of a workspace's events, for a batch that tells of many in one transaction."""
    token = _asked.set({})
    try:
        yield
    finally:
        _asked.reset(token)


def subscribers(workspace_id: uuid.UUID) -> list[WebhookSubscription]:
    """Return who is told of events of a workspace, paused ones too."""
    known = _asked.get()
    if known is None:
        return _subscribers(workspace_id)
    if workspace_id not in known:
        known[workspace_id] = _subscribers(workspace_id)
    return known[workspace_id]


def _subscribers(workspace_id: uuid.UUID) -> list[WebhookSubscription]:
    rows = WebhookSubscription.objects.filter(workspace_id=workspace_id, is_active=True)
    return list(rows.only("id", "events"))


def write(to: Sequence[WebhookSubscription], told: Sequence[Told]) -> None:
    """Write a delivery of each event for each subscriber of it. The caller holds a transaction."""
    deliveries = []
    for one in told:
        text, guid = text_of(one.payload), uuid.uuid4()
        deliveries += [
            WebhookDelivery(
                subscription=subscription,
                event=one.event,
                action=one.action,
                guid=guid,
                payload=text,
                incomplete_id=one.incomplete_id,
            )
            for subscription in to
            if one.event in subscription.events
        ]
    if deliveries:
        WebhookDelivery.objects.bulk_create(deliveries)
        ring_after_commit()


def text_of(payload: dict[str, Any]) -> str:
    """Return a payload as it is sent."""
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":"))


def ring_after_commit() -> None:
    """Wake a worker for what the transaction writes."""
    transaction.on_commit(_connections.ring)
