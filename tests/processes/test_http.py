"""What arrives over the wire at a real server: cut off, in chunks, in pieces, or no HTTP at all."""

import contextlib
import json
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.machines import make_report
from tests.processes.installation import Installation

pytestmark = [pytest.mark.processes, pytest.mark.once]
BODY = json.dumps(make_report()).encode()


def speak(installation: Installation, *parts: bytes, shut: bool = False, pause: float = 0.0) -> bytes:
    """Send bytes as they are and return all that comes back."""
    with socket.create_connection(("127.0.0.1", installation.port), timeout=20) as connection:
        answer = b""
        with contextlib.suppress(ConnectionError, BrokenPipeError):
            for part in parts:
                connection.sendall(part)
                time.sleep(pause)
        if shut:
            with contextlib.suppress(OSError):  # it has closed the connection already
                connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            while piece := connection.recv(65536):
                answer += piece
        return answer


def head(installation: Installation, *headers: str, path: str = "/v1/deployments") -> bytes:
    """Return the head of a report, with more headers."""
    lines = [
        f"POST {path} HTTP/1.1",
        f"Host: 127.0.0.1:{installation.port}",
        f"Authorization: Bearer {installation.key}",
        "Connection: close",
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def status_of(answer: bytes) -> int:
    """Return the status of an answer."""
    return int(answer.split(b" ", 2)[1])


def accepted(installation: Installation) -> int:
    """Return how many jobs there are."""
    return sum(entry["id"] is not None for entry in installation.all_of("/v1/jobs"))


def test_a_whole_body_is_accepted(installation: Installation) -> None:
    answer = speak(installation, head(installation, f"Content-Length: {len(BODY)}"), BODY)

    assert status_of(answer) == 202


def test_a_body_in_chunks_is_accepted(installation: Installation) -> None:
    chunks = [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (BODY[:10], BODY[10:11], BODY[11:])]
    answer = speak(installation, head(installation, "Transfer-Encoding: chunked"), *chunks, b"0\r\n\r\n", pause=0.02)

    assert status_of(answer) == 202, answer


def test_a_body_in_chunks_over_the_limit_is_413(installation: Installation) -> None:
    chunk = b"%x\r\n%s\r\n" % (1024 * 1024, b" " * 1024 * 1024)
    answer = speak(installation, head(installation, "Transfer-Encoding: chunked"), chunk * 11, b"0\r\n\r\n")

    assert status_of(answer) == 413


def test_a_body_that_arrives_in_pieces_is_accepted(installation: Installation) -> None:
    pieces = [BODY[start : start + 20] for start in range(0, len(BODY), 20)]
    answer = speak(installation, head(installation, f"Content-Length: {len(BODY)}"), *pieces, pause=0.01)

    assert status_of(answer) == 202


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param(lambda it: (head(it, f"Content-Length: {len(BODY)}"), BODY[:40]), id="half of the body"),
        pytest.param(lambda it: (head(it, f"Content-Length: {len(BODY)}"),), id="none of the body"),
        pytest.param(lambda it: (head(it, "Transfer-Encoding: chunked"), b"20\r\nabc"), id="half of a chunk"),
        pytest.param(lambda it: (head(it)[:30],), id="half of the head"),
        pytest.param(lambda it: (head(it, "Content-Length: -5"), BODY), id="a negative length"),
        pytest.param(lambda it: (head(it, "Content-Length: x"), BODY), id="a length that is no number"),
        pytest.param(lambda it: (head(it, "Transfer-Encoding: chunked"), b"zz\r\n"), id="a chunk without a size"),
        pytest.param(lambda it: (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20,), id="TLS"),
        pytest.param(lambda it: (b"\x00" * 1000,), id="NULs"),
        pytest.param(lambda it: (b"GET /v1/jobs HTTP/9.9\r\n\r\n",), id="HTTP of the future"),
        pytest.param(lambda it: (head(it, "X: " + "a" * 1_000_000),), id="an endless header"),
    ],
)
def test_what_is_cut_off_or_garbled_is_no_deployment_and_no_5xx(
    installation: Installation, parts: Callable[[Installation], tuple[bytes, ...]]
) -> None:
    before = accepted(installation)
    answer = speak(installation, *parts(installation), shut=True)

    assert not answer or 400 <= status_of(answer) < 500, answer
    assert installation.request("POST", "/v1/deployments", {})[0] == 422, "the server is up"
    assert accepted(installation) == before


@pytest.mark.parametrize("charset", ["utf-16", "hex", "idna", "undefined", "nonsense"])
def test_no_charset_breaks_a_request(installation: Installation, charset: str) -> None:
    headers = [f"Content-Length: {len(BODY)}", f"Content-Type: application/json; charset={charset}"]
    answer = speak(installation, head(installation, *headers, path="/v1/deployments?a=b%C3%A4"), BODY)

    assert status_of(answer) == 202


def test_a_few_clients_that_hang_do_not_keep_others_waiting(installation: Installation) -> None:
    slow = [socket.create_connection(("127.0.0.1", installation.port)) for _ in range(6)]
    try:
        for connection in slow:
            connection.sendall(head(installation, f"Content-Length: {len(BODY)}") + BODY[:40])
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(installation.request, "POST", "/v1/deployments", make_report())
            assert answer.result(timeout=20)[0] == 202
    finally:
        for connection in slow:
            connection.close()
