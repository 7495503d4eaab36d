"""A repository stays itself whatever it is called, and in whatever order that is told."""

import itertools
from typing import Any

import pytest
import time_machine

from deployments.models import Application, Change, Deployment, DeploymentTrigger, Repository, Track, Workspace
from tests.factories import make_key, make_track, make_workspace
from tests.github.hooks import Github, Payload, Repo, at, commit, sha, work
from tests.machines import Machine

pytestmark = pytest.mark.django_db
Event = tuple[str, Payload]


def rename(hours: float = 5) -> Event:
    return Repo().renamed_to("acme/store", hours)


def pushed(name: str, before: str, hours: float, full_name: str = "acme/shop", **fields: Any) -> Event:
    event, payload = Repo(full_name).push("main", before, [commit(name, hours)], hours)
    payload["repository"]["updated_at"] = fields.pop("updated_at", payload["repository"]["updated_at"])
    return event, payload


def report(workspace: Workspace, full_name: str, name: str, hours: float, **fields: Any) -> None:
    """Have CI report a deployment under a name of the repository."""
    body = {"repositoryFullName": full_name, "app": "api", "environment": "production", "version": name}
    with time_machine.travel(at(hours), tick=False):
        answer = Machine(make_key(workspace)).report({**body, "commitHash": sha(name), **fields})
    assert answer.status_code == 202, answer.content
    work()


def names(workspace: Workspace) -> list[str]:
    return list(Repository.objects.filter(workspace=workspace).values_list("full_name", flat=True))


def shipped(workspace: Workspace) -> list[tuple[str, str, list[str]]]:
    """Return what each deployment is and shipped, in order."""
    rows = Deployment.objects.filter(workspace=workspace).order_by("deployed_at")
    return [
        (
            row.version,
            row.change_kind,
            sorted(Change.objects.filter(deployment=row).values_list("commit__message", flat=True)),
        )
        for row in rows
    ]


EXPECTED = [
    ("base", "baseline", []),
    ("a", "forward", ["Commit a"]),
    ("b", "forward", ["Commit b"]),
    ("c", "forward", ["Commit c"]),
]


def test_its_history_follows_it_in_any_order(workspace: Workspace) -> None:
    """CI goes on under the old name after the renaming, and begins with the new one before it is told."""
    steps: dict[str, Any] = {
        "old": lambda w: report(w, "acme/shop", "base", 0.5),
        "before": lambda w: Github(w).tell(pushed("a", "base", 1), pushed("b", "a", 2)),
        "still old": lambda w: report(w, "acme/shop", "a", 2.5),
        "renamed": lambda w: Github(w).tell(rename(3), rename(3)),
        "new": lambda w: report(w, "acme/store", "b", 4),
        "after": lambda w: Github(w).tell(
            pushed("c", "b", 5, "acme/store", updated_at=at(3).strftime("%Y-%m-%dT%H:%M:%SZ"))
        ),
        "old again": lambda w: report(w, "acme/shop", "c", 6),
    }
    orders = [
        list(steps),
        list(steps)[::-1],
        ["new", "old", "still old", "old again", "renamed", "before", "after"],
        ["old", "new", "before", "still old", "after", "old again", "renamed"],
        ["renamed", "new", "after", "before", "old again", "still old", "old"],
    ]
    for order in orders:
        one = make_workspace()
        for step in order:
            steps[step](one)
        assert names(one) == ["acme/store"], order
        assert shipped(one) == EXPECTED, order
        assert Application.objects.filter(workspace=one).count() == 1


def test_it_may_be_transferred(github: Github) -> None:
    github.tell(pushed("a", "base", 1))
    repo = Repo("other/shop")
    github.tell(
        repo.repository("transferred", 3, changes={"owner": {"from": {"organization": {"login": "acme", "id": 7}}}})
    )
    report(github.workspace, "acme/shop", "a", 4)

    assert names(github.workspace) == ["other/shop"]
    assert Deployment.objects.get().application.repository.full_name == "other/shop"


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_it_may_be_called_as_before_once_more(github: Github, order: tuple[int, ...]) -> None:
    repo = Repo()
    events = [pushed("a", "base", 1), repo.renamed_to("acme/store", 3), repo.renamed_to("acme/shop", 4)]
    github.tell(*[events[number] for number in order])
    report(github.workspace, "acme/store", "a", 5)

    assert names(github.workspace) == ["acme/shop"]


def test_an_older_event_does_not_rename_it_back(github: Github) -> None:
    github.tell(pushed("a", "base", 1), rename(3), pushed("b", "a", 2), rename(3))

    assert names(github.workspace) == ["acme/store"]


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_a_new_one_under_the_old_name_stays_apart(order: tuple[int, ...]) -> None:
    workspace = make_workspace()
    new = Repo("acme/shop", 9999)
    events = [
        pushed("a", "base", 1),
        rename(3),
        new.repository("created", 4),
        (
            "push",
            {
                **new.push("main", "", [commit("n", 5)], 5)[1],
                "repository": new.json(at(5), updated_at=at(4).strftime("%Y-%m-%dT%H:%M:%SZ")),
            },
        ),
    ]
    Github(workspace).tell(*[events[number] for number in order])
    report(workspace, "acme/shop", "n", 6)

    found = {row.github_id: row.full_name for row in Repository.objects.filter(workspace=workspace)}
    assert found == {4711: "acme/store", 9999: "acme/shop"}
    assert Deployment.objects.get(workspace=workspace).application.repository.github_id == 9999


@pytest.mark.parametrize("order", [1, -1])
def test_an_archived_one_is_known_as_such(github: Github, order: int) -> None:
    github.tell(*[pushed("a", "base", 1), Repo().repository("archived", 3, archived=True)][::order])

    assert Repository.objects.get().is_archived


@pytest.mark.parametrize("order", [1, -1])
def test_it_may_be_taken_out_of_the_archive(github: Github, order: int) -> None:
    events = [Repo().repository("archived", 3, archived=True), Repo().repository("unarchived", 4)]
    github.tell(*events[::order])

    assert not Repository.objects.get().is_archived


class TestMerging:
    """CI reported under the new name before the renaming was told: both names had records of their own."""

    def test_the_same_application_in_both(self, workspace: Workspace) -> None:
        report(workspace, "acme/shop", "base", 0.5)
        Github(workspace).tell(pushed("a", "base", 1), pushed("b", "a", 2), pushed("c", "b", 2.2))
        report(workspace, "acme/shop", "a", 2.5)
        report(workspace, "acme/store", "b", 4)
        report(workspace, "acme/store", "c", 5)
        assert Application.objects.count() == 2

        Github(workspace).tell(rename())

        assert shipped(workspace) == EXPECTED
        assert Application.objects.count() == Track.objects.count() == 1

    def test_one_deployment_reported_under_both_names_is_one(self, workspace: Workspace) -> None:
        stated = {"deployedAt": at(4).isoformat()}
        Github(workspace).tell(pushed("a", "base", 1))
        report(workspace, "acme/shop", "base", 0.5)
        report(workspace, "acme/shop", "a", 4.1, **stated)
        report(workspace, "acme/store", "a", 4.2, **stated)

        Github(workspace).tell(rename())

        assert shipped(workspace) == EXPECTED[:2]

    def test_one_that_ci_and_github_told_under_different_names_is_one(self, workspace: Workspace) -> None:
        Github(workspace).tell(
            Repo().deployment_status(1, "base", "success", 0.5, payload={"app": "api"}),
            pushed("a", "base", 1),
            Repo().deployment_status(2, "a", "success", 4, payload={"app": "api"}),
        )
        report(workspace, "acme/store", "a", 4.1)

        Github(workspace).tell(rename())

        rows = Deployment.objects.order_by("deployed_at")
        assert [(row.version, row.deployed_at) for row in rows] == [(sha("base")[:12], at(0.5)), ("a", at(4))]
        assert [row.changes_count for row in rows] == [0, 1]

    def test_what_people_had_set_up_is_kept(self, workspace: Workspace) -> None:
        Github(workspace).tell(pushed("a", "base", 1))
        make_track(workspace, "api", repository="acme/shop")
        track = make_track(workspace, "api", repository="acme/store")
        application = track.application
        application.monorepo_path, application.monorepo_path_is_pinned = "services/api", True
        application.save()
        DeploymentTrigger.objects.create(
            application=application, kind="push", pattern="main", environment=track.environment
        )
        workspace.default_application = application
        workspace.save()

        Github(workspace).tell(rename())

        kept = Application.objects.get()
        workspace.refresh_from_db()
        assert (kept.monorepo_path, kept.monorepo_path_is_pinned) == ("services/api", True)
        assert kept.triggers.get().pattern == "main"
        assert workspace.default_application == kept

    def test_what_was_told_of_the_joined_ones_goes_along(self, workspace: Workspace) -> None:
        """Origins of a deployment in a repository without an id: CI and a clone both told of it."""
        Github(workspace).tell(pushed("a", "base", 1))
        make_track(workspace, "api", repository="acme/shop")
        report(workspace, "acme/store", "a", 4)
        deployment = Deployment.objects.get()
        deployment.origins.create(
            application=deployment.application, source="git", external_id="x", version="a", reached_at=at(4)
        )

        Github(workspace).tell(rename())

        assert Deployment.objects.get().origins.get().application == Application.objects.get()
