"""Real servers and workers, and what happens when they are killed."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.processes
ROOT = Path(__file__).parents[2]


def wait_until(what: Callable[[], Any], seconds: float, why: str) -> Any:
    """Return what a function returns once that is true; fail after so many seconds."""
    deadline = time.monotonic() + seconds
    while not (answer := what()):
        assert time.monotonic() < deadline, why
        time.sleep(0.05)
    return answer


class Slipway:
    """`manage.py serve` in a directory and a database of its own."""

    def __init__(self, data: Path, **env: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.data = data
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("DJANGO_")}
        self.env |= {"SLIPWAY_DATA_DIR": str(data), "PORT": str(self.port), "SLIPWAY_RATE_LIMIT": "off"}
        self.env |= {"SLIPWAY_OWNER_PASSWORD": "correct horse battery", **env}
        self.log = data.parent / "log"

    def manage(self, *arguments: str) -> str:
        command = [sys.executable, str(ROOT / "manage.py"), *arguments]
        done = subprocess.run(command, env=self.env, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self) -> None:
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(ROOT / "manage.py"), "serve"], env=self.env, cwd=ROOT, stdout=log, stderr=log
            )
        wait_until(self.is_up, 60, "the server did not start")

    def is_up(self) -> bool:
        try:
            return self.request("GET", "/healthz")[0] == 200
        except OSError:
            return False

    def request(self, method: str, path: str, body: Any = None, key: str = "", **headers: str) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=90)
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, {"Authorization": f"Bearer {key}", **headers})
            answer = connection.getresponse()
            data = answer.read()
            is_json = "json" in answer.headers.get("content-type", "")
            return answer.status, json.loads(data) if is_json else data.decode()
        finally:
            connection.close()

    def key(self) -> str:
        return self.manage("create_api_key", "--name", "test").splitlines()[-1]

    def worker_pids(self) -> list[int]:
        """Return the processes that work on jobs: all celery processes below our own supervisor."""
        listed = subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True).stdout
        rows = [line.split(None, 2) for line in listed.splitlines()[1:]]
        mine = {self.process.pid}
        for _ in range(4):
            mine |= {int(pid) for pid, parent, _ in rows if int(parent) in mine}
        return [int(pid) for pid, _, command in rows if int(pid) in mine and "celery" in command]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


def report(number: int) -> dict[str, Any]:
    return {
        "repositoryFullName": f"acme/repo-{number % 3}", "environment": "production", "app": f"app-{number % 7}",
        "version": f"v{number}", "commitHash": f"{number:040x}",
        "commits": [{"sha": f"{number:040x}", "parents": [], "authoredAt": "2026-01-01T00:00:00Z"}],
    }  # fmt: skip


@pytest.fixture
def slipway(tmp_path: Path) -> Iterator[Slipway]:
    env = {}
    name = ""
    if os.environ.get("DATABASE_URL"):
        name = f"slipway_processes_{uuid.uuid4().hex[:12]}"
        base, _, _ = os.environ["DATABASE_URL"].rpartition("/")
        env["DATABASE_URL"] = f"{base}/{name}"
        psql(f"{base}/postgres", f"CREATE DATABASE {name}")
    started = Slipway(tmp_path / "data", **env)
    started.start()
    yield started
    if started.process.poll() is None:
        started.stop()
    if name:
        psql(f"{base}/postgres", f"DROP DATABASE {name} WITH (FORCE)")


def psql(address: str, statement: str) -> None:
    import psycopg

    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(statement)  # type: ignore[call-overload]


def every_deployment(slipway: Slipway, key: str) -> list[str]:
    versions: list[str] = []
    path: str | None = "/v1/deployments?limit=200"
    while path:
        status, page = slipway.request("GET", path, key=key)
        assert status == 200, page
        versions += [row["version"] for row in page["results"]]
        path = page["next"] and re.sub(r"^https?://[^/]+", "", page["next"])
    return versions


def test_every_202_is_exactly_one_deployment_although_workers_are_killed_again_and_again(slipway: Slipway) -> None:
    key = slipway.key()
    total, clients = 240, 8
    answers: dict[int, str] = {}
    posting = True

    def post(client: int) -> None:
        for number in range(client, total, clients):
            status, answer = slipway.request("POST", "/v1/deployments", report(number), key)
            assert status == 202, answer
            answers[number] = answer["id"]

    def kill() -> None:
        while posting:
            for pid in slipway.worker_pids():
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            time.sleep(1.5)  # long enough for a worker to come back and have begun with something

    threads = [threading.Thread(target=post, args=(client,)) for client in range(clients)]
    killer = threading.Thread(target=kill)
    for thread in [*threads, killer]:
        thread.start()
    for thread in threads:
        thread.join()
    time.sleep(4)  # two more rounds of killing while the jobs are worked off
    posting = False
    killer.join()
    assert len(answers) == total

    def unfinished() -> int:
        status, page = slipway.request("GET", "/v1/jobs?status=QUEUED", key=key)
        running = slipway.request("GET", "/v1/jobs?status=RUNNING", key=key)[1]
        return len(page["results"]) + len(running["results"]) if status == 200 else 1

    wait_until(lambda: unfinished() == 0, 90, "jobs are left over")
    assert sorted(every_deployment(slipway, key)) == sorted(f"v{number}" for number in range(total))
    assert {slipway.request("GET", f"/api/jobs/{job}", key=key)[1]["status"] for job in answers.values()} == {
        "COMPLETE"
    }


def test_a_deployment_is_seen_within_two_seconds_and_survives_a_clean_stop(slipway: Slipway) -> None:
    key = slipway.key()
    status, answer = slipway.request("POST", "/v1/deployments", report(1), key)
    accepted_at = time.monotonic()
    assert status == 202
    job = f"/api/jobs/{answer['id']}"
    wait_until(lambda: slipway.request("GET", job, key=key)[1]["status"] == "COMPLETE", 30, "the job did not end")
    assert every_deployment(slipway, key) == ["v1"]
    waited = time.monotonic() - accepted_at
    assert waited < 2 or os.environ.get("CI"), f"it took {waited:.1f} s"  # CI's machine is not idle

    assert slipway.stop() == 0
    assert not slipway.is_up()
    slipway.start()
    assert every_deployment(slipway, key) == ["v1"]
    log = slipway.log.read_text()
    assert log.count("This is the first start") == 1
    assert "correct horse battery" not in log
    assert "Traceback" not in log


def test_the_rate_limit_is_exact_over_several_web_processes(tmp_path: Path) -> None:
    slipway = Slipway(tmp_path / "data", SLIPWAY_RATE_LIMIT="30/hour", DATABASE_URL="")
    slipway.env.pop("DATABASE_URL")
    slipway.start()
    try:
        key = slipway.key()
        statuses: list[int] = []

        def post(client: int) -> None:
            for number in range(10):
                statuses.append(slipway.request("POST", "/v1/deployments", report(client * 100 + number), key)[0])

        threads = [threading.Thread(target=post, args=(client,)) for client in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (statuses.count(202), statuses.count(429)) == (30, 50)
    finally:
        slipway.stop()


def test_a_body_that_is_cut_off_harms_nobody(slipway: Slipway) -> None:
    key = slipway.key()
    with socket.create_connection(("127.0.0.1", slipway.port), timeout=10) as connection:
        head = f"POST /v1/deployments HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n"
        connection.sendall(head.encode() + b'Content-Length: 500\r\n\r\n{"app": ')
        connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(4096)
    assert b" 500 " not in answer.split(b"\r\n")[0]
    chunked = http.client.HTTPConnection("127.0.0.1", slipway.port, timeout=30)
    chunked.request(
        "POST", "/v1/deployments", iter([json.dumps(report(5)).encode()]), {"Authorization": f"Bearer {key}"},
        encode_chunked=True,
    )  # fmt: skip
    assert chunked.getresponse().status == 202
    chunked.close()
    assert slipway.is_up()
