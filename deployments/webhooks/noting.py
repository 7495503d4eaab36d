"""Notes what became of attempts, and what follows: another attempt, quiet, or a pause."""

import datetime
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from deployments.models import DeliveryState, WebhookDelivery, WebhookSubscription
from deployments.outgoing import Answer
from deployments.webhooks import schedule
from deployments.webhooks.subscriptions import pause

logger = logging.getLogger(__name__)

_MOST_BODY_LENGTH = 10_000
_MOST_HEADERS = 60
_LONGEST_ERROR = 500


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one attempt: an answer, or the reason why there is none."""

    delivery: WebhookDelivery
    request_headers: dict[str, str]
    began: datetime.datetime = field(default_factory=timezone.now)
    answer: Answer | None = None
    error: str = ""
    was_sent: bool = True

    @property
    def is_success(self) -> bool:
        return self.answer is not None and self.answer.is_success

    @property
    def reason(self) -> str:
        """Say why it failed."""
        if self.answer is None:
            return self.error
        status = self.answer.status
        if 300 <= status < 400:
            return f"The receiver answered {status}: redirects are not followed."
        return f"The receiver answered {status}."


def note(outcomes: Sequence[Outcome]) -> None:
    """Write down what became of attempts, all in one transaction."""
    if not outcomes:
        return
    with transaction.atomic():
        for outcome in outcomes:
            _note(outcome)


def _note(outcome: Outcome) -> None:
    delivery, now = outcome.delivery, timezone.now()
    # Where the claim has ended, another worker notes what became of its own attempt.
    rows = WebhookDelivery.objects.filter(pk=delivery.pk, claimed_by=delivery.claimed_by, state=DeliveryState.WAITING)
    free = {"claimed_by": None, "claimed_until": None}
    if not outcome.was_sent:
        rows.update(**free, attempts=F("attempts") - 1)
        return
    result = {**_seen(outcome), **free}
    if outcome.is_success:
        rows.update(**result, state=DeliveryState.DELIVERED, next_attempt_at=None, error="")
        _works(delivery.subscription)
        return
    rest = schedule.rest_asked_for(outcome.answer.headers.get("retry-after", ""), now) if outcome.answer else None
    result |= _after_failure(outcome, now, rest)
    if not rows.update(**result, error=outcome.reason[:_LONGEST_ERROR]):
        return
    logger.warning("delivery %s to %s failed: %s", delivery.pk, delivery.subscription.host, outcome.reason)
    _fails(outcome, now, rest)


def _seen(outcome: Outcome) -> dict[str, Any]:
    """Return what is kept of a request and its answer."""
    answer = outcome.answer
    return {
        "attempted_at": outcome.began,
        "request_headers": outcome.request_headers,
        "response_status": answer and answer.status,
        "response_headers": _headers(answer) if answer else {},
        "response_body": _text(answer.body.decode(errors="replace"))[:_MOST_BODY_LENGTH] if answer else "",
        "duration_seconds": answer.seconds if answer else (timezone.now() - outcome.began).total_seconds(),
    }


def _headers(answer: Answer) -> dict[str, str]:
    return {_text(name): _text(value) for name, value in list(answer.headers.items())[:_MOST_HEADERS]}


def _text(said: str) -> str:
    """Return a text as databases keep it."""
    return said.replace("\x00", "\ufffd")


def _after_failure(outcome: Outcome, now: datetime.datetime, rest: datetime.timedelta | None) -> dict[str, Any]:
    """Return when a delivery is tried again; one that nobody wants any more is not."""
    delivery = outcome.delivery
    retry_until = delivery.retry_until or now + schedule.RETRIED_FOR
    following = schedule.next_attempt(delivery.attempts, now, retry_until, rest)
    if following is None or _is_gone(outcome):
        return {"state": DeliveryState.FAILED, "retry_until": retry_until, "next_attempt_at": None}
    return {"retry_until": retry_until, "next_attempt_at": following}


def _is_gone(outcome: Outcome) -> bool:
    return outcome.answer is not None and outcome.answer.status == HTTPStatus.GONE


def _works(subscription: WebhookSubscription) -> None:
    if subscription.failing_since is not None or subscription.resting_until is not None:
        WebhookSubscription.objects.filter(pk=subscription.pk).update(failing_since=None, resting_until=None)


def _fails(outcome: Outcome, now: datetime.datetime, rest: datetime.timedelta | None) -> None:
    """Note that a receiver fails, let it rest where it asked for that, and pause it where that is of no use."""
    pk = outcome.delivery.subscription_id
    rows = WebhookSubscription.objects.filter(pk=pk)
    rows.filter(failing_since=None).update(failing_since=outcome.began)
    if rest is not None:
        rows.update(resting_until=now + rest)
    subscription = rows.defer("secret").first()
    if subscription is None or subscription.failing_since is None:
        return
    if _is_gone(outcome):
        pause(subscription, "Paused, since the receiver answered 410: it is gone.")
    elif now - subscription.failing_since >= schedule.RETRIED_FOR:
        days = schedule.RETRIED_FOR.days
        pause(subscription, f"Paused, since all deliveries failed for {days} days. The last time: {outcome.reason}")
