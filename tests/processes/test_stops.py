"""What happens when Slipway is told to stop, or its broker stops."""

import http.client
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.processes.installation import wait_until
from tests.processes.test_crashes import Install, is_idle, report, versions_of

pytestmark = pytest.mark.processes


def test_a_clean_stop_and_a_second_start_keep_everything(install: Install) -> None:
    installation = install()
    installation.start()
    numbers = range(30)
    with ThreadPoolExecutor(4) as pool:
        statuses = list(
            pool.map(lambda number: installation.request("POST", "/v1/deployments", report(number))[0], numbers)
        )
    assert set(statuses) == {202}
    installation.stop()  # in the middle of the work; asserts that no process is left

    installation.start()
    wait_until(lambda: is_idle(installation), 30)
    assert versions_of(installation) == sorted(f"v{number}" for number in numbers)
    assert installation.output.count("This is the first start") == 1
    assert "a password for tests" not in installation.output
    assert "Traceback" not in installation.output
    installation.stop()


def test_a_request_in_hand_is_answered_before_the_server_stops(install: Install) -> None:
    installation = install()
    installation.start()
    body = json.dumps(report(1))
    connection = http.client.HTTPConnection("127.0.0.1", installation.port, timeout=30)
    connection.putrequest("POST", "/v1/deployments")
    connection.putheader("Authorization", f"Bearer {installation.key}")
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body[:50].encode())
    wait_until(lambda: installation.unread(connection.sock) == 0, 10)  # the server has taken it, and waits for more
    serving = len(installation.processes("granian"))
    with ThreadPoolExecutor(1) as pool:
        stopped = pool.submit(installation.stop)
        # The web process that has nothing in hand goes at once: so they have been told to stop.
        wait_until(lambda: len(installation.processes("granian")) < serving, 20)
        connection.send(body[50:].encode())
        assert connection.getresponse().status == 202
        stopped.result()
    connection.close()

    installation.start()
    wait_until(lambda: versions_of(installation) == ["v1"], 10)


def test_losing_the_broker_loses_nothing(install: Install) -> None:
    without = install(CELERY_BROKER_URL="redis://127.0.0.1:1/0")
    without.start()
    began = time.monotonic()
    statuses = {without.request("POST", "/v1/deployments", report(number))[0] for number in range(5)}
    waited = time.monotonic() - began
    without.stop()
    assert statuses == {202}
    assert waited < 5, "a broker that is away holds up no answer"

    again = install()
    again.start()
    wait_until(lambda: is_idle(again), 20)
    assert versions_of(again) == [f"v{number}" for number in range(5)]
