"""Imports real Git histories and compares every deployment with what Git says."""

import subprocess
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from deployments.models import Commit, Deployment, Workspace
from tests.lineage.histories import History, expected_of, git, random_history

pytestmark = pytest.mark.django_db


def import_git(path: Path, tags: str = "*", **options: object) -> str:
    out = StringIO()
    call_command(
        "import_git", str(path), repository="acme/app", app="app", environment="production", tags=tags,
        stdout=out, stderr=out, **options,
    )  # fmt: skip
    return out.getvalue()


def assert_as_git_says(path: Path, under: str = "") -> list[Deployment]:
    deployments = list(Deployment.objects.in_track_order())  # type: ignore[attr-defined]
    moments = [(row.commit_sha, int(row.deployed_at.timestamp())) for row in deployments]
    for deployment, expected in zip(deployments, expected_of(path, moments, under), strict=True):
        shipped = dict(deployment.changes.values_list("commit__sha", "lead_time_seconds"))
        assert (deployment.version, shipped) == (deployment.version, expected.changes)
        assert (deployment.version, deployment.change_kind) == (deployment.version, expected.kind)
        assert deployment.changes_count == len(expected.changes)
        assert deployment.history_is_complete
    return deployments


@pytest.mark.parametrize("seed", range(8))
def test_every_tag_of_a_random_history_ships_what_git_says(workspace: Workspace, tmp_path: Path, seed: int) -> None:
    path = random_history(tmp_path / "repo", seed, skewed=seed % 2 == 1)
    import_git(path)
    assert len(assert_as_git_says(path)) == 25


def test_release_branches_with_hotfixes_and_tags_out_of_date_order(workspace: Workspace, tmp_path: Path) -> None:
    history = History(tmp_path / "repo")
    root = history.commit(at=1)
    one = history.commit(root, at=2)
    history.tag("v1.0", one, at=3)
    two = history.commit(one, at=10, authored=4)
    side = history.commit(root, at=5)
    merge = history.commit(two, side, at=11)
    history.tag("v2.0", merge, at=12)
    fix = history.commit(one, at=20)
    history.tag("v1.1", fix, at=21)  # another line, after v2.0
    history.tag("v2.0-again", merge, at=22)
    history.tag("back-to-1.0", one, at=23)
    three = history.commit(merge, fix, at=30, authored=40)  # its author's clock was ahead
    history.tag("v3.0", three, at=31)
    late = history.commit(three, at=32, authored=50)
    history.tag("v3.1", late, at=33)
    history.tag("v0.9", root, at=2)  # before everything
    path = history.write()
    import_git(path)
    deployments = {row.version: row for row in assert_as_git_says(path)}
    assert {name: row.change_kind for name, row in deployments.items()} == {
        "v0.9": "baseline", "v1.0": "forward", "v2.0": "forward", "v1.1": "diverged", "v2.0-again": "diverged",
        "back-to-1.0": "rollback", "v3.0": "forward", "v3.1": "forward",
    }  # fmt: skip
    (ahead,) = deployments["v3.1"].changes.all()
    assert (ahead.lead_time_seconds, ahead.clock_was_ahead) == (0, True)


def test_octopus_criss_cross_and_unrelated_roots(workspace: Workspace, tmp_path: Path) -> None:
    history = History(tmp_path / "repo")
    a = history.commit(at=1)
    b, c, d = (history.commit(a, at=day) for day in (2, 3, 4))
    history.tag("first", b)
    other = history.commit(at=2, branch="other")
    octopus = history.commit(b, c, d, at=5)
    x, y = history.commit(octopus, at=6), history.commit(octopus, at=7)
    m1, m2 = history.commit(x, y, at=8), history.commit(y, x, at=9)
    history.tag("cross-1", m1)
    history.tag("cross-2", m2)
    joined = history.commit(m2, other, at=10)
    history.tag("joined", joined)
    path = history.write()
    import_git(path)
    assert_as_git_says(path)


def test_clocks_from_1970_to_2099(workspace: Workspace, tmp_path: Path) -> None:
    history = History(tmp_path / "repo")
    root = history.commit(at=1)
    history.tag("one", root, at=1)
    far = history.commit(root, at=29_000, authored=29_000)
    old = history.commit(far, at=-18_000, authored=-18_000)
    history.tag("two", old, at=40)
    history.tag("three", history.commit(old, at=41), at=42)
    path = history.write()
    import_git(path)
    assert_as_git_says(path)


def test_odd_names_and_messages_arrive_whole(workspace: Workspace, tmp_path: Path) -> None:
    history = History(tmp_path / "repo")
    root = history.commit(at=1)
    odd = history.commit(
        root,
        at=2,
        message='Say "hi" \\ \t\x01\n\nBody 🚀 \xff'.encode("latin-1", errors="ignore"),
        author="Zoë 🚀 <z@example.com>".encode(),
    )
    history.tag("a", root)
    history.tag("b", odd)
    import_git(history.write())
    commit = Commit.objects.order_by("-generation").first()
    assert commit is not None
    assert commit.author == "Zoë 🚀"
    assert commit.subject == 'Say "hi" \\ \t\x01'


def test_tags_of_no_commit_are_passed_over_and_tags_of_tags_are_followed(
    workspace: Workspace, tmp_path: Path
) -> None:
    history = History(tmp_path / "repo")
    history.tag("plain", history.commit(at=1), at=2)
    path = history.write()
    git(path, "tag", "tree", git(path, "rev-parse", "plain^{tree}").strip())
    subprocess.run(
        ["git", "-C", str(path), "-c", "user.name=x", "-c", "user.email=x@y", "tag", "-am", "x", "outer", "plain"],
        check=True,
        stderr=subprocess.DEVNULL,
    )
    import_git(path)
    assert set(Deployment.objects.values_list("version", flat=True)) == {"plain", "outer"}


def test_a_second_run_adds_only_what_is_new(workspace: Workspace, tmp_path: Path) -> None:
    history = History(tmp_path / "repo")
    root = history.commit(at=1)
    history.tag("v1", root, at=2)
    path = history.write()
    assert "1 deployments" in import_git(path)
    assert "0 deployments, 0 changes and 0 commits" in import_git(path)
    history.tag("v2", history.commit(root, at=3), at=4)
    history.write()
    assert "1 deployments, 1 changes and 1 commits" in import_git(path)
    assert_as_git_says(path)


def test_a_monorepo_path_counts_what_touched_it_and_nothing_beside_it(workspace: Workspace, tmp_path: Path) -> None:
    path = random_history(tmp_path / "repo", 99)
    import_git(path, monorepo_path="./api/")
    assert_as_git_says(path, under="api")


def test_a_path_that_is_given_later_reads_the_files_of_known_commits(workspace: Workspace, tmp_path: Path) -> None:
    path = random_history(tmp_path / "repo", 5, commits=40, tags=8)
    import_git(path)
    import_git(path, monorepo_path="api")
    assert not Commit.objects.filter(files=None).exclude(parents__contains=" ").exists()


def test_a_shallow_clone_says_what_it_does_not_know(workspace: Workspace, tmp_path: Path) -> None:
    history = History(tmp_path / "repo")
    last = history.commit(at=1)
    for day in range(2, 12):
        last = history.commit(last, at=day)
        history.tag(f"v{day:02}", last, at=day)
    path = history.write()
    shallow = tmp_path / "shallow"
    subprocess.run(["git", "clone", "-q", "--bare", "--depth", "4", f"file://{path}", str(shallow)], check=True)
    git(shallow, "fetch", "-q", "--depth", "4", "origin", "refs/tags/v1*:refs/tags/v1*")
    assert "shallow" in import_git(shallow, tags="v1*")
    assert Deployment.objects.count() == 2
    import_git(path, tags="v1*")
    assert_as_git_says(path)


@pytest.mark.parametrize(
    ("make", "tags", "message"),
    [
        (False, "*", "(?i)not a git repository|cannot change to"),
        (True, "nothing-*", "No tag of a commit matches"),
    ],
)
def test_what_cannot_be_imported_is_told_in_a_sentence(
    workspace: Workspace, tmp_path: Path, make: bool, tags: str, message: str
) -> None:
    path = tmp_path / "repo"
    if make:
        history = History(path)
        history.commit(at=1)
        history.write()
    with pytest.raises(CommandError, match=message):
        import_git(path, tags=tags)
