"""Records what is told of pull requests, and works out which commits are theirs."""

import datetime
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

from django.db import transaction
from django.db.models import Min, Q, QuerySet

from deployments.grouping import count_changes, regroup
from deployments.linking import BranchPush, Merge, branch_commits, merged_commits
from deployments.models import (
    Commit,
    Deployment,
    PullRequest,
    PullRequestCommit,
    PullRequestReview,
    Push,
    Repository,
    ShippedCommit,
    Track,
)
from deployments.names import order_within_second
from deployments.unjudged import mark_unjudged

_BATCH = 100
_CHUNK = 5_000
# Pushes of one branch that are looked through for where a pull request began, the newest first.
_MOST_PUSHES = 2_000
# A merge brings no more commits to the main branch than this, or only its last ones are asked for.
_MOST_MERGED = 500
Role = PullRequestCommit.Role


@dataclass(frozen=True, slots=True)
class PullRequestFacts:
    """What one event, or GitHub's API, tells of a pull request. None is what it did not tell."""

    number: int
    told_at: datetime.datetime
    opened_at: datetime.datetime
    title: str = ""
    url: str = ""
    author: str = ""
    author_is_bot: bool = False
    is_draft: bool | None = None
    labels: tuple[str, ...] | None = None
    head_ref: str = ""
    base_ref: str = ""
    head_sha: str = ""
    other_head_shas: tuple[str, ...] = ()
    head_is_elsewhere: bool = False
    merge_commit_sha: str = ""  # only of one that was merged
    commits_count: int | None = None
    merged_at: datetime.datetime | None = None
    closed_at: datetime.datetime | None = None
    ready_at: datetime.datetime | None = None  # where the event is that it became ready for review
    opened_as_draft: bool | None = None  # where the event is that it was opened
    reverts_number: int | None = None  # of the pull request that it reverts
    rank: int = 1  # among events of the same second: the opening comes first, the closing last


@dataclass(frozen=True, slots=True)
class ReviewFacts:
    """A review that was submitted."""

    github_id: int
    author: str
    author_is_bot: bool
    state: str
    submitted_at: datetime.datetime


def record_pull_request(repository: Repository, facts: PullRequestFacts) -> PullRequest:
    """Record what an event tells, and mark the pull request to be worked out. The caller holds a transaction."""
    rows = PullRequest.objects.select_for_update()
    row, _ = rows.get_or_create(
        repository=repository,
        number=facts.number,
        defaults={"opened_at": facts.opened_at, "facts_at": facts.told_at},
    )
    order = order_within_second(facts.rank, facts)
    if (facts.told_at, order) >= (row.facts_at, row.facts_order):
        row.facts_at, row.facts_order = facts.told_at, order
        _apply_latest(row, facts)
    _apply_lasting(row, facts)
    row.changes_pending = True
    row.save()
    if row.head_ref and row.merged_at is not None:
        # Where a later one of a branch of the same name begins depends on where this one ended.
        later = PullRequest.objects.filter(repository=repository, head_ref=row.head_ref, number__gt=row.number)
        later.update(changes_pending=True)
    return row


def _apply_latest(row: PullRequest, facts: PullRequestFacts) -> None:
    """Take over what may change again, from the latest event that told it."""
    for name in ("title", "url", "author", "head_ref", "base_ref", "head_sha"):
        if value := getattr(facts, name):
            setattr(row, name, value)
    if facts.is_draft is not None:
        row.is_draft = facts.is_draft
    if facts.labels is not None:
        row.labels = list(facts.labels)
    if facts.reverts_number is not None:
        row.reverts_number = facts.reverts_number
    row.author_is_bot = facts.author_is_bot
    row.head_is_elsewhere = facts.head_is_elsewhere
    row.closed_at = facts.closed_at
    if row.merged_at is None:
        row.state = PullRequest.State.CLOSED if facts.closed_at else PullRequest.State.OPEN


def _apply_lasting(row: PullRequest, facts: PullRequestFacts) -> None:
    """Add what stays true whatever is told later."""
    row.opened_at = min(row.opened_at, facts.opened_at)
    shas = {*row.head_shas, facts.head_sha, *facts.other_head_shas} - {""}
    row.head_shas = sorted(shas)
    counted_at = row.commits_counted_at or facts.told_at
    if facts.commits_count is not None and facts.told_at >= counted_at:  # events of reviews do not tell it
        row.commits_count, row.commits_counted_at = facts.commits_count, facts.told_at
    if facts.ready_at is not None:
        row.ready_times = sorted({*row.ready_times, facts.ready_at.isoformat()})
    if facts.opened_as_draft is not None:
        row.opened_as_draft = facts.opened_as_draft
    if facts.merged_at is not None:
        row.merged_at = facts.merged_at
        row.state = PullRequest.State.MERGED
        row.merge_commit_sha = facts.merge_commit_sha or row.merge_commit_sha


def record_review(pull_request: PullRequest, facts: ReviewFacts) -> None:
    """Record a review. One that was dismissed stays dismissed. The caller holds a transaction."""
    review, _ = PullRequestReview.objects.get_or_create(
        pull_request=pull_request,
        github_id=facts.github_id,
        defaults={
            "author": facts.author,
            "author_is_bot": facts.author_is_bot,
            "state": facts.state,
            "submitted_at": facts.submitted_at,
        },
    )
    if facts.state == "dismissed" and review.state != "dismissed":
        review.state = "dismissed"
        review.save(update_fields=["state"])


def record_stated_commits(pull_request: PullRequest, shas: Sequence[str]) -> None:
    """Record the commits that GitHub lists for a pull request: exact, other than what pushes let one find."""
    for sha in shas:
        PullRequestCommit.objects.update_or_create(
            pull_request=pull_request,
            sha=sha,
            defaults={"repository_id": pull_request.repository_id, "role": Role.HEAD, "is_stated": True},
        )
    pull_request.commits_are_stated = True
    pull_request.changes_pending = True
    pull_request.save(update_fields=["commits_are_stated", "changes_pending"])


def repositories_with_pending_pull_requests() -> list[int]:
    """Return the ids of the repositories in which changes of pull requests have to be worked out anew."""
    pending = PullRequest.objects.filter(changes_pending=True)
    return sorted(set(pending.values_list("repository_id", flat=True)))


def work_out_pull_requests(repository_id: int, and_then: Callable[[list[int]], object]) -> None:
    """Work out everything pending in a repository, a batch in each transaction.

    What follows from a batch is done in its transaction: `and_then` is given the ids of the pull requests.
    """
    while _work_out_batch(repository_id, and_then):
        pass


@transaction.atomic
def _work_out_batch(repository_id: int, and_then: Callable[[list[int]], object]) -> bool:
    # As deriving does, and before it takes a track: what is told meanwhile marks its pull requests again.
    list(Repository.objects.select_for_update().filter(pk=repository_id))
    pending = PullRequest.objects.select_for_update().filter(repository=repository_id, changes_pending=True)
    batch = list(pending.order_by("number")[:_BATCH])
    concerned: set[str] = set()
    for row in batch:
        concerned |= _work_out(row)
    if batch:
        and_then([row.pk for row in batch])
    if any(row.merged_at is not None for row in batch):
        Track.objects.of_repository(repository_id).count_waiting_again()
    for track in _tracks_with(repository_id, concerned):
        regrouped = regroup(track, concerned)
        count_changes(list(Deployment.objects.filter(pk__in=regrouped)))
        mark_unjudged(track.pk, regrouped)
    return bool(batch)


def _tracks_with(repository_id: int, shas: Collection[str]) -> QuerySet[Track]:
    """Lock and return the tracks to which any of the commits was brought."""
    ids: set[int] = set()
    ordered = sorted(shas)
    for start in range(0, len(ordered), _CHUNK):
        marks = ShippedCommit.objects.filter(
            commit__repository=repository_id, commit__sha__in=ordered[start : start + _CHUNK]
        )
        ids.update(marks.values_list("track_id", flat=True).distinct())
    tracks = Track.objects.select_for_update(of=("self",)).filter(pk__in=ids).order_by("pk")
    return tracks.select_related("application__repository", "application__workspace")


def _work_out(row: PullRequest) -> set[str]:
    """Find the commits of a pull request and when it began; return its commits, those it has lost included."""
    before = {link.sha: link for link in row.commits.all()}
    found = _Search(row, {sha for sha, link in before.items() if link.is_stated}).go()
    gone = [link.pk for sha, link in before.items() if sha not in found and not link.is_stated]
    PullRequestCommit.objects.filter(pk__in=gone).delete()
    PullRequestCommit.objects.bulk_create(
        PullRequestCommit(pull_request=row, repository_id=row.repository_id, sha=sha, role=role)
        for sha, role in found.items()
        if sha not in before
    )
    row.first_commit_at = _first_commit_at(row, found)
    reviews = row.reviews.exclude(author=row.author).filter(author_is_bot=False)
    if row.merged_at is not None:
        reviews = reviews.filter(submitted_at__lte=row.merged_at)
    times = reviews.aggregate(first=Min("submitted_at"), approved=Min("submitted_at", filter=Q(state="approved")))
    row.first_review_at, row.approved_at = times["first"], times["approved"]
    row.changes_pending = False
    row.save(update_fields=["first_commit_at", "first_review_at", "approved_at", "changes_pending"])
    return {*before, *found}


def _first_commit_at(row: PullRequest, shas: Collection[str]) -> datetime.datetime:
    """Return when the earliest known commit was made: no later than the opening, for which one was needed."""
    earliest = row.opened_at
    ordered = sorted(shas)
    for start in range(0, len(ordered), _CHUNK):
        commits = Commit.objects.filter(repository=row.repository_id, sha__in=ordered[start : start + _CHUNK])
        for authored_at, committed_at in commits.values_list("authored_at", "committed_at"):
            if moment := authored_at or committed_at:
                earliest = min(earliest, moment)
    return earliest


@dataclass
class _Search:
    """Looks for the commits of a pull request in what pushes, messages and the API told."""

    row: PullRequest
    stated: set[str]
    found: dict[str, str] = field(default_factory=dict)  # hash → role

    def go(self) -> dict[str, str]:
        """Return the commits with their roles."""
        for sha in [*self.stated, *self._branch()]:
            self.found[sha] = Role.HEAD
        for sha in [*self._merged(), *self._named()]:
            self.found.setdefault(sha, Role.MERGED)
        return self.found

    def _branch(self) -> list[str]:
        if self.row.head_is_elsewhere or not self.row.head_ref:
            return list(self.row.head_shas)
        of_branch = Push.objects.filter(repository=self.row.repository_id, ref=f"refs/heads/{self.row.head_ref}")
        pushes = list(of_branch.order_by("-pushed_at")[:_MOST_PUSHES])
        others = PullRequest.objects.filter(
            repository=self.row.repository_id,
            head_ref=self.row.head_ref,
            number__lt=self.row.number,
            merged_at__isnull=False,
        )
        commits, tips = branch_commits(
            [
                BranchPush(push.before, push.after, tuple(push.shas), frozenset(push.known_before.split()))
                for push in pushes
            ],
            self.row.head_shas,
            {*others.exclude(head_sha="").values_list("head_sha", flat=True), *self._begun_from(pushes)},
        )
        return [*commits, *(tip for tip in self.row.head_shas if tip in tips)]

    def _begun_from(self, pushes: Iterable[Push]) -> set[str]:
        """Return where the branch was created with nothing of its own yet: where its base stood or had stood."""
        began = {push.after: push.pushed_at for push in pushes if not push.before and push.known_before}
        of_base = Push.objects.filter(repository=self.row.repository_id, ref=f"refs/heads/{self.row.base_ref}")
        moves = of_base.filter(after__in=sorted(began)[:_CHUNK]).values_list("after", "pushed_at")
        return {sha for sha, pushed_at in moves if pushed_at <= began[sha]}

    def _merged(self) -> list[str]:
        sha = self.row.merge_commit_sha
        if not sha or self.row.merged_at is None:
            return []
        pushed = self._pushed_with(sha)[-_MOST_MERGED:]
        messages = self._messages({*pushed, sha})
        others = self._of_others(pushed, messages)
        return merged_commits(
            # Where nobody counted them: at most as many as were pushed to its branch.
            Merge(self.row.number, sha, self.row.head_sha, self.row.commits_count or len(self.found)),
            pushed,
            messages,
            set(self._messages(self.found).values()),
            lambda commit: commit in others,
        )

    def _pushed_with(self, sha: str) -> list[str]:
        """Return what the push of the merge brought, up to the merge. A merge queue pushes several at once."""
        pushes = Push.objects.filter(repository=self.row.repository_id, ref=f"refs/heads/{self.row.base_ref}")
        push = pushes.filter(after=sha).first()
        if push is None and self.row.merged_at is not None:
            day = datetime.timedelta(days=1)
            near = pushes.filter(pushed_at__range=(self.row.merged_at - day, self.row.merged_at + day))
            push = near.filter(commits__contains=sha).first()
        shas = push.shas if push else []
        return shas[: shas.index(sha) + 1] if sha in shas else []

    def _messages(self, shas: Collection[str]) -> dict[str, str]:
        commits = Commit.objects.filter(repository=self.row.repository_id, sha__in=sorted(shas)[:_CHUNK])
        return dict(commits.values_list("sha", "message"))

    def _of_others(self, shas: Collection[str], messages: dict[str, str]) -> set[str]:
        """Return those of the commits that are known to be the merge of another pull request."""
        rows = PullRequest.objects.filter(repository=self.row.repository_id).exclude(pk=self.row.pk)
        others = set(rows.filter(merge_commit_sha__in=shas).values_list("merge_commit_sha", flat=True))
        named = Commit.objects.filter(
            repository=self.row.repository_id, sha__in=list(messages), pull_request_number__in=rows.values("number")
        )
        return others | set(named.values_list("sha", flat=True))

    def _named(self) -> list[str]:
        named = Commit.objects.filter(repository=self.row.repository_id, pull_request_number=self.row.number)
        # Older ones came with another repository's history, where the number was another's.
        named = named.exclude(committed_at__lt=self.row.opened_at)
        return list(named.values_list("sha", flat=True)[:_MOST_MERGED])
