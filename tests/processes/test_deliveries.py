"""What webhooks are told arrives, whatever happens to the worker that tells it."""

import os
import signal
import threading
from collections.abc import Callable

import pytest

from tests.deployments.receivers import receiving
from tests.processes.installation import Installation, wait_until
from tests.processes.test_crashes import report

pytestmark = pytest.mark.processes
WORKER = "-webhooks"  # the end of its queue's name


def test_nothing_is_lost_when_the_worker_is_killed_while_it_delivers(install: Callable[..., Installation]) -> None:
    installation = install(SLIPWAY_WEBHOOK_WORKERS="1", SLIPWAY_ALLOWED_PRIVATE_NETWORKS="127.0.0.0/8")
    installation.start()
    installation.key = installation.manage(
        "create_api_key", "--name", "all", "--scope", "webhooks:write,webhooks:read,deployments:write"
    ).splitlines()[-1]
    with receiving() as receiver:
        killed = threading.Event()
        receiver.hold = lambda: receiver.got[0][1]["x-github-event"] == "ping" or killed.wait(30)
        body = {"url": f"http://127.0.0.1:{receiver.port}/", "events": ["deployment"]}
        status, webhook = installation.request("POST", "/v1/webhooks", body)
        assert status == 201, webhook
        wait_until(lambda: len(receiver.got) == 1, 15)
        receiver.got.clear()

        installation.request("POST", "/v1/deployments", report(1))
        wait_until(lambda: len(receiver.got) == 1, 15)
        workers = installation.processes(WORKER)
        assert len(workers) == 1
        os.kill(workers[0], signal.SIGKILL)
        killed.set()

        wait_until(lambda: len(receiver.got) == 2, 25)
        deliveries = f"/v1/webhooks/{webhook['id']}/deliveries"
        row = wait_until(
            lambda: next(one for one in installation.get(deliveries)["results"] if one["state"] == "delivered"), 10
        )
        first, second = ((headers["x-github-delivery"], text) for _, headers, text in receiver.got)
        assert first == second, "the GUID tells that it is the same"
        assert (row["event"], row["guid"], row["attempts"]) == ("deployment", first[0], 2)
