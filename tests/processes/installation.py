"""A whole installation for tests: `manage.py serve` with its own data, on a port of its own."""

import atexit
import contextlib
import functools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings

_ROOT = Path(settings.BASE_DIR)
_KEY = re.compile(r"API key +(\S+)")  # as the first start shows it


def wait_until(condition: Callable[[], Any], seconds: float, every: float = 0.05) -> Any:
    """Return what the condition returns as soon as it holds; fail where it does not in time."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, f"{condition} did not hold within {seconds} s"
        time.sleep(every)
    return result


class Installation:
    """Starts and stops Slipway, and talks to it over HTTP."""

    def __init__(self, data: Path, database_url: str | None, **environment: str) -> None:
        self.data = data
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SLIPWAY_", "DJANGO_"))}
        self.environment = {
            **kept,
            "PORT": str(self.port),
            "SLIPWAY_DATA_DIR": str(data),
            "SLIPWAY_OWNER_PASSWORD": "a password for tests",
            "SLIPWAY_RATE_LIMIT": "off",
            "SLIPWAY_GITHUB_WORKERS": "0",
            "SLIPWAY_WEBHOOK_WORKERS": "0",
            **environment,
        }
        if database_url is not None:
            self.environment["DATABASE_URL"] = database_url
        self.server: subprocess.Popen[bytes] | None = None
        self.key = ""

    @property
    def output(self) -> str:
        """Everything that was printed so far."""
        return (self.data / "output.txt").read_text()

    def start(self) -> None:
        """Start it and wait until it serves."""
        database = self.data / "slipway.sqlite3"
        if "DATABASE_URL" not in self.environment and not database.exists():
            shutil.copy(_sqlite_template(), database)
        with (self.data / "output.txt").open("ab") as output:
            self.server = subprocess.Popen(
                [sys.executable, "manage.py", "serve"],
                cwd=_ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_until(self._serves, 120)
        if not self.key:
            self.key = _KEY.findall(self.output)[0]

    def _serves(self) -> bool:
        assert self.server is not None
        assert self.server.poll() is None, self.output
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=5) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except OSError:
            return False

    def stop(self, seconds: float = 40) -> None:
        """Ask it to stop, as Ctrl-C or an operator does, and wait until nothing of it runs any more."""
        assert self.server is not None
        everything = self.processes()
        self.server.send_signal(signal.SIGTERM)
        self.server.wait(seconds)
        left = [pid for pid in everything if _is_alive(pid)]
        assert not left, [_command(pid) for pid in left]
        self.server = None

    def kill(self) -> None:
        """End whatever of it still runs, however the test went."""
        if self.server is not None:
            for pid in self.processes():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.server.wait(10)
            self.server = None

    def unread(self, client: socket.socket) -> int:
        """Return how many bytes of a client the server has not taken from the network yet."""
        ends = [f"0100007F:{self.port:04X}", f"0100007F:{client.getsockname()[1]:04X}"]
        for line in Path("/proc/net/tcp").read_text().splitlines():
            columns = line.split()
            if columns[1:3] == ends:
                return int(columns[4].partition(":")[2], 16)
        raise AssertionError("there is no such connection")

    def processes(self, word: str = "") -> list[int]:
        """Return the processes of this installation, orphans too, whose command contains a word."""
        mark = f"SLIPWAY_DATA_DIR={self.data}\0".encode()
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and mark in (entry / "environ").read_bytes() and word in _command(entry.name):
                    found.append(int(entry.name))
        return found

    def manage(self, *arguments: str) -> str:
        """Run a management command and return what it prints."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=_ROOT,
            env=self.environment,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Return the status and the JSON of an answer."""
        data = None if body is None else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(  # noqa: S310
            f"{self.url}{path}", data, {"Authorization": f"Bearer {self.key}", **named}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read() or b"null")

    def get(self, path: str) -> Any:
        """Return the JSON at an address."""
        status, body = self.request("GET", path)
        assert status == 200, body
        return body

    def all_of(self, path: str) -> list[dict[str, Any]]:
        """Follow a list to its end."""
        results: list[dict[str, Any]] = []
        while path:
            page = self.get(path)
            results += page["results"]
            path = (page["next"] or "").removeprefix(self.url)
        return results


def _is_alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def _command(pid: int | str) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def _migrate(data: Path, **environment: str) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SLIPWAY_", "DJANGO_"))}
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity=0"],
        cwd=_ROOT,
        env={**kept, "SLIPWAY_DATA_DIR": str(data), **environment},
        check=True,
    )


@functools.cache
def _sqlite_template() -> Path:
    """Return a migrated database, to be copied: to migrate each anew takes longer than most of the tests."""
    data = Path(tempfile.mkdtemp(prefix="slipway-template-"))
    atexit.register(shutil.rmtree, data, ignore_errors=True)
    _migrate(data)
    return data / "slipway.sqlite3"


@functools.cache
def _postgresql_template(server: str) -> str:
    """Return the name of a migrated database, to be copied."""
    name = f"slipway_processes_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    atexit.register(_drop, server, name)
    with tempfile.TemporaryDirectory() as data:
        _migrate(Path(data), DATABASE_URL=f"{server}/{name}")
    return name


def _drop(server: str, name: str) -> None:
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@contextlib.contextmanager
def own_database() -> Iterator[str | None]:
    """Make a database beside that of the tests and drop it afterwards; None where SQLite is used."""
    configured = os.environ.get("DATABASE_URL", "")
    if not configured.startswith("postgres"):
        yield None
        return
    server = configured.rpartition("/")[0]
    name = f"slipway_processes_{uuid.uuid4().hex[:12]}"
    template = _postgresql_template(server)
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    try:
        yield f"{server}/{name}"
    finally:
        _drop(server, name)
