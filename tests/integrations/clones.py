"""Real clones, and the report script run in them by dash, the strictest shell that is about."""

import json
import subprocess
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).parents[2] / "integrations" / "report-deployment.sh"
# Nothing of the CI in which these tests themselves may run.
CLEAN = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"}
WHO = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", 'Zoë "Q" \\ M'), ("EMAIL", "zoe@example.com"))
}


def git(path: Path, *arguments: str, stdin: str | bytes = "") -> str:
    data = stdin.encode() if isinstance(stdin, str) else stdin
    command = ["git", "-C", str(path), *arguments]
    return (
        subprocess.run(command, input=data, capture_output=True, check=True, env=CLEAN | WHO).stdout.decode().strip()
    )


def make_clone(path: Path) -> Path:
    """Return a clone with one commit, tagged v1."""
    subprocess.run(["git", "init", "-q", "-b", "main", str(path)], check=True, env=CLEAN)
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


def rewrite(path: Path, old: bytes, new: bytes) -> str:
    """Return a commit like HEAD with other bytes in it, such as `git commit` would not write."""
    raw = subprocess.run(
        ["git", "-C", str(path), "cat-file", "commit", "HEAD"], capture_output=True, check=True, env=CLEAN
    ).stdout
    return git(path, "hash-object", "-t", "commit", "-w", "--literally", "--stdin", stdin=raw.replace(old, new))


def shallow_clone(origin: Path, path: Path, depth: int) -> Path:
    command = ["git", "clone", "-q", "--depth", str(depth), f"file://{origin}", str(path)]
    subprocess.run(command, check=True, env=CLEAN)
    return path


def run(path: Path, *arguments: str | bytes, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the script in a clone."""
    said = ["--app", "api", "--environment", "production", "--repository", "acme/app"]
    return subprocess.run(
        ["dash", str(SCRIPT), *said, *arguments],
        cwd=path, env=CLEAN | env, capture_output=True, text=True, check=False,
    )  # fmt: skip


def body(path: Path, *arguments: str | bytes, **env: str) -> dict[str, Any]:
    """Return what the script would send."""
    done = run(path, "--dry-run", *arguments, **env)
    assert done.returncode == 0, done.stderr
    sent: dict[str, Any] = json.loads(done.stdout)
    return sent
