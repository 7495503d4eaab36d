"""The stages of a change, from its first commit to its deployment. Plain functions over moments."""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Milestones:
    """When what happened to a pull request. None where it did not, or where nobody told."""

    first_commit_at: datetime.datetime
    opened_at: datetime.datetime
    ready_at: datetime.datetime
    first_review_at: datetime.datetime | None
    merged_at: datetime.datetime | None


@dataclass(frozen=True, slots=True)
class Stages:
    """How long a change spent in each stage, in seconds. Together they are its lead time."""

    coding: int
    draft: int
    waiting_for_review: int
    review: int
    waiting_for_deployment: int


def stages(milestones: Milestones, deployed_at: datetime.datetime) -> Stages:
    """Return the stages of a pull request that was deployed at a moment.

    Coding goes from the first commit to the opening, draft from there until it was ready for review, waiting for
    review until the first review, review until the merge, waiting for deployment until the deployment. One that
    nobody reviewed waited for it until it was merged. What is deployed before it is merged is still in review, and
    no stage begins before the one ahead of it: so their sum is always the lead time.
    """
    unmerged = milestones.merged_at or deployed_at
    ends = (
        milestones.opened_at,
        milestones.ready_at,
        milestones.first_review_at or unmerged,
        unmerged,
        deployed_at,
    )
    lengths = []
    reached = min(milestones.first_commit_at, deployed_at)
    for end in ends:
        until = min(max(end, reached), deployed_at)
        lengths.append((reached, until))
        reached = until
    start = lengths[0][0]
    # Rounded as a whole, so that no second is lost between two stages.
    seconds = [int((until - start).total_seconds()) for _, until in lengths]
    return Stages(*(now - before for before, now in zip([0, *seconds], seconds, strict=False)))


def ready_at(
    opened_at: datetime.datetime,
    *,
    opened_as_draft: bool,
    ready_times: Iterable[datetime.datetime],
    first_review_at: datetime.datetime | None,
) -> datetime.datetime:
    """Return when a pull request became ready for the review that it got.

    That is the last time it was said to be ready before its first review. One that was opened as a draft and never
    said to be ready was so from its opening on: it was reviewed, or merged, all the same.
    """
    times = sorted(ready_times) if opened_as_draft else sorted([opened_at, *ready_times])
    before = [moment for moment in times if first_review_at is None or moment <= first_review_at]
    return before[-1] if before else opened_at


def lead_time_seconds(started_at: datetime.datetime, deployed_at: datetime.datetime) -> int:
    """Return the lead time in seconds; below zero where the clock that dated the start was ahead."""
    return int((deployed_at - started_at).total_seconds())
