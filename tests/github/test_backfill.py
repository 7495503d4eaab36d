"""A repository's past is read from GitHub: resumably, and down the same road as its events."""

import datetime as dt
import time
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from deployments.models import (
    Backfill,
    Change,
    Deployment,
    DeploymentTrigger,
    GithubConnection,
    PullRequest,
    Workspace,
)
from tests.factories import make_track
from tests.github.fake_github import TOKEN, FakeGithub, FakeRepository, make_commit
from tests.github.hooks import Github, Repo, at, iso, sha

pytestmark = pytest.mark.django_db
NAME = "acme/shop"
repo = Repo()


@pytest.fixture
def api(settings: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGithub]:
    settings.DATA_DIR = tmp_path
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with FakeGithub() as fake:
        fake.repositories[NAME] = FakeRepository(id=repo.github_id)
        yield fake


@pytest.fixture
def past(api: FakeGithub, workspace: Workspace) -> FakeRepository:
    """Thirty days of deployments."""
    return fill(api, workspace, 30)


def fill(api: FakeGithub, workspace: Workspace, days: int) -> FakeRepository:
    """Make a past: a commit a day, each deployed to production, every tenth of them in vain."""
    GithubConnection.objects.create(workspace=workspace, base_url=api.base_url, token=TOKEN)
    row = api.repositories[NAME]
    for number in range(days):
        row.commits.append(
            make_commit(sha(str(number)), [sha(str(number - 1))] if number else [], iso(at(24 * number)))
        )
        moment = 24 * number + 2.0
        row.deployments.insert(0, repo.deployment_json(number, str(number), moment))
        states = ["in_progress", "failure" if number % 10 == 9 else "success"]
        row.statuses[8_000_000_000 + number] = [
            {"id": 10 * number + step, "state": state, "created_at": iso(at(moment + 0.1 * step)), "environment": ""}
            for step, state in reversed(list(enumerate(states)))
        ]
    return row


def backfill(what: str, **options: Any) -> str:
    out = StringIO()
    call_command(
        "backfill_github", repository=NAME, what=what, stdout=out, stderr=out, **{"since": "2026-03-01", **options}
    )
    return out.getvalue()


def test_past_deployments_with_their_statuses_and_changes(api: FakeGithub, workspace: Workspace) -> None:
    fill(api, workspace, 105)

    said = backfill("deployments")

    assert "Read 105 deployments" in said
    assert len(api.asked(f"/repos/{NAME}/deployments?")) == 2
    rows = Deployment.objects.order_by("deployed_at")
    assert [row.state for row in rows[7:11]] == ["success", "success", "failure", "success"]
    assert [row.changes_count for row in rows[7:11]] == [1, 1, 0, 2]
    assert {row.lead_time_seconds for row in Change.objects.all()} == {7560, 24 * 3600 + 7560}
    assert not Deployment.objects.reached().filter(history_is_complete=False).exclude(change_kind="baseline").exists()


def test_the_period_is_kept(past: FakeRepository) -> None:
    backfill("deployments", since="2026-03-10", until="2026-03-20")

    assert Deployment.objects.count() == 10


def test_interrupted_it_goes_on_where_it_was(past: FakeRepository, api: FakeGithub) -> None:
    api.fail_when(lambda request: request.path.startswith(f"/repos/{NAME}/deployments/8000000012/statuses"), 404)
    with pytest.raises(CommandError):
        backfill("deployments")
    assert Deployment.objects.count() == 17
    asked = len(api.asked(f"/repos/{NAME}/deployments/"))

    said = backfill("deployments")

    assert "Going on from" in said
    assert Deployment.objects.count() == 30
    again = api.asked(f"/repos/{NAME}/deployments/")[asked:]
    assert len([path for path in again if "/statuses" in path]) <= 14
    assert Backfill.objects.get().finished_at is not None


def test_a_second_run_adds_what_is_new(past: FakeRepository) -> None:
    backfill("deployments")
    number = 30
    past.commits.append(make_commit(sha("30"), [sha("29")], iso(at(24 * number))))
    past.deployments.insert(0, repo.deployment_json(number, "30", 24 * number))
    past.statuses[8_000_000_000 + number] = [
        {"id": 300, "state": "success", "created_at": iso(at(24 * number)), "environment": "production"}
    ]

    backfill("deployments")

    assert Deployment.objects.count() == 31
    assert Deployment.objects.newest_first()[0].changes_count == 2


def test_it_joins_what_webhooks_told(past: FakeRepository, workspace: Workspace) -> None:
    Github(workspace).tell(repo.deployment_status(28, "28", "success", 24 * 28 + 2.1, created=24 * 28 + 2.0))

    backfill("deployments")

    assert Deployment.objects.count() == 30


def test_the_rate_limit_is_waited_for(past: FakeRepository, api: FakeGithub, monkeypatch: pytest.MonkeyPatch) -> None:
    api.remaining, api.reset_at = 5, int(time.time()) + 600
    waits: list[float] = []

    def wait(seconds: float) -> None:
        if seconds:  # the gap between transactions is none in tests
            waits.append(seconds)
            api.remaining = 5000

    monkeypatch.setattr("deployments.management.commands.backfill_github.time.sleep", wait)

    said = backfill("deployments", since="2026-03-22")

    assert len(waits) == 1
    assert 500 < waits[0] < 700
    assert "can be interrupted" in said
    assert Deployment.objects.count() == 10


def test_merged_pull_requests(past: FakeRepository) -> None:
    backfill("deployments")
    for number, merged in ((7, 24 * 20.0), (8, None)):
        fields: dict[str, Any] = {"merged": merged} if merged else {"closed": 24 * 20}
        past.pulls[number] = repo.pull_request_json(
            number, 24 * 20, opened=24 * 19, head_sha="h", merge_sha="20", commits=1, **fields
        )
        past.pull_commits[number] = [make_commit(sha("h"), [sha("19")], iso(at(24 * 18)))]

    said = backfill("pull-requests")

    assert "Read 1 pull requests" in said
    assert list(PullRequest.objects.values_list("number", flat=True)) == [7]
    change = Change.objects.get(pull_request__number=7)
    assert change.lead_time_seconds == int(2 * 24 * 3600 + 2.1 * 3600)


class TestReleases:
    @pytest.fixture
    def releases(self, past: FakeRepository) -> FakeRepository:
        past.tags = {"v1": sha("10"), "v2": sha("tag object"), "gone": sha("30")}
        past.annotated_tags = {sha("tag object"): {"type": "commit", "sha": sha("20")}}
        for number, tag in enumerate(("v1", "v2", "beta")):
            past.releases.insert(
                0,
                {
                    "id": number + 1, "tag_name": tag, "name": tag, "target_commitish": "main", "draft": False,
                    "prerelease": False, "created_at": iso(at(24 * 10 * (number + 1))),
                    "published_at": iso(at(24 * 10 * (number + 1) + 1)), "author": {"login": "ada"},
                    "html_url": f"https://github.com/{NAME}/releases/{tag}",
                },
            )  # fmt: skip
        return past

    def test_become_deployments_where_a_trigger_says_so(self, releases: FakeRepository, workspace: Workspace) -> None:
        track = make_track(workspace, "shop", repository=NAME)
        DeploymentTrigger.objects.create(
            application=track.application, kind="release", pattern="v*", environment=track.environment
        )

        backfill("releases")

        rows = Deployment.objects.order_by("deployed_at")
        assert [(row.version, row.commit_sha, row.changes_count) for row in rows] == [
            ("v1", sha("10"), 0),
            ("v2", sha("20"), 10),
        ]

    def test_without_a_trigger_it_says_what_to_do(self, releases: FakeRepository) -> None:
        assert "Add one" in backfill("releases")
        assert not Deployment.objects.exists()


class TestBadInput:
    def test_without_a_token(self, workspace: Workspace) -> None:
        with pytest.raises(CommandError, match="no token or App"):
            backfill("deployments")

    def test_an_unknown_repository(self, past: FakeRepository, api: FakeGithub) -> None:
        api.repositories.clear()
        with pytest.raises(CommandError, match="Not Found"):
            backfill("deployments")

    @pytest.mark.parametrize("since", ["yesterday", "2026-02-30"])
    def test_no_date(self, past: FakeRepository, since: str) -> None:
        with pytest.raises(CommandError, match="is no date"):
            backfill("deployments", since=since)

    def test_a_period_that_ends_before_it_begins(self, past: FakeRepository) -> None:
        with pytest.raises(CommandError, match="--until must come after"):
            backfill("deployments", until="2026-02-01")


def test_dates_are_days_of_the_workspace(past: FakeRepository, workspace: Workspace) -> None:
    workspace.time_zone = "Asia/Kolkata"
    workspace.save()

    backfill("deployments", since="2026-03-10", until="2026-03-11")

    assert Backfill.objects.get().since == dt.datetime(2026, 3, 9, 18, 30, tzinfo=dt.UTC)
