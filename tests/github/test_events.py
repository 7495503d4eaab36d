"""What each of GitHub's events leads to, in whatever order, how often and how damaged it is delivered."""

import copy
import itertools
import random
from collections.abc import Iterable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deployments.models import (
    Change,
    Commit,
    Deployment,
    Environment,
    GitRef,
    Incident,
    Job,
    PullRequest,
    Push,
    Repository,
    Workspace,
)
from tests.factories import make_track
from tests.github.hooks import (
    SOME_EXAMPLES,
    Github,
    Payload,
    Repo,
    at,
    commit,
    examples,
    github_afresh,
    iso,
    orders,
    sha,
    work,
)

pytestmark = pytest.mark.django_db
Event = tuple[str, Payload]
ANY_ORDER = settings(
    max_examples=SOME_EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def parents_of(name: str) -> list[str] | None:
    parents = Commit.objects.get(sha=sha(name)).parents
    return None if parents is None else parents.split()


def changes_of(name: str) -> set[str]:
    """Return the changes that the deployment of a commit shipped: numbers of pull requests, subjects of commits."""
    rows = Change.objects.filter(deployment__commit_sha=sha(name)).select_related("pull_request", "commit")
    return {f"#{row.pull_request.number}" if row.pull_request else row.commit.subject for row in rows}


def states(**fields: Any) -> list[tuple[str, bool]]:
    rows = Deployment.objects.filter(**fields).order_by("deployed_at", "pk")
    return [(row.state, row.reached_environment) for row in rows]


def ended(github: Github, event: str, payload: Payload) -> Job:
    """Deliver an event, process it, and return its job."""
    job = github.deliver(event, payload)
    work()
    job.refresh_from_db()
    return job


class TestPushes:
    def test_commits_are_recorded_each_on_the_one_before(self, github: Github, repo: Repo) -> None:
        github.tell(repo.push("main", "base", [commit("a", 1, "One\n\nmore"), commit("b", 2)], 2))

        one = Commit.objects.get(sha=sha("a"))
        assert (one.subject, one.author, one.committed_at, one.files) == ("One", "Ada", at(1), "app.py")
        assert (parents_of("a"), parents_of("b")) == ([sha("base")], [sha("a")])

    def test_a_new_branch_tells_not_what_its_first_commit_stands_on(self, github: Github, repo: Repo) -> None:
        github.tell(repo.push("topic", "", [commit("a", 1), commit("b", 2)], 2))

        assert (parents_of("a"), parents_of("b")) == (None, [sha("a")])

    def test_a_deleted_branch_stays_known_as_such(self, github: Github, repo: Repo) -> None:
        github.tell(repo.push("topic", "", [commit("a", 1)], 1), repo.push("topic", "a", [], 2))

        ref = GitRef.objects.get()
        assert (ref.name, ref.sha, ref.is_deleted, ref.moved_at) == ("refs/heads/topic", sha("a"), True, at(2))

    def test_a_forced_push_moves_the_branch_and_invents_no_parents(self, github: Github, repo: Repo) -> None:
        github.tell(
            repo.push("main", "base", [commit("a", 1)], 1), repo.push("main", "a", [commit("b", 2)], 2, forced=True)
        )

        assert GitRef.objects.get().sha == sha("b")
        assert parents_of("b") is None

    def test_an_annotated_tag_stands_at_its_commit(self, github: Github, repo: Repo) -> None:
        github.tell(repo.tag("v1", "a", 3))

        ref = GitRef.objects.get()
        assert (ref.name, ref.sha) == ("refs/tags/v1", sha("a"))
        assert Commit.objects.get().sha == sha("a")

    def test_a_deleted_annotated_tag_still_names_its_commit(self, github: Github, repo: Repo) -> None:
        github.tell(repo.tag("v1", "a", 3), repo.push("refs/tags/v1", "tag object v1", [], 4))

        ref = GitRef.objects.get()
        assert (ref.sha, ref.is_deleted) == (sha("a"), True)

    def test_a_branch_moved_there_and_back_and_there_again(self, github: Github, repo: Repo) -> None:
        """Rolled back and forward again: the third push has the commits of the first one and is another."""
        there, back = [commit("b", 1, distinct=False)], commit("a", 0, distinct=False)
        events = [
            repo.push("main", "a", there, 1),
            repo.push("main", "b", [], 2, after="a", forced=True, head_commit=back),
            repo.push("main", "a", there, 3),
        ]
        github.tell(*events, *events)

        assert GitRef.objects.get().sha == sha("b")
        assert Repository.objects.get().default_branch_sha == sha("b")
        assert Push.objects.count() == 3

    def test_two_pushes_of_one_second(self, github: Github, repo: Repo) -> None:
        events = [repo.push("main", "base", [commit("a", 1)], 2), repo.push("main", "a", [commit("b", 1)], 2)]
        for order in orders(events):
            one = github_afresh()
            one.tell(*order)
            assert GitRef.objects.get(repository__workspace=one.workspace).sha == sha("b")

    @pytest.mark.parametrize(
        ("moves", "end"),
        [
            (["", "a"], "a"),
            (["a", "", "b"], "b"),
            (["a", "", "a"], "a"),
            (["", "a", ""], ""),
            (["", "a", "", "b"], "b"),
            (["a", "b", "a"], "a"),
        ],
    )
    def test_moves_of_one_second_in_any_order(self, repo: Repo, moves: list[str], end: str) -> None:
        before = repo.push("topic", "", [commit(moves[0], 1)], 1)
        events = [
            repo.push(
                "topic", start, [], 2, after=stop, forced=bool(start and stop), head_commit=stop and commit(stop, 1)
            )
            for start, stop in itertools.pairwise(moves)
        ]
        for order in orders(events):
            one = github_afresh()
            one.tell(*([before] if moves[0] else []), *order)
            ref = GitRef.objects.get(repository__workspace=one.workspace)
            assert ref.is_deleted == (not end)
            assert not end or ref.sha == sha(end)

    def test_the_default_branch_is_followed(self, github: Github, repo: Repo) -> None:
        first, second = repo.push("main", "base", [commit("a", 1)], 1), repo.push("main", "a", [commit("b", 2)], 2)
        github.tell(second, repo.push("topic", "a", [commit("t", 3)], 3), first)

        assert Repository.objects.get().default_branch_sha == sha("b")

    def test_another_default_branch_is_followed_from_where_it_stands(self, github: Github, repo: Repo) -> None:
        github.tell(
            repo.push("main", "base", [commit("a", 1)], 1),
            repo.push("trunk", "base", [commit("t", 2)], 2),
            repo.repository("edited", 3, default_branch="trunk", changes={"default_branch": {"from": "main"}}),
            repo.push("main", "a", [commit("b", 2.5)], 2.5),
        )

        found = Repository.objects.get()
        assert (found.default_branch, found.default_branch_sha) == ("trunk", sha("t"))

    def test_a_list_that_was_cut_is_said_to_be(self, github: Github, repo: Repo) -> None:
        event = repo.push("main", "base", [commit(f"c{n}", n / 3600) for n in range(2048)], 1)
        job = ended(github, *event)

        assert "some may be missing" in job.log
        assert Push.objects.get().is_truncated
        assert parents_of("c0") is None

    def test_a_long_push_takes_few_queries(self, github: Github, repo: Repo) -> None:
        def queries(name: str, number: int) -> int:
            github.deliver(*repo.push(name, "base", [commit(f"{name}{n}", n / 3600) for n in range(number)], 1))
            with CaptureQueriesContext(
                connection,
            ) as captured:
                work()
            return len(captured)

        queries("first", 10)
        short, long = queries("short", 200), queries("long", 2040)

        assert long <= short + 12
        assert Commit.objects.count() == 2250

    def test_the_files_of_a_commit_with_too_many_are_not_known(self, github: Github, repo: Repo) -> None:
        many = tuple(f"f{n}" for n in range(3000))
        github.tell(repo.push("main", "base", [commit("a", 1, files=many)], 1))

        assert Commit.objects.get().files is None

    @pytest.mark.parametrize("order", [1, -1])
    def test_a_deployment_has_its_commits_whether_told_before_or_after(
        self, github: Github, repo: Repo, order: int
    ) -> None:
        github.tell(
            repo.deployment_status(1, "base", "success", 0),
            *[
                repo.push("main", "base", [commit("a", 1), commit("b", 2)], 2),
                repo.deployment_status(2, "b", "success", 3),
            ][::order],
        )

        assert changes_of("b") == {"Commit a", "Commit b"}

    def test_a_new_branch_at_an_old_commit_has_none_of_its_own(self, github: Github, repo: Repo) -> None:
        """Pushed before anything was done on it: the commit that it stands on is no part of its pull request."""
        old = commit("x", 1, distinct=True)
        events = [
            repo.deployment_status(1, "base", "success", 0),
            repo.push("main", "base", [old], 1),
            repo.push("topic", "", [], 2, after="x", head_commit=old),
            repo.push("topic", "x", [commit("a", 3)], 3),
            repo.pull_request(7, "opened", 4, head_sha="a"),
            repo.push("main", "x", [commit("S", 5, "Add it (#7)")], 5),
            repo.pull_request(7, "closed", 5, opened=4, head_sha="a", merged=5, merge_sha="S"),
            repo.deployment_status(2, "S", "success", 6),
        ]
        for order in (events, events[::-1]):
            one = github_afresh()
            one.tell(*order)
            own = PullRequest.objects.get(repository__workspace=one.workspace).commits.values_list("sha", flat=True)
            assert set(own) == {sha("a"), sha("S")}
            assert changes_of("S") == {"Commit x", "#7"}

    def story_of_a_branch_that_takes_main_in(self, repo: Repo) -> list[Event]:
        return [
            repo.deployment_status(1, "base", "success", 0),
            repo.push("topic", "", [commit("a", 1)], 1),
            repo.push("main", "base", [commit("m1", 2), commit("m2", 2.5)], 3),
            repo.push(
                "topic",
                "a",
                [
                    commit("m1", 2, distinct=False),
                    commit("m2", 2.5, distinct=False),
                    commit("in", 4, "Merge branch 'main' into topic", ()),
                ],
                4,
            ),
            repo.push("topic", "in", [commit("b", 5)], 5),
            repo.pull_request(7, "opened", 6, head_sha="b", commits=3),
            repo.deployment_status(2, "m2", "success", 7),
            repo.push("main", "m2", [commit("S", 8, "Add it (#7)")], 8),
            repo.pull_request(7, "closed", 8, opened=6, head_sha="b", merged=8, merge_sha="S", commits=3),
            repo.deployment_status(3, "S", "success", 9),
        ]

    def test_a_merge_of_main_into_a_branch(self, github: Github, repo: Repo) -> None:
        github.tell(*self.story_of_a_branch_that_takes_main_in(repo))

        own = set(PullRequest.objects.get().commits.values_list("sha", flat=True))
        assert own == {sha(name) for name in ("a", "in", "b", "S")}
        assert changes_of("m2") == {"Commit m1", "Commit m2"}
        assert changes_of("S") == {"#7"}

    @ANY_ORDER
    @given(data=st.data())
    def test_a_merge_of_main_into_a_branch_in_any_order(self, django_db_blocker: Any, data: st.DataObject) -> None:
        github = github_afresh()
        for event in data.draw(st.permutations(self.story_of_a_branch_that_takes_main_in(Repo()))):
            github.deliver(*event)
        work()

        own = set(PullRequest.objects.get().commits.values_list("sha", flat=True))
        assert own == {sha(name) for name in ("a", "in", "b", "S")}
        assert changes_of("m2") == {"Commit m1", "Commit m2"}
        assert changes_of("S") == {"#7"}
        github.workspace.delete()


class TestDeployments:
    @pytest.mark.parametrize(
        ("told", "state", "reached"),
        [
            ([], "pending", False),
            (["pending"], "pending", False),
            (["queued", "in_progress"], "in_progress", False),
            (["waiting"], "waiting", False),
            (["in_progress", "success"], "success", True),
            (["in_progress", "failure"], "failure", False),
            (["error"], "error", False),
            (["in_progress", "inactive", "success"], "success", True),
            (["success", "inactive"], "inactive", True),
            (["failure", "success"], "success", True),
            (["success", "failure"], "failure", False),
            (["failure", "inactive"], "inactive", False),
        ],
    )
    def test_its_statuses_in_any_order(self, repo: Repo, told: list[str], state: str, reached: bool) -> None:
        events = [repo.deployment(1, "a", 0)] + [
            repo.deployment_status(1, "a", name, hours, created=0) for hours, name in enumerate(told, 1)
        ]
        for order in (events, events[::-1], events[1:] + events[:1]):
            github = github_afresh()
            github.tell(*order, *order)
            row = Deployment.objects.get(workspace=github.workspace)
            assert (row.state, row.reached_environment) == (state, reached)
            assert row.deployed_at == at(told.index("success") + 1 if "success" in told else len(told))
            assert row.statuses.count() == len(told)

    def test_one_that_failed_shipped_nothing(self, github: Github, repo: Repo) -> None:
        github.tell(
            repo.deployment_status(1, "base", "success", 0),
            repo.push("main", "base", [commit("a", 1)], 1),
            repo.deployment_status(2, "a", "success", 2, created=2),
            repo.deployment_status(2, "a", "failure", 3, created=2),
        )

        assert changes_of("a") == set()

    def test_the_environment_of_the_status_counts(self, github: Github, repo: Repo) -> None:
        github.tell(
            repo.deployment_status(1, "base", "success", 0, environment="live"),
            repo.push("main", "base", [commit("a", 1)], 1),
            repo.deployment(2, "a", 2, environment="staging"),
            repo.deployment_status(
                2, "a", "success", 3, environment="staging", created=2, status={"environment": "live"}
            ),
        )

        rows = Deployment.objects.order_by("deployed_at")
        assert [(row.environment.name, row.track.environment.name) for row in rows] == [("live", "live")] * 2
        assert changes_of("a") == {"Commit a"}

    def test_one_that_has_moved_leaves_nothing_behind(self, github: Github, repo: Repo) -> None:
        github.tell(
            repo.deployment_status(1, "base", "success", 0, environment="staging"),
            repo.deployment_status(2, "base", "success", 0, environment="live"),
            repo.push("main", "base", [commit("a", 1)], 1),
            repo.deployment_status(3, "a", "success", 2, environment="staging"),
            repo.deployment_status(
                3, "a", "success", 3, environment="staging", created=1.75, status={"environment": "live"}
            ),
            repo.deployment_status(4, "a", "success", 4, environment="staging"),
        )

        where = {
            (change.deployment.environment.name, change.deployment.deployed_at) for change in Change.objects.all()
        }
        assert where == {("live", at(2)), ("staging", at(4))}

    @ANY_ORDER
    @given(data=st.data())
    def test_all_of_it_in_any_order(self, django_db_blocker: Any, data: st.DataObject) -> None:
        repo = Repo()
        staged = {"environment": "staging", "production_environment": True}
        events = [
            repo.push("main", "", [commit("base", 0)], 0),
            repo.deployment_status(1, "base", "success", 0.5),
            repo.push("main", "base", [commit("a", 1), commit("b", 1)], 1),
            repo.deployment(2, "a", 2, **staged),
            repo.deployment_status(2, "a", "in_progress", 2.1, created=2, **staged),
            repo.deployment_status(2, "a", "success", 2.2, created=2, **staged, status={"environment": "production"}),
            repo.deployment_status(2, "a", "inactive", 2.3, created=2, **staged),
            repo.deployment_status(3, "b", "failure", 3, created=2.9),
            repo.deployment_status(3, "b", "success", 3.1, created=2.9),
        ]
        github = github_afresh()
        order = data.draw(st.permutations(events))
        for event in [*order, *data.draw(st.lists(st.sampled_from(events), max_size=3))]:
            github.deliver(*event)
            if data.draw(st.booleans()):
                work()
        work()

        rows = Deployment.objects.order_by("deployed_at")
        assert [
            (row.commit_sha, row.environment.name, row.state, row.deployed_at, row.change_kind) for row in rows
        ] == [
            (sha("base"), "production", "success", at(0.5), "baseline"),
            (sha("a"), "staging", "inactive", at(2.2), "baseline"),
            (sha("b"), "production", "success", at(3.1), "forward"),
        ]
        assert changes_of("b") == {"Commit a", "Commit b"}
        assert set(Environment.objects.values_list("name", "is_production")) == {
            ("production", True),
            ("staging", True),
        }
        github.workspace.delete()

    def test_github_may_call_any_environment_production(self, github: Github, repo: Repo) -> None:
        github.tell(repo.deployment(1, "a", 1, environment="blue", production_environment=True))

        assert Environment.objects.get().is_production

    def test_but_not_against_a_person(self, github: Github, repo: Repo) -> None:
        Environment.objects.create(
            workspace=github.workspace, name="blue", is_production=False, is_production_is_pinned=True
        )
        github.tell(repo.deployment(1, "a", 1, environment="Blue", production_environment=True))

        assert not Environment.objects.get().is_production

    @pytest.mark.parametrize("as_text", [True, False])
    def test_its_payload_names_application_version_and_path(self, github: Github, repo: Repo, as_text: bool) -> None:
        said = {"app": "cart", "version": "v7", "monorepoPath": "./services/cart/"}
        payload: Any = '{"app": "cart", "version": "v7", "monorepoPath": "./services/cart/"}' if as_text else said
        github.tell(repo.deployment_status(1, "a", "success", 1, payload=payload))

        row = Deployment.objects.get()
        assert (row.application.name, row.version, row.monorepo_path) == ("cart", "v7", "services/cart")

    @pytest.mark.parametrize("payload", ["", "deploy please", "[1]", [], None, 7, {"app": 7, "monorepoPath": "../x"}])
    def test_any_other_payload_says_nothing(self, github: Github, repo: Repo, payload: Any) -> None:
        github.tell(repo.deployment_status(1, "a", "success", 1, payload=payload))

        row = Deployment.objects.get()
        assert (row.application.name, row.version, row.monorepo_path) == ("shop", sha("a")[:12], None)

    @pytest.mark.parametrize(
        ("ref", "version"),
        [("v1.4.2", "v1.4.2"), ("refs/tags/release-7", "release-7"), ("main", None), ("refs/heads/v1", None)],
    )
    def test_its_version(self, github: Github, repo: Repo, ref: str, version: str | None) -> None:
        github.tell(repo.deployment(1, "a", 1, ref=ref))

        assert Deployment.objects.get().version == (version or sha("a")[:12])

    def test_the_payload_of_an_old_enterprise_server(self, github: Github, repo: Repo) -> None:
        event, payload = repo.deployment_status(1, "a", "success", 1)
        del payload["action"]
        for name in ("production_environment", "transient_environment", "original_environment"):
            del payload["deployment"][name]
        github.tell((event, payload))

        assert states() == [("success", True)]


class TestPullRequests:
    def story(self, repo: Repo, **fields: Any) -> list[Event]:
        return [
            repo.deployment_status(1, "base", "success", 0),
            repo.push("topic", "", [commit("a", 1)], 1),
            repo.pull_request(7, "opened", 2, head_sha="a", **fields),
            repo.push("main", "base", [commit("S", 8, "Add it (#7)")], 8),
            repo.pull_request(7, "closed", 8, opened=2, head_sha="a", merged=8, merge_sha="S", **fields),
            repo.deployment_status(2, "S", "success", 9),
        ]

    def test_those_of_bots_are_left_out_where_the_workspace_says_so(self, github: Github, repo: Repo) -> None:
        github.workspace.leave_out_bots = True
        github.workspace.save()
        github.tell(*self.story(repo, login="renovate[bot]"))

        assert changes_of("S") == set()

    def test_and_counted_elsewhere(self, github: Github, repo: Repo) -> None:
        github.tell(*self.story(repo, login="renovate[bot]"))

        assert changes_of("S") == {"#7"}

    def test_only_reviews_by_other_people_count(self, github: Github, repo: Repo) -> None:
        facts = {"opened": 2, "head_sha": "a"}
        github.tell(
            *[
                *self.story(repo),
                repo.review(7, 3, "commented", "ada", **facts),
                repo.review(7, 4, "approved", "linter[bot]", **facts),
                repo.review(7, 5, "approved", "grace", **facts),
                repo.review(7, 6, "approved", "linus", **facts),
            ][::-1]
        )

        row = PullRequest.objects.get()
        assert (row.first_review_at, row.approved_at) == (at(5), at(5))

    @pytest.mark.parametrize("order", [1, -1])
    def test_an_approval_that_was_dismissed_is_none(self, github: Github, repo: Repo, order: int) -> None:
        facts = {"opened": 2, "head_sha": "a"}
        github.tell(
            *[
                repo.review(7, 3, "approved", **facts),
                repo.review(7, 4, "dismissed", action="dismissed", submitted=3, **facts),
                repo.review(7, 5, "approved", "linus", **facts),
            ][::order]
        )

        row = PullRequest.objects.get()
        assert (row.first_review_at, row.approved_at) == (at(3), at(5))

    @pytest.mark.parametrize("order", [1, -1])
    def test_one_from_a_fork(self, github: Github, repo: Repo, order: int) -> None:
        """Its branch is pushed elsewhere; a branch of the same name here is another one."""
        facts = {"head": "main", "head_sha": "f2", "fork": 999, "commits": 2}
        github.tell(
            *[
                repo.deployment_status(1, "base", "success", 0),
                repo.push("main", "base", [commit("a", 1)], 1),
                repo.pull_request(7, "opened", 2, **facts),
                repo.push(
                    "main",
                    "a",
                    [
                        commit("f1", 1.5),
                        commit("f2", 1.7),
                        commit("M", 8, "Merge pull request #7 from grace/main\n\nAdd it", ()),
                    ],
                    8,
                ),
                repo.pull_request(7, "closed", 8, opened=2, merged=8, merge_sha="M", **facts),
                repo.deployment_status(2, "M", "success", 9),
            ][::order]
        )

        assert changes_of("M") == {"Commit a", "#7"}
        assert PullRequest.objects.get().first_commit_at == at(1.5)

    @pytest.mark.parametrize("order", [1, -1])
    def test_a_commit_of_two_counts_for_the_one_merged_first(self, github: Github, repo: Repo, order: int) -> None:
        """A feature goes into develop, and develop with it into main."""
        feature = {"opened": 2, "head_sha": "a", "base": "develop"}
        train = {"opened": 5, "head": "develop", "head_sha": "D", "commits": 3}
        github.tell(
            *[
                repo.deployment_status(1, "base", "success", 0),
                repo.push("develop", "base", [commit("d", 0.5)], 0.5),
                repo.push("topic", "", [commit("a", 1)], 1),
                repo.pull_request(7, "opened", 2, **feature),
                repo.push(
                    "develop",
                    "d",
                    [
                        commit("a", 1, distinct=False),
                        commit("D", 4, "Merge pull request #7 from acme/topic\n\nAdd it", ()),
                    ],
                    4,
                ),
                repo.pull_request(7, "closed", 4, merged=4, merge_sha="D", **feature),
                repo.pull_request(8, "opened", 5, **train),
                repo.push(
                    "main",
                    "base",
                    [
                        commit("d", 0.5, distinct=False),
                        commit("a", 1, distinct=False),
                        commit("D", 4, "Merge pull request #7 from acme/topic\n\nAdd it", (), distinct=False),
                        commit("M", 6, "Merge pull request #8 from acme/develop\n\nRelease", ()),
                    ],
                    6,
                ),
                repo.pull_request(8, "closed", 6, merged=6, merge_sha="M", **train),
                repo.deployment_status(2, "M", "success", 7),
            ][::order]
        )

        assert changes_of("M") == {"#7", "#8"}
        change = Change.objects.get(pull_request__number=7)
        assert (change.lead_time_seconds, change.coding_seconds) == (6 * 3600, 3600)
        assert Change.objects.get(pull_request__number=8).lead_time_seconds == 6.5 * 3600

    @pytest.mark.parametrize("order", [1, -1])
    def test_a_merge_of_nothing_but_other_pull_requests_is_none_itself(
        self, github: Github, repo: Repo, order: int
    ) -> None:
        feature = {"opened": 2, "head_sha": "a", "base": "develop"}
        train = {"opened": 5, "head": "develop", "head_sha": "D", "commits": 2}
        merge = commit("D", 4, "Merge pull request #7 from acme/topic\n\nAdd it", ())
        release = commit("M", 6, "Merge pull request #8 from acme/develop\n\nRelease", ())
        again = [commit("a", 1, distinct=False), {**merge, "distinct": False}]
        github.tell(
            *[
                repo.deployment_status(1, "base", "success", 0),
                repo.push("topic", "", [commit("a", 1)], 1),
                repo.pull_request(7, "opened", 2, **feature),
                repo.push("develop", "base", [commit("a", 1, distinct=False), merge], 4),
                repo.pull_request(7, "closed", 4, merged=4, merge_sha="D", **feature),
                repo.pull_request(8, "opened", 5, **train),
                repo.push("main", "base", [*again, release], 6),
                repo.pull_request(8, "closed", 6, merged=6, merge_sha="M", **train),
                repo.deployment_status(2, "M", "success", 7),
            ][::order]
        )

        assert changes_of("M") == {"#7"}
        assert Change.objects.get().lead_time_seconds == 6 * 3600

    @pytest.mark.parametrize("path", ["services/web", ""])
    def test_a_later_pull_request_that_shares_a_commit_changes_nothing_of_the_first(
        self, github: Github, repo: Repo, workspace: Workspace, path: str
    ) -> None:
        """Of an application that is built from a directory, which the first pull request does not touch."""
        application = make_track(workspace, "shop", repository=repo.full_name).application
        application.monorepo_path, application.monorepo_path_is_pinned = path, True
        application.save()
        feature = {"opened": 2, "head_sha": "a", "base": "develop"}
        train = {"opened": 5, "head": "develop", "head_sha": "D", "commits": 2}
        merge = commit("D", 4, "Merge pull request #7 from acme/topic\n\nAdd it", ())
        github.tell(
            repo.deployment_status(1, "base", "success", 0),
            repo.push("topic", "", [commit("a", 1, files=("services/api/x.py",))], 1),
            repo.pull_request(7, "opened", 2, **feature),
            repo.push("develop", "base", [commit("a", 1, distinct=False), merge], 4),
            repo.pull_request(7, "closed", 4, merged=4, merge_sha="D", **feature),
            repo.deployment_status(2, "D", "success", 4.5),
            repo.pull_request(8, "opened", 5, **train),
            repo.pull_request(8, "edited", 5.5, **train),
        )

        assert changes_of("D") == (set() if path else {"#7"})


class TestIssues:
    def incidents(self, workspace: Workspace) -> list[tuple[str, Any, Any]]:
        rows = Incident.objects.filter(workspace=workspace, is_withdrawn=False)
        return [(row.title, row.started_at, row.resolved_at) for row in rows]

    def in_any_order(self, *events: Event) -> list[tuple[str, Any, Any]]:
        """Return the incidents after events, which are the same in whatever order these are told."""
        ends = []
        for order in orders(events):
            github = github_afresh()
            for event in order:
                github.deliver(*event)
            work()
            ends.append(self.incidents(github.workspace))
        assert all(end == ends[0] for end in ends)
        return ends[0]

    def test_the_label_makes_an_incident_of_one(self, repo: Repo) -> None:
        events = repo.issue("opened", 1), repo.issue("labeled", 2, "bug", "Incident", label="Incident")

        assert self.in_any_order(*events) == [("The shop is down", at(1), None)]

    def test_its_closing_is_the_end(self, repo: Repo) -> None:
        opened, closed = repo.issue("opened", 1, "incident"), repo.issue("closed", 4, "incident", closed=4)

        assert self.in_any_order(opened, closed) == [("The shop is down", at(1), at(4))]

    def test_unless_it_was_reopened(self, repo: Repo) -> None:
        closed = repo.issue("closed", 4, "incident", closed=4)
        reopened = repo.issue("reopened", 5, "incident")
        reopened[1]["issue"]["closed_at"] = iso(at(4))

        assert self.in_any_order(repo.issue("opened", 1, "incident"), closed, reopened) == [
            ("The shop is down", at(1), None)
        ]

    def test_one_without_the_label_is_none(self, repo: Repo) -> None:
        assert self.in_any_order(repo.issue("opened", 1, "bug"), repo.issue("closed", 2, "bug", closed=2)) == []

    def test_one_that_loses_the_label_is_none_any_more(self, repo: Repo) -> None:
        events = (
            repo.issue("labeled", 2, "incident", label="incident"),
            repo.issue("unlabeled", 3, label="incident"),
            repo.issue("closed", 4, closed=4),
        )

        assert self.in_any_order(*events) == []

    @pytest.mark.parametrize("action", ["deleted", "transferred"])
    def test_one_that_is_gone_is_none_any_more(self, repo: Repo, action: str) -> None:
        events = repo.issue("labeled", 2, "incident", label="incident"), repo.issue(action, 3, "incident")

        assert self.in_any_order(*events) == []

    def test_the_label_may_be_another(self, github: Github, repo: Repo) -> None:
        github.workspace.incident_labels = ["sev1", "SEV2"]
        github.workspace.save()
        github.tell(repo.issue("opened", 1, "incident"), repo.issue("opened", 1, "sev2", issue_id=2))

        assert len(self.incidents(github.workspace)) == 1


FIELDS = {"environment": "production", "app": "api", "version": "v1", "commitHash": sha("a")}


class TestDispatches:
    def test_one_with_the_fields_of_a_deployment_is_one(self, github: Github, repo: Repo) -> None:
        github.tell(repo.dispatch(1, **FIELDS, deployedAt=at(0.5).isoformat(), author="ada", monorepoPath="x/"))

        row = Deployment.objects.get()
        assert (row.application.name, row.application.repository.full_name) == ("api", "acme/shop")
        assert (row.version, row.commit_sha, row.deployed_at) == ("v1", sha("a"), at(0.5))
        assert (row.author, row.monorepo_path) == ("ada", "x")

    def test_any_other_is_none(self, github: Github, repo: Repo) -> None:
        github.tell(repo.dispatch(1), repo.dispatch(2, environment="production", run=7))
        event, payload = repo.dispatch(3)
        for nothing in (None, [], "text", 7):
            github.tell((event, {**payload, "client_payload": nothing}))

        assert not Deployment.objects.exists()

    @pytest.mark.parametrize(
        ("wrong", "field"),
        [
            ({"version": 7}, "version"),
            ({"version": None}, "version"),
            ({"commitHash": ""}, "commitHash"),
            ({"deployedAt": "yesterday"}, "deployedAt"),
            ({"state": "finished"}, "state"),
            ({"commits": [{"sha": 1}]}, "commits"),
            ({"monorepoPath": "../x"}, "monorepoPath"),
            ({"repositoryFullName": ""}, "repositoryFullName"),
        ],
    )
    def test_a_wrong_one_ends_with_the_name_of_the_field(
        self, github: Github, repo: Repo, wrong: Payload, field: str
    ) -> None:
        before = Repository.objects.count()
        job = ended(github, *repo.dispatch(1, **{**FIELDS, **wrong}))

        assert (job.status, job.attempt) == ("ERROR", 1)
        assert field in job.error
        assert not Deployment.objects.exists()
        assert Repository.objects.count() == before

    @pytest.mark.parametrize("field", FIELDS)
    def test_one_that_lacks_a_field_is_said_to(self, github: Github, repo: Repo, field: str) -> None:
        job = ended(github, *repo.dispatch(1, **{name: FIELDS[name] for name in FIELDS if name != field}))

        assert job.status == "ERROR"
        assert f"{field}: This field is required" in job.error

    def test_a_worker_that_dies_over_it_leaves_one_deployment(self, github: Github, repo: Repo) -> None:
        """Recorded, and then processed once more, as what a worker had claimed that died is."""
        job = github.deliver(*repo.dispatch(1, **FIELDS))
        work()
        Job.objects.filter(pk=job.pk).update(status="QUEUED")
        work()

        assert Deployment.objects.count() == 1
        job.refresh_from_db()
        assert job.status == "COMPLETE"


NONSENSE: list[Any] = [
    None, True, -1, 0, 7, 2**31, 2**63, 10**30, 1.5, "", "text", "2026-03-02T09:00:00Z", "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59Z", "2026-02-30T00:00:00Z", "0" * 40, "a" * 40, "x" * 5000, [], [[]], [None], [7], ["text"],
    [{}], {}, {"id": "text"}, {"id": 10**30}, {"login": 7}, {"from": []}, {"name": {"from": 7}},
]  # fmt: skip
EVENTS = [
    "push", "create", "delete", "deployment", "deployment_status", "pull_request", "pull_request_review", "release",
    "workflow_run", "repository", "repository_dispatch", "issues",
]  # fmt: skip


def paths_of(value: Any, path: tuple[Any, ...] = ()) -> Iterable[tuple[Any, ...]]:
    """Return where something stands in a payload, at any depth."""
    inner: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    for name, found in inner:
        yield (*path, name)
        yield from paths_of(found, (*path, name))


def damaged(payload: Payload, path: tuple[Any, ...], value: Any) -> Payload:
    """Return a payload with another value somewhere, or without what stood there."""
    found = copy.deepcopy(payload)
    where: Any = found
    for name in path[:-1]:
        where = where[name]
    if value == "gone":
        del where[path[-1]]
    else:
        where[path[-1]] = value
    return found


def what_we_read(event: str) -> Payload:
    """Return a payload of our own of an event: full of what is read from it, and of little else."""
    repo = Repo()
    return {
        "push": lambda: repo.push("main", "base", [commit("a", 1), commit("b", 2)], 2),
        "deployment": lambda: repo.deployment(1, "a", 1),
        "deployment_status": lambda: repo.deployment_status(1, "a", "success", 1),
        "pull_request": lambda: repo.pull_request(7, "closed", 2, merged=2, head_sha="a", labels=["x"]),
        "pull_request_review": lambda: repo.review(7, 2, head_sha="a"),
        "release": lambda: repo.release("published", "v1", 1),
        "workflow_run": lambda: repo.workflow_run("a", 1),
        "repository": lambda: Repo().renamed_to("acme/store", 1),
        "repository_dispatch": lambda: repo.dispatch(1, **FIELDS),
        "issues": lambda: repo.issue("unlabeled", 1, "incident", label="x"),
    }.get(event, lambda: ("", examples(event)[0]))()[1]


def assert_said_clearly(jobs: Iterable[Job]) -> None:
    for job in jobs:
        job.refresh_from_db()
        assert job.status == "COMPLETE" or (job.status == "ERROR" and "Unexpected" not in job.error), job.log
        assert "Unexpected" not in job.log


@pytest.mark.once
@pytest.mark.parametrize("event", EVENTS)
def test_any_field_may_be_missing_or_wrong(github: Github, event: str) -> None:
    """Each field of a payload in turn is left out, and replaced by something else."""
    payload = what_we_read(event)
    values = itertools.cycle(NONSENSE)
    jobs = [
        github.deliver(event, damaged(payload, path, value))
        for path in paths_of(payload)
        for value in ("gone", next(values), next(values))
    ]
    work()

    assert_said_clearly(jobs)


@pytest.mark.once
@pytest.mark.parametrize("event", EVENTS)
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_githubs_examples_may_be_damaged_anyhow(django_db_blocker: Any, event: str, seed: int) -> None:
    """A dozen payloads, each with up to three fields left out or replaced. Drawn apart: they are large to shrink."""
    draw = random.Random(seed)
    github = github_afresh()
    jobs = []
    for payload in draw.choices([what_we_read(event), *examples(event)], k=12):
        broken = payload
        for _ in range(draw.randint(1, 3)):
            path = draw.choice([path for path in paths_of(broken) if len(path) < 4])
            broken = damaged(broken, path, draw.choice(["gone", *NONSENSE]))
        jobs.append(github.deliver(event, broken))
    work()

    assert_said_clearly(jobs)
    github.workspace.delete()
