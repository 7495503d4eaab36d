"""Imports a history, and has Git list what each of its tags shipped: which takes longer?

    python bench/import_history.py [CLONE [GLOB]]

Without arguments the history is made up: 60,000 commits, 600 tags on a main line and on release branches.
"""

import random
import subprocess
import sys
import time
from pathlib import Path

from installation import set_up

COMMITS, TAGS = 60_000, 600


def make_history(path: Path) -> Path:
    """Write a main line with merged side branches, and release branches with fixes, each tagged now and then."""
    from tests.lineage.histories import History

    chance = random.Random(1)
    history = History(path)
    main = history.commit(at=0)
    releases: list[int] = []
    for number in range(1, COMMITS):
        day, file = number // 10, f"{('api', 'web')[number % 2]}/file"
        if releases and chance.random() < 0.05:
            place = chance.randrange(len(releases))
            releases[place] = history.commit(releases[place], at=day, file=file)
        elif chance.random() < 0.3:
            side = history.commit(main, at=day, authored=day - chance.randrange(min(day, 20) + 1), file=file)
            main = history.commit(main, side, at=day, file=file)
        else:
            main = history.commit(main, at=day, file=file)
        if number % (COMMITS // TAGS) == 0:
            tip = main if not releases or chance.random() < 0.6 else chance.choice(releases)
            history.tag(f"v{number // (COMMITS // TAGS):04}", tip, day)
            if tip == main:
                releases = [*releases, main][-6:]
    return history.write()


def git_lists(path: Path, glob: str) -> tuple[float, int]:
    """Return how long Git takes for one `git log` a tag, and how many changes it lists."""
    names = subprocess.run(
        ["git", "-C", str(path), "tag", "--list", glob, "--sort=creatordate"],
        capture_output=True,
        check=True,
        text=True,
    ).stdout.split()
    began, changes = time.perf_counter(), 0
    for number, name in enumerate(names):
        earlier = "".join(f"^{before}\n" for before in names[:number])
        listed = subprocess.run(
            ["git", "-C", str(path), "log", "--no-merges", "--format=%H %at", "--stdin"],
            input=f"{name}\n{earlier}", capture_output=True, check=True, text=True,
        )  # fmt: skip
        changes += listed.stdout.count("\n") if number else 0
    return time.perf_counter() - began, changes


def main() -> None:
    data = set_up()
    from django.core.management import call_command

    from deployments.models import Change, Deployment

    path = Path(sys.argv[1]) if len(sys.argv) > 1 else make_history(data / "history")
    glob = sys.argv[2] if len(sys.argv) > 2 else "*"
    began = time.perf_counter()
    call_command("import_git", str(path), repository="bench/history", app="app", environment="production", tags=glob)
    ours = time.perf_counter() - began
    gits, changes = git_lists(path, glob)
    print(f"git log, one a tag: {gits:.1f} s, {changes:,} changes")
    print(f"import: {ours:.1f} s, {Deployment.objects.count():,} deployments, {Change.objects.count():,} changes")
    print(f"ratio import / git: {ours / gits:.2f}")


if __name__ == "__main__":
    main()
