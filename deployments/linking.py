"""Which commits belong to a pull request. Plain functions over pushes and commits.

A branch may be rebased while it is worked on, and the merge may squash or rebase it once more: so neither the hashes
nor the dates of what arrives on the main branch tell what was worked on, or when. What was pushed to the branch does.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

_MERGE_OF_PULL_REQUEST = re.compile(r"Merge pull request #(\d{1,9}) from ")
_NUMBER_AT_THE_END = re.compile(r"\(#(\d{1,9})\)\s*$")
_MERGE = re.compile(r"Merge (pull request #\d+ from|(remote-tracking )?branch(es)? |tag |commit )")


@dataclass(frozen=True, slots=True)
class BranchPush:
    """A move of a branch. `before` is empty where the branch was created; commits are listed oldest first."""

    before: str
    after: str
    commits: tuple[str, ...]
    known_before: frozenset[str] = frozenset()  # of these, what had been pushed elsewhere


def pull_request_number(message: str) -> int | None:
    """Return the number of the pull request that a commit's message says it is the merge of.

    GitHub writes `Merge pull request #12 from acme/topic` for merge commits and `Title (#12)` for squashed ones.
    Quoted titles do not count: `Revert "Title (#12)"` names none, `Revert "Title (#12)" (#15)` names 15.
    """
    subject = message.partition("\n")[0]
    found = _MERGE_OF_PULL_REQUEST.match(subject) or _NUMBER_AT_THE_END.search(subject)
    return int(found[1]) if found else None


def looks_like_merge(message: str) -> bool:
    """Tell by the message that Git or GitHub wrote whether a commit is a merge: pushes do not tell parents."""
    return _MERGE.match(message) is not None


def branch_commits(
    pushes: Iterable[BranchPush], tips: Collection[str], ends_of_others: Collection[str]
) -> tuple[list[str], set[str]]:
    """Return the commits that were pushed to a branch while it led to one of these tips, and all of its tips.

    Goes back from push to push, also through those that replaced commits by rebased ones, to the creation of the
    branch, or to where an earlier pull request of a branch of the same name ended. What a merge brought from
    elsewhere is left out; what a branch was created with is not, as it may have been pushed under another name.
    """
    by_after: dict[str, list[BranchPush]] = {}
    for push in pushes:
        by_after.setdefault(push.after, []).append(push)
    ends = set(ends_of_others) - set(tips)
    commits: dict[str, None] = {}
    seen: set[str] = set()
    waiting = list(tips)
    while waiting:
        tip = waiting.pop()
        if tip in seen or tip in ends:
            continue
        seen.add(tip)
        for push in by_after.get(tip, ()):
            is_new_name = not push.before and not set(push.commits) - push.known_before
            foreign: Collection[str] = () if is_new_name else push.known_before
            commits.update((sha, None) for sha in push.commits if sha not in foreign and sha not in ends)
            if push.before:
                waiting.append(push.before)
    return list(commits), seen


@dataclass(frozen=True, slots=True)
class Merge:
    """How a pull request was merged, as far as is known."""

    number: int
    sha: str  # the merge commit, the squash commit, or the last of the rebased ones
    head_sha: str
    commits_count: int | None


def merged_commits(
    merge: Merge,
    pushed: Sequence[str],
    message_of: Mapping[str, str],
    head_messages: Collection[str],
    belongs_to_other: Callable[[str], bool],
) -> list[str]:
    """Return the commits on the main branch that a pull request was merged as, the last one first.

    `pushed` lists what the push of the merge brought, oldest first and up to the merge itself. After a rebase these
    are as many as the pull request had commits, with the messages of its commits; after a squash it is one, whose
    title names the pull request; a merge commit comes with the commits themselves.
    """
    found = [merge.sha]
    message = message_of.get(merge.sha, "")
    if looks_like_merge(message) or merge.sha == merge.head_sha:
        limit = (merge.commits_count or 1) + looks_like_merge(message)
    elif pull_request_number(message) == merge.number:
        return found
    else:
        limit = merge.commits_count or 1
    for sha in reversed(pushed[: pushed.index(merge.sha)] if merge.sha in pushed else []):
        if len(found) >= limit or belongs_to_other(sha):
            break
        is_rebased = not looks_like_merge(message) and merge.sha != merge.head_sha
        if is_rebased and head_messages and message_of.get(sha) not in head_messages:
            break
        found.append(sha)
    return found
