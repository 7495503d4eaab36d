"""Asks GitHub for what its events left out: commits and parents, files, and the commits of pull requests.

Each question is asked once. What GitHub does not know either, such as a commit that a forced push has made vanish,
stays unknown, and the deployment says so.
"""

import datetime
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Count, F, Q
from django.utils import timezone

from deployments.commits import CommitReport, record_commits
from deployments.github import payloads
from deployments.github.answers import NotFound
from deployments.github.client import GithubClient
from deployments.github.connections import can_ask_about
from deployments.jobs import NewJob, accept
from deployments.models import (
    ChangeKind,
    Commit,
    Deployment,
    HistoryGap,
    Job,
    JobStatus,
    JobType,
    PullRequest,
    PullRequestCommit,
    Repository,
    ShippedCommit,
)
from deployments.pull_requests import record_pull_request, record_review, record_stated_commits

_AT_ONCE = 50
# After GitHub refused to answer it is left alone for a while.
_REST = datetime.timedelta(hours=1)
Outcome = ShippedCommit.Outcome


@dataclass(frozen=True, slots=True)
class Answered:
    """What one question led to, for the job's log."""

    question: str
    outcome: str


def request(repository: Repository) -> Job | None:
    """Have GitHub asked for what is missing in a repository, where that is possible and not under way already."""
    if not can_ask_about(repository) or next(_questions(repository), None) is None:
        return None
    others = Job.objects.filter(
        workspace=repository.workspace, type=JobType.GITHUB_HISTORY, repository_name=repository.full_name
    )
    failed_lately = Q(status=JobStatus.ERROR, finished_at__gt=timezone.now() - _REST)
    if others.filter(Q(status=JobStatus.QUEUED) | failed_lately).exists():
        return None
    return accept(
        repository.workspace,
        None,
        NewJob(
            payload={"repository": repository.pk},
            type=JobType.GITHUB_HISTORY,
            event="history",
            repository_name=repository.full_name,
        ),
    )


def fill(repository: Repository, client: GithubClient) -> Iterator[Answered]:
    """Ask what can be asked now, one question after another; each answer is recorded before the next is asked.

    What the answers lead to has to be worked out by the caller, and may lead to more questions. Raises GithubError.
    """
    for question in list(_questions(repository)):
        yield question.ask(repository, client)


def _questions(repository: Repository) -> "Iterator[_Deployment | _PullRequest | _Commit]":
    yield from _deployments(repository)
    yield from _pull_requests(repository)
    yield from _unknown_pull_requests(repository)
    yield from _unknown_files(repository)


def _deployments(repository: Repository) -> "Iterator[_Deployment]":
    """Return the deployments of which commits, parents or the relation to the one before are not known exactly."""
    mine = Deployment.objects.reached().filter(application__repository=repository)
    later = mine.exclude(change_kind__in=[ChangeKind.BASELINE, ChangeKind.REDEPLOY, ""])
    gaps = HistoryGap.objects.filter(repository=repository, concerns_kind_only=False).values("deployment")
    inferred = ShippedCommit.objects.filter(
        track__application__repository=repository, commit__parents_are_inferred=True
    ).values("deployment")
    lacking = Q(pk__in=gaps) | Q(pk__in=inferred) | Q(change_kind=ChangeKind.UNKNOWN)
    rows = later.filter(lacking).select_related("track")
    for row in rows.order_by("-deployed_at", "-id")[:_AT_ONCE]:
        if row.history_asked_for != (asked := _missing_of(row)):
            yield _Deployment(row, asked)


def _missing_of(row: Deployment) -> str:
    """Return what tells apart what is missing of a deployment at one time and at another."""
    previous = row.previous()
    missing = sorted(set(row.history_gaps.values_list("sha", flat=True)))
    text = " ".join([previous.commit_sha if previous else "", row.commit_sha, *missing])
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class _Deployment:
    """Which commits lie between a deployment and the one before it?"""

    row: Deployment
    asked: str

    def ask(self, repository: Repository, client: GithubClient) -> Answered:
        previous = self.row.previous()
        assert previous is not None, "the baseline is not asked about"
        question = f"commits between {previous.commit_sha[:12]} and {self.row.commit_sha[:12]}"
        try:
            number = self._compare(repository, client, previous.commit_sha, self.row.commit_sha)
            if number == 0:  # it went back: the way leads in the other direction
                number = self._compare(repository, client, self.row.commit_sha, previous.commit_sha)
            outcome = f"{number} commits"
        except NotFound as error:
            outcome = f"GitHub does not know: {error}"
        Deployment.objects.filter(pk=self.row.pk).update(history_asked_for=self.asked)
        return Answered(question, outcome)

    def _compare(self, repository: Repository, client: GithubClient, base: str, head: str) -> int:
        number = 0
        for page in client.compare(repository.full_name, base, head):
            reports = [found for row in page if (found := payloads.listed_commit(row))]
            record_commits(repository, reports)
            number += len(reports)
        return number


def _pull_requests(repository: Repository) -> "Iterator[_PullRequest]":
    """Return the merged pull requests of which commits are missing."""
    merged = PullRequest.objects.filter(repository=repository, state=PullRequest.State.MERGED)
    own = Count("commits", filter=Q(commits__role=PullRequestCommit.Role.HEAD))
    lacking = merged.annotate(known=own).filter(
        Q(commits_count=None) | Q(known__lt=F("commits_count")), commits_are_stated=False
    )
    for row in lacking.order_by("-merged_at")[:_AT_ONCE]:
        if row.asked_for != (asked := f"{row.head_sha} {row.commits_count}"):
            yield _PullRequest(row.number, asked)


def _unknown_pull_requests(repository: Repository) -> "Iterator[_PullRequest]":
    """Return the pull requests that messages of deployed commits name and that nobody has told of."""
    known = PullRequest.objects.filter(repository=repository).values("number")
    named = Commit.objects.filter(repository=repository, is_asked_for=False, pull_request_number__isnull=False)
    shipped = named.exclude(pull_request_number__in=known).filter(
        shipped_commits__outcome__in=[Outcome.CHANGE, Outcome.MERGE]
    )
    for number in shipped.values_list("pull_request_number", flat=True).distinct()[:_AT_ONCE]:
        if number is not None:
            yield _PullRequest(number, "")


@dataclass(frozen=True, slots=True)
class _PullRequest:
    """Which commits and reviews has a pull request?"""

    number: int
    asked: str

    def ask(self, repository: Repository, client: GithubClient) -> Answered:
        question = f"pull request #{self.number}"
        try:
            commits = record_from_api(repository, client, self.number)
            outcome = f"{commits} commits"
        except NotFound:
            outcome = "there is none of this number"
        # Else a number that is an issue's would be asked for for ever.
        Commit.objects.filter(repository=repository, pull_request_number=self.number).update(is_asked_for=True)
        rows = PullRequest.objects.filter(repository=repository, number=self.number)
        rows.update(asked_for=self.asked[:100])
        return Answered(question, outcome)


def record_from_api(repository: Repository, client: GithubClient, number: int) -> int:
    """Record a pull request with its commits and reviews from GitHub's API; return how many commits it has."""
    row = client.pull_request(repository.full_name, number)
    listed = client.pull_request_commits(repository.full_name, number)
    reviews = client.pull_request_reviews(repository.full_name, number)
    commits = [found for one in listed if (found := payloads.listed_commit(one))]
    with transaction.atomic():
        if commits:
            record_commits(repository, commits)
        pull_request = record_pull_request(repository, payloads.pull_request_facts({"pull_request": row}))
        record_stated_commits(pull_request, [commit.sha for commit in commits])
        for review in reviews:
            if facts := payloads.review_facts(review):
                record_review(pull_request, facts)
    return len(commits)


def _unknown_files(repository: Repository) -> "Iterator[_Commit]":
    """Return the deployed commits of which it matters which files they touched, and nobody told."""
    marks = ShippedCommit.objects.filter(
        track__application__repository=repository,
        outcome=Outcome.CHANGE,
        commit__files=None,
        commit__is_asked_for=False,
    )
    with_path = marks.exclude(track__application__monorepo_path="", deployment__monorepo_path=None).exclude(
        deployment__monorepo_path="", track__application__monorepo_path_is_pinned=False
    )
    for sha in with_path.values_list("commit__sha", flat=True).distinct()[:_AT_ONCE]:
        yield _Commit(sha)


@dataclass(frozen=True, slots=True)
class _Commit:
    """Which files did a commit touch?"""

    sha: str

    def ask(self, repository: Repository, client: GithubClient) -> Answered:
        try:
            row: dict[str, Any] | None = client.commit(repository.full_name, self.sha)
        except NotFound:
            row = None
        report: CommitReport | None = payloads.listed_commit(row) if row else None
        if report is not None:
            record_commits(repository, [report])
        Commit.objects.filter(repository=repository, sha=self.sha).update(is_asked_for=True)
        files = "not known" if report is None or report.files is None else f"{len(report.files)}"
        return Answered(f"files of commit {self.sha[:12]}", files)
