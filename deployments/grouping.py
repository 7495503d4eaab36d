"""Turns what deployments brought to a track into changes: a pull request where one is known, else a single commit.

A change stands on its track once, at the first deployment that brought any of it, so changes follow from the marks of
`ShippedCommit` and from what is known of pull requests, whatever of the two was told first.
"""

import datetime
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from django.db.models import Count

from deployments.bulk import insert_rows, update_rows
from deployments.lineage import touches_path
from deployments.models import (
    Change,
    Commit,
    Deployment,
    PullRequest,
    PullRequestCommit,
    ShippedCommit,
    Track,
)
from deployments.stages import Milestones, Stages, lead_time_seconds, ready_at, stages

Outcome = ShippedCommit.Outcome
_CHUNK = 5_000
_COLUMNS = (
    "deployment", "commit", "pull_request", "started_at", "lead_time_seconds", "coding_seconds", "draft_seconds",
    "waiting_for_review_seconds", "review_seconds", "waiting_for_deployment_seconds", "clock_was_ahead",
    "files_are_unknown",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class NewChange:
    """A change as it is to be stored."""

    deployment: Deployment
    commit_id: int
    started_at: datetime.datetime | None
    files_are_unknown: bool
    pull_request: PullRequest | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """Which deployment brought a commit to a track, and what it counts as there."""

    commit_id: int
    sha: str
    generation: int
    deployment_id: int
    deployed_at: datetime.datetime
    outcome: str
    has_files: bool
    started_at: datetime.datetime | None

    @property
    def position(self) -> tuple[datetime.datetime, int]:
        return (self.deployed_at, self.deployment_id)


def path_of(track: Track, deployment: Deployment) -> str:
    """Return the directory whose commits count for a deployment; empty where all do."""
    application = track.application
    if application.monorepo_path_is_pinned or deployment.monorepo_path is None:
        return application.monorepo_path
    return deployment.monorepo_path


def outcome_of(track: Track, deployment: Deployment, *, is_merge: bool, files: str | None) -> Outcome:
    """Return what a commit counts as where a deployment brings it to a track; `files` is None where nobody told."""
    if is_merge and not track.application.workspace.include_merge_commits:
        return Outcome.MERGE
    path = path_of(track, deployment)
    if path and files is not None and not touches_path(files.split("\n"), path):
        return Outcome.OUTSIDE_PATH
    return Outcome.CHANGE


def insert_changes(changes: Iterable[NewChange]) -> None:
    """Store changes with their lead times and stages."""
    insert_rows(Change, _COLUMNS, (_row(change) for change in changes))


def _row(change: NewChange) -> tuple[object, ...]:
    seconds = None
    if change.started_at is not None:
        seconds = lead_time_seconds(change.started_at, change.deployment.deployed_at)
    spent = None if change.pull_request is None else stages_of(change.pull_request, change.deployment.deployed_at)
    return (
        change.deployment.pk,
        change.commit_id,
        change.pull_request and change.pull_request.pk,
        change.started_at,
        None if seconds is None else max(0, seconds),
        spent and spent.coding,
        spent and spent.draft,
        spent and spent.waiting_for_review,
        spent and spent.review,
        spent and spent.waiting_for_deployment,
        seconds is not None and seconds < 0,
        change.files_are_unknown,
    )


def stages_of(pull_request: PullRequest, deployed_at: datetime.datetime) -> Stages:
    """Return how long a pull request spent in each stage before it was deployed at a moment."""
    times = [datetime.datetime.fromisoformat(text) for text in pull_request.ready_times]
    was_draft = bool(times) if pull_request.opened_as_draft is None else pull_request.opened_as_draft
    ready = ready_at(
        pull_request.opened_at,
        opened_as_draft=was_draft,
        ready_times=times,
        first_review_at=pull_request.first_review_at,
    )
    milestones = Milestones(
        first_commit_at=pull_request.first_commit_at or pull_request.opened_at,
        opened_at=pull_request.opened_at,
        ready_at=ready,
        first_review_at=pull_request.first_review_at,
        merged_at=pull_request.merged_at,
    )
    return stages(milestones, deployed_at)


def linked_commits(repository_id: int, shas: Collection[str]) -> set[str]:
    """Return those of the commits that belong to a known pull request."""
    return {link.sha for link in _links(repository_id, shas)}


def _links(repository_id: int, shas: Collection[str]) -> list[PullRequestCommit]:
    links: list[PullRequestCommit] = []
    ordered = sorted(shas)
    for start in range(0, len(ordered), _CHUNK):
        links += PullRequestCommit.objects.filter(repository=repository_id, sha__in=ordered[start : start + _CHUNK])
    return links


def regroup(track: Track, shas: Collection[str]) -> set[int]:
    """Store anew the changes that these commits are part of, and return the deployments that concerns.

    The caller holds the track.
    """
    known = _read_links(track.application.repository_id, shas)
    marks = _marks(track, known.shas)
    robbed = _delete_changes(track, marks, known.of_target)
    deployments = Deployment.objects.in_bulk({mark.deployment_id for mark in marks})
    new = _arranged(track, known, marks, deployments)
    insert_changes(new)
    return robbed | {change.deployment.pk for change in new}


def preview(track: Track, deployment: Deployment, new: list[Mark]) -> list[NewChange]:
    """Return the changes that a deployment would ship if it came last on the track and brought these commits.

    It need not be stored, nor are the marks. Nothing is written.
    """
    shas = {mark.sha for mark in new}
    known = _read_links(track.application.repository_id, shas)
    marks = [*_marks(track, known.shas - shas), *new]
    deployments = Deployment.objects.in_bulk({mark.deployment_id for mark in marks} - {deployment.pk})
    arranged = _arranged(track, known, marks, {**deployments, deployment.pk: deployment})
    return [change for change in arranged if change.deployment is deployment]


@dataclass(frozen=True, slots=True)
class _Links:
    """Which commits belong to which pull requests, as far as some commits are concerned."""

    pull_requests: dict[int, PullRequest]
    of_target: dict[int, set[str]]  # the commits of each pull request that may be a change of theirs
    shas: set[str]  # the commits themselves, and all of these
    owner: dict[str, int]  # commit → its pull request


def _read_links(repository_id: int, shas: Collection[str]) -> _Links:
    of_target = _commits_of(_sharing(repository_id, shas))
    everything = set(shas).union(*of_target.values())
    links = _links(repository_id, everything)  # of others too: a commit may be theirs
    pull_requests = PullRequest.objects.in_bulk({link.pull_request_id for link in links})
    return _Links(pull_requests, of_target, everything, _owners(links, pull_requests))


def _arranged(track: Track, known: _Links, marks: list[Mark], deployments: dict[int, Deployment]) -> list[NewChange]:
    """Return the changes that marks amount to, each at its deployment."""
    new = [
        _single(track, mark, deployments)
        for mark in marks
        if mark.sha not in known.owner and mark.outcome == Outcome.CHANGE
    ]
    by_sha = {mark.sha: mark for mark in marks}
    for number in sorted(known.of_target):
        linked = [by_sha[sha] for sha in known.of_target[number] if sha in by_sha]
        own = [mark for mark in linked if known.owner[mark.sha] == number and mark.outcome != Outcome.BASELINE]
        only_merges = all(mark.outcome == Outcome.MERGE and known.owner[mark.sha] == number for mark in linked)
        change = _grouped(track, known.pull_requests[number], own, deployments, only_merges=only_merges)
        if change is not None:
            new.append(change)
    return new


def _sharing(repository_id: int, shas: Collection[str]) -> set[int]:
    """Return the ids of the pull requests of these commits, and of those that share any commit with them."""
    concerned = {link.pull_request_id for link in _links(repository_id, shas)}
    own = _commits_of(concerned)
    return concerned | {link.pull_request_id for link in _links(repository_id, set().union(*own.values()))}


def _commits_of(pull_request_ids: Collection[int]) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {number: set() for number in pull_request_ids}
    rows = PullRequestCommit.objects.filter(pull_request__in=pull_request_ids)
    for number, sha in rows.values_list("pull_request_id", "sha"):
        found[number].add(sha)
    return found


def _owners(links: list[PullRequestCommit], pull_requests: dict[int, PullRequest]) -> dict[str, int]:
    """Return for each commit its pull request: of several the one that was merged first."""
    owner: dict[str, int] = {}
    for link in sorted(links, key=lambda link: _precedence(pull_requests[link.pull_request_id])):
        owner.setdefault(link.sha, link.pull_request_id)
    return owner


def _precedence(pull_request: PullRequest) -> tuple[bool, float, int]:
    merged_at = pull_request.merged_at
    return (merged_at is None, merged_at.timestamp() if merged_at else 0.0, pull_request.number)


def _marks(track: Track, shas: Collection[str]) -> list[Mark]:
    marks: list[Mark] = []
    ordered = sorted(shas)
    for start in range(0, len(ordered), _CHUNK):
        rows = ShippedCommit.objects.filter(
            track=track,
            commit__repository=track.application.repository_id,
            commit__sha__in=ordered[start : start + _CHUNK],
        ).select_related("commit", "deployment")
        for row in rows.only(
            "outcome", "commit__sha", "commit__generation", "commit__files", "commit__authored_at",
            "commit__committed_at", "deployment__deployed_at",
        ):  # fmt: skip
            commit = row.commit
            marks.append(
                Mark(
                    commit.pk, commit.sha, commit.generation, row.deployment_id, row.deployment.deployed_at,
                    row.outcome, commit.files is not None, commit.authored_at or commit.committed_at,
                )
            )  # fmt: skip
    return marks


def _delete_changes(track: Track, marks: list[Mark], targets: Collection[int]) -> set[int]:
    """Delete the changes that these commits and pull requests are on the track, and return whose they were."""
    robbed: set[int] = set()
    changes = Change.objects.filter(deployment__track=track)
    ids = sorted(mark.commit_id for mark in marks)
    singles = (
        changes.filter(pull_request=None, commit__in=ids[start : start + _CHUNK])
        for start in range(0, len(ids), _CHUNK)
    )
    for rows in (changes.filter(pull_request__in=targets), *singles):
        robbed.update(rows.values_list("deployment_id", flat=True))
        rows.delete()
    return robbed


def _single(track: Track, mark: Mark, deployments: dict[int, Deployment]) -> NewChange:
    deployment = deployments[mark.deployment_id]
    return NewChange(
        deployment,
        mark.commit_id,
        mark.started_at,
        files_are_unknown=bool(path_of(track, deployment)) and not mark.has_files,
    )


def _grouped(
    track: Track,
    pull_request: PullRequest,
    marks: list[Mark],
    deployments: dict[int, Deployment],
    *,
    only_merges: bool,
) -> NewChange | None:
    """Return the change that a pull request is on the track, if it is one there.

    One whose commits all belong to others, such as a merge of `develop` into `main`, is none.
    """
    if pull_request.author_is_bot and track.application.workspace.leave_out_bots:
        return None
    counting = [mark for mark in marks if mark.outcome == Outcome.CHANGE]
    if not counting and only_merges:
        # The merge commit is all that is known of it.
        counting = [mark for mark in marks if _may_touch(track, mark, deployments[mark.deployment_id])]
    if not counting:
        return None
    first = min(mark.position for mark in counting)
    brought = [mark for mark in marks if mark.position == first]
    deployment = deployments[first[1]]
    latest = max(brought, key=lambda mark: (mark.generation, mark.sha))
    has_path = bool(path_of(track, deployment))
    return NewChange(
        deployment,
        latest.commit_id,
        pull_request.first_commit_at or pull_request.opened_at,
        files_are_unknown=has_path and not any(mark.has_files for mark in counting if mark.position == first),
        pull_request=pull_request,
    )


def _may_touch(track: Track, mark: Mark, deployment: Deployment) -> bool:
    path = path_of(track, deployment)
    if not path:
        return True
    files = Commit.objects.values_list("files", flat=True).get(pk=mark.commit_id)
    return not files or touches_path(files.split("\n"), path)


def count_changes(deployments: Collection[Deployment]) -> None:
    """Store on each deployment how many changes it shipped."""
    counts = dict(
        Change.objects.filter(deployment__in=deployments)
        .values_list("deployment")
        .annotate(number=Count("id"))
        .values_list("deployment", "number")
    )
    for deployment in deployments:
        deployment.changes_count = counts.get(deployment.pk, 0)
    update_rows(deployments, ["changes_count"])
