"""Reads a local Git clone: its tags, and its commits in an order that parents come first."""

import contextlib
import datetime
import subprocess
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from deployments.commits import CommitReport

_READ_SIZE = 1 << 20
# A message is kept up to here: enough for its subject and for what it reverts.
_MESSAGE_LENGTH = 4000
_LATEST = int(datetime.datetime(9999, 12, 30, tzinfo=datetime.UTC).timestamp())


class GitError(Exception):
    """Git said no; the message is Git's."""


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag of a commit. `created_at` is the tagger's date, or the committer's where the tag is no object."""

    name: str
    sha: str
    created_at: datetime.datetime


class Clone:
    """A Git repository on this machine, with a work tree or bare."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._run("rev-parse", "--git-dir")

    def tags(self, glob: str) -> list[Tag]:
        """Return the tags of commits that `git tag --list GLOB` lists, the oldest first."""
        lines = self._run("tag", "--list", glob, "--format=%(refname:strip=2)%00%(creatordate:unix)").splitlines()
        listed = [line.split("\0") for line in lines]
        commits = self._commits_of(f"refs/tags/{name}" for name, _ in listed)
        tags = [
            Tag(name, sha, _moment(date) if date else self._committed_at(sha))
            for (name, date), sha in zip(listed, commits, strict=True)
            if sha
        ]
        return sorted(tags, key=lambda tag: tag.created_at)  # stable: tags of one moment stay in Git's order

    def default_branch(self) -> tuple[str, str] | None:
        """Return the name and the newest commit of the remote's default branch, or else of the present one."""
        for ref in ("refs/remotes/origin/HEAD", "HEAD"):
            try:
                name = self._run("symbolic-ref", ref).strip()
                sha = self._run("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}").strip()
            except GitError:
                continue
            return name.removeprefix("refs/remotes/origin/").removeprefix("refs/heads/"), sha
        return None

    def is_shallow(self) -> bool:
        """Tell whether the clone ends somewhere before the first commit."""
        return self._run("rev-parse", "--is-shallow-repository").strip() == "true"

    def holds(self, shas: Iterable[str]) -> list[str]:
        """Return those of the hashes that are commits of this clone."""
        wanted = list(shas)
        return [sha for sha, found in zip(wanted, self._commits_of(wanted), strict=True) if found]

    def count(self, tips: Iterable[str], exclude: Iterable[str]) -> int:
        """Return how many commits `commits` will yield."""
        return int(self._run("rev-list", "--count", "--stdin", stdin=_revisions(tips, exclude)))

    def commits(self, tips: Iterable[str], exclude: Iterable[str] = ()) -> Iterator[CommitReport]:
        """Yield the commits reachable from the tips and not from the excluded ones, parents before children."""
        arguments = ["log", "--stdin", "-z", "--topo-order", "--reverse", "--no-show-signature"]
        arguments.append("--format=tformat:%H%x00%P%x00%at%x00%ct%x00%an%x00%B")
        true_parents = self._parents_at_the_edge()
        fields = self._stream(*arguments, stdin=_revisions(tips, exclude))
        for sha, parents, authored, committed, author, message in zip(*[fields] * 6, strict=True):
            yield CommitReport(
                sha=sha,
                parents=true_parents.get(sha) or tuple(parents.split()),
                authored_at=_moment(authored),
                committed_at=_moment(committed),
                author=author[:255],
                message=message.strip()[:_MESSAGE_LENGTH],
            )

    def files(self, shas: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Return the paths that each commit touched; a rename touches both. Merges touch none of their own."""
        wanted = list(shas)
        arguments = ["diff-tree", "--stdin", "-r", "--root", "--name-only", "--no-renames", "--always", "-z"]
        touched: dict[str, list[str]] = {}
        expected = iter(wanted)
        following, current = next(expected, None), ""
        for field in self._stream(*arguments, stdin="".join(f"{sha}\n" for sha in wanted)):
            if field == following:
                current, following = field, next(expected, None)
                touched[current] = []
            else:
                touched[current].append(field)
        return {sha: tuple(files) for sha, files in touched.items()}

    def _parents_at_the_edge(self) -> dict[str, tuple[str, ...]]:
        """Return the true parents of the commits at which a shallow clone ends: there `git log` shows none."""
        if not self.is_shallow():
            return {}
        edge = self.path / self._run("rev-parse", "--git-path", "shallow").strip()
        parents = {}
        for sha in edge.read_text().split():
            header = self._run("cat-file", "commit", sha).partition("\n\n")[0]
            parents[sha] = tuple(line[7:] for line in header.splitlines() if line.startswith("parent "))
        return parents

    def _commits_of(self, revisions: Iterable[str]) -> list[str | None]:
        """Return the commit that each revision names, or None where it names another thing or nothing."""
        asked = "".join(f"{revision}^{{commit}}\n" for revision in revisions)
        answers = self._run("cat-file", "--batch-check=%(objecttype) %(objectname)", stdin=asked).splitlines()
        return [answer[7:] if answer.startswith("commit ") else None for answer in answers]

    def _committed_at(self, sha: str) -> datetime.datetime:
        return _moment(self._run("show", "--no-patch", "--format=%ct", sha).strip())

    def _command(self, arguments: Iterable[str]) -> list[str]:
        settings = ["-c", "i18n.logOutputEncoding=UTF-8", "-c", "log.showSignature=false"]
        return ["git", "-C", str(self.path), *settings, *arguments]

    def _run(self, *arguments: str, stdin: str = "") -> str:
        try:
            done = subprocess.run(  # noqa: S603 - arguments as a list, no shell
                self._command(arguments),
                input=stdin.encode(errors="surrogateescape"),
                capture_output=True,
                check=False,
            )
        except FileNotFoundError as error:
            raise GitError("git is not installed") from error
        if done.returncode != 0:
            raise GitError(done.stderr.decode(errors="replace").strip() or f"git {arguments[0]} failed")
        return done.stdout.decode(errors="surrogateescape")

    def _stream(self, *arguments: str, stdin: str) -> Iterator[str]:
        """Yield the output's fields, each ended by NUL, while Git still writes."""
        with subprocess.Popen(  # noqa: S603 - as above
            self._command(arguments), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            feeder = threading.Thread(target=_feed, args=(process.stdin, stdin.encode()), daemon=True)
            feeder.start()
            rest = b""
            while chunk := process.stdout.read(_READ_SIZE):
                *fields, rest = (rest + chunk).split(b"\0")
                for field in fields:
                    yield field.decode(errors="replace")
            feeder.join()
        if process.returncode != 0:
            raise GitError(f"git {arguments[0]} failed")


def _feed(pipe: IO[bytes], data: bytes) -> None:
    """Write Git's input beside reading its output: else both sides would wait for one another."""
    with contextlib.suppress(BrokenPipeError), pipe:
        pipe.write(data)


def _revisions(tips: Iterable[str], exclude: Iterable[str]) -> str:
    return "".join([*(f"{sha}\n" for sha in tips), *(f"^{sha}\n" for sha in exclude)])


def _moment(seconds: str) -> datetime.datetime:
    """Return the moment, inside the calendar whatever the clock of the commit's machine said."""
    return datetime.datetime.fromtimestamp(min(max(int(seconds), 0), _LATEST), datetime.UTC)
