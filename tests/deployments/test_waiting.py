"""What waits to be deployed: counted as Git would count it, and on its page."""

import datetime as dt
from pathlib import Path

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from deployments import recording, waiting
from deployments.catalog import Catalog
from deployments.commits import CommitReport, record_commits
from deployments.models import Application, Deployment, Repository, Track, Workspace
from deployments.processing import finish_pending_work
from tests import factories
from tests.github.hooks import Github, Repo, at, commit, iso, sha
from tests.lineage.histories import START, History, git, random_history
from tests.lineage.imports import import_git
from tests.machines import Machine

pytestmark = pytest.mark.django_db
DAY = 86_400


def waiting_of(environment: str = "production") -> tuple[int | None, dt.datetime | None]:
    track = Track.objects.get(environment__name=environment)
    assert not track.waiting_pending
    return track.waiting_changes, track.waiting_since


def on_day(day: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(START + day * DAY, dt.UTC)


class TestOfAClone:
    """Against Git: `git rev-list --no-merges main --not TAGS`."""

    @pytest.mark.parametrize("seed", range(8))
    @pytest.mark.parametrize("under", ["", "api"])
    def test_as_many_changes_wait_as_git_lists(
        self, workspace: Workspace, tmp_path: Path, seed: int, under: str
    ) -> None:
        path = random_history(tmp_path / "repo", seed, tags=4)
        import_git(path, monorepo_path=under or None)
        tags = git(path, "tag").split()
        paths = ["--full-history", "--", f"{under}/"] if under else []
        listed = git(path, "log", "--no-merges", "--format=%H %ct", "main", "--not", *tags, *paths).splitlines()
        committed = {line.split()[0]: int(line.split()[1]) for line in listed}

        number, since = waiting_of()
        assert number == len(committed)
        assert since == min((dt.datetime.fromtimestamp(one, dt.UTC) for one in committed.values()), default=None)
        rows = waiting.waiting_on(Track.objects.get(), 1000)
        assert {row.sha for row in rows} == committed.keys()
        assert [row.since for row in rows] == sorted(row.since for row in rows if row.since)

    @pytest.mark.parametrize("seed", range(20, 26))
    def test_what_waits_is_what_a_deployment_of_the_branch_ships(
        self, workspace: Workspace, tmp_path: Path, seed: int
    ) -> None:
        workspace.include_merge_commits = seed % 2 == 0
        workspace.save()
        path = random_history(tmp_path / "repo", seed, tags=5, skewed=True)
        import_git(path, monorepo_path="web" if seed % 3 else None)
        expected = {row.sha for row in waiting.waiting_on(Track.objects.get(), 1000)}
        assert waiting_of()[0] == len(expected)

        tip = Repository.objects.get().default_branch_sha
        Machine(factories.make_key(workspace)).deploy(
            repositoryFullName="acme/app", app="app", environment="production", version="all of it", commitHash=tip,
            deployedAt="2026-06-01T00:00:00Z", monorepoPath="web" if seed % 3 else None,
        )  # fmt: skip
        shipped = Deployment.objects.get(version="all of it").changes
        assert set(shipped.values_list("commit__sha", flat=True)) == expected
        assert waiting_of() == (0, None)

    def test_a_branch_older_than_the_first_deployment_waits_once_it_is_merged(
        self, workspace: Workspace, tmp_path: Path
    ) -> None:
        history = History(tmp_path / "repo")
        root = history.commit(at=0)
        old = history.commit(root, at=1, branch="old", message=b"Lie around")
        main = root
        for day in range(2, 9):
            main = history.commit(main, at=day)
        history.tag("v1", main, at=9)
        history.commit(main, old, at=10, message=b"Merge it")
        import_git(history.write())

        assert waiting_of() == (1, on_day(1))
        assert [row.title for row in waiting.waiting_on(Track.objects.get(), 5)] == ["Lie around"]

    def test_a_track_that_lags_far_behind_says_only_that(
        self, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pages: Client
    ) -> None:
        monkeypatch.setattr(waiting, "MOST_COMMITS", 5)
        history = History(tmp_path / "repo")
        tip = history.commit(at=0)
        history.tag("v1", tip, at=0)
        for day in range(1, 7):
            tip = history.commit(tip, at=day)
        import_git(history.write())

        assert waiting_of() == (6, on_day(1))
        assert "more than 5 commits" in pages.get("/waiting/").content.decode()


class TestOfGithub:
    @pytest.fixture(autouse=True)
    def _pushed(self, github: Github, repo: Repo) -> None:
        """Main has a commit, and that is in production."""
        github.tell(repo.push("main", "base", [commit("a", 0)], 0))
        github.tell(repo.deployment(1, "a", 1), repo.deployment_status(1, "a", "success", 1.5))
        assert waiting_of() == (0, None)

    def test_a_push_waits_until_it_is_deployed(self, github: Github, repo: Repo) -> None:
        github.tell(repo.push("main", "a", [commit("b", 2), commit("c", 3)], 4))
        assert waiting_of() == (2, at(2))
        github.tell(repo.deployment(2, "b", 5), repo.deployment_status(2, "b", "success", 5.5))
        assert waiting_of() == (1, at(3))
        github.tell(repo.deployment(3, "c", 6), repo.deployment_status(3, "c", "failure", 6.5))
        assert waiting_of() == (1, at(3))

    def test_a_push_of_another_branch_does_not_wait(self, github: Github, repo: Repo) -> None:
        github.tell(repo.push("topic", "a", [commit("t", 2)], 2))
        assert waiting_of() == (0, None)

    def test_a_pull_request_waits_as_one_change_from_its_merge_on(
        self, github: Github, repo: Repo, pages: Client
    ) -> None:
        fields = {"merged": 9, "head_sha": "t2", "merge_sha": "m", "opened": 4, "commits": 2, "title": "Add a cart"}
        github.tell(
            repo.push("topic", "a", [commit("t1", 2), commit("t2", 3)], 3),
            repo.pull_request(7, "opened", 4, head_sha="t2", commits=2, title="Add a cart"),
            repo.push("main", "a", [commit("t1", 2), commit("t2", 3), commit("m", 9, "Merge pull request #7")], 9),
        )
        github.tell(repo.pull_request(7, "closed", 9, **fields))

        assert waiting_of() == (1, at(9))
        [row] = waiting.waiting_on(Track.objects.get(), 5)
        assert (row.title, row.author) == ("Add a cart", "ada")
        text = pages.get(f"/waiting/{Track.objects.get().pk}/").content.decode()
        assert "#7" in text
        assert "Add a cart" in text

    def test_a_pull_request_that_was_deployed_in_part_waits_no_more(self, github: Github, repo: Repo) -> None:
        github.tell(
            repo.pull_request(7, "opened", 2, head_sha="t2", commits=2),
            repo.push("topic", "a", [commit("t1", 2), commit("t2", 3)], 3),
            repo.deployment(2, "t1", 4),
            repo.deployment_status(2, "t1", "success", 4.5),
            repo.push("main", "a", [commit("t1", 2), commit("t2", 3), commit("m", 9, "Merge pull request #7")], 9),
            repo.pull_request(7, "closed", 9, merged=9, head_sha="t2", merge_sha="m", opened=2, commits=2),
        )
        assert waiting_of() == (0, None)

    def test_pull_requests_of_bots_wait_only_where_they_count(
        self, github: Github, repo: Repo, pages: Client, workspace: Workspace
    ) -> None:
        github.tell(
            repo.push("main", "a", [commit("m", 9, "Bump it (#7)")], 9),
            repo.pull_request(7, "closed", 9, merged=9, merge_sha="m", opened=2, login="renovate[bot]"),
        )
        assert waiting_of() == (1, at(9))
        answer = pages.post("/settings/", settings_of(workspace, leave_out_bots="on"))
        assert answer.status_code == 302
        finish_pending_work()
        assert waiting_of() == (0, None)

    def test_a_forced_push_takes_back_what_waited(self, github: Github, repo: Repo) -> None:
        github.tell(repo.push("main", "a", [commit("b", 2)], 3))
        github.tell(repo.push("main", "b", [], 4, after="a", forced=True, head_commit=commit("a", 0, distinct=False)))
        assert waiting_of() == (0, None)

    def test_an_archived_deployment_leaves_its_changes_waiting(self, github: Github, repo: Repo) -> None:
        github.tell(repo.push("main", "a", [commit("b", 2)], 3))
        github.tell(repo.deployment(2, "b", 5), repo.deployment_status(2, "b", "success", 5.5))
        recording.archive(Deployment.objects.newest_first()[0])
        finish_pending_work()
        assert waiting_of() == (1, at(2))

    def test_another_default_branch_is_another_queue(self, github: Github, repo: Repo) -> None:
        github.tell(
            repo.push("trunk", "a", [commit("x", 2), commit("y", 3)], 4),
            repo.repository("edited", 5, default_branch="trunk", changes={"default_branch": {"from": "main"}}),
        )
        assert waiting_of() == (2, at(2))

    def test_commits_that_are_told_of_late_wait_too(self, github: Github, repo: Repo) -> None:
        """A push whose list was cut: the rest is reported by CI."""
        github.tell(repo.push("main", "a", [commit("d", 5)], 6, forced=True))
        number = waiting_of()[0]
        repository = Repository.objects.get()
        moments = [at(hours) for hours in (2, 3, 5)]
        reports = [
            CommitReport(sha(name), (sha(before),), moment, moment)
            for name, before, moment in zip("bcd", "abc", moments, strict=True)
        ]
        record_commits(repository, reports)
        finish_pending_work()
        assert (number, waiting_of()) == (1, (3, at(2)))

    def test_staging_and_production_wait_for_themselves(self, github: Github, repo: Repo, pages: Client) -> None:
        github.tell(
            repo.push("main", "a", [commit("b", 2), commit("c", 3)], 4),
            repo.deployment(2, "b", 5, environment="staging"),
            repo.deployment_status(2, "b", "success", 5.5, environment="staging"),
        )
        assert waiting_of() == (2, at(2))
        assert waiting_of("staging") == (1, at(3))
        text = pages.get("/waiting/").content.decode()
        assert "2 changes" in text
        assert "staging" in text
        assert iso(at(5.5))[:10] in text


def settings_of(workspace: Workspace, **fields: str) -> dict[str, str]:
    return {"name": workspace.name, "time_zone": workspace.time_zone, "report_year": "2024", **fields}


def test_nobody_knows_what_waits_where_nobody_told_of_the_branch(ci: Machine, pages: Client) -> None:
    ci.deploy()
    assert waiting_of() == (None, None)
    assert "The default branch is not known" in pages.get("/waiting/").content.decode()


def test_nothing_waits_for_an_environment_to_which_nothing_was_deployed(
    github: Github, repo: Repo, ci: Machine
) -> None:
    github.tell(repo.push("main", "base", [commit("a", 0)], 0))
    ci.deploy(repositoryFullName="acme/shop", commitHash=sha("a"), state="failure")
    assert waiting_of() == (None, None)


def test_another_path_has_other_changes_wait(workspace: Workspace, tmp_path: Path, pages: Client) -> None:
    history = History(tmp_path / "repo")
    tip = history.commit(at=0, file="api/x")
    history.tag("v1", tip, at=0)
    for day, file in enumerate(["api/x", "web/x", "web/y"], start=1):
        tip = history.commit(tip, at=day, file=file)
    import_git(history.write(), monorepo_path="api")
    assert waiting_of() == (1, on_day(1))
    application = Application.objects.get()
    pages.post(f"/applications/{application.pk}/", {"monorepo_path": "web", "monorepo_path_is_pinned": "on"})
    finish_pending_work()
    assert waiting_of() == (2, on_day(2))


@pytest.fixture
def github(workspace: Workspace) -> Github:
    return Github(workspace)


@pytest.fixture
def repo() -> Repo:
    return Repo()


def add_waiting(workspace: Workspace, number: int) -> None:
    """Add an application with two changes that wait in production, and what runs in staging."""
    catalog = Catalog(workspace)
    name = f"acme/{number}"
    moments = [factories.recently() - dt.timedelta(days=number % 20 + age) for age in (3, 2, 1)]
    shas = [sha(f"{number} {age}") for age in range(3)]
    parents = [(), (shas[0],), (shas[1],)]
    reports = [
        CommitReport(one, above, moment, moment, "ada", "Change it")
        for one, above, moment in zip(shas, parents, moments, strict=True)
    ]
    record_commits(catalog.repository(name), reports)
    Repository.objects.filter(full_name=name).update(default_branch="main", default_branch_sha=shas[2])
    for environment in ("production", "staging"):
        track = factories.make_track(workspace, f"app-{number}", environment, name)
        factories.make_deployment(track, moments[0], commit_sha=shas[0], lineage_pending=True)


def test_the_page_costs_the_same_queries_for_six_applications_and_for_thirty(
    pages: Client, workspace: Workspace, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(6):
        add_waiting(workspace, number)
    finish_pending_work()
    pages.get("/waiting/")
    with django_assert_max_num_queries(200) as six:
        pages.get("/waiting/")
    for number in range(6, 30):
        add_waiting(workspace, number)
    finish_pending_work()
    with django_assert_max_num_queries(len(six)):
        text = pages.get("/waiting/").content.decode()
    assert text.count("2 changes") >= 30


def test_a_change_that_is_pushed_costs_the_same_queries_after_a_long_history_and_a_short_one(
    workspace: Workspace, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    catalog = Catalog(workspace)
    costs = []
    for length in (50, 3000):
        shas = [sha(f"{length} {number}") for number in range(length + 1)]
        moments = [factories.NOON + dt.timedelta(minutes=number) for number in range(length + 1)]
        reports = [
            CommitReport(one, (shas[number - 1],) if number else (), moments[number], moments[number])
            for number, one in enumerate(shas)
        ]
        name = f"acme/{length}"
        record_commits(catalog.repository(name), reports)
        Repository.objects.filter(full_name=name).update(default_branch_sha=shas[-1])
        track = factories.make_track(workspace, name, "production", name)
        factories.make_deployment(track, moments[-2], commit_sha=shas[-2], lineage_pending=True)
        finish_pending_work()
        Track.objects.update(waiting_pending=True)
        with django_assert_max_num_queries(30) as cost:
            waiting.count_waiting(track.pk)
        track.refresh_from_db()
        assert track.waiting_changes == 1
        costs.append(len(cost))
    assert costs[0] == costs[1]


def test_what_waits_for_others_is_not_found(client: Client, workspace: Workspace) -> None:
    track = factories.make_track(workspace)
    client.force_login(factories.make_user(factories.make_workspace("Other")))
    assert client.get(f"/waiting/{track.pk}/").status_code == 404
    assert track.application.name not in client.get("/waiting/").content.decode()
