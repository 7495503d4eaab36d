"""What the write side tells others, without knowing them."""

import datetime
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.dispatch import Signal

# A place where deployments happen: an environment's id, a moment (`deployed_at`), and an application's id; None for
# any application.
Place = tuple[int, datetime.datetime, int | None]

# Sent inside the transaction that changed what is known of deployments, with `places` (a set of Place, also those
# from before the change): the days of these moments are not what they were.
days_changed = Signal()
# Sent inside the transaction that recorded a deployment, or another status of one: with `deployment`, `status` (None
# where none was added), and whether the deployment `is_new`.
deployment_reported = Signal()
# Sent inside the transaction that changed an incident: with `incident`, and the `action` that it was, which is
# opened, edited, resolved, reopened, withdrawn or restored.
incident_changed = Signal()
# A client asked for a `repository_dispatch` event. Sent inside a transaction, which ends before the client is
# answered; with `repository`, `event_type`, `client_payload` (an object) and `login` (of the API key).
repository_dispatched = Signal()

_is_history: ContextVar[bool] = ContextVar("is_history", default=False)


def tell_days_changed(places: Iterable[Place]) -> None:
    """Tell that what happened in environments at moments has changed."""
    if told := set(places):
        days_changed.send(sender=None, places=told)


@contextmanager
def reading_history() -> Iterator[None]:
    """Say that what is recorded meanwhile happened long ago: it is recorded, and nobody is told of it."""
    token = _is_history.set(True)
    try:
        yield
    finally:
        _is_history.reset(token)


def is_history() -> bool:
    """Tell whether what is being recorded is read from the past."""
    return _is_history.get()
