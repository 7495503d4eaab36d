"""Sends deliveries that are due.

They are claimed by a conditional UPDATE, sent by threads that know no database, and noted. A worker that dies between
sending and noting leaves claims that end, and what it sent is sent again: at least once, under the same GUID.

One receiver is asked for no more than a few answers at once, and those that fail have half of the threads at most: so
slow and broken receivers hold up nobody else.
"""

import datetime
import hmac
import itertools
import logging
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, F, OuterRef, Q, Subquery
from django.utils import timezone

from deployments import outgoing
from deployments.encryption import Undecipherable
from deployments.models import DeliveryState, WebhookDelivery, WebhookSubscription
from deployments.outgoing import Answer, NotDelivered
from deployments.webhooks import noting, outbox, schedule

logger = logging.getLogger(__name__)

THREADS = 32
_MOST_FAILING = THREADS // 2
PER_HOST = 2
# A thread sends so many to a receiver that works, one after another, before they are noted; after this time it leaves
# the others for later.
_LANE = 8
_LANE_SECONDS = 3.0
# Of what one subscriber has to be sent, to find some that may be sent now.
_LOOKED_AT = 50
# Longer than an attempt takes.
_CLAIM = datetime.timedelta(seconds=schedule.TIMEOUT_SECONDS + 5)
# While something has still to be worked out of what a delivery tells: how often to look, and for how long.
_LOOK_AGAIN = datetime.timedelta(seconds=1)
_WORKED_OUT_WITHIN = datetime.timedelta(seconds=60)
# How long to wait for an answer before looking whether more is due.
_GLANCE_SECONDS = 0.2
# How often to say that it still delivers.
_STILL_SECONDS = 5.0


def _nothing() -> None:
    """Do what is done where nobody wants to know."""


@dataclass(frozen=True, slots=True)
class _Letter:
    """A delivery that is ready to be sent without looking into the database."""

    delivery: WebhookDelivery
    body: bytes
    headers: dict[str, str]


@dataclass(slots=True)
class _Room:
    """How many more attempts may be made at once: of all, of those that fail, and of each host."""

    free: int
    failing: int = 0
    at_host: Counter[str] = field(default_factory=Counter)

    def for_one(self, subscription: WebhookSubscription) -> int:
        """Return how many deliveries of a subscription may be sent at once."""
        room = min(self.free, PER_HOST - self.at_host[subscription.host])
        if subscription.failing_since is not None:
            room = min(room, _MOST_FAILING - self.failing)
        return max(0, room)

    def take(self, subscription: WebhookSubscription, number: int) -> None:
        """Note that so many more are being sent."""
        self.free -= number
        self.at_host[subscription.host] += number
        if subscription.failing_since is not None:
            self.failing += number


def deliver_due(is_stopping: Callable[[], bool] = lambda: False, still: Callable[[], None] = _nothing) -> int:
    """Send what is due, until nothing is or the worker is asked to stop; return how many attempts were made.

    With slow receivers that can be days. Every few seconds, before it looks for what is due, it calls `still`.
    """
    total, said_at = 0, time.monotonic()
    running: set[Future[list[noting.Outcome]]] = set()
    with ThreadPoolExecutor(THREADS, thread_name_prefix="webhook") as threads:
        while True:
            if time.monotonic() - said_at >= _STILL_SECONDS:
                still()
                said_at = time.monotonic()
            lanes = [] if is_stopping() else _claim(THREADS - len(running))
            running |= {threads.submit(_send_all, lane) for lane in map(_letters, lanes) if lane}
            if not running:
                return total
            done, running = wait(running, timeout=_GLANCE_SECONDS, return_when=FIRST_COMPLETED)
            outcomes = [outcome for one in done for outcome in one.result()]
            noting.note(outcomes)
            total += sum(outcome.was_sent for outcome in outcomes)
            _let_others_write()


def _let_others_write() -> None:
    """Leave a gap between transactions on SQLite, as `deployments.processing` does."""
    if connection.vendor == "sqlite":
        time.sleep(settings.SLIPWAY_SQLITE_GAP_SECONDS)


def _claim(free: int) -> list[list[WebhookDelivery]]:
    """Take deliveries that are due from other workers for a while, from receivers that work first.

    Returns them in lanes: what is in one is sent one after another.
    """
    now = timezone.now()
    if free <= 0 or not (due := _subscriptions_with_due(now)):
        return []
    room = _room(free, now)
    lanes: list[list[WebhookDelivery]] = []
    with transaction.atomic():
        for subscription in due:
            if at_once := room.for_one(subscription):
                claimed = _claim_of(subscription, at_once, now)
                room.take(subscription, len(claimed))
                lanes += claimed
    return lanes


def _due(now: datetime.datetime) -> Q:
    is_free = Q(claimed_until=None) | Q(claimed_until__lt=now)
    return is_free & Q(state=DeliveryState.WAITING, next_attempt_at__lte=now)


def _subscriptions_with_due(now: datetime.datetime) -> list[WebhookSubscription]:
    due = WebhookDelivery.objects.filter(_due(now), subscription=OuterRef("pk"))
    rows: Any = WebhookSubscription.objects.filter(
        Q(resting_until=None) | Q(resting_until__lte=now), is_active=True, paused_at=None
    )
    oldest = Subquery(due.order_by("next_attempt_at").values("next_attempt_at")[:1])
    # Those that work first, and of each kind who has waited longest.
    works_first = F("failing_since").asc(nulls_first=True)
    rows = rows.defer("secret").annotate(oldest=oldest).filter(oldest__isnull=False)
    return list(rows.order_by(works_first, "oldest", "id"))


def _room(free: int, now: datetime.datetime) -> _Room:
    """Return how much may be sent besides what workers are sending."""
    room = _Room(free)
    being_sent = WebhookDelivery.objects.filter(claimed_until__gte=now, state=DeliveryState.WAITING)
    by_host = being_sent.values_list("subscription__host").annotate(
        number=Count("claimed_by", distinct=True),
        failing=Count("claimed_by", distinct=True, filter=Q(subscription__failing_since__isnull=False)),
    )
    for host, number, failing in by_host.order_by():
        room.at_host[host] += number
        room.failing += failing
    return room


def _claim_of(subscription: WebhookSubscription, at_once: int, now: datetime.datetime) -> list[list[WebhookDelivery]]:
    """Claim the oldest deliveries of a subscription that are ready, and return them in so many lanes at most."""
    most = at_once if subscription.failing_since else at_once * _LANE
    rows = WebhookDelivery.objects.filter(_due(now), subscription=subscription).order_by("id")
    rows = rows.only("event", "incomplete_id", "created_at")
    complete = (delivery.pk for delivery in rows[:_LOOKED_AT] if _is_complete(delivery, now))
    ready = list(itertools.islice(complete, most))
    lanes = [_claim_lane(ready[start::at_once], subscription, now) for start in range(min(at_once, len(ready)))]
    return [lane for lane in lanes if lane]


def _claim_lane(ids: list[int], subscription: WebhookSubscription, now: datetime.datetime) -> list[WebhookDelivery]:
    token = uuid.uuid4()
    # What is due is asked again: where two workers chose the same rows, the second one's UPDATE finds none.
    WebhookDelivery.objects.filter(_due(now), pk__in=ids).update(
        claimed_by=token, claimed_until=now + _CLAIM, attempts=F("attempts") + 1
    )
    claimed = list(WebhookDelivery.objects.filter(pk__in=ids, claimed_by=token).order_by("id"))
    for delivery in claimed:
        delivery.subscription = subscription
    return claimed


def _is_complete(delivery: WebhookDelivery, now: datetime.datetime) -> bool:
    """Complete what a delivery tells, and tell whether it may be sent: it does not wait for that for ever."""
    if delivery.incomplete_id is None:
        return True
    rows = WebhookDelivery.objects.filter(pk=delivery.pk)
    text = outbox.complete(delivery)
    if text is None and now < delivery.created_at + _WORKED_OUT_WITHIN:
        rows.update(next_attempt_at=now + _LOOK_AGAIN)
        return False
    rows.update(incomplete_id=None, payload=text or delivery.payload)
    return True


def _letters(claimed: Sequence[WebhookDelivery]) -> list[_Letter]:
    """Sign what was claimed. What cannot be signed is noted as an attempt that failed."""
    letters, outcomes = [], []
    secrets: dict[int, str | Undecipherable] = {}
    for delivery in claimed:
        pk = delivery.subscription_id
        secret = secrets.setdefault(pk, secrets.get(pk) or _secret_of(pk))
        if isinstance(secret, Undecipherable):
            outcomes.append(noting.Outcome(delivery, {}, error=str(secret)))
        else:
            body = delivery.payload.encode("utf-8", errors="replace")
            letters.append(_Letter(delivery, body, headers_of(delivery, body, secret)))
    noting.note(outcomes)
    return letters


def _secret_of(pk: int) -> str | Undecipherable:
    try:
        return str(WebhookSubscription.objects.values_list("secret", flat=True).get(pk=pk))
    except Undecipherable as error:
        return error


def headers_of(delivery: WebhookDelivery, body: bytes, secret: str) -> dict[str, str]:
    """Return the headers of a request, by the names that GitHub has for them."""
    return {
        "User-Agent": f"Slipway-Hookshot/{settings.VERSION}",
        "Accept": "*/*",
        "Content-Type": "application/json",
        "X-GitHub-Event": delivery.event,
        "X-GitHub-Delivery": str(delivery.guid),
        "X-GitHub-Hook-ID": str(delivery.subscription_id),
        "X-Hub-Signature": f"sha1={hmac.new(secret.encode(), body, 'sha1').hexdigest()}",
        "X-Hub-Signature-256": f"sha256={hmac.new(secret.encode(), body, 'sha256').hexdigest()}",
    }


def _send_all(letters: Sequence[_Letter]) -> list[noting.Outcome]:
    """Make an attempt with each, until one fails or time is over: what is left then is not sent now."""
    began = time.monotonic()
    outcomes: list[noting.Outcome] = []
    for letter in letters:
        if outcomes and (not outcomes[-1].is_success or time.monotonic() - began > _LANE_SECONDS):
            outcomes.append(noting.Outcome(letter.delivery, {}, was_sent=False))
        else:
            outcomes.append(_send(letter))
    return outcomes


def _send(letter: _Letter) -> noting.Outcome:
    """Make one attempt. Runs in a thread of its own, without the database."""
    began = timezone.now()
    result: dict[str, Any] = {}
    try:
        url = letter.delivery.subscription.url
        answer: Answer = outgoing.post(url, letter.body, letter.headers, schedule.TIMEOUT_SECONDS)
        result = {"answer": answer}
    except NotDelivered as error:
        result = {"error": str(error)}
    except Exception:  # whatever is wrong with one delivery, the others are sent
        logger.exception("delivery %s could not be sent", letter.delivery.pk)
        result = {"error": "It could not be sent; the log of the worker says why."}
    return noting.Outcome(letter.delivery, letter.headers, began=began, **result)
