"""The command that imports a clone: what a second run adds, and what it says when it cannot."""

import subprocess
from pathlib import Path

import pytest
from django.core.management import CommandError

from deployments.changes import derive_batch
from deployments.models import Change, Commit, Deployment, MissingParent, Repository, Workspace
from tests import factories
from tests.lineage.histories import History, git, random_history
from tests.lineage.imports import assert_as_git_says, import_git

pytestmark = pytest.mark.django_db


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


def test_a_tag_that_moved_is_one_more_deployment(workspace: Workspace, tmp_path: Path) -> None:
    history = History(tmp_path / "repo")
    root = history.commit(at=1)
    next_ = history.commit(root, at=3)
    history.tag("v1", root, at=2)
    history.tag("nightly", root, at=2)
    path = history.write()
    import_git(path)
    git(path, "tag", "-d", "nightly")
    history.tag("nightly", next_, at=4)
    history.write()
    assert "1 deployments, 1 changes and 0 commits" in import_git(path)
    assert [row.version for row in assert_as_git_says(path)] == ["nightly", "v1", "nightly"]


def test_one_more_tag_before_all_others_gives_the_track_another_baseline(
    workspace: Workspace, tmp_path: Path
) -> None:
    path = random_history(tmp_path / "repo", 7, commits=60, tags=10)
    import_git(path, tags="v[1-9]")
    import_git(path)
    assert len(assert_as_git_says(path)) == 10


def test_two_applications_of_one_repository_share_its_commits(workspace: Workspace, tmp_path: Path) -> None:
    path = random_history(tmp_path / "repo", 8, commits=60, tags=10)
    import_git(path)
    before = Commit.objects.count()
    assert "10 deployments" in import_git(path, app="other")
    assert Commit.objects.count() == before
    changes = [
        Change.objects.filter(deployment__application__name=app).values_list("commit_id", "lead_time_seconds")
        for app in ("app", "other")
    ]
    assert set(changes[0]) == set(changes[1])


def test_an_import_that_was_interrupted_is_taken_up_again(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = random_history(tmp_path / "repo", 9, commits=60, tags=10)
    steps = []

    def stop_at_third(*arguments: object) -> int:
        steps.append(arguments)
        if len(steps) == 3:
            raise KeyboardInterrupt
        return derive_batch(*arguments, limit=2)  # type: ignore[arg-type]

    monkeypatch.setattr("deployments.importing.derive_batch", stop_at_third)
    with pytest.raises(KeyboardInterrupt):
        import_git(path)
    assert Deployment.objects.filter(lineage_pending=True).count() == 6
    monkeypatch.undo()
    assert "0 deployments" in import_git(path)
    assert_as_git_says(path)


def test_the_newest_commit_of_the_default_branch_is_known_afterwards(workspace: Workspace, tmp_path: Path) -> None:
    history = History(tmp_path / "repo")
    root = history.commit(at=1)
    history.tag("v1", root, at=2)
    history.commit(root, at=3)
    path = history.write()
    import_git(path)
    repository = Repository.objects.get()
    assert repository.default_branch == "main"
    assert repository.default_branch_sha == git(path, "rev-parse", "main").strip()
    assert Commit.objects.count() == 2
    assert not MissingParent.objects.exists()


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


@pytest.mark.parametrize("wrong", ["../outside", "a//../b"])
def test_a_monorepo_path_that_leaves_the_repository_is_refused(
    workspace: Workspace, tmp_path: Path, wrong: str
) -> None:
    path = random_history(tmp_path / "repo", 1, commits=3, tags=1)
    with pytest.raises(CommandError, match="--monorepo-path"):
        import_git(path, monorepo_path=wrong)
    assert not Deployment.objects.exists()


def test_a_path_that_is_no_directory_is_told_in_a_sentence(workspace: Workspace, tmp_path: Path) -> None:
    for path in (tmp_path / "missing", tmp_path / "file"):
        (tmp_path / "file").touch()
        with pytest.raises(CommandError) as told:
            import_git(path)
        assert "\n" not in str(told.value)


def test_where_there_are_several_workspaces_one_has_to_be_named(workspace: Workspace, tmp_path: Path) -> None:
    other = factories.make_workspace("Other")
    path = random_history(tmp_path / "repo", 1, commits=3, tags=1)
    with pytest.raises(CommandError, match=r"(?i)workspace"):
        import_git(path)
    import_git(path, workspace=other.slug)
    assert Deployment.objects.get().workspace == other
