"""The report script, run by dash in real clones against a real server."""

import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from pytest_django.live_server_helper import LiveServer

from deployments.models import Deployment, Job
from deployments.processing import process_due_jobs
from tests import factories

SCRIPT = Path(__file__).parents[2] / "integrations" / "report-deployment.sh"
CLEAN = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"}
WHO = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in
       (("NAME", 'Zoë "Q" \\ M'), ("EMAIL", "zoe@example.com"))}  # fmt: skip


def git(path: Path, *arguments: str, stdin: str | bytes = "") -> str:
    data = stdin.encode() if isinstance(stdin, str) else stdin
    done = subprocess.run(
        ["git", "-C", str(path), *arguments], input=data, capture_output=True, check=True, env=CLEAN | WHO
    )
    return done.stdout.decode().strip()


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    path = tmp_path / "clone"
    subprocess.run(["git", "init", "-q", "-b", "main", str(path)], check=True)
    commit(path, "first", "a.txt")
    git(path, "tag", "v1")
    return path


def commit(path: Path, message: str | bytes, file: str) -> str:
    target = path / file
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(repr(message))
    git(path, "add", "-A")
    git(path, "commit", "-q", "--cleanup=verbatim", "-F", "-", stdin=message)
    return git(path, "rev-parse", "HEAD")


def run(path: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["dash", str(SCRIPT), "--app", "api", "--environment", "production", "--repository", "acme/app", *arguments],
        cwd=path, env=CLEAN | env, capture_output=True, text=True, check=False,
    )  # fmt: skip


def body(path: Path, *arguments: str, **env: str) -> dict[str, object]:
    done = run(path, "--dry-run", *arguments, **env)
    assert done.returncode == 0, done.stderr
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def test_it_sends_the_commits_since_the_last_tag(clone: Path) -> None:
    parent = git(clone, "rev-parse", "v1")
    sha = commit(clone, "second", "b.txt")
    sent = body(clone)
    assert sent["commitHash"] == sha
    (told,) = sent["commits"]  # type: ignore[misc]
    assert told["sha"] == sha  # type: ignore[index]
    assert told["parents"] == [parent]  # type: ignore[index]
    assert told["files"] == ["b.txt"]  # type: ignore[index]
    assert told["author"] == 'Zoë "Q" \\ M'  # type: ignore[index]


@pytest.mark.parametrize(
    "message",
    [
        'Say "hi" \\ there',
        "tab\there\n\nbody\r\nmore",
        "🚀 & % $HOME `id` 'x'",
        "control \x01\x1b[31m\x7f",
        "a\n\n\nb",
    ],
)
def test_whatever_a_message_says_arrives_as_it_is(clone: Path, message: str) -> None:
    commit(clone, message, "b.txt")
    (told,) = body(clone)["commits"]  # type: ignore[misc]
    assert told["message"] == message  # type: ignore[index]


def test_bytes_that_are_no_utf8_are_left_out(clone: Path) -> None:
    commit(clone, "caf+ open", "b.txt")
    raw = git(clone, "cat-file", "commit", "HEAD").encode().replace(b"caf+", b"caf\xe9\xff")
    sha = git(clone, "hash-object", "-t", "commit", "-w", "--stdin", stdin=raw)
    (told,) = body(clone, "--commit", sha)["commits"]  # type: ignore[misc]
    assert told["message"] == "caf open"  # type: ignore[index]


@pytest.mark.parametrize("name", ['we"ird\\name', "tab\tname", "ü/é.txt", "new\nline", " spaces "])
def test_whatever_a_file_is_called_arrives_as_it_is(clone: Path, name: str) -> None:
    commit(clone, "odd", name)
    (told,) = body(clone)["commits"]  # type: ignore[misc]
    assert told["files"] == [name]  # type: ignore[index]


def test_a_shallow_clone_tells_the_true_parents_at_its_edge(clone: Path, tmp_path: Path) -> None:
    parent = commit(clone, "second", "b.txt")
    commit(clone, "third", "c.txt")
    shallow = tmp_path / "shallow"
    subprocess.run(["git", "clone", "-q", "--depth", "1", f"file://{clone}", str(shallow)], check=True)
    done = run(shallow, "--dry-run")
    assert "shallow" in done.stderr
    (told,) = json.loads(done.stdout)["commits"]
    assert told["parents"] == [parent]


def test_it_knows_where_ci_runs(clone: Path) -> None:
    sha = git(clone, "rev-parse", "HEAD")
    sent = body(clone, GITHUB_SHA=sha, GITHUB_ACTOR="octocat", GITHUB_RUN_ID="7", GITHUB_REPOSITORY="acme/app")
    assert (sent["author"], sent["logUrl"]) == ("octocat", "https://github.com/acme/app/actions/runs/7")
    assert sent["version"] == "v1"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--dry-run", "--commit", "nothing"], "no commit nothing"),
        (["--dry-run", "--since", "nothing"], "no tag or commit nothing"),
        (["--nonsense"], "no option --nonsense"),
        (["--app"], "needs a value"),
        ([], "where is Slipway"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(clone: Path, arguments: list[str], says: str) -> None:
    done = run(clone, *arguments)
    assert done.returncode != 0
    assert says in done.stderr


@pytest.mark.django_db(transaction=True)
class TestAgainstSlipway:
    def test_a_report_becomes_a_deployment_with_its_changes(self, clone: Path, live_server: LiveServer) -> None:
        key = factories.make_key(factories.make_workspace())
        for version in ("v1", "v2"):
            done = run(clone, "--version", version, SLIPWAY_URL=live_server.url, SLIPWAY_API_KEY=key)
            assert done.returncode == 0, done.stderr
            assert "reported" in done.stderr
            process_due_jobs()
            commit(clone, f"after {version}", f"{version}.txt")
            commit(clone, f"more after {version}", f"{version}b.txt")
        latest = Deployment.objects.latest("id")
        assert (latest.version, latest.change_kind, latest.changes_count) == ("v2", "forward", 2)

    def test_the_same_run_of_ci_is_one_deployment_however_often_it_reports(
        self, clone: Path, live_server: LiveServer
    ) -> None:
        key = factories.make_key(factories.make_workspace())
        for _ in range(2):
            done = run(clone, SLIPWAY_URL=live_server.url, SLIPWAY_API_KEY=key, CI_JOB_ID="42")
            assert done.returncode == 0, done.stderr
        assert Job.objects.count() == 1

    def test_a_refusal_is_shown_as_the_server_words_it(self, clone: Path, live_server: LiveServer) -> None:
        done = run(clone, SLIPWAY_URL=live_server.url, SLIPWAY_API_KEY="slipway_00000000_wrong")
        assert done.returncode == 1
        assert "401" in done.stderr
        assert "The API key is not known" in done.stderr


class _Busy(BaseHTTPRequestHandler):
    """Says 503 once, and then takes the report."""

    posts = 0

    def do_GET(self) -> None:
        self.send_error(404)

    def do_POST(self) -> None:
        type(self).posts += 1
        self.rfile.read(int(self.headers["Content-Length"]))
        answer = b'{"id": "job-1"}'
        self.send_response(503 if type(self).posts == 1 else 202)
        if type(self).posts == 1:
            self.send_header("Retry-After", "1")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def busy() -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), _Busy)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_server_that_is_busy_is_asked_again(clone: Path, busy: HTTPServer) -> None:
    done = run(clone, SLIPWAY_URL=f"http://127.0.0.1:{busy.server_port}", SLIPWAY_API_KEY="x")
    assert done.returncode == 0, done.stderr
    assert (_Busy.posts, "job-1" in done.stderr) == (2, True)
