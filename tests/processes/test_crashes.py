"""What happens when processes are killed."""

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
    """Tell whether every job has ended."""
    if installation.get("/v1/jobs?status=QUEUED&limit=1")["results"]:
        return False
    # Not a list of the running ones, too: between two lists a job may change its state.
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
    done, killed = threading.Event(), list[int]()

    def post(client: int) -> list[str]:
        ids = []
        for number in range(client, total, clients):
            status, job = installation.request("POST", "/v1/deployments", report(number))
            assert status == 202, job
            ids.append(job["id"])
        return ids

    def kill_again_and_again() -> None:
        while not done.wait(1.2):  # long enough for a worker to come back and to have begun with something
            killed.extend(kill(installation, "celery"))

    with ThreadPoolExecutor(clients + 1) as pool:
        killer = pool.submit(kill_again_and_again)
        ids = [job for of_client in pool.map(post, range(clients)) for job in of_client]
        posted = len(killed)
        wait_until(lambda: len(killed) >= max(8, posted + 6), 60)  # a few more rounds while the jobs are worked off
        done.set()
        killer.result()

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
