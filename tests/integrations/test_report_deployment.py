"""What the report script sends, from real clones."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integrations.clones import SCRIPT, body, commit, git, rewrite, run, shallow_clone


def test_it_sends_the_commits_since_the_last_tag(clone: Path) -> None:
    parent = git(clone, "rev-parse", "v1")
    sha = commit(clone, "second", "b.txt")
    sent = body(clone)
    assert sent["commitHash"] == sha
    (told,) = sent["commits"]
    assert (told["sha"], told["parents"], told["files"]) == (sha, [parent], ["b.txt"])
    assert told["author"] == 'Zoë "Q" \\ M'
    assert told["message"] == "second"


def test_it_sends_the_commits_since_the_one_it_is_told(clone: Path) -> None:
    shas = [commit(clone, f"change {number}", f"{number}.txt") for number in range(3)]
    git(clone, "tag", "v2", shas[1])
    assert [told["sha"] for told in body(clone)["commits"]] == [shas[2]]
    assert [told["sha"] for told in body(clone, "--since", "v1")["commits"]] == shas[::-1]
    assert [told["sha"] for told in body(clone, "--since=" + shas[0])["commits"]] == [shas[2], shas[1]]


def test_without_a_start_it_goes_back_250_commits(clone: Path) -> None:
    git(clone, "tag", "-d", "v1")
    stream = "".join(
        f"commit refs/heads/main\ncommitter A <a@example.com> {1_600_000_000 + number} +0000\ndata 1\nx"
        + ("\nfrom refs/heads/main^0\n" if number == 0 else "\n")
        for number in range(300)
    )
    git(clone, "fast-import", "--quiet", stdin=stream)
    assert len(body(clone)["commits"]) == 250
    assert len(body(clone, "--max-commits", "7")["commits"]) == 7


def test_a_rollback_tells_the_commit_that_is_deployed(clone: Path) -> None:
    commit(clone, "second", "b.txt")
    (told,) = body(clone, "--commit", "v1", "--since", "HEAD")["commits"]
    assert told["sha"] == git(clone, "rev-parse", "v1")
    assert told["parents"] == []


@pytest.mark.parametrize(
    "message",
    [
        'Say "hi" \\ there',
        "tab\there\n\nbody\r\nmore",
        "🚀 & % $HOME `id` 'x' 中文 \u2028",
        "control \x01\x1b[31m\x7f",
        "a\n\n\nb",
        "ends in C:\\n",
        "\\u0041 \\\\ x]y[z^w",
        "  - indented",
    ],
)
def test_whatever_a_message_says_arrives_as_it_is(clone: Path, message: str) -> None:
    commit(clone, message, "b.txt")
    (told,) = body(clone)["commits"]
    assert told["message"] == message


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"caf\xe9 \xff end", "caf\ufffd \ufffd end"),
        (b"surrogate \xed\xa0\x80", "surrogate \ufffd\ufffd\ufffd"),
        (b"overlong \xc0\xaf", "overlong \ufffd\ufffd"),
        (b"cut \xe4\xb8", "cut \ufffd\ufffd"),
    ],
)
def test_bytes_that_are_no_utf8_are_replaced(clone: Path, raw: bytes, shown: str) -> None:
    commit(clone, "PLACE", "b.txt")
    (told,) = body(clone, "--commit", rewrite(clone, b"PLACE", raw))["commits"]
    assert told["message"] == shown


def test_a_message_in_another_encoding_is_read_in_it(clone: Path) -> None:
    commit(clone, "PLACE", "b.txt")
    sha = rewrite(clone, b"\n\nPLACE", b"\nencoding ISO-8859-1\n\ncaf\xe9")
    assert body(clone, "--commit", sha)["commits"][0]["message"] == "café"


def test_a_date_that_no_calendar_has_is_left_out(clone: Path) -> None:
    commit(clone, "odd", "b.txt")
    identity = git(clone, "log", "-1", "--format=%ad", "--date=raw").encode()
    far = rewrite(clone, identity, b"999999999999 +0000")
    assert "authoredAt" not in body(clone, "--commit", far)["commits"][0]
    skewed = rewrite(clone, identity, b"1700000000 +9959")
    assert body(clone, "--commit", skewed)["commits"][0]["authoredAt"][:19] == "2023-11-14T22:13:20"


def test_a_very_long_message_is_cut(clone: Path) -> None:
    commit(clone, "x" * 200_000, "b.txt")
    (told,) = body(clone)["commits"]
    assert 4_000 < len(told["message"]) < 20_000


def test_whatever_an_option_says_arrives_as_it_is(clone: Path) -> None:
    text = 'He said "no" \\n\n\tand \x01 left; $(id) 中'
    assert body(clone, "--description", text)["description"] == text
    assert body(clone, "--description", b"caf\xe9")["description"] == "caf\ufffd"


@pytest.mark.parametrize(
    "name", ['we"ird\\name', "tab\tname", "ü/é.txt", "new\nline", " spaces ", '"', "\\t", "\x01", "cr\r"]
)
def test_whatever_a_file_is_called_arrives_as_it_is(clone: Path, name: str) -> None:
    commit(clone, "odd", name)
    (told,) = body(clone)["commits"]
    assert told["files"] == [name]


def test_of_a_merge_no_files_are_told(clone: Path) -> None:
    git(clone, "checkout", "-q", "-b", "topic")
    topic = commit(clone, "topic", "t.txt")
    git(clone, "checkout", "-q", "main")
    main = commit(clone, "main", "m.txt")
    git(clone, "merge", "-q", "--no-ff", "-m", "Merge", "topic")
    merge = body(clone)["commits"][0]
    assert merge["parents"] == [main, topic]
    assert "files" not in merge


def test_a_shallow_clone_tells_the_true_parents_at_its_edge_and_no_files(clone: Path, tmp_path: Path) -> None:
    first = commit(clone, "second", "b.txt")
    second = commit(clone, "third", "c.txt")
    commit(clone, "fourth", "d.txt")
    done = run(shallow_clone(clone, tmp_path / "shallow", 2), "--dry-run")
    assert "shallow" in done.stderr
    assert "fetch-depth: 0" in done.stderr
    newest, edge = json.loads(done.stdout)["commits"]
    assert (newest["parents"], newest["files"]) == ([second], ["d.txt"])
    assert edge["parents"] == [first]
    # Git shows every file of the tree there, which is not what the commit touched.
    assert "files" not in edge


def test_the_configuration_of_a_person_changes_nothing(clone: Path) -> None:
    commit(clone, "second", "below/b.txt")
    expected = body(clone, "--since", "v1")
    for name, value in {
        "diff.relative": "true", "log.showRoot": "false", "color.ui": "always", "log.date": "relative",
        "core.quotePath": "true", "i18n.logOutputEncoding": "ISO-8859-1", "log.showSignature": "true",
        "diff.renames": "copies", "log.diffMerges": "separate", "format.pretty": "oneline", "log.mailmap": "true",
    }.items():  # fmt: skip
        git(clone, "config", name, value)
    (clone / ".mailmap").write_text("Someone Else <zoe@example.com>\n")
    assert body(clone / "below", "--since", "v1") == expected


def test_the_body_stays_below_what_slipway_takes(clone: Path, tmp_path: Path) -> None:
    """4,000 commits of 3.5 KB each are more than 10 MiB: the newest are sent, and it is said that not all are."""
    stream = "".join(
        f"commit refs/heads/main\ncommitter A <a@example.com> {1_600_000_000 + number} +0000\n"
        f"data 3500\n{'x' * 3500}\n" + ("from refs/heads/main^0\n" if number == 0 else "")
        for number in range(4_000)
    )
    git(clone, "fast-import", "--quiet", stdin=stream)
    done = run(clone, "--dry-run", "--max-commits", "10000")
    assert 9_000_000 < len(done.stdout) < 10 * 1024 * 1024
    sent = json.loads(done.stdout)
    assert sent["commits"][0]["sha"] == sent["commitHash"]
    assert f"only the newest {len(sent['commits'])} of 4000 commits" in done.stderr


def test_an_enormous_list_of_files_does_not_crowd_out_the_commits(clone: Path) -> None:
    files = "".join(f"M 100644 inline vendor/{'d' * 90}/{number}\ndata 0\n\n" for number in range(12_000))
    stream = "commit refs/heads/main\ncommitter A <a@example.com> 1600000000 +0000\ndata 6\nvendor\n"
    git(clone, "fast-import", "--quiet", stdin=f"{stream}from refs/heads/main^0\n{files}")
    git(clone, "reset", "-q", "--hard")
    sha = commit(clone, "after", "b.txt")
    after, vendor = body(clone)["commits"]
    assert (after["sha"], after["files"]) == (sha, ["b.txt"])
    assert "files" not in vendor


@pytest.mark.parametrize(
    ("env", "author", "log_url"),
    [
        (
            {"GITHUB_ACTOR": "octocat", "GITHUB_RUN_ID": "7", "GITHUB_REPOSITORY": "acme/app"},
            "octocat",
            "https://github.com/acme/app/actions/runs/7",
        ),
        ({"GITLAB_USER_LOGIN": "tanuki", "CI_JOB_URL": "https://gl.example/j/1"}, "tanuki", "https://gl.example/j/1"),
        ({"BUILD_USER_ID": "jenkins", "BUILD_URL": "https://ci.example/1/"}, "jenkins", "https://ci.example/1/"),
        ({"SLIPWAY_AUTHOR": "ada", "GITHUB_ACTOR": "octocat"}, "ada", None),
    ],
)
def test_it_knows_where_ci_runs(clone: Path, env: dict[str, str], author: str, log_url: str | None) -> None:
    sent = body(clone, **env)
    assert (sent["author"], sent.get("logUrl")) == (author, log_url)


def test_it_reports_what_is_checked_out_and_not_what_started_the_run(clone: Path) -> None:
    head = commit(clone, "second", "b.txt")
    first = git(clone, "rev-parse", "v1")
    sent = body(clone, GITHUB_SHA=first, GITHUB_REF_TYPE="tag", GITHUB_REF_NAME="v1")
    assert (sent["commitHash"], sent["version"]) == (head, head[:12])
    git(clone, "checkout", "-q", "v1")
    git(clone, "tag", "v1-again")
    assert body(clone, GITHUB_REF_TYPE="tag", GITHUB_REF_NAME="v1-again")["version"] == "v1-again"
    assert body(clone, CI_COMMIT_TAG="v1")["version"] == "v1"


@pytest.mark.parametrize(
    "remote",
    ["git@git.example:acme/app.git", "https://git.example/acme/app", "ssh://git@git.example:22/acme/app.git/"],
)
def test_the_repository_is_read_from_the_remote(clone: Path, remote: str) -> None:
    git(clone, "remote", "add", "origin", remote)
    assert body(clone, "--repository", "")["repositoryFullName"] == "acme/app"


def test_variables_and_options_say_the_same(clone: Path) -> None:
    said = {
        "description": "d", "deployed-at": "2026-01-01T00:00:00Z", "monorepo-path": "services/api",
        "state": "failure", "environment-url": "https://app.example", "log-url": "https://ci.example",
        "version": "9", "author": "ada",
    }  # fmt: skip
    options = [word for name, value in said.items() for word in (f"--{name}", value)]
    variables = {f"SLIPWAY_{name.upper().replace('-', '_')}": value for name, value in said.items()}
    sent = body(clone, *options)
    assert sent == body(clone, **variables)
    assert {"description", "deployedAt", "monorepoPath", "environmentUrl", "logUrl"} <= set(sent)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--dry-run", "--commit", "nothing"], 1, "no commit nothing"),
        (["--dry-run", "--since", "nothing"], 1, "no tag or commit nothing"),
        (["--nonsense"], 2, "no option --nonsense"),
        (["--nonsense=1"], 2, "no option --nonsense"),
        (["--app"], 2, "needs a value"),
        (["--app", ""], 2, "which application"),
        (["--max-commits", "many"], 2, "--max-commits must be a number"),
        (["--url", "slipway.example"], 2, "must begin with http"),
        ([], 2, "where is Slipway"),
        (["--url", "http://slipway.example"], 2, "SLIPWAY_API_KEY is not set"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(clone: Path, arguments: list[str], code: int, says: str) -> None:
    done = run(clone, *arguments)
    assert done.returncode == code
    assert says in done.stderr


def test_outside_a_clone_it_says_so(tmp_path: Path) -> None:
    done = run(tmp_path, "--dry-run")
    assert done.returncode == 1
    assert "no Git clone" in done.stderr


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed")
def test_shellcheck_finds_nothing() -> None:
    found = subprocess.run(["shellcheck", "-s", "sh", str(SCRIPT)], capture_output=True, text=True, check=False)
    assert found.stdout == ""


@pytest.mark.parametrize("awk", ["mawk", "gawk", "busybox awk", "original-awk"])
def test_every_awk_says_the_same(clone: Path, tmp_path: Path, awk: str) -> None:
    if not shutil.which(awk.split()[0]):
        pytest.skip(f"{awk} is not installed")
    commit(clone, 'Ä "q" \\n\ttab \x02', 'ü "x"\\\t')
    wrapper = tmp_path / "bin" / "awk"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\nexec {awk} "$@"\n')
    wrapper.chmod(0o755)
    (told,) = body(clone, PATH=f"{wrapper.parent}:/usr/bin:/bin")["commits"]
    assert (told["message"], told["files"]) == ('Ä "q" \\n\ttab \x02', ['ü "x"\\\t'])


def test_it_says_which_version_it_repairs(clone: Path) -> None:
    assert body(clone, "--fixes-version", "v1")["fixesVersion"] == "v1"
    assert body(clone, SLIPWAY_FIXES_VERSION="v0")["fixesVersion"] == "v0"
    assert "fixesVersion" not in body(clone)
