"""What happens when processes are killed, or told to stop."""

import http.client
import json
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.processes.installation import Installation, wait_until

pytestmark = pytest.mark.processes
Install = Callable[..., Installation]


def report(number: int) -> dict[str, Any]:
    """Return one of many reports, of a few applications."""
    sha = f"{number:040x}"
    return {
        "repositoryFullName": f"acme/repo-{number % 3}",
        "environment": "production",
        "app": f"app-{number % 7}",
        "version": f"v{number}",
        "commitHash": sha,
        "commits": [{"sha": sha, "parents": [], "authoredAt": "2026-01-01T00:00:00Z"}],
    }


def versions_of(installation: Installation) -> list[str]:
    """Return the versions of all deployments, in order."""
    return sorted(row["version"] for row in installation.all_of("/v1/deployments?limit=200"))


def is_idle(installation: Installation) -> bool:
    """Tell whether every job has ended. One list, not one of each state: a job may change its state in between."""
    return {"QUEUED", "RUNNING"}.isdisjoint(job["status"] for job in installation.all_of("/v1/jobs?limit=200"))


def post_and_wait(installation: Installation, number: int) -> float:
    """Report a deployment and return how many seconds after its 202 it can be read."""
    status, job = installation.request("POST", "/v1/deployments", report(number))
    began = time.monotonic()
    assert status == 202, job
    address = job["_links"]["self"]["href"].removeprefix(installation.url)
    wait_until(lambda: installation.get(address)["status"] == "COMPLETE", 30, every=0.02)
    deployment = installation.get(f"/v1/deployments/{installation.get(address)['deployment']}")
    assert deployment["version"] == f"v{number}"
    return time.monotonic() - began


def kill(installation: Installation, word: str) -> list[int]:
    """Kill the processes whose command contains a word, and return them."""
    killed = installation.processes(word)
    for pid in killed:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    return killed


def test_every_202_is_exactly_one_deployment_although_workers_are_killed_again_and_again(install: Install) -> None:
    installation = install(SLIPWAY_JOB_CLAIM_SECONDS="5")
    installation.start()
    total, clients = 300, 8
    done = threading.Event()

    def post(client: int) -> list[str]:
        ids = []
        for number in range(client, total, clients):
            status, job = installation.request("POST", "/v1/deployments", report(number))
            assert status == 202, job
            ids.append(job["id"])
        return ids

    def kill_again_and_again() -> int:
        killed = 0
        while not done.wait(1.2):  # long enough for a worker to come back and to have begun with something
            killed += len(kill(installation, "celery"))
        return killed

    with ThreadPoolExecutor(clients + 1) as pool:
        killer = pool.submit(kill_again_and_again)
        ids = [job for of_client in pool.map(post, range(clients)) for job in of_client]
        time.sleep(5)  # a few more rounds while the jobs are worked off
        done.set()
        assert killer.result() >= 8

    assert len(set(ids)) == total
    wait_until(lambda: is_idle(installation), 60)
    assert versions_of(installation) == sorted(f"v{number}" for number in range(total))
    assert {job["status"] for job in installation.all_of("/v1/jobs")} == {"COMPLETE"}
    assert {job["id"] for job in installation.all_of("/v1/jobs")} == set(ids)


@pytest.mark.parametrize("victim", ["celery --quiet --app config beat", "celery --quiet --app config worker"])
def test_work_goes_on_whichever_process_is_killed(installation: Installation, victim: str) -> None:
    for round_ in range(2):
        killed = wait_until(lambda: installation.processes(victim), 10)
        assert kill(installation, victim)
        wait_until(lambda killed=killed: set(installation.processes(victim)) - set(killed), 20)
        post_and_wait(installation, 1000 + round_)

    assert not set(installation.processes(victim)) & set(killed), "what was killed leaves nothing behind"


def test_an_attempt_that_failed_is_made_again_after_beat_was_killed(installation: Installation) -> None:
    # Nothing but the sweep, which beat starts, finds a job that waits.
    kill(installation, "celery --quiet --app config beat")
    script = (
        "from deployments.models import *; from django.utils import timezone; import datetime;"
        "k = ApiKey.objects.first(); Job.objects.create(workspace=k.workspace, api_key=k,"
        "payload={'repository': 'a/b', 'app': 'late', 'environment': 'e', 'version': 'late', 'commit_sha': 'c'},"
        "available_at=timezone.now() + datetime.timedelta(seconds=2))"
    )
    installation.manage("shell", "--no-imports", "-c", script)

    wait_until(lambda: "late" in versions_of(installation), 20)


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
    time.sleep(0.3)  # it has reached a thread, which waits for the rest
    with ThreadPoolExecutor(1) as pool:
        stopped = pool.submit(installation.stop)
        time.sleep(0.5)
        connection.send(body[50:].encode())
        assert connection.getresponse().status == 202
        stopped.result()
    connection.close()

    installation.start()
    wait_until(lambda: versions_of(installation) == ["v1"], 10)


def test_a_deployment_is_visible_within_two_seconds_of_its_202(installation: Installation) -> None:
    wait_until(lambda: is_idle(installation), 20)

    assert max(post_and_wait(installation, number) for number in range(5)) < 2


@pytest.mark.usefixtures("_no_counters")
def test_the_rate_limit_is_exact_over_several_web_processes(install: Install) -> None:
    limit, threads, each = 100, 16, 15
    installation = install(SLIPWAY_RATE_LIMIT=f"{limit}/hour", SLIPWAY_WEB_WORKERS="2")
    installation.start()

    def post(client: int) -> list[int]:
        return [
            installation.request("POST", "/v1/deployments", report(client * each + turn))[0] for turn in range(each)
        ]

    with ThreadPoolExecutor(threads) as pool:
        statuses = [status for of_client in pool.map(post, range(threads)) for status in of_client]

    assert (statuses.count(202), statuses.count(429)) == (limit, threads * each - limit)
    assert len(installation.all_of("/v1/jobs?status=REFUSED")) == 60, "of a flood no more are kept"


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
