"""Stories of branches and merges in which somebody else's commits are near: whose is what."""

import pytest

from deployments.models import Deployment, DeploymentTrigger, Environment, PullRequest, Workspace
from tests.factories import make_track
from tests.github.hooks import MONDAY, Github, commit, sha
from tests.github.test_lives import BEFORE, changes, deployed, repo

pytestmark = pytest.mark.django_db
NAMED = "Merge pull request #7 from acme/topic\n\nAdd a cart"


def begun(number: int) -> float:
    """Return how many hours after Monday morning a pull request began."""
    first = PullRequest.objects.get(number=number).first_commit_at
    assert first is not None
    return (first - MONDAY).total_seconds() / 3600


def test_a_branch_that_was_made_from_another_begins_with_its_own_commit(github: Github) -> None:
    github.tell(
        repo.push("develop", "", [commit("d1", 1)], 1.1),
        repo.push("topic", "", [commit("d1", 1, distinct=False), commit("c1", 5)], 5.1),
        repo.pull_request(3, "opened", 6, base="develop", head_sha="c1"),
    )

    assert begun(3) == 5


def test_a_pull_request_that_was_closed_does_not_cut_the_history_of_the_next(github: Github) -> None:
    github.tell(
        repo.push("topic", "", [commit("c1", 1)], 1.1),
        repo.pull_request(7, "opened", 2, head_sha="c1"),
        repo.pull_request(7, "closed", 3, opened=2, head_sha="c1", closed=3),
        repo.push("topic", "c1", [commit("c2", 4)], 4.1),
        repo.pull_request(9, "opened", 5, head_sha="c2", commits=2),
    )

    assert begun(9) == 1


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("title", [NAMED, "Add a cart (#7)", "Ship it"])
def test_a_merge_brings_what_main_had_beside_it_whatever_its_title(github: Github, title: str, order: int) -> None:
    story = [
        BEFORE,
        repo.push("main", "", [commit("base", 0)], 0),
        repo.push("topic", "", [], 0.5, after="base", head_commit=commit("base", 0, distinct=False)),
        repo.push("topic", "base", [commit("c1", 1)], 1.1),
        repo.pull_request(7, "opened", 2, head_sha="c1"),
        repo.push("main", "base", [commit("X", 3, "Mend")], 3),
        repo.push("main", "X", [commit("c1", 1, distinct=False), commit("M", 5, title)], 5),
        repo.pull_request(7, "closed", 5, opened=2, head_sha="c1", merged=5, merge_sha="M"),
        deployed(2, "M", 20),
    ]

    github.tell(*story[::order])

    assert {change["of"] for change in changes()} == {"#7", "Mend"}


def test_a_number_in_another_repositorys_history_is_not_ours(github: Github) -> None:
    github.tell(
        BEFORE,
        repo.push("topic", "", [commit("c1", 1)], 1.1),
        repo.pull_request(7, "opened", 2, head_sha="c1"),
        repo.push("main", "base", [commit("old", -9000, "Thing (#7)"), commit("S", 5, "Add a cart (#7)")], 5),
        repo.pull_request(7, "closed", 5, opened=2, head_sha="c1", merged=5, merge_sha="S"),
        deployed(2, "S", 20),
    )

    assert begun(7) == 1


class TestTriggers:
    @pytest.fixture(autouse=True)
    def _application(self, workspace: Workspace) -> None:
        self.application = make_track(workspace, "api", repository=repo.full_name).application
        self.production = Environment.objects.get(workspace=workspace, name="production")

    def trigger(self, kind: str, pattern: str, environment: Environment | None = None) -> None:
        DeploymentTrigger.objects.create(
            application=self.application, kind=kind, pattern=pattern, environment=environment or self.production
        )

    def test_a_run_of_a_fork_deploys_nothing(self, github: Github) -> None:
        self.trigger("workflow", "Deploy")

        github.tell(repo.workflow_run("evil", 3, head_repository={"id": 99, "full_name": "mallory/shop"}))

        assert not Deployment.objects.exists()

    def test_a_new_branch_may_bring_more_than_it_lists(self, github: Github) -> None:
        self.application.monorepo_path, self.application.monorepo_path_is_pinned = "api", True
        self.application.save()
        self.trigger("push", "release/*")

        github.tell(
            repo.push("main", "", [commit("c1", 1, files=("api/x",))], 1),
            repo.push("main", "c1", [commit("c2", 2, files=("web/x",))], 2),
            repo.push("release/1", "", [], 3, after="c2", head_commit=commit("c2", 2, files=("web/x",))),
        )

        assert Deployment.objects.get().commit_sha == sha("c2")

    def test_triggers_for_two_environments_are_a_deployment_in_each(
        self, github: Github, workspace: Workspace
    ) -> None:
        self.trigger("github_deployment", "prod*")
        self.trigger("github_deployment", "*", make_track(workspace, "api", "eu", repo.full_name).environment)

        github.tell(repo.deployment_status(1, "a", "success", 1))

        assert {row.environment.name for row in Deployment.objects.all()} == {"production", "eu"}
