"""What a ref stands for, from what webhooks and imports told."""

from pathlib import Path
from typing import Any

import pytest

from deployments.models import Deployment, Repository, Workspace
from tests.factories import make_deployment, make_key, make_track
from tests.github.hooks import Github, Repo, at, iso, sha
from tests.github_style.client import GithubClient, assert_error
from tests.lineage.histories import History, git
from tests.lineage.imports import import_git
from tests.machines import Machine

pytestmark = [pytest.mark.django_db, pytest.mark.once]
OTHER = "f" * 40


def commit(name: str, hours: float = 0) -> dict[str, Any]:
    return {"id": sha(name), "message": name, "timestamp": iso(at(hours)), "author": {"name": "Ada"}, "added": ["a"]}


@pytest.fixture
def told(github: Github, repo: Repo) -> None:
    """GitHub told of a branch, a branch with a slash, a tag, a deleted branch, and a branch and a tag of one name."""
    github.tell(
        repo.push("main", "", [commit("one"), commit("two", 1)], 1),
        repo.push("feature/x", "", [commit("x", 2)], 2),
        repo.push("refs/tags/v1.0", "", [], 3, after="one"),
        repo.push("gone", "", [commit("gone", 4)], 4),
        repo.push("gone", "gone", [], 5),
        repo.push("twice", "", [commit("branch", 6)], 6),
        repo.push("refs/tags/twice", "", [], 7, after="tagged"),
    )


@pytest.mark.usefixtures("told")
@pytest.mark.parametrize(
    ("ref", "commit_name"),
    [
        ("main", "two"),
        ("heads/main", "two"),
        ("refs/heads/main", "two"),
        ("HEAD", "two"),
        ("feature/x", "x"),
        ("refs/heads/feature/x", "x"),
        ("v1.0", "one"),
        ("tags/v1.0", "one"),
        ("refs/tags/v1.0", "one"),
        ("twice", "tagged"),
        ("heads/twice", "branch"),
        (sha("two"), "two"),
        (sha("two").upper(), "two"),
        (sha("two")[:7], "two"),
        (sha("x")[:12].upper(), "x"),
        ("gone", "gone"),
    ],
)
def test_a_ref_stands_for_its_commit(api: GithubClient, ref: str, commit_name: str) -> None:
    created = api.create(ref=ref)

    assert created["sha"] == sha(commit_name)
    assert created["ref"] == ref


@pytest.mark.usefixtures("told")
@pytest.mark.parametrize(
    "ref", ["nope", "refs/heads/nope", "refs/tags/main", "refs/heads/v1.0", "", "  ", "000", "main~1"]
)
def test_what_nobody_told_of_is_githubs_422(api: GithubClient, ref: str) -> None:
    body = assert_error(api.try_create(ref=ref), 422, f"No ref found for: {ref}")

    assert "errors" not in body
    assert not Deployment.objects.exists()


@pytest.mark.usefixtures("told")
def test_the_body_may_say_the_commit_of_a_ref_that_is_unknown(api: GithubClient) -> None:
    created = api.create(ref="refs/heads/new", sha=OTHER.upper())

    assert (created["ref"], created["sha"]) == ("refs/heads/new", OTHER)


@pytest.mark.usefixtures("told")
def test_what_is_known_of_a_ref_counts_before_what_the_body_says(api: GithubClient) -> None:
    assert api.create(ref="main", sha=OTHER)["sha"] == sha("two")


@pytest.mark.parametrize("given", ["abc1234", "", None, 5, ["f" * 40], "g" * 40])
def test_only_a_whole_hash_says_the_commit(api: GithubClient, given: object) -> None:
    assert_error(api.try_create(ref="main", sha=given), 422, "No ref found for: main")


def test_a_ref_that_cannot_be_resolved_creates_no_repository(api: GithubClient) -> None:
    api.try_create(ref="main")

    assert not Repository.objects.exists()


def test_a_release_tells_of_its_tag(api: GithubClient, github: Github, repo: Repo) -> None:
    release = {
        "id": 1, "tag_name": "v3", "target_commitish": sha("three"), "draft": False, "prerelease": False,
        "published_at": iso(at(1)), "created_at": iso(at(1)),
    }  # fmt: skip
    github.tell(("release", {"action": "published", "release": release, "repository": repo.json(at(1))}))

    assert api.create(ref="refs/tags/v3")["sha"] == sha("three")


def test_an_import_tells_of_its_tags_and_its_default_branch(workspace: Workspace, tmp_path: Path) -> None:
    history = History(tmp_path / "repo")
    first = history.commit(at=1)
    last = history.commit(first, at=3)
    history.tag("v1.0", first, at=2)
    history.tag("release/2", last, at=4)
    path = history.write()
    import_git(path)
    one, two = (Deployment.objects.get(version=name).commit_sha for name in ("v1.0", "release/2"))
    api = GithubClient(make_key(workspace), "acme/app")

    assert [api.create(ref=ref)["sha"] for ref in ("v1.0", "tags/v1.0", "refs/tags/v1.0")] == [one] * 3
    assert api.create(ref="release/2")["sha"] == two
    assert_error(api.try_create(ref="refs/heads/v1.0"), 422, "No ref found for: refs/heads/v1.0")


def test_an_imported_tag_that_moved_stands_where_the_last_import_found_it(
    workspace: Workspace, tmp_path: Path
) -> None:
    history = History(tmp_path / "repo")
    first = history.commit(at=1)
    history.tag("nightly", first, at=2)
    path = history.write()
    import_git(path)
    git(path, "tag", "-d", "nightly")
    history.tag("nightly", history.commit(first, at=3), at=4)
    import_git(history.write())
    api = GithubClient(make_key(workspace), "acme/app")

    newest = Deployment.objects.in_track_order().last()
    assert newest is not None
    assert api.create(ref="nightly")["sha"] == newest.commit_sha


def test_the_version_of_a_report_is_no_tag(api: GithubClient, ci: Machine) -> None:
    ci.deploy(repositoryFullName="acme/shop", version="v1.0")

    assert_error(api.try_create(ref="v1.0"), 422, "No ref found for: v1.0")


def test_a_pull_request_tells_of_its_branch(api: GithubClient, github: Github, repo: Repo) -> None:
    pull_request = {
        "number": 5, "title": "Add", "user": {"login": "ada"}, "draft": False, "created_at": iso(at(0)),
        "updated_at": iso(at(1)), "merged": False, "merged_at": None, "closed_at": None, "labels": [],
        "head": {"sha": sha("head"), "ref": "topic", "repo": {"id": repo.github_id}},
        "base": {"ref": "main", "repo": {"id": repo.github_id, "full_name": repo.full_name}},
    }  # fmt: skip
    payload = {"action": "opened", "number": 5, "pull_request": pull_request, "repository": repo.json(at(1))}
    github.tell(("pull_request", payload))

    assert api.create(ref="topic")["sha"] == sha("head")
    assert api.create(ref="refs/pull/5/merge")["sha"] == sha("head")


def test_a_shortened_hash_of_several_commits_says_nothing(api: GithubClient, ci: Machine) -> None:
    commits = [{"sha": f"abcd{number}{'0' * 35}"} for number in range(2)]
    ci.deploy(repositoryFullName="acme/shop", commits=commits)

    assert_error(api.try_create(ref="abcd"), 422, "No ref found for: abcd")
    assert api.create(ref="abcd1")["sha"] == commits[1]["sha"]


def test_a_ref_of_another_repository_is_not_known(api: GithubClient, github: Github) -> None:
    github.tell(Repo("acme/other", 99).push("main", "", [commit("one")], 1))
    make_deployment(make_track(github.workspace, repository="acme/shop"))

    assert_error(api.try_create(ref="main"), 422, "No ref found for: main")
