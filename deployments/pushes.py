"""Records pushes: the commits that they bring, and where they move branches and tags."""

import dataclasses
import datetime
from collections import Counter
from dataclasses import dataclass, field

from django.db.models import Q

from deployments.commits import CommitReport, record_commits
from deployments.linking import looks_like_merge
from deployments.models import GitRef, PullRequest, Push, Repository, Track

_BRANCH = "refs/heads/"


@dataclass(frozen=True, slots=True)
class PushReport:
    """A move of a ref. `before` is empty where it was created, `after` where it was deleted.

    Commits are listed oldest first, without their parents.
    """

    ref: str
    before: str
    after: str
    pushed_at: datetime.datetime
    commits: tuple[CommitReport, ...] = ()
    known_before: frozenset[str] = frozenset()
    is_forced: bool = False
    is_truncated: bool = False


def record_push(repository: Repository, report: PushReport) -> Push:
    """Record a push with its commits. Telling the same again changes nothing. The caller holds a transaction."""
    if report.commits:
        _record_commits(repository, report)
    push, _ = Push.objects.get_or_create(
        repository=repository,
        ref=report.ref,
        before=report.before,
        after=report.after,
        pushed_at=report.pushed_at,  # a branch may be moved there, and back, and there again
        defaults={
            "is_forced": report.is_forced,
            "is_truncated": report.is_truncated,
            "commits": " ".join(commit.sha for commit in report.commits),
            "known_before": " ".join(sorted(report.known_before)),
        },
    )
    _move_ref(repository, report.ref)
    _mark_pull_requests(repository, report)
    return push


def _record_commits(repository: Repository, report: PushReport) -> None:
    try:
        record_commits(repository, infer_parents(report))
    except ValueError:  # what was inferred goes in a circle with what other pushes let one infer
        record_commits(repository, report.commits)


def infer_parents(report: PushReport) -> list[CommitReport]:
    """Return the commits with the parents that a push lets one infer, each once.

    The list is in topological order, so each stands on the one before, and the first on what the branch led to. What
    had been pushed elsewhere before stands on nothing that is new. A merge joins what the branch led to, or what is
    new before it, and what it brought in. Of a list that was cut, or that replaced other commits, nobody knows on
    what the first stands.
    """
    goes_on = report.ref.startswith(_BRANCH) and not (report.is_forced or report.is_truncated)
    line = _Line(report.before if goes_on else "")
    inferred: dict[str, CommitReport] = {}
    for commit in report.commits:
        if commit.sha in inferred or commit.sha == report.before:
            continue
        is_known = commit.sha in report.known_before
        if commit.parents is None:
            parents = line.parents(
                is_known=is_known,
                is_merge=looks_like_merge(commit.message),
                is_last=commit is report.commits[-1],
            )
            inferred[commit.sha] = dataclasses.replace(
                commit,
                parents=parents,
                parents_are_inferred=parents is not None,
                parents_are_first_hand=parents is not None and not is_known,
            )
        else:
            inferred[commit.sha] = commit
        line.add(commit.sha, is_known=is_known)
    return list(inferred.values())


@dataclass
class _Line:
    """What a push has listed so far."""

    base: str  # what the branch led to, where the list goes on from there
    listed: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)  # of these, what had been pushed elsewhere
    new: list[str] = field(default_factory=list)

    def add(self, sha: str, *, is_known: bool) -> None:
        self.listed.append(sha)
        (self.known if is_known else self.new).append(sha)

    def parents(self, *, is_known: bool, is_merge: bool, is_last: bool) -> tuple[str, ...] | None:
        earlier = self.known if is_known else self.listed
        if not earlier:
            return (self.base,) if self.base else None
        if is_last and not is_known and self.base and self.known and not self.new:
            return (self.base, self.known[-1])  # a merge, whatever its title: it joins what was known on both sides
        if not is_merge:
            return (earlier[-1],)
        if not is_known and self.known and self.new:
            return (self.new[-1], self.known[-1])
        if self.base:
            return (self.base, earlier[-1])
        # Of a merge of nothing but known commits, on a new branch such as a merge queue's, one side is not told.
        return tuple(earlier[:-3:-1]) if self.new else None


def _move_ref(repository: Repository, name: str) -> None:
    """Have a branch or tag stand where its latest push left it, whichever push was told of last."""
    pushes = Push.objects.filter(repository=repository, ref=name)
    newest = list(pushes.order_by("-pushed_at", "-id")[:20])
    latest = _latest(newest)
    ref, _ = GitRef.objects.get_or_create(
        repository=repository, name=name, defaults={"sha": latest.after, "moved_at": latest.pushed_at}
    )
    ref.is_deleted = not latest.after
    # A tag that was deleted stood at its commit; what the deletion names may be the tag as an object.
    ref.sha = latest.after or next((push.after for push in newest if push.after), latest.before)
    ref.moved_at = latest.pushed_at
    ref.save()
    if name == _BRANCH + repository.default_branch and latest.after != repository.default_branch_sha:
        repository.default_branch_sha = latest.after
        repository.save(update_fields=["default_branch_sha"])
        Track.objects.of_repository(repository).count_waiting_again()


def _latest(newest: list[Push]) -> Push:
    """Return the last push of a ref, given the newest ones.

    Of several within one second each goes on from another, and the last leads to where fewer begin than end. Where
    there is no such place they led in a circle, back to where the ref stood before.
    """
    same_second = [push for push in newest if push.pushed_at == newest[0].pushed_at]
    ends = Counter(push.after for push in same_second)
    ends.subtract(push.before for push in same_second)
    before = newest[len(same_second)].after if len(newest) > len(same_second) else ""
    stands_at = next((sha for sha, number in ends.items() if number > 0), before)
    return next((push for push in same_second if push.after == stands_at), same_second[0])


def _mark_pull_requests(repository: Repository, report: PushReport) -> None:
    """Mark the pull requests of the branch, and those that this push merged."""
    concerned = Q(merge_commit_sha=report.after) if report.after else Q()
    if report.ref.startswith(_BRANCH):
        # Not those of a long-lived branch that were merged long before.
        long_ago = report.pushed_at - datetime.timedelta(days=1)
        own = Q(head_ref=report.ref.removeprefix(_BRANCH))
        concerned |= own & (Q(merged_at=None) | Q(merged_at__gte=long_ago))
    if concerned:
        PullRequest.objects.filter(concerned, repository=repository).update(changes_pending=True)
