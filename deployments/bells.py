"""Wakes workers. A message says only that there may be something to do, so one now and then is enough."""

import logging
import threading
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)

# Where the broker is away it is left alone for a while: to find that out takes time of whoever reports.
_REST_SECONDS = 10.0


class Bell:
    """Sends one message in so many seconds from each process; `send` is a task's `delay`.

    Ring it after the commit. Where the broker is away nothing is raised: `otherwise` says who finds the work then.
    """

    timer = staticmethod(time.monotonic)

    def __init__(self, send: Callable[[], object], interval: float, otherwise: str) -> None:
        self._send = send
        self._interval = interval
        self._otherwise = otherwise
        self._lock = threading.Lock()
        self._next = 0.0

    def ring(self) -> None:
        """Wake a worker, unless one was woken just now."""
        with self._lock:
            now = self.timer()
            if now < self._next:
                return
            self._next = now + self._interval
        try:
            self._send()
        except Exception as error:  # each broker raises its own; none of them may cost anybody what they have saved
            self._next = now + _REST_SECONDS
            logger.warning("no worker could be woken, %s: %s", self._otherwise, error)
