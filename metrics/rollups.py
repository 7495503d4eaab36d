"""Finds the numbers of days: from their rollups, and from their rows where those have changed since."""

import datetime
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db.models import Q, QuerySet

from deployments.models import Deployment, Workspace
from metrics import bases, stale, stored
from metrics.models import DayRollup, RollupBasis
from metrics.packing import DayDetail, DayNumbers, add_up
from metrics.periods import days_between, start_of_day
from metrics.raw_days import read_days, runs
from metrics.selections import Selection
from metrics.slices import Slice

# So many deployments are read from their rows while somebody waits for the page; of so few days they are not counted.
MOST_RAW_DAYS = 2
MOST_RAW_DEPLOYMENTS = 10_000
_ONE_DAY = datetime.timedelta(days=1)
# Rollups are replaced a few times a year; twice while one page is read would be a fault.
_ATTEMPTS = 5

Days = set[datetime.date]
_Read = TypeVar("_Read", bound=Collection[Any])


@dataclass(frozen=True, slots=True)
class Progress:
    """How many days have been recomputed, of how many."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Found:
    """The numbers of the days on which anything happened, and how far recomputing is where they are of before."""

    numbers: dict[datetime.date, DayNumbers]
    recomputing: Progress | None


@dataclass(frozen=True, slots=True)
class _Plan:
    """Which rollups are shown, and which days are read from their rows instead."""

    basis: RollupBasis
    environments: list[int]
    changed: Days
    recomputing: Progress | None

    def rows(self, first: datetime.date, last: datetime.date) -> "QuerySet[DayRollup]":
        if self.basis.pk is None:
            return DayRollup.objects.none()
        return DayRollup.objects.filter(basis=self.basis, environment__in=self.environments, day__range=(first, last))

    def read(self) -> Iterator[tuple[datetime.date, DayDetail]]:
        if self.changed:
            zone, bot_names = bases.zone_of(self.basis), self.basis.bot_names
            for (_, day), detail in read_days(self.environments, sorted(self.changed), zone, bot_names):
                yield day, detail


def find(selection: Selection, chosen: Slice, first: datetime.date, last: datetime.date) -> Found:
    """Return the numbers of a slice from a day to another, both included.

    They are exact whether a worker has been at it or not, unless more has changed than can be read in passing: then
    they are as they were, in the time zone of then.
    """
    plan, numbers = _read(
        selection, first, last, lambda rows, changed: stored.read(rows, chosen, leaving_out=changed)
    )
    fresh = defaultdict[datetime.date, list[DayNumbers]](list)
    for day, detail in plan.read():
        fresh[day].append(chosen.numbers(detail))
    numbers.update((day, add_up(parts)) for day, parts in fresh.items())
    return Found(numbers, plan.recomputing)


def details(
    selection: Selection, first: datetime.date, last: datetime.date
) -> Iterator[tuple[datetime.date, DayDetail]]:
    """Return the deployments and changes of each environment and day, for what their numbers do not tell."""
    plan, found = _read(selection, first, last, lambda rows, changed: list(stored.details(rows, leaving_out=changed)))
    yield from found
    yield from plan.read()


def _read(
    selection: Selection,
    first: datetime.date,
    last: datetime.date,
    read: "Callable[[QuerySet[DayRollup], Days], _Read]",
) -> tuple[_Plan, _Read]:
    """Return what is read of the stored days, and which others are to be read from their rows.

    Where a basis gives way to another one between two queries, its rollups are gone: then we begin again.
    """
    for _ in range(_ATTEMPTS):
        plan = _plan(selection, first, last)
        try:
            found = read(plan.rows(first, last), plan.changed)
        except stored.Replaced:
            continue
        if found or plan.basis.pk is None or RollupBasis.objects.filter(pk=plan.basis.pk).exists():
            return plan, found
    raise stored.Replaced("Rollups are being replaced again and again.")


def _plan(selection: Selection, first: datetime.date, last: datetime.date) -> _Plan:
    workspace = selection.workspace
    environments = [environment.pk for environment in selection.environments]
    known = list(RollupBasis.objects.filter(workspace=workspace).order_by("-is_active"))
    # The marks are read before the rollups: what is rebuilt in between is only newer than it needs to be.
    hours = stale.hours_between(environments, first, last)
    wanted = next((basis for basis in known if bases.fits(basis, workspace)), None) or _unsaved(workspace)
    changed = _changed(wanted, hours, first, last)
    if _can_be_read(environments, changed, wanted):
        return _Plan(wanted, environments, changed, None)
    shown = known[0] if known else wanted
    changed = _changed(shown, hours, first, last)
    if shown is wanted or not _can_be_read(environments, changed, shown):
        changed = set()
    return _Plan(shown, environments, changed, _progress(wanted, hours))


def _unsaved(workspace: Workspace) -> RollupBasis:
    """Return the basis that a worker will make for a workspace."""
    return RollupBasis(workspace=workspace, time_zone=workspace.time_zone, bot_names=bases.bot_keys(workspace))


def _changed(
    basis: RollupBasis, hours: Collection[datetime.datetime], first: datetime.date, last: datetime.date
) -> Days:
    """Return the days whose rollups are not to be trusted."""
    if basis.pk is not None and not hours and basis.first_day_to_do is None:
        return set()
    days = days_between(first, last)
    if basis.pk is None:
        return set(days)
    marked = stale.days_of(hours, bases.zone_of(basis))
    return {day for day in days if day in marked or bases.is_to_do(basis, day)}


def _can_be_read(environments: Sequence[int], days: Days, basis: RollupBasis) -> bool:
    """Tell whether days can be read from their rows while somebody waits."""
    if not days or len(days) <= MOST_RAW_DAYS:
        return True
    zone = bases.zone_of(basis)
    on_days = Q()
    for first, last in runs(days):
        on_days |= Q(deployed_at__gte=start_of_day(first, zone), deployed_at__lt=start_of_day(last + _ONE_DAY, zone))
    rows = Deployment.objects.reached().filter(on_days, environment__in=environments)
    return rows[: MOST_RAW_DEPLOYMENTS + 1].count() <= MOST_RAW_DEPLOYMENTS


def _progress(basis: RollupBasis, hours: Collection[datetime.datetime]) -> Progress:
    marked = len(stale.days_of(hours, bases.zone_of(basis)))
    left = bases.days_left(basis)
    total = max(basis.days_to_do, left)
    return Progress(total - left, total + marked)
