"""Imports real Git histories and compares every deployment with what Git says."""

from pathlib import Path

import pytest

from deployments.models import Commit, Deployment, Workspace
from tests.lineage.histories import History, git, random_history
from tests.lineage.imports import assert_as_git_says, import_git

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("seed", range(8))
def test_every_tag_of_a_random_history_ships_what_git_says(workspace: Workspace, tmp_path: Path, seed: int) -> None:
    path = random_history(tmp_path / "repo", seed, commits=100 + 40 * seed, tags=40, skewed=seed % 2 == 1)
    import_git(path)
    assert len(assert_as_git_says(path)) == 40


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
        root, at=2, message='Say "hi" \\ \t\x01\n\nBody 🚀'.encode(), author="Zoë 🚀 <z@example.com>".encode()
    )
    encoded = history.commit(
        odd, at=3, message=b"Gr\xfc\xdfe", author=b"J\xf6rg <j@example.com>", encoding="ISO-8859-1"
    )
    broken = history.commit(encoded, at=4, message=b"\xff\xfe broken", author=b"J\xf6rg <j@example.com>")
    silent = history.commit(broken, at=5, message=b"", file="")
    history.tag("a", root)
    history.tag("b", silent)
    path = history.write()
    import_git(path, monorepo_path="src")
    told = list(Commit.objects.order_by("generation").values_list("author", "message"))[1:]
    assert told == [
        ("Zoë 🚀", 'Say "hi" \\ \t\x01\n\nBody 🚀'),
        ("Jörg", "Grüße"),
        ("J\N{REPLACEMENT CHARACTER}rg", "\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER} broken"),
        ("Ada", ""),
    ]
    assert Commit.objects.order_by("generation").values_list("files", flat=True).last() == ""
    assert_as_git_says(path, under="src")


def test_tags_of_one_second_are_deployed_in_the_order_that_git_lists_them(
    workspace: Workspace, tmp_path: Path
) -> None:
    history = History(tmp_path / "repo")
    one = history.commit(at=1)
    two = history.commit(one, at=2)
    for name, mark in [("c", one), ("a", two), ("b", two)]:
        history.tag(name, mark, at=3)
    path = history.write()
    import_git(path)
    assert [row.version for row in assert_as_git_says(path)] == ["a", "b", "c"]


def test_a_rebased_branch_keeps_the_time_its_work_began(workspace: Workspace, tmp_path: Path) -> None:
    history = History(tmp_path / "repo")
    root = history.commit(at=1)
    main = history.commit(root, at=20)
    history.tag("one", main, at=21)
    first = history.commit(main, at=25, authored=2)
    history.tag("two", history.commit(first, at=25, authored=3), at=26)
    path = history.write()
    import_git(path)
    two = assert_as_git_says(path)[1]
    assert sorted(two.changes.values_list("lead_time_seconds", flat=True)) == [23 * 86_400, 24 * 86_400]


def test_tags_of_no_commit_are_passed_over_and_tags_of_tags_are_followed(
    workspace: Workspace, tmp_path: Path
) -> None:
    history = History(tmp_path / "repo")
    history.tag("plain", history.commit(at=1), at=2)
    path = history.write()
    git(path, "tag", "tree", git(path, "rev-parse", "plain^{tree}").strip())
    git(path, "tag", "blob", git(path, "rev-parse", "plain:src/file").strip())
    git(path, "-c", "user.name=x", "-c", "user.email=x@y", "tag", "-am", "x", "outer", "plain")
    import_git(path)
    assert set(Deployment.objects.values_list("version", flat=True)) == {"plain", "outer"}
