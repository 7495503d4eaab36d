"""Records pushes: the commits that they bring, and where they move branches and tags."""

import dataclasses
import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q

from deployments.commits import CommitReport, record_commits
from deployments.linking import looks_like_merge
from deployments.models import GitRef, PullRequest, Push, Repository

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
        record_commits(repository, infer_parents(report))
    push, _ = Push.objects.get_or_create(
        repository=repository,
        ref=report.ref,
        before=report.before,
        after=report.after,
        defaults={
            "pushed_at": report.pushed_at,
            "is_forced": report.is_forced,
            "is_truncated": report.is_truncated,
            "commits": " ".join(commit.sha for commit in report.commits),
            "known_before": " ".join(sorted(report.known_before)),
        },
    )
    _move_ref(repository, report.ref)
    _mark_pull_requests(repository, report)
    return push


def infer_parents(report: PushReport) -> list[CommitReport]:
    """Return the commits with the parents that a push lets one infer.

    The list is in topological order, so each stands on the one before, and the first on what the branch led to. A
    merge has what the branch led to as another parent: it may have brought in all that is listed before it. Of a
    list that was cut, or that replaced other commits, nobody knows on what the first stands.
    """
    goes_on = report.ref.startswith(_BRANCH) and not (report.is_forced or report.is_truncated)
    base = report.before if goes_on else ""
    inferred: list[CommitReport] = []
    for commit in report.commits:
        if commit.parents is not None:
            inferred.append(commit)
            continue
        parents = _parents(inferred, base, is_merge=looks_like_merge(commit.message))
        inferred.append(dataclasses.replace(commit, parents=parents, parents_are_inferred=parents is not None))
    return inferred


def _parents(earlier: Sequence[CommitReport], base: str, *, is_merge: bool) -> tuple[str, ...] | None:
    if not earlier:
        return (base,) if base else None
    before = earlier[-1].sha
    if not is_merge:
        return (before,)
    if base:
        return (base, before)
    return (before, earlier[-2].sha) if len(earlier) > 1 else (before,)


def _move_ref(repository: Repository, name: str) -> None:
    """Have a branch or tag stand where its latest push left it, whichever push was told of last."""
    pushes = Push.objects.filter(repository=repository, ref=name)
    newest = list(pushes.order_by("-pushed_at", "-id")[:20])
    latest = _latest([push for push in newest if push.pushed_at == newest[0].pushed_at])
    ref, _ = GitRef.objects.get_or_create(
        repository=repository, name=name, defaults={"sha": latest.after, "moved_at": latest.pushed_at}
    )
    ref.is_deleted = not latest.after
    ref.sha = latest.after or latest.before
    ref.moved_at = latest.pushed_at
    ref.save()
    if name == _BRANCH + repository.default_branch and latest.after != repository.default_branch_sha:
        repository.default_branch_sha = latest.after
        repository.save(update_fields=["default_branch_sha"])


def _latest(pushes: list[Push]) -> Push:
    """Return the last of several pushes of one second: the one from which no other goes on."""
    begun_from = {push.before for push in pushes} - {""}
    return next((push for push in pushes if push.after not in begun_from), pushes[0])


def _mark_pull_requests(repository: Repository, report: PushReport) -> None:
    """Mark the pull requests of the branch, and those that this push merged."""
    concerned = Q(merge_commit_sha=report.after) if report.after else Q()
    if report.ref.startswith(_BRANCH):
        concerned |= Q(head_ref=report.ref.removeprefix(_BRANCH))
    if concerned:
        PullRequest.objects.filter(concerned, repository=repository).update(changes_pending=True)
