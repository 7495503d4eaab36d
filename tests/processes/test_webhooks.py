"""A burst of deliveries while no worker works: all are stored, and all are processed afterwards, none twice."""

import http.client
import json
import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.github.hooks import Payload, Repo, commit, sha, sign
from tests.processes.installation import Installation, wait_until
from tests.processes.test_crashes import is_idle

pytestmark = pytest.mark.processes
Install = Callable[..., Installation]
REPOSITORIES = [Repo(f"acme/shop-{number}", 100 + number) for number in range(5)]
# GitHub waits no longer for an answer, and delivers no second time by itself.
GITHUBS_PATIENCE = 10


def burst(total: int) -> list[tuple[str, str, Payload]]:
    """Return deliveries: in five repositories, each commit is pushed and then deployed."""
    deliveries = []
    for number in range(total // 2):
        repo, step = REPOSITORIES[number % 5], number // 5
        before = f"{repo.full_name} {step - 1}" if step else ""
        name = f"{repo.full_name} {step}"
        event, payload = repo.push("main", before, [commit(name, step)], step + 0.1)
        deliveries.append((f"push-{number}", event, payload))
        event, payload = repo.deployment_status(number, name, "success", step + 0.5)
        deliveries.append((f"status-{number}", event, payload))
    return deliveries


class Sender:
    """GitHub, with a few connections."""

    def __init__(self, installation: Installation) -> None:
        self.port = installation.port
        self.secret = installation.manage("rotate_deployment_secret").splitlines()[-1]
        workspace = installation.manage("list_workspaces", "--ids").split()[0]
        self.path = f"/api/workspaces/{workspace}/deployments/github-webhook"

    def send(self, deliveries: list[tuple[str, str, Payload]]) -> list[str]:
        """Deliver one after another and return the ids of the jobs."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=GITHUBS_PATIENCE)
        ids = []
        for guid, event, payload in deliveries:
            body = json.dumps(payload).encode()
            headers = {
                "Content-Type": "application/json",
                "X-GitHub-Event": event,
                "X-GitHub-Delivery": guid,
                "X-Hub-Signature-256": sign(body, self.secret),
            }
            connection.request("POST", self.path, body, headers)
            answer = connection.getresponse()
            said: Any = json.loads(answer.read())
            assert answer.status == 202, said
            ids.append(said["id"])
        connection.close()
        return ids


@pytest.mark.once
def test_1000_deliveries_while_the_workers_stand_still(install: Install) -> None:
    installation = install()
    installation.start()
    sender = Sender(installation)
    deliveries = burst(1000)
    workers = installation.processes("celery")
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(8) as pool:
            ids = [job for of_one in pool.map(sender.send, [deliveries[n::8] for n in range(8)]) for job in of_one]
            again = list(pool.map(sender.send, [deliveries[n::40] for n in range(2)]))
    finally:
        for pid in workers:
            os.kill(pid, signal.SIGCONT)

    assert len(set(ids)) == 1000
    assert {job for of_one in again for job in of_one} <= set(ids)
    wait_until(lambda: is_idle(installation), 240, every=1)
    jobs = installation.all_of("/v1/jobs")
    assert {job["id"] for job in jobs} == set(ids)
    assert {job["status"] for job in jobs} == {"COMPLETE"}
    deployments = installation.all_of("/v1/deployments?limit=200")
    assert len(deployments) == 500
    assert {row["commitHash"] for row in deployments} == {
        sha(f"{repo.full_name} {step}") for repo in REPOSITORIES for step in range(100)
    }
    kinds = [row["changeKind"] for row in deployments]
    assert (kinds.count("baseline"), kinds.count("forward")) == (5, 495)
    assert sum(row["changesCount"] for row in deployments) == 495
