"""What happened on each day, of whatever a selection is about: what reports add up."""

import datetime
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metrics import rollups
from metrics.packing import DayNumbers, add_up
from metrics.periods import days_between
from metrics.rollups import Progress
from metrics.selections import Selection
from metrics.slices import slice_of

Seconds = NDArray[np.int64]
STAGES = ("coding", "draft", "waiting_for_review", "review", "waiting_for_deployment")

__all__ = ["STAGES", "DayFacts", "Facts", "Progress", "Seconds", "load"]


@dataclass(slots=True)
class DayFacts:
    """One day of the workspace over the chosen environments and slice. Times are in seconds.

    A deployment belongs to the day of its `deployed_at`; its changes and its failure belong to that day too,
    whenever it was repaired.
    """

    day: datetime.date
    deployments: int  # that reached the environment and are not archived, redeploys included
    redeploys: int  # of them, those of the commit that ran already, unless they failed or were rework
    failed: int  # of the deployments, those that had to be repaired
    failed_attempts: int  # that ended as failure or error and never reached it, where the rule counts them
    rework: int  # of the deployments, those that were unplanned, because of a failure
    baselines: int
    expected: int  # deployments that should have brought changes: no baseline, no redeploy, no rollback
    without_known_commits: int  # of them, those whose commits nobody told of
    changes_without_start: int
    clocks_ahead: int
    bot_changes: int  # changes by bots that were set apart
    leads: Seconds  # lead times of the changes counted, in order
    lead_sum: int
    staged: int  # how many of the changes have stages (pull requests do)
    staged_lead_sum: int
    stage_sums: tuple[int, int, int, int, int]  # by STAGES, of those
    recoveries: Seconds  # how long each failure lasted that is repaired, in order
    open_since: Seconds  # when each failure that is not repaired was deployed, in seconds since 1970, in order


@dataclass(frozen=True, slots=True)
class Facts:
    """What happened on each day of a range, the first one first; days on which nothing happened included.

    `recomputing` says how far the rollups are where too many days have changed to be read from their rows: then some
    of the days are as they were before.
    """

    days: list[DayFacts]
    recomputing: Progress | None


def load(selection: Selection, first_day: datetime.date, last_day: datetime.date) -> Facts:
    """Return what happened from a day to another, both included, by as many queries for many rows as for few."""
    found = rollups.find(selection, slice_of(selection), first_day, last_day)
    nothing = add_up([])
    days = [_facts(day, found.numbers.get(day, nothing)) for day in days_between(first_day, last_day)]
    return Facts(days, found.recomputing)


def _facts(day: datetime.date, numbers: DayNumbers) -> DayFacts:
    sums = numbers.sums
    return DayFacts(
        day=day,
        deployments=sums.deployments,
        redeploys=sums.redeploys,
        failed=sums.failed,
        failed_attempts=sums.failed_attempts,
        rework=sums.rework,
        baselines=sums.baselines,
        expected=sums.expected,
        without_known_commits=sums.without_known_commits,
        changes_without_start=sums.changes_without_start,
        clocks_ahead=sums.clocks_ahead,
        bot_changes=sums.bot_changes,
        leads=numbers.leads,
        lead_sum=sums.lead_sum,
        staged=sums.staged,
        staged_lead_sum=sums.staged_lead_sum,
        stage_sums=(sums.coding, sums.draft, sums.waiting_for_review, sums.review, sums.waiting_for_deployment),
        recoveries=numbers.recoveries,
        open_since=numbers.open_since,
    )
