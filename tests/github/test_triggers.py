"""What counts as a deployment because a trigger says so; and that one told in several ways is one deployment."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import time_machine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deployments.models import Change, Deployment, DeploymentTrigger, Environment, Workspace
from tests.factories import make_key, make_track, make_workspace
from tests.github.hooks import Github, Payload, Repo, at, commit, github_afresh, orders, sha, work
from tests.machines import Machine

pytestmark = pytest.mark.django_db
Event = tuple[str, Payload]
Told = list[tuple[str, str, str, Any]]
repo = Repo()


def trigger(
    workspace: Workspace, kind: str, pattern: str, app: str = "shop", environment: str = "production", **fields: Any
) -> DeploymentTrigger:
    track = make_track(workspace, app, environment, repo.full_name)
    return DeploymentTrigger.objects.create(
        application=track.application, kind=kind, pattern=pattern, environment=track.environment, **fields
    )


def deployed() -> Told:
    """Return the application, environment, version and moment of all that reached its environment, in order."""
    rows = Deployment.objects.reached().order_by("deployed_at", "application__name", "environment__name")
    return [(row.application.name, row.environment.name, row.version, row.deployed_at) for row in rows]


class TestReleases:
    @pytest.fixture(autouse=True)
    def _trigger(self, workspace: Workspace) -> None:
        trigger(workspace, "release", "v*")

    events = (
        repo.tag("v1.0", "a", 0.9),
        repo.release("created", "v1.0", 1),
        repo.release("published", "v1.0", 1),
        repo.release("released", "v1.0", 1),
    )

    def test_one_release_is_one_deployment_in_any_order(self, github: Github) -> None:
        for order in orders(self.events):
            one = github_afresh()
            trigger(one.workspace, "release", "v*")
            one.tell(*order)
            rows = Deployment.objects.filter(workspace=one.workspace)
            assert [(row.version, row.commit_sha, row.deployed_at, row.source) for row in rows] == [
                ("v1.0", sha("a"), at(1), "release")
            ]

    def test_a_tag_that_is_moved_afterwards_changes_nothing(self) -> None:
        moved = repo.tag("v1.0", "b", 3, before="a")
        for order in orders([self.events[0], self.events[2], moved]):
            one = github_afresh()
            trigger(one.workspace, "release", "v*")
            one.tell(*order)
            rows = Deployment.objects.filter(workspace=one.workspace)
            assert [(row.commit_sha, row.deployed_at) for row in rows] == [(sha("a"), at(1))]

    def test_a_draft_is_none(self, github: Github) -> None:
        github.tell(self.events[0], repo.release("created", "v1.0", 1, draft=True, published=None))

        assert deployed() == []

    def test_a_draft_that_is_published_is_one(self, github: Github) -> None:
        github.tell(
            repo.release("created", "v1.0", 1, draft=True, published=None),
            repo.tag("v1.0", "a", 4),
            repo.release("published", "v1.0", 4),
        )

        assert deployed() == [("shop", "production", "v1.0", at(4))]

    @pytest.mark.parametrize("included", [True, False])
    def test_pre_releases_count_where_the_trigger_says_so(self, github: Github, included: bool) -> None:
        DeploymentTrigger.objects.update(includes_prereleases=included)
        github.tell(
            repo.tag("v1.0-rc1", "a", 1),
            repo.release("published", "v1.0-rc1", 1, prerelease=True),
            repo.release("prereleased", "v1.0-rc1", 1, prerelease=True),
        )

        assert len(deployed()) == included

    @pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
    def test_a_pre_release_that_became_a_release_is_one(self, github: Github, order: tuple[int, ...]) -> None:
        events = [
            repo.tag("v1.0", "a", 1),
            repo.release("published", "v1.0", 1, prerelease=True),
            repo.release("released", "v1.0", 3, published=1),
        ]
        github.tell(*[events[number] for number in order])

        assert deployed() == [("shop", "production", "v1.0", at(1))]

    def test_the_commit_it_was_made_from_will_do(self, github: Github) -> None:
        github.tell(repo.release("published", "v1.0", 1, target_commitish=sha("a")))

        assert Deployment.objects.get().commit_sha == sha("a")

    def test_a_branch_it_was_made_from_does_not(self, github: Github) -> None:
        github.tell(repo.release("published", "v1.0", 1))

        assert deployed() == []

    def test_only_those_of_its_pattern(self, github: Github) -> None:
        github.tell(repo.tag("docs-1", "a", 1), repo.release("published", "docs-1", 1))

        assert deployed() == []

    @pytest.mark.parametrize("action", ["deleted", "unpublished"])
    def test_what_is_taken_back_was_deployed_all_the_same(self, github: Github, action: str) -> None:
        github.tell(*self.events, repo.release(action, "v1.0", 5, published=1))

        assert len(deployed()) == 1


class TestTags:
    def test_those_of_the_pattern_are_deployments(self, github: Github) -> None:
        trigger(github.workspace, "tag", "shop-v?.*")
        github.tell(repo.tag("shop-v1.2", "a", 1), repo.tag("shop-v10.2", "b", 2), repo.tag("SHOP-v1.3", "c", 3))

        assert deployed() == [("shop", "production", "shop-v1.2", at(1))]

    def test_a_deleted_one_is_none_and_a_moved_one_another(self, github: Github) -> None:
        trigger(github.workspace, "tag", "live")
        first, second = repo.tag("live", "a", 1), repo.tag("live", "b", 3, before="tag object live", forced=True)
        github.tell(first, second, repo.push("refs/tags/live", "tag object live", [], 4), first)

        assert [moment for *_, moment in deployed()] == [at(1), at(3)]

    def test_one_moved_back_is_another_deployment(self, github: Github) -> None:
        trigger(github.workspace, "tag", "live")
        events = [repo.tag("live", name, hours, forced=True) for hours, name in [(1, "a"), (3, "b"), (5, "a")]]
        github.tell(*events, *events)

        assert [moment for *_, moment in deployed()] == [at(1), at(3), at(5)]


class TestWorkflows:
    @pytest.mark.parametrize(
        "pattern", ["Deploy", "Dep*", "deploy.yml", ".github/workflows/deploy.yml", "*/deploy.y*ml"]
    )
    def test_by_name_or_file(self, github: Github, pattern: str) -> None:
        trigger(github.workspace, "workflow", pattern)
        github.tell(repo.workflow_run("a", 2))

        assert deployed() == [("shop", "production", sha("a")[:12], at(2))]

    @pytest.mark.parametrize(
        "fields",
        [
            {"conclusion": "failure"},
            {"conclusion": "cancelled"},
            {"conclusion": None, "status": "in_progress", "action": "in_progress"},
            {"action": "requested", "conclusion": "success"},
            {"head_branch": "topic"},
            {"head_branch": None},
            {"name": "Test", "path": ".github/workflows/test.yml"},
        ],
    )
    def test_any_other_run_is_none(self, github: Github, fields: dict[str, Any]) -> None:
        trigger(github.workspace, "workflow", "Deploy", branch="main")
        github.tell(repo.workflow_run("a", 2, **fields))

        assert deployed() == []

    def test_one_without_a_name_has_that_of_its_workflow(self, github: Github) -> None:
        trigger(github.workspace, "workflow", "Deploy")
        github.tell(repo.workflow_run("a", 2, name="", path=""))

        assert len(deployed()) == 1

    def test_a_run_that_is_repeated_deploys_once_more(self, github: Github) -> None:
        trigger(github.workspace, "workflow", "Deploy")
        first, again = repo.workflow_run("a", 2), repo.workflow_run("a", 2.5, run_attempt=2)
        github.tell(first, again, first, again)

        assert [moment for *_, moment in deployed()] == [at(2), at(2.5)]


class TestPushesAndMerges:
    def test_a_push_to_the_branch_is_a_deployment(self, github: Github) -> None:
        trigger(github.workspace, "push", "release/*")
        github.tell(
            repo.push("release/1", "x", [commit("a", 1)], 1),
            repo.push("main", "x", [commit("b", 2)], 2),
            repo.push("release/1", "a", [], 3),
        )

        assert deployed() == [("shop", "production", sha("a")[:12], at(1))]

    def test_a_branch_that_is_moved_back_and_forward_deploys_each_time(self, github: Github) -> None:
        trigger(github.workspace, "push", "live")
        events = [
            repo.push("live", "", [commit("a", 0.5)], 0.6),
            repo.push("live", "a", [commit("b", 1)], 1),
            repo.push("live", "b", [], 2, after="a", forced=True, head_commit=commit("a", 0.5)),
            repo.push("live", "a", [commit("b", 1, distinct=False)], 3),
        ]
        github.tell(*events, *events)

        rows = Deployment.objects.order_by("deployed_at")
        assert [(row.version, row.change_kind) for row in rows] == [
            (sha("a")[:12], "baseline"),
            (sha("b")[:12], "forward"),
            (sha("a")[:12], "rollback"),
            (sha("b")[:12], "forward"),
        ]

    def test_branches_of_long_names_are_told_apart(self, github: Github) -> None:
        trigger(github.workspace, "push", "release/*")
        trigger(github.workspace, "push", "release/*", environment="staging")
        name = "release/" + 240 * "x"
        github.tell(
            repo.push(f"{name}1", "x", [commit("a", 1)], 1),
            repo.push(f"{name}1", "a", [commit("b", 2)], 2),
            repo.push(f"{name}2", "x", [commit("c", 3)], 3),
        )

        assert [(environment, moment) for _, environment, _, moment in deployed()] == [
            (environment, at(hours)) for hours in (1, 2, 3) for environment in ("production", "staging")
        ]

    def test_a_merge_into_the_branch_is_a_deployment(self, github: Github) -> None:
        trigger(github.workspace, "merge", "main")
        events = [
            repo.pull_request(7, "opened", 1, head_sha="a"),
            repo.push("main", "x", [commit("S", 3, "Add it (#7)")], 3),
            repo.pull_request(7, "closed", 3, opened=1, head_sha="a", merged=3, merge_sha="S"),
            repo.pull_request(8, "closed", 4, opened=1, head_sha="b", closed=4),
            repo.pull_request(9, "closed", 5, opened=1, base="develop", head_sha="c", merged=5, merge_sha="D"),
        ]
        github.tell(*events, *events[::-1])

        assert deployed() == [("shop", "production", sha("S")[:12], at(3))]

    @pytest.mark.parametrize("kind", ["push", "merge"])
    @pytest.mark.parametrize("order", [1, -1])
    def test_a_path_decides(self, github: Github, kind: str, order: int) -> None:
        for app in ("api", "web"):
            application = trigger(github.workspace, kind, "main", app).application
            application.monorepo_path = f"services/{app}"
            application.save()
        story = [
            repo.push("topic", "", [commit("a", 1, files=("services/web/x.js", "services/api-v2/x.py"))], 1),
            repo.pull_request(7, "opened", 2, head_sha="a"),
            repo.push("main", "x", [commit("S", 3, "Add it (#7)", ("services/web/x.js", "services/api-v2/x.py"))], 3),
            repo.pull_request(7, "closed", 3, opened=2, head_sha="a", merged=3, merge_sha="S"),
        ]
        github.tell(*story[::order])

        assert deployed() == [("web", "production", sha("S")[:12], at(3))]


class TestGithubDeployments:
    def test_a_trigger_says_of_which_application_and_environment(self, github: Github) -> None:
        trigger(github.workspace, "github_deployment", "web-*", "web", "production")
        trigger(github.workspace, "github_deployment", "API-live", "api", "production")
        github.tell(
            repo.deployment_status(1, "a", "success", 1, environment="web-eu"),
            repo.deployment_status(2, "b", "success", 2, environment="api-live"),
            repo.deployment_status(3, "c", "success", 3, environment="docs"),
        )

        assert deployed() == [
            ("web", "production", sha("a")[:12], at(1)),
            ("api", "production", sha("b")[:12], at(2)),
        ]

    def test_and_its_word_counts_more_than_the_flag_of_the_deployment(self, github: Github) -> None:
        trigger(github.workspace, "github_deployment", "live", "shop", "staging")
        github.tell(repo.deployment_status(1, "a", "success", 1, environment="live", production_environment=True))

        assert not Environment.objects.get(name="staging").is_production

    def test_an_application_that_the_deployment_names_comes_first(self, github: Github) -> None:
        trigger(github.workspace, "github_deployment", "*", "web")
        github.tell(repo.deployment_status(1, "a", "success", 1, payload={"app": "cart"}))

        assert [app for app, *_ in deployed()] == ["cart"]


Way = Callable[["Story"], None]


class Story:
    """One deployment, told in several ways: to CI it is v7, and nobody else knows a version."""

    def __init__(self) -> None:
        self.workspace = make_workspace()
        self.github = Github(self.workspace)
        self.ci = Machine(make_key(self.workspace))
        trigger(self.workspace, "push", "main")
        trigger(self.workspace, "workflow", "Deploy")
        self.github.tell(
            repo.push("main", "", [commit("base", 0)], 0), repo.push("other", "base", [commit("a", 1)], 1)
        )

    def report(self, hours: float, **fields: Any) -> None:
        with time_machine.travel(at(hours), tick=False):
            body = {"repositoryFullName": repo.full_name, "app": "shop", "commitHash": sha("a"), "version": "v7"}
            answer = self.ci.report({"environment": "production", **body, **fields})
        assert answer.status_code == 202, answer.content
        work()

    def rows(self) -> list[Deployment]:
        return list(Deployment.objects.filter(workspace=self.workspace, commit_sha=sha("a")).order_by("deployed_at"))

    def end(self) -> list[tuple[Any, ...]]:
        return [
            (row.version, row.state, row.deployed_at, sorted(row.sources), self.changes(row)) for row in self.rows()
        ]

    def changes(self, row: Deployment) -> list[str]:
        return sorted(Change.objects.filter(deployment=row).values_list("commit__sha", flat=True))


PUSHED = repo.push("main", "base", [commit("a", 1, distinct=False)], 2)
RUN = repo.workflow_run("a", 2.2)
CREATED = repo.deployment(5, "a", 2.05)
STARTED = repo.deployment_status(5, "a", "in_progress", 2.06, created=2.05)
SUCCEEDED = repo.deployment_status(5, "a", "success", 2.1, created=2.05)
WAYS: dict[str, Way] = {
    "push": lambda told: told.github.tell(PUSHED),
    "run": lambda told: told.github.tell(RUN),
    "created": lambda told: told.github.tell(CREATED),
    "started": lambda told: told.github.tell(STARTED),
    "succeeded": lambda told: told.github.tell(SUCCEEDED),
    "ci": lambda told: told.report(2.15),
    "ci stated": lambda told: told.report(2.3, deployedAt=at(2.12).isoformat()),
    "failed": lambda told: told.github.tell(repo.deployment_status(5, "a", "failure", 2.08, created=2.05)),
}
SEVERAL = [
    (["ci", "created", "started", "succeeded"], at(2.1)),
    (["ci stated", "started", "succeeded"], at(2.12)),
    (["ci", "push", "succeeded"], at(2)),
    (["ci stated", "push", "run"], at(2.12)),
    (["run", "push", "started"], at(2)),
    (["push", "failed", "run"], at(2)),
    (["ci", "run", "started", "failed"], at(2.15)),
]


@pytest.mark.parametrize(
    ("ways", "moment"), SEVERAL, ids=lambda value: "+".join(value) if isinstance(value, list) else ""
)
def test_one_told_in_several_ways_is_one(ways: list[str], moment: Any) -> None:
    version = "v7" if "ci" in " ".join(ways) else sha("a")[:12]
    source = {"push": "push", "run": "workflow", "ci": "api", "ci stated": "api"}
    sources = sorted({source.get(way, "github") for way in ways})
    for order in orders(ways):
        told = Story()
        told.github.tell(repo.deployment_status(4, "base", "success", 0.5))
        for way in order:
            WAYS[way](told)
        assert told.end() == [(version, "success", moment, sources, [sha("a")])], order


@pytest.mark.parametrize("stated", [True, False])
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_ci_that_tells_the_beginning_and_the_end(django_db_blocker: Any, stated: bool, data: st.DataObject) -> None:
    """CI's own two reports in their order, with GitHub's events of the same deployment anywhere between."""
    told = Story()
    told.github.tell(repo.deployment_status(4, "base", "success", 0.5))
    fields = {"deployedAt": at(2.14).isoformat()} if stated else {}
    own: list[Way] = [
        lambda told: told.report(2.05, state="in_progress"),
        lambda told: told.report(2.15, state="success", **fields),
    ]
    order = data.draw(st.permutations([0, 0, *["started", "succeeded", "push"]]))
    for way in order:
        (own.pop(0) if way == 0 else WAYS[str(way)])(told)

    expected = at(2.14) if stated else at(2)
    assert told.end() == [("v7", "success", expected, ["api", "github", "push"], [sha("a")])]
    told.workspace.delete()


@pytest.mark.parametrize("order", list(itertools.permutations(["ci", "created", "moved"])))
def test_one_that_moved_to_where_ci_reported_it(order: tuple[str, ...]) -> None:
    """GitHub created it in one environment, its status names another, and CI knows only that one."""
    told = Story()
    told.github.tell(repo.deployment_status(4, "base", "success", 0.5))
    ways = {
        "ci": lambda: told.report(2.15),
        "created": lambda: told.github.tell(repo.deployment(5, "a", 2.05, environment="canary")),
        "moved": lambda: told.github.tell(
            repo.deployment_status(
                5, "a", "success", 2.1, created=2.05, environment="canary", status={"environment": "production"}
            )
        ),
    }
    for way in order:
        ways[way]()

    assert told.end() == [("v7", "success", at(2.1), ["api", "github"], [sha("a")])]
    assert [row.environment.name for row in told.rows()] == ["production"]


@pytest.mark.parametrize("order", [1, -1])
def test_a_deployment_that_takes_long_is_still_one(order: int) -> None:
    told = Story()
    events = [
        lambda: told.github.tell(repo.deployment_status(5, "a", "success", 5, created=2)),
        lambda: told.report(5.01),
    ]
    for event in events[::order]:
        event()

    assert len(told.end()) == 1


def test_a_redeploy_is_a_second_one() -> None:
    told = Story()
    again = repo.deployment_status(6, "a", "success", 2.5, created=2.45)
    for order in orders([SUCCEEDED, again]):
        told = Story()
        told.github.tell(*order)
        told.report(2.15)
        told.report(2.55)
        assert [(row.version, row.deployed_at, sorted(row.sources)) for row in told.rows()] == [
            ("v7", at(2.1), ["api", "github"]),
            ("v7", at(2.5), ["api", "github"]),
        ]


@pytest.mark.parametrize("order", [1, -1])
def test_a_path_that_only_one_source_tells_counts(order: int) -> None:
    told = Story()
    told.github.tell(repo.deployment_status(4, "base", "success", 0.5))
    ways = [
        lambda: told.report(2.15),
        lambda: told.github.tell(
            repo.deployment_status(5, "a", "success", 2.1, payload={"app": "shop", "monorepoPath": "elsewhere"})
        ),
    ]
    for way in ways[::order]:
        way()

    assert [(row.monorepo_path, told.changes(row)) for row in told.rows()] == [("elsewhere", [])]


def test_others_at_the_same_time_are_others() -> None:
    """Another commit, another environment, another application, or long after."""
    told = Story()
    told.github.tell(SUCCEEDED)
    told.report(2.15, commitHash=sha("b"))
    told.report(2.15, environment="staging")
    told.report(2.15, app="web")
    told.report(9)

    assert Deployment.objects.filter(workspace=told.workspace, source="api").count() == 4
