"""Builds real Git histories, and asks Git itself what each of their tags shipped."""

import random
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

DAY = 86_400
START = 1_600_000_000


def git(path: Path, *arguments: str, stdin: bytes = b"") -> str:
    """Run git and return what it says."""
    done = subprocess.run(["git", "-C", str(path), *arguments], input=stdin, capture_output=True, check=True)
    return done.stdout.decode(errors="replace")


@dataclass
class History:
    """A repository in the making, written by one `git fast-import`."""

    path: Path
    stream: list[bytes] = field(default_factory=list)
    count: int = 0

    def __post_init__(self) -> None:
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(self.path)], check=True)

    def commit(
        self,
        *parents: int,
        at: int,
        authored: int | None = None,
        file: str = "src/file",
        message: bytes = b"Change",
        author: bytes = b"Ada <ada@example.com>",
        branch: str = "main",
        removes: str = "",
        encoding: str = "",
    ) -> int:
        """Add a commit and return its mark. Dates are days after the start."""
        self.count += 1
        mark = self.count
        authored = at if authored is None else authored
        text = [f"reset refs/heads/{branch}\n".encode()] if not parents else []
        text += [
            f"commit refs/heads/{branch}\nmark :{mark}\n".encode(),
            b"author " + author + f" {START + authored * DAY} +0200\n".encode(),
            b"committer " + author + f" {START + at * DAY} -0500\n".encode(),
            f"encoding {encoding}\n".encode() if encoding else b"",
            f"data {len(message)}\n".encode() + message + b"\n",
        ]
        for number, parent in enumerate(parents):
            text.append(f"{'from' if number == 0 else 'merge'} :{parent}\n".encode())
        content = str(mark).encode()
        if file:
            text.append(f"M 100644 inline {file}\ndata {len(content)}\n".encode() + content + b"\n")
        if removes:
            text.append(f"D {removes}\n".encode())
        self.stream += text
        return mark

    def tag(self, name: str, mark: int, at: int | None = None) -> None:
        """Tag a commit: with a date an annotated tag, without one a light one."""
        if at is None:
            self.stream.append(f"reset refs/tags/{name}\nfrom :{mark}\n\n".encode())
        else:
            tagger = f"tagger Rel <rel@example.com> {START + at * DAY} +0000\n"
            self.stream.append(f"tag {name}\nfrom :{mark}\n{tagger}data 1\nx\n".encode())

    def write(self) -> Path:
        """Write what has been added so far."""
        marks = self.path / "marks"
        arguments = ["fast-import", "--quiet", "--force", f"--export-marks={marks}"]
        if marks.exists():
            arguments.append(f"--import-marks={marks}")
        git(self.path, *arguments, stdin=b"".join(self.stream))
        self.stream.clear()
        return self.path


def random_history(path: Path, seed: int, commits: int = 150, tags: int = 25, *, skewed: bool = False) -> Path:
    """Write a history with several lines, merges, tags all over the place, and odd clocks where they are wanted."""
    chance = random.Random(seed)
    history = History(path)
    tips = [history.commit(at=0)]
    marks = list(tips)
    for number in range(1, commits):
        parents = [chance.choice(tips if chance.random() < 0.8 else marks)]
        if chance.random() < 0.2:
            parents += chance.sample(marks, min(len(marks), chance.choice([1, 1, 2])))
        parents = list(dict.fromkeys(parents))
        at = max(0, number + chance.choice([0, 0, 0, -40, 30])) if skewed else number
        mark = history.commit(
            *parents,
            at=at,
            authored=at - chance.randrange(5),
            file=f"{chance.choice(['api', 'api-v2', 'web'])}/f",
        )
        marks.append(mark)
        tips = [*[tip for tip in tips if tip not in parents or chance.random() < 0.3], mark][-4:]
    for number in range(tags):
        history.tag(f"v{number}", chance.choice(marks[-100:]), chance.choice([None, commits + chance.randrange(60)]))
    return history.write()


@dataclass(frozen=True)
class Expected:
    """What Git says of a deployment: its changes with their lead times in seconds, and how it relates to the last."""

    changes: dict[str, int]
    kind: str


def expected_of(path: Path, deployments: list[tuple[str, int]], under: str = "") -> list[Expected]:
    """Return what Git says of deployments, given in their order as commit and moment."""
    lines = git(path, "log", "--all", "--format=%H %at").splitlines()
    authored = {sha: int(at) for sha, at in (line.split() for line in lines)}
    touching = _touching(path, under) if under else set(authored)
    answers: list[Expected] = []
    for number, (sha, moment) in enumerate(deployments):
        earlier = [sha for sha, _ in deployments[:number]]
        shipped = _shipped(path, sha, earlier) & touching if earlier else set()
        changes = {commit: max(0, moment - authored[commit]) for commit in shipped}
        answers.append(Expected(changes, _kind(path, sha, earlier)))
    return answers


def _touching(path: Path, under: str) -> set[str]:
    """Return the commits with a file below a directory, by the names that Git lists for each."""
    listed = git(
        path, "log", "--all", "--full-history", "--no-merges", "--no-renames", "-z", "--name-only", "--format=%H"
    )
    touching, commit = set(), ""
    for name in listed.replace("\n", "\0").split("\0"):
        if len(name) == 40 and "/" not in name:
            commit = name
        elif name.startswith(f"{under}/") or name == under:
            touching.add(commit)
    return touching


def _shipped(path: Path, sha: str, earlier: list[str]) -> set[str]:
    listed = git(path, "rev-list", "--no-merges", sha, "--not", *earlier).split()
    # Where clocks are skewed, `--not` alone can list commits that the earlier ones do contain: Git stops a few
    # commits after its dates say that it may. What it lists for one commit is exact.
    return set(listed) - set(git(path, "rev-list", *earlier).split())


def _kind(path: Path, sha: str, earlier: list[str]) -> str:
    if not earlier:
        return "baseline"
    previous = earlier[-1]
    if sha == previous:
        return "redeploy"
    if _is_ancestor(path, previous, sha):
        return "forward"
    return "rollback" if _is_ancestor(path, sha, previous) else "diverged"


def _is_ancestor(path: Path, ancestor: str, descendant: str) -> bool:
    arguments = ["git", "-C", str(path), "merge-base", "--is-ancestor", ancestor, descendant]
    return subprocess.run(arguments, check=False).returncode == 0
