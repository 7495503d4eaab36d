"""With a token, GitHub is asked for what its events left out. The server is a real one, on this machine."""

import datetime as dt
import time
from collections.abc import Iterator
from typing import Any

import pytest

from deployments.asking import ask_github
from deployments.models import Change, Commit, Deployment, GithubConnection, Job, PullRequest, Workspace
from tests.factories import make_track
from tests.github.fake_github import TOKEN, FakeGithub, FakeRepository, make_commit
from tests.github.hooks import Github, Repo, at, commit, iso, sha, work

pytestmark = pytest.mark.django_db
NAME = "acme/shop"


@pytest.fixture(autouse=True)
def _cache(settings: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.DATA_DIR = tmp_path
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def api() -> Iterator[FakeGithub]:
    with FakeGithub() as fake:
        fake.repositories[NAME] = FakeRepository(id=4711)
        yield fake


@pytest.fixture
def connection(workspace: Workspace, api: FakeGithub) -> GithubConnection:
    return GithubConnection.objects.create(
        workspace=workspace, base_url=api.base_url, token=TOKEN, repositories="acme/*"
    )


def rest(
    name: str, hours: float, parents: tuple[str, ...] = (), files: tuple[str, ...] = ("a.py",), **fields: Any
) -> Any:
    message = fields.pop("message", f"Commit {name}")
    return make_commit(sha(name), [sha(parent) for parent in parents], iso(at(hours)), message, files, **fields)


def deploy(github: Github, repo: Repo, *names: str) -> list[Deployment]:
    """Have GitHub tell of deployments alone, a day apart, process them and what they lead to asking for."""
    for number, name in enumerate(names, 1):
        github.deliver(*repo.deployment_status(number, name, "success", 24 * number))
    work()
    ask_github()
    return list(Deployment.objects.order_by("deployed_at"))


def history_job() -> Job:
    return Job.objects.get(type="GITHUB_HISTORY")


LINE = [rest("a", 0), rest("b", 1, ("a",)), rest("c", 2, ("b",)), rest("d", 3, ("c",))]


def test_commits_that_no_push_told_are_asked_for(
    github: Github, repo: Repo, api: FakeGithub, connection: GithubConnection
) -> None:
    api.repositories[NAME].commits = LINE

    _, second = deploy(github, repo, "a", "d")

    assert second.change_kind == "forward"
    assert second.history_is_complete
    leads = {row.commit.subject: row.lead_time_seconds for row in second.changes.select_related("commit")}
    assert leads == {f"Commit {name}": (48 - hours) * 3600 for name, hours in [("b", 1), ("c", 2), ("d", 3)]}
    assert history_job().status == "COMPLETE"
    assert "3 commits" in history_job().log


def test_without_a_token_everything_else_works_and_the_deployment_says_what_is_missing(
    github: Github, repo: Repo, api: FakeGithub
) -> None:
    _, second = deploy(github, repo, "a", "d")

    assert not second.history_is_complete
    assert second.history_gaps.filter(sha=sha("d")).exists()
    assert not Job.objects.filter(type="GITHUB_HISTORY").exists()
    assert api.requests == []


def test_a_connection_for_other_repositories_is_not_used(
    github: Github, repo: Repo, api: FakeGithub, connection: GithubConnection
) -> None:
    GithubConnection.objects.update(repositories="globex/*\nacme/other")

    deploy(github, repo, "a", "d")

    assert api.requests == []


def test_a_rollback_is_told_from_what_leads_the_other_way(
    github: Github, repo: Repo, api: FakeGithub, connection: GithubConnection
) -> None:
    api.repositories[NAME].commits = LINE

    kinds = [row.change_kind for row in deploy(github, repo, "a", "d", "c")]

    assert kinds == ["baseline", "forward", "rollback"]


def test_exact_parents_replace_those_that_a_push_let_infer(
    github: Github, repo: Repo, api: FakeGithub, connection: GithubConnection
) -> None:
    """Two branches in one push look like one line. What was deployed of one of them did not bring the other."""
    api.repositories[NAME].commits = [
        rest("a", 0), rest("left", 1, ("a",)), rest("right", 2, ("a",)), rest("m", 3, ("left", "right")),
    ]  # fmt: skip
    github.deliver(*repo.push("main", "a", [commit("left", 1), commit("right", 2), commit("m", 3)], 4))

    _, second = deploy(github, repo, "a", "right")

    assert [row.commit.sha for row in second.changes.select_related("commit")] == [sha("right")]
    assert not Commit.objects.get(sha=sha("right")).parents_are_inferred


def test_what_github_does_not_know_either_stays_unknown_and_is_asked_once(
    github: Github, repo: Repo, api: FakeGithub, connection: GithubConnection
) -> None:
    api.repositories[NAME].commits = LINE[:1]

    _, second = deploy(github, repo, "a", "vanished")
    asked = len(api.requests)
    github.deliver(*repo.push("other", "", [commit("z", 60)], 61))
    work()
    ask_github()

    assert not second.history_is_complete
    assert "does not know" in history_job().log
    assert len(api.requests) == asked


class TestPullRequests:
    def merged(self, github: Github, repo: Repo, **fields: Any) -> Change:
        """A pull request from a fork, of whose branch no push is told, squashed and deployed."""
        merge = repo.push("main", "a", [commit("S", 12, "Add a cart (#7)")], 12)
        closed = repo.pull_request(
            7, "closed", 12, opened=4, head_sha="f2", merged=12, merge_sha="S", commits=2, fork=99, **fields
        )
        for event in (repo.deployment_status(1, "a", "success", 0.5), merge, closed):
            github.deliver(*event)
        github.deliver(*repo.deployment_status(2, "S", "success", 20))
        work()
        ask_github()
        return Change.objects.get()

    def pull(self, repo: Repo) -> dict[str, Any]:
        return repo.pull_request_json(7, 12, opened=4, head_sha="f2", merged=12, merge_sha="S", commits=2, fork=99)

    def fill(self, api: FakeGithub, repo: Repo) -> None:
        row = api.repositories[NAME]
        row.commits = [rest("a", 0), rest("S", 12, ("a",), message="Add a cart (#7)")]
        row.pulls[7] = self.pull(repo)
        row.pull_commits[7] = [rest("f1", 1, ("a",)), rest("f2", 3, ("f1",))]
        row.reviews[7] = [
            {"id": 1, "state": "COMMENTED", "submitted_at": iso(at(8)), "user": {"login": "ada", "type": "User"}},
            {"id": 2, "state": "APPROVED", "submitted_at": iso(at(9)), "user": {"login": "grace", "type": "User"}},
        ]

    def test_its_commits_and_reviews_are_asked_for(
        self, github: Github, repo: Repo, api: FakeGithub, connection: GithubConnection
    ) -> None:
        self.fill(api, repo)

        change = self.merged(github, repo)

        assert change.lead_time_seconds == 19 * 3600
        assert (change.coding_seconds, change.waiting_for_review_seconds) == (3 * 3600, 5 * 3600)

    def test_one_that_only_a_message_names_is_asked_for(
        self, github: Github, repo: Repo, api: FakeGithub, connection: GithubConnection
    ) -> None:
        self.fill(api, repo)
        github.deliver(*repo.deployment_status(1, "a", "success", 0.5))
        github.deliver(*repo.push("main", "a", [commit("S", 12, "Add a cart (#7)")], 12))
        github.deliver(*repo.deployment_status(2, "S", "success", 20))
        work()
        ask_github()

        assert Change.objects.get().lead_time_seconds == 19 * 3600
        assert PullRequest.objects.get().title == "Change 7"

    def test_a_number_that_is_an_issues_is_asked_for_once(
        self, github: Github, repo: Repo, api: FakeGithub, connection: GithubConnection
    ) -> None:
        api.repositories[NAME].commits = [rest("a", 0), rest("S", 12, ("a",), message="Mend it (#7)")]
        for _ in range(2):
            github.deliver(*repo.deployment_status(1, "a", "success", 0.5))
            github.deliver(*repo.push("main", "a", [commit("S", 12, "Mend it (#7)")], 12))
            github.deliver(*repo.deployment_status(2, "S", "success", 20))
            work()
            ask_github()

        assert len(api.asked(f"/repos/{NAME}/pulls/7")) == 1


def test_files_are_asked_for_where_a_monorepo_path_makes_them_matter(
    github: Github, repo: Repo, api: FakeGithub, connection: GithubConnection, workspace: Workspace
) -> None:
    application = make_track(workspace, "shop", repository=NAME).application
    application.monorepo_path, application.monorepo_path_is_pinned = "services/shop", True
    application.save()
    api.repositories[NAME].commits = [
        rest("a", 0),
        rest("b", 1, ("a",), ("services/shop-v2/x.py",)),
        rest("c", 2, ("b",), [{"filename": "docs/x", "previous_filename": "services/shop/x", "status": "renamed"}]),
    ]  # fmt: skip

    _, second = deploy(github, repo, "a", "c")

    assert [(row.commit.subject, row.files_are_unknown) for row in second.changes.select_related("commit")] == [
        ("Commit c", False)
    ]


def test_the_rate_limit_puts_the_job_off_until_it_ends(
    github: Github, repo: Repo, api: FakeGithub, connection: GithubConnection
) -> None:
    api.repositories[NAME].commits = LINE
    api.remaining, api.reset_at = 0, int(time.time()) + 1800

    deploy(github, repo, "a", "d")

    job = history_job()
    assert (job.status, job.attempt) == ("QUEUED", 0)
    assert abs(job.available_at.timestamp() - api.reset_at) < 5
    connection.refresh_from_db()
    assert "rate limit" in connection.error.lower()

    api.remaining = 100
    Job.objects.update(available_at=dt.datetime.now(dt.UTC))
    ask_github()
    work()
    assert Deployment.objects.get(version=sha("d")[:12]).changes_count == 3


def test_a_bad_token_is_said_on_the_connection_and_the_job(
    github: Github, repo: Repo, api: FakeGithub, connection: GithubConnection
) -> None:
    api.tokens.clear()

    deploy(github, repo, "a", "d")

    connection.refresh_from_db()
    assert "Bad credentials" in connection.error
    assert "Bad credentials" in history_job().error
    assert TOKEN not in history_job().log


def test_failures_that_pass_are_asked_again(
    github: Github, repo: Repo, api: FakeGithub, connection: GithubConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda seconds: None)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    api.repositories[NAME].commits = LINE
    api.fail_next(1, 502)
    api.drop_next(1)

    _, second = deploy(github, repo, "a", "d")

    assert second.changes_count == 3


def test_a_history_of_many_pages(github: Github, repo: Repo, api: FakeGithub, connection: GithubConnection) -> None:
    line = [rest("0", 0)] + [rest(str(number), number / 100, (str(number - 1),)) for number in range(1, 451)]
    api.repositories[NAME].commits = line

    _, second = deploy(github, repo, "0", "450")

    assert second.changes_count == 450
    assert len(api.asked(f"/repos/{NAME}/compare")) == 5


def test_with_a_github_app(github: Github, repo: Repo, api: FakeGithub, workspace: Workspace) -> None:
    key = api.register_app("12345")
    api.repositories[NAME].installation_id = 77
    api.repositories[NAME].commits = LINE
    GithubConnection.objects.create(
        workspace=workspace, base_url=api.base_url, kind="app", app_id="12345", private_key=key, repositories="*"
    )

    _, second = deploy(github, repo, "a", "d")

    assert second.changes_count == 3
