"""Sends requests to addresses that people entered, and never into the own network.

A name is looked up once, every address that it stands for is checked, and the connection is made to an address that
was checked: what the name stands for a moment later does not matter. Redirects are answers like others; proxies that
the environment names are not asked. An operator can allow networks by SLIPWAY_ALLOWED_PRIVATE_NETWORKS.
"""

import http.client
import os
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error
from requests.utils import DEFAULT_CA_BUNDLE_PATH

Network = IPv4Network | IPv6Network

# What is kept of an answer: enough for people to see what a receiver had to say.
_MOST_BODY_BYTES = 64 * 1024
_MOST_HEADER_LENGTH = 1000
_PORTS = {"http": 80, "https": 443}
# Ports of other protocols that a request could speak to (https://fetch.spec.whatwg.org/#port-blocking).
_PORTS_OF_OTHERS = {
    1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
}  # fmt: skip
# What the IPv6 Internet consists of (RFC 4291, 2.4), and what of it leads elsewhere: Teredo and 6to4.
_GLOBAL_UNICAST = ip_network("2000::/3")
_TUNNELS = (ip_network("2001::/32"), ip_network("2002::/16"))
_NAT64 = ip_network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address


class NotDelivered(Exception):
    """A request was not sent, or not answered. The text is a sentence for people."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver said. Of a long body only the beginning is kept; names of headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class _Target:
    scheme: str
    host: str
    port: int
    path: str


def post(url: str, body: bytes, headers: Mapping[str, str], timeout: float) -> Answer:
    """Send a POST request and return the answer, after `timeout` seconds at the latest. Raises NotDelivered."""
    began = time.monotonic()
    target = _target(url)
    addresses = _checked_addresses(target, timeout)
    with _Deadline(began + timeout) as deadline:
        try:
            connection = _connect(target, addresses, deadline)
            try:
                connection.request("POST", target.path, body, {"User-Agent": "Slipway", **headers})
                with connection.getresponse() as response:
                    status, said, text = _read(response, deadline)
            finally:
                connection.close()
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise NotDelivered(f"{target.host} {_reason(error, deadline)}.") from error
    return Answer(status, said, text, time.monotonic() - began)


def check(url: str, timeout: float = 5.0) -> None:
    """See whether requests may be sent to an address, without sending any. Raises NotDelivered."""
    _checked_addresses(_target(url), timeout)


def check_allowed_networks(**_: Any) -> list[CheckMessage]:
    """Refuse to start where SLIPWAY_ALLOWED_PRIVATE_NETWORKS has something else than networks."""
    found: list[CheckMessage] = []
    for text in settings.SLIPWAY_ALLOWED_PRIVATE_NETWORKS:
        try:
            _networks((text,))
        except ValueError as error:
            said = f"SLIPWAY_ALLOWED_PRIVATE_NETWORKS: {error}."
            found.append(Error(said, hint="Give networks such as 10.0.0.0/8, with commas.", id="slipway.E001"))
    return found


@cache
def _networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ip_network(text.strip()) for text in texts)


def _target(url: str) -> _Target:
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname or "", parts.port
        host = host if ":" in host else host.encode("idna").decode("ascii")
    except ValueError:  # UnicodeError is one
        raise NotDelivered("This is no address of the web.") from None
    if parts.scheme not in _PORTS or not host:
        raise NotDelivered("The address must begin with https:// or http:// and name a host.")
    if "@" in parts.netloc:
        raise NotDelivered("The address must not hold a user name or a password.")
    port = _PORTS[parts.scheme] if port is None else port
    if port not in _PORTS.values() and (port < 1024 or port in _PORTS_OF_OTHERS):
        raise NotDelivered(f"Port {port} is not one that web servers use.")
    path = quote(f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}", safe="/%:=&?~#+!$,;'@()*[]-._")
    return _Target(parts.scheme, host.rstrip("."), port, path)


def _checked_addresses(target: _Target, timeout: float) -> list[str]:
    """Return the addresses of a host. Where a single one is not allowed, none is."""
    found = _look_up(target, timeout)
    for address in found:
        if not _is_allowed(address):
            raise NotDelivered(f"{target.host} is in a private network, where Slipway sends nothing.")
    return found


def _look_up(target: _Target, timeout: float) -> list[str]:
    """Ask the resolver, for no longer than the timeout: how long it tries cannot be told to it."""
    found: list[str] = []

    def ask() -> None:
        with suppress(OSError, ValueError):
            rows = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
            found.extend(dict.fromkeys(str(row[4][0]) for row in rows))

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(timeout)
    if asking.is_alive() or not found:
        raise NotDelivered(f"{target.host} cannot be found.")
    return found


def _is_allowed(text: str) -> bool:
    address = _plain(ip_address(text))
    allowed = _networks(tuple(settings.SLIPWAY_ALLOWED_PRIVATE_NETWORKS))
    return any(address in network for network in allowed) or _is_public(address)


def _plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the IPv4 address that an IPv6 address leads to, where it does."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    is_elsewhere = address.version == 6 and (
        address not in _GLOBAL_UNICAST or any(address in tunnel for tunnel in _TUNNELS)
    )
    # Shared addresses (100.64.0.0/10) are neither global nor private, and multicast may be global.
    return address.is_global and not (is_elsewhere or address.is_multicast or address.is_reserved)


class _Deadline:
    """Ends a connection when its time is over, whatever it waits for then: a slow trickle is no progress."""

    def __init__(self, at: float) -> None:
        self._at = at
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(self.left, self._end)
        self._timer.daemon = True
        self.is_over = False

    @property
    def left(self) -> float:
        """The seconds that are left; never none, which sockets take for “do not wait”."""
        return max(0.001, self._at - time.monotonic())

    def watch(self, connected: socket.socket) -> None:
        """Have a connection ended in time."""
        self._socket = connected
        if self.is_over:
            self._end()

    def _end(self) -> None:
        self.is_over = True
        if self._socket is not None:
            with suppress(OSError):
                # Below TLS: it would try to say goodbye.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()


def _connect(target: _Target, addresses: list[str], deadline: _Deadline) -> http.client.HTTPConnection:
    """Return a connection to the first of the addresses that takes one. Raises OSError."""
    connected = _first_that_answers(target, addresses, deadline)
    if target.scheme == "https":
        context = _tls(os.environ.get("REQUESTS_CA_BUNDLE") or DEFAULT_CA_BUNDLE_PATH)
        try:
            connected = context.wrap_socket(connected, server_hostname=target.host)
        except BaseException:
            connected.close()
            raise
    deadline.watch(connected)
    kind = http.client.HTTPSConnection if target.scheme == "https" else http.client.HTTPConnection
    connection = kind(target.host, target.port)
    connection.sock = connected  # so it does not look for the host itself
    return connection


def _first_that_answers(target: _Target, addresses: list[str], deadline: _Deadline) -> socket.socket:
    failure: OSError = OSError("there is no address")
    for number, address in enumerate(addresses):
        patience = deadline.left / (len(addresses) - number)  # so that one that says nothing leaves time for the next
        try:
            connected = socket.create_connection((address, target.port), timeout=patience)
        except OSError as error:
            failure = error
        else:
            connected.settimeout(deadline.left)
            return connected
        if deadline.is_over:
            break
    raise failure


@cache
def _tls(authorities: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authorities)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _read(response: http.client.HTTPResponse, deadline: _Deadline) -> tuple[int, dict[str, str], bytes]:
    """Return an answer. It counts once its headers have come, also where the body breaks off or never ends."""
    if deadline.is_over:
        raise TimeoutError
    headers = {name.lower(): value[:_MOST_HEADER_LENGTH] for name, value in response.getheaders()}
    body = b""
    with suppress(OSError, http.client.HTTPException, ValueError):
        while len(body) < _MOST_BODY_BYTES and (piece := response.read1(_MOST_BODY_BYTES - len(body))):
            body += piece
    return response.status, headers, body


def _reason(error: Exception, deadline: _Deadline) -> str:
    if deadline.is_over or isinstance(error, TimeoutError):
        return "did not answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"has a certificate that is not trusted ({error.verify_message})"
    if isinstance(error, ssl.SSLError):
        return "does not speak TLS as it should"
    if isinstance(error, http.client.RemoteDisconnected | ConnectionError):
        is_refused = isinstance(error, ConnectionRefusedError)
        return "takes no connection" if is_refused else "ended the connection without an answer"
    if isinstance(error, OSError):
        return "cannot be reached"
    return "was to be sent, or answered, what is no HTTP"
