"""Changes of an application that is built from one directory of its repository."""

import datetime as dt
from pathlib import Path

import pytest

from deployments.catalog import Catalog, set_monorepo_path
from deployments.changes import derive_changes, request_rebuild, tracks_with_pending_work
from deployments.commits import CommitReport, record_commits
from deployments.models import Application, Change, Commit, Deployment, Track, Workspace
from deployments.recording import DeploymentReport, record_deployment
from tests.lineage.histories import History, random_history
from tests.lineage.imports import assert_as_git_says, import_git
from tests.lineage.oracle import START, deployed_at, sha

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("given", ["api", "./api/", "/api"])
def test_what_touched_the_path_counts_and_nothing_beside_it(workspace: Workspace, tmp_path: Path, given: str) -> None:
    path = random_history(tmp_path / "repo", 99)
    import_git(path, monorepo_path=given)
    assert_as_git_says(path, under="api")


def test_names_with_odd_characters_and_files_that_leave_the_path(workspace: Workspace, tmp_path: Path) -> None:
    history = History(tmp_path / "repo")
    tip = history.commit(at=1)
    history.tag("v0", tip, at=1)
    touched = ["api/x", "apis/x", "web/api/x", "api-v2/x", "api/n\u00e4me with space", "other/n\u00e4me"]
    for day, file in enumerate(touched, start=2):
        tip = history.commit(tip, at=day, file=f'"{file}"')
    tip = history.commit(tip, at=20, file="docs/x", removes="api/x")
    tip = history.commit(tip, at=21, file="api", removes="api")  # a file where the directory was
    tip = history.commit(tip, at=22, file="")
    history.tag("v1", tip, at=30)
    path = history.write()
    import_git(path, monorepo_path="api")
    assert assert_as_git_says(path, under="api")[1].changes_count == 4


def test_a_path_that_is_given_later_reads_the_files_of_known_commits(workspace: Workspace, tmp_path: Path) -> None:
    path = random_history(tmp_path / "repo", 5, commits=40, tags=8)
    import_git(path)
    import_git(path, monorepo_path="api")
    assert not Commit.objects.filter(files=None).exclude(parents__contains=" ").exists()
    assert_as_git_says(path)  # those imported before are of the whole repository
    set_monorepo_path(Application.objects.get(), "api", pinned=True)
    work_out()
    assert_as_git_says(path, under="api")


def work_out() -> None:
    for track_id in tracks_with_pending_work():
        derive_changes(track_id)


class Shop:
    """A repository with two directories; the commits of a line touch one after the other, from commit 1 on."""

    def __init__(self, workspace: Workspace) -> None:
        self.catalog = Catalog(workspace)
        self.repository = self.catalog.repository("acme/shop")

    def tell(self, number: int, files: tuple[str, ...] | None, *parents: int) -> None:
        moment = START + dt.timedelta(days=number)
        report = CommitReport(sha(number), tuple(map(sha, parents)), moment, moment, files=files)
        record_commits(self.repository, [report])
        work_out()

    def deploy(self, number: int, commit: int, path: str | None) -> Deployment:
        report = DeploymentReport(
            "acme/shop", "shop", "production", f"v{number}", sha(commit), deployed_at=deployed_at(number),
            monorepo_path=path,
        )  # fmt: skip
        deployment = record_deployment(self.catalog, report, reported_at=START).deployment
        work_out()
        return deployment

    def changes(self, version: str) -> set[int]:
        rows = Change.objects.filter(deployment__version=version).values_list("commit__sha", flat=True)
        return {int(row, 16) for row in rows}


@pytest.fixture
def shop(workspace: Workspace) -> Shop:
    shop = Shop(workspace)
    shop.tell(0, ())
    for number, files in enumerate([("api/a",), ("web/b",), ("api/c", "web/c")], start=1):
        shop.tell(number, files, number - 1)
    shop.deploy(0, 0, None)
    return shop


def test_each_deployment_goes_by_the_path_that_it_reported(shop: Shop) -> None:
    shop.deploy(1, 1, "api")
    shop.deploy(2, 3, "web")
    assert (shop.changes("v1"), shop.changes("v2")) == ({1}, {2, 3})
    assert Application.objects.get().monorepo_path == "web"


def test_a_deployment_that_reports_no_path_goes_by_its_application(shop: Shop) -> None:
    shop.deploy(1, 3, None)
    assert shop.changes("v1") == {1, 2, 3}
    shop.deploy(2, 3, "web")
    assert shop.changes("v1") == {2, 3}
    shop.deploy(3, 3, "")
    assert shop.changes("v1") == {1, 2, 3}


def test_a_path_that_a_person_chose_goes_before_what_is_reported(shop: Shop) -> None:
    shop.deploy(1, 3, "web")
    set_monorepo_path(Application.objects.get(), "api", pinned=True)
    work_out()
    assert shop.changes("v1") == {1, 3}
    shop.deploy(2, 3, "web")
    assert Application.objects.get().monorepo_path == "api"
    set_monorepo_path(Application.objects.get(), "api", pinned=False)
    work_out()
    assert shop.changes("v1") == {2, 3}


def test_the_same_deployment_reported_with_another_path_is_worked_out_again(shop: Shop) -> None:
    shop.deploy(1, 3, "web")
    shop.deploy(1, 3, "api")
    assert Deployment.objects.filter(version="v1").count() == 1
    assert shop.changes("v1") == {1, 3}


def test_a_commit_with_unknown_files_counts_and_is_marked_until_they_are_told(shop: Shop) -> None:
    shop.tell(4, None, 3)
    shop.deploy(1, 3, "web")
    shop.deploy(2, 4, "web")
    assert Change.objects.get(deployment__version="v2").files_are_unknown
    assert not Change.objects.filter(deployment__version="v1", files_are_unknown=True).exists()
    shop.tell(4, ("api/x",), 3)
    assert shop.changes("v2") == set()
    assert Deployment.objects.get(version="v2").changes_count == 0


def test_merge_commits_are_changes_only_where_the_setting_says_so(shop: Shop) -> None:
    shop.tell(4, (), 1)
    shop.tell(5, (), 3, 4)
    shop.deploy(1, 5, None)
    assert shop.changes("v1") == {1, 2, 3, 4}
    workspace = shop.catalog.workspace
    workspace.include_merge_commits = True
    workspace.save()
    request_rebuild(Track.objects.all())
    work_out()
    assert shop.changes("v1") == {1, 2, 3, 4, 5}
