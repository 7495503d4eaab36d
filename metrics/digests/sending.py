"""Sends digests when they are due, each once a week.

A digest is claimed by a conditional UPDATE before it is sent, so no two workers send it. It is sent at least once: a
worker that dies between sending it and noting that leaves a claim that ends, and the digest is sent again then. A
digest that comes twice is less of an evil than one that never comes.
"""

import datetime
import logging
import smtplib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.db.models import F, Q
from django.utils import timezone

from deployments import outgoing
from deployments.encryption import Undecipherable
from deployments.outgoing import NotDelivered
from metrics.digests import schedule
from metrics.digests.content import Week, week_of
from metrics.digests.messages import email, slack
from metrics.models import Digest
from metrics.periods import Period

logger = logging.getLogger(__name__)

# Of each receiver, in seconds.
_TIMEOUT = 10.0
# How long a claim is good: longer than any batch takes.
_CLAIM = datetime.timedelta(minutes=10)
# So many are sent at once, each by a thread of its own: slow receivers wait beside one another.
_BATCH = 16
_LONGEST_ERROR = 500


@dataclass(frozen=True, slots=True)
class Due:
    """A digest to be sent, and the week that it tells of."""

    digest: Digest
    period: Period


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one digest. `error` is empty where it was sent."""

    digest: Digest
    error: str


@dataclass(frozen=True, slots=True)
class _Letter:
    """A message that is ready to be sent without looking into the database."""

    digest: Digest
    message: EmailMultiAlternatives | bytes | None
    address: str
    error: str = ""


def due(now: datetime.datetime) -> list[Due]:
    """Return the digests that have to be sent now, those that could not be sent before included."""
    waiting = Q(next_attempt_at=None) | Q(next_attempt_at__lte=now)
    rows = Digest.objects.filter(waiting, is_paused=False).select_related("workspace", "team").defer("address")
    found = []
    for digest in rows:
        zone = digest.workspace.zone
        moment = schedule.last_due(digest.weekday, digest.hour, zone, now)
        period = schedule.week_before(moment, zone)
        is_told = digest.sent_for is not None and digest.sent_for >= period.last
        if moment >= digest.created_at and not is_told:
            found.append(Due(digest, period))
    return found


def send_due(now: datetime.datetime) -> list[Outcome]:
    """Send a batch of what is due and return what became of it; nothing where nothing is due any more."""
    claimed = [one for one in due(now)[:_BATCH] if _claim(one, now)]
    outcomes = _send(claimed)
    for one, outcome in zip(claimed, outcomes, strict=True):
        _note(one, outcome)
    return outcomes


def send_now(digest: Digest) -> str:
    """Send the last week to one receiver at once and return what went wrong, if anything did."""
    period = schedule.week_before(timezone.now(), digest.workspace.zone)
    error = _send([Due(digest, period)])[0].error
    if not error:
        # What failed before works now.
        Digest.objects.filter(pk=digest.pk).update(attempts=0, next_attempt_at=None, last_error="")
    return error


def _claim(one: Due, now: datetime.datetime) -> bool:
    """Take a digest from other workers for a while."""
    digest = one.digest
    rows = Digest.objects.filter(Q(next_attempt_at=None) | Q(next_attempt_at__lte=now), pk=digest.pk, is_paused=False)
    rows = rows.filter(Q(sent_for=None) | Q(sent_for__lt=one.period.last))
    return rows.update(next_attempt_at=timezone.now() + _CLAIM, attempts=F("attempts") + 1) == 1


def _note(one: Due, outcome: Outcome) -> None:
    rows = Digest.objects.filter(pk=one.digest.pk)
    now = timezone.now()
    if not outcome.error:
        rows.update(sent_for=one.period.last, sent_at=now, attempts=0, next_attempt_at=None, last_error="")
        return
    attempts = one.digest.attempts + 1
    logger.warning("digest %s could not be sent: %s", one.digest.pk, outcome.error)
    rows.update(
        last_error=outcome.error[:_LONGEST_ERROR],
        next_attempt_at=now + schedule.pause_after(attempts),
        is_paused=attempts >= schedule.MOST_ATTEMPTS,
    )


def _send(wanted: Sequence[Due]) -> list[Outcome]:
    letters = list(_letters(wanted))
    if not letters:
        return []
    with ThreadPoolExecutor(max_workers=len(letters)) as threads:
        return list(threads.map(_deliver, letters))


def _letters(wanted: Iterable[Due]) -> Iterable[_Letter]:
    """Write the messages, the same week of a workspace or team only once."""
    weeks: dict[tuple[Any, Any, datetime.date], Week] = {}
    for one in wanted:
        digest = one.digest
        key = (digest.workspace_id, digest.team_id, one.period.last)
        try:
            address = digest.address
            if key not in weeks:
                weeks[key] = week_of(digest.workspace, digest.team, one.period)
            message = email(digest, weeks[key]) if digest.kind == Digest.Kind.EMAIL else slack(weeks[key])
            yield _Letter(digest, message, address)
        except Undecipherable as error:
            yield _Letter(digest, None, "", str(error))
        except Exception:  # whatever is wrong with one workspace, the digests of others are sent
            logger.exception("digest %s could not be written", digest.pk)
            yield _Letter(digest, None, "", "It could not be written; the log of the worker says why.")


def _deliver(letter: _Letter) -> Outcome:
    """Send one message. Runs in a thread of its own, without the database."""
    if letter.message is None:
        return Outcome(letter.digest, letter.error)
    try:
        if isinstance(letter.message, bytes):
            _post(letter.address, letter.message)
        else:
            _mail(letter.message)
    except NotDelivered as error:
        return Outcome(letter.digest, str(error))
    return Outcome(letter.digest, "")


def _post(url: str, body: bytes) -> None:
    answer = outgoing.post(url, body, {"Content-Type": "application/json; charset=utf-8"}, _TIMEOUT)
    if not answer.is_success:
        said = answer.body[:200].decode(errors="replace").strip()
        raise NotDelivered(f"The webhook answered {answer.status}{f': {said}' if said else ''}")


def _mail(message: EmailMultiAlternatives) -> None:
    if not settings.EMAIL_URL:
        raise NotDelivered("No mail server is configured: EMAIL_URL is not set.")
    try:
        message.connection = get_connection(timeout=_TIMEOUT)
        message.send()
    except (OSError, smtplib.SMTPException, ValueError) as error:
        raise NotDelivered(f"The mail server did not take it: {error}") from error
