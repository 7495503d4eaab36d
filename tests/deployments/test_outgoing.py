"""Requests to addresses that people entered: they arrive where they should, and nowhere else."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks
from hypothesis import given
from hypothesis import strategies as st

from deployments import outgoing
from deployments.outgoing import NotDelivered, post
from tests.deployments.receivers import NAME, Receiver, certified, receiving, speaking

LONG, SHORT = 10.0, 0.4  # seconds


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    settings.SLIPWAY_ALLOWED_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    with receiving() as running:
        yield running


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """What names stand for; each is looked up as often as `lookups` says."""
    known: dict[str, list[str]] = {"lookups": []}
    really = socket.getaddrinfo

    def look_up(host: str, port: int, *args: Any, **named: Any) -> list[Any]:
        known["lookups"].append(host)
        if host not in known:
            return really(host, port, *args, **{**named, "flags": socket.AI_NUMERICHOST})
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in known[host]]

    monkeypatch.setattr(outgoing.socket, "getaddrinfo", look_up)
    return known


def refusal(url: str, timeout: float = LONG) -> str:
    with pytest.raises(NotDelivered) as caught:
        post(url, b"{}", {}, timeout)
    return str(caught.value)


def test_a_request_arrives_as_it_was_meant(receiver: Receiver) -> None:
    receiver.status, receiver.body, receiver.headers = 201, b"thanks", {"X-Request-Id": "7"}
    answer = post(
        f"http://127.0.0.1:{receiver.port}/hook/é?to=a b", b'{"a": 1}', {"Content-Type": "application/json"}, LONG
    )
    assert (answer.status, answer.body, answer.headers["x-request-id"]) == (201, b"thanks", "7")
    assert answer.is_success
    path, headers, body = receiver.got[0]
    assert (path, body) == ("/hook/%C3%A9?to=a%20b", b'{"a": 1}')
    assert headers["host"] == f"127.0.0.1:{receiver.port}"
    assert headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.1", "10.1.2.3", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1", "192.168.1.1", "192.0.2.1",
        "198.18.0.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
        "::", "::1", "::127.0.0.1", "::ffff:10.0.0.1", "::ffff:0:10.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b:1::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2002:0a00:0001::1", "2001:db8::1", "fc00::1", "fd12::1", "fe80::1",
        "fec0::1", "ff02::1", "ff0e::1", "100::1",
    ],
)  # fmt: skip
def test_nothing_is_sent_to_an_address_of_a_private_network(
    names: dict[str, list[str]], address: str, settings: Any
) -> None:
    names["inside.example"] = [address]
    names[address] = [address]
    assert "private network" in refusal("https://inside.example/")
    assert "private network" in refusal(f"http://[{address}]/" if ":" in address else f"http://{address}/")


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::8.8.8.8", "::ffff:8.8.8.8"])
def test_public_addresses_are_allowed(names: dict[str, list[str]], address: str) -> None:
    names["public.example"] = [address]
    outgoing.check("https://public.example/")


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "１２７.0.0.1", "localhost", "[::ffff:7f00:1]"])
def test_other_ways_to_write_this_machine_do_not_help(host: str) -> None:
    assert "private network" in refusal(f"http://{host}/")


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_judged_the_same_in_each_ipv6_form(address: Any) -> None:
    forms = [f"::ffff:{address}", f"64:ff9b::{address}"]
    assert {outgoing._is_allowed(form) for form in forms} == {outgoing._is_allowed(str(address))}


def test_a_name_with_a_private_address_among_others_is_refused(
    receiver: Receiver, names: dict[str, list[str]], settings: Any
) -> None:
    settings.SLIPWAY_ALLOWED_PRIVATE_NETWORKS = ["127.0.0.1/32"]
    names["two.example"] = ["127.0.0.1", "10.0.0.1"]
    assert "private network" in refusal(f"http://two.example:{receiver.port}/")
    assert receiver.got == []


def test_a_name_is_looked_up_once_and_the_request_goes_to_what_was_checked(
    receiver: Receiver, names: dict[str, list[str]]
) -> None:
    names[NAME] = ["127.0.0.1"]
    assert post(f"http://{NAME}:{receiver.port}/", b"", {}, LONG).status == 200
    assert names["lookups"].count(NAME) == 1
    assert receiver.got[0][1]["host"] == f"{NAME}:{receiver.port}"


def test_where_one_address_takes_no_connection_the_next_is_tried(
    receiver: Receiver, names: dict[str, list[str]]
) -> None:
    names[NAME] = ["127.0.0.9", "127.0.0.1"]
    assert post(f"http://{NAME}:{receiver.port}/", b"", {}, LONG).status == 200


@contextmanager
def ignoring(address: str, port: int) -> Iterator[None]:
    """Have an address take no notice of who connects, as one behind a silent firewall does."""
    with socket.create_server((address, port), backlog=0), ExitStack() as waiting:
        for _ in range(4):
            one = waiting.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex((address, port))
        yield


def test_where_one_address_says_nothing_there_is_time_left_for_the_next(
    receiver: Receiver, names: dict[str, list[str]]
) -> None:
    names[NAME] = ["127.0.0.9", "127.0.0.1"]
    with ignoring("127.0.0.9", receiver.port):
        assert post(f"http://{NAME}:{receiver.port}/", b"", {}, 2.0).status == 200


def test_a_redirect_is_an_answer_and_is_not_followed(receiver: Receiver) -> None:
    receiver.status, receiver.headers = 307, {"Location": "http://169.254.169.254/latest/meta-data/"}
    answer = post(f"http://127.0.0.1:{receiver.port}/", b"", {}, LONG)
    assert (answer.status, answer.is_success, len(receiver.got)) == (307, False, 1)


def test_proxies_of_the_environment_are_not_asked(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert post(f"http://127.0.0.1:{receiver.port}/", b"", {}, LONG).status == 200


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://example.com/", "must begin with"), ("example.com", "must begin with"), ("", "must begin with"),
        ("https://", "must begin with"), ("https:///path", "must begin with"),
        ("file:///etc/passwd", "must begin with"),
        ("https://user:pass@example.com/", "user name"), ("http://a\\@127.0.0.1/", "user name"),
        ("https://example.com:22/", "Port 22"), ("https://example.com:6667/", "Port 6667"),
        ("https://example.com:0/", "Port 0"), ("https://example.com:99999/", "no address"),
        ("https://[::1/", "no address"), (f"https://{'a' * 64}.example/", "no address"),
        ("https://nowhere.example/", "cannot be found"),
    ],
)  # fmt: skip
def test_an_address_that_will_not_do_is_refused_with_the_reason(
    names: dict[str, list[str]], url: str, said: str
) -> None:
    assert said in refusal(url)


def test_a_resolver_that_takes_its_time_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()
    monkeypatch.setattr(outgoing.socket, "getaddrinfo", lambda *_, **__: answered.wait() and [])
    assert "cannot be found" in refusal("https://slow.example/", SHORT)
    answered.set()


def say_nothing(_: socket.socket, ending: threading.Event) -> None:
    ending.wait()


def test_a_receiver_that_never_answers_is_left(receiver: Receiver) -> None:
    with speaking(say_nothing) as port:
        assert refusal(f"http://127.0.0.1:{port}/", SHORT) == "127.0.0.1 did not answer in time."


def test_a_receiver_that_never_shakes_hands_is_left(receiver: Receiver) -> None:
    with speaking(say_nothing) as port:
        assert refusal(f"https://127.0.0.1:{port}/", SHORT) == "127.0.0.1 did not answer in time."


def trickle(beginning: bytes) -> Any:
    """Return a server's talk: a beginning, then byte by byte without an end."""

    def talk(connection: socket.socket, ending: threading.Event) -> None:
        connection.sendall(beginning)
        while not ending.wait(0.05):
            connection.sendall(b"x")

    return talk


@pytest.mark.parametrize("beginning", [b"HTTP/1.1 ", b"HTTP/1.1 200 OK\r\nX-Long: "])
def test_headers_that_trickle_in_do_not_hold_it_up(receiver: Receiver, beginning: bytes) -> None:
    with speaking(trickle(beginning)) as port:
        assert refusal(f"http://127.0.0.1:{port}/", SHORT) == "127.0.0.1 did not answer in time."


def test_a_body_that_trickles_in_is_cut_and_the_status_counts(receiver: Receiver) -> None:
    with speaking(trickle(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\nfine")) as port:
        answer = post(f"http://127.0.0.1:{port}/", b"", {}, SHORT)
    assert answer.status == 200
    assert answer.body.startswith(b"fine")


def test_of_a_huge_answer_only_the_beginning_is_kept(receiver: Receiver) -> None:
    receiver.body, receiver.headers = b"x" * 5_000_000, {"X-Long": "y" * 5000}
    answer = post(f"http://127.0.0.1:{receiver.port}/", b"", {}, LONG)
    assert (len(answer.body), len(answer.headers["x-long"])) == (64 * 1024, 1000)


@pytest.mark.parametrize("said", [b"", b"SSH-2.0-OpenSSH_9.7\r\n", b"HTTP/1.1 abc\r\n\r\n"])
def test_an_answer_that_is_no_http_is_told(receiver: Receiver, said: bytes) -> None:
    with speaking(lambda connection, _: connection.sendall(said)) as port:
        assert refusal(f"http://127.0.0.1:{port}/").startswith("127.0.0.1 ")


def test_who_takes_no_connection_is_told(settings: Any) -> None:
    settings.SLIPWAY_ALLOWED_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert refusal(f"http://127.0.0.1:{port}/") == "127.0.0.1 takes no connection."


def test_headers_cannot_smuggle_others_in(receiver: Receiver) -> None:
    with pytest.raises(NotDelivered):
        post(f"http://127.0.0.1:{receiver.port}/", b"", {"X-A": "b\r\nX-C: d"}, LONG)
    assert receiver.got == []


def test_tls_is_checked_against_the_name(
    names: dict[str, list[str]], settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SLIPWAY_ALLOWED_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    context, authority = certified(tmp_path)
    asked: list[str | None] = []
    context.sni_callback = lambda _, name, __: asked.append(name)
    names[NAME] = names["other.example"] = ["127.0.0.1"]
    with receiving(context) as receiver:
        assert "not trusted" in refusal(f"https://{NAME}:{receiver.port}/")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority))
        assert post(f"https://{NAME}:{receiver.port}/x", b"1", {}, LONG).status == 200
        assert "not trusted" in refusal(f"https://other.example:{receiver.port}/")
    assert (asked[1], [body for _, _, body in receiver.got]) == (NAME, [b"1"])


@pytest.mark.parametrize(
    ("text", "is_bad"), [("10.0.0.0/8", False), ("fd00::/8", False), ("10.0.0.1/8", True), ("lan", True)]
)
def test_networks_that_an_operator_allows_are_checked_at_the_start(settings: Any, text: str, is_bad: bool) -> None:
    settings.SLIPWAY_ALLOWED_PRIVATE_NETWORKS = [text]
    found = [error for error in run_checks() if error.id == "slipway.E001"]
    assert bool(found) is is_bad


def test_a_receiver_that_does_not_speak_tls_is_told(receiver: Receiver) -> None:
    assert refusal(f"https://127.0.0.1:{receiver.port}/") == "127.0.0.1 does not speak TLS as it should."
