"""A workspace with something behind every address, and a server without limits."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.signals import request_finished, request_started
from django.db import close_old_connections

from deployments import outgoing
from tests.openapi.world import World, make_world

_PUBLIC = "93.184.216.34"


@pytest.fixture
def world(db: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    settings.SLIPWAY_RATE_LIMIT = settings.SLIPWAY_READ_RATE_LIMIT = "1000000/minute"
    settings.SLIPWAY_FAILED_AUTH_RATE_LIMIT = "1000000/minute"
    # Tests ask no name server: every name that can be one leads to the same public address.
    monkeypatch.setattr(outgoing.socket, "getaddrinfo", _look_up)
    # The transaction of a test outlives its requests, as with Django's own test client.
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield make_world()
    for signal in signals:
        signal.connect(close_old_connections)


def _look_up(host: str, port: int, *args: Any, **named: Any) -> list[Any]:
    host.encode("idna")  # as the true one: raises what it raises
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (_PUBLIC, port))]
