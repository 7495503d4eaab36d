"""Holds stored rollups against the rows that they are made of."""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from django.db.models import Max, Min

from deployments.models import Environment, Workspace
from metrics import bases, stale
from metrics.models import DayRollup, RollupBasis
from metrics.packing import NOTHING, DayDetail, DayNumbers, DaySums, everything, unpack_detail, unpack_numbers
from metrics.periods import days_between
from metrics.raw_days import Place, read_days
from metrics.rebuilding import Show

_DAYS_AT_ONCE = 7


@dataclass
class Checked:
    """How many days were looked at, what differs, and how many days were left out because they are stale."""

    days: int = 0
    stale: int = 0
    differences: list[str] = field(default_factory=list)


def check_workspace(
    workspace: Workspace, first: datetime.date | None, last: datetime.date | None, show: Show
) -> Checked:
    """Compare every day of a workspace, or those from one to another, with its rows."""
    checked = Checked()
    names = dict(Environment.objects.filter(workspace=workspace).values_list("pk", "name"))
    basis = RollupBasis.objects.filter(workspace=workspace, is_active=True).first()
    days = _days(workspace, basis, first, last)
    if basis is None:
        checked.stale = len(days)
        return checked
    for start in range(0, len(days), _DAYS_AT_ONCE):
        batch = days[start : start + _DAYS_AT_ONCE]
        different = set(_differing(basis, names, batch))
        # What was rebuilt between two readings differs only once.
        again = _differing(basis, names, batch) if different else {}
        marked = _stale(basis, list(names), batch)
        checked.days += len(batch)
        checked.stale += len(marked)
        checked.differences += [
            f"{place[1]} in {names[place[0]]}: {again[place]}"
            for place in sorted(different & again.keys(), key=lambda place: (place[1], place[0]))
            if place[1] not in marked
        ]
        show("days", checked.days, len(days))
    return checked


def _days(
    workspace: Workspace, basis: RollupBasis | None, first: datetime.date | None, last: datetime.date | None
) -> list[datetime.date]:
    """Return the days from the first that has a deployment or a rollup to the last."""
    zone = workspace.zone if basis is None else bases.zone_of(basis)
    found = [*(bases.days_of_history(workspace, zone) or ())]
    stored = DayRollup.objects.filter(basis=basis).aggregate(first=Min("day"), last=Max("day"))
    found += [day for day in stored.values() if day is not None]
    if not found:
        return []
    return days_between(max(first or min(found), min(found)), min(last or max(found), max(found)))


def _stale(basis: RollupBasis, environment_ids: list[int], days: list[datetime.date]) -> set[datetime.date]:
    marked = stale.days_of(stale.hours_between(environment_ids, days[0], days[-1]), bases.zone_of(basis))
    return {day for day in days if day in marked or bases.is_to_do(basis, day)}


def _differing(basis: RollupBasis, names: dict[int, str], days: list[datetime.date]) -> dict[Place, str]:
    """Return what differs, by environment and day."""
    told = {
        (row.environment_id, row.day): row
        for row in DayRollup.objects.filter(basis=basis, environment__in=names, day__in=days)
    }
    true = dict(read_days(list(names), days, bases.zone_of(basis), basis.bot_names))
    differences = {place: "; ".join(_compare(told.get(place), true.get(place, NOTHING))) for place in {*told, *true}}
    return {place: text for place, text in differences.items() if text}


def _compare(row: DayRollup | None, detail: DayDetail) -> Iterator[str]:
    numbers = everything(detail)
    if row is None:
        yield f"there is no rollup, but {numbers.sums.deployments} deployments"
        return
    try:
        stored = unpack_numbers(bytes(row.sums), bytes(row.leads))
        stored_detail = unpack_detail(bytes(row.detail))
    except ValueError:
        yield "the rollup cannot be read"
        return
    yield from _compare_numbers(stored, numbers)
    if stored_detail.names != detail.names or not all(
        np.array_equal(mine, its) for mine, its in zip(stored_detail.columns, detail.columns, strict=True)
    ):
        yield "the detail that slices are cut from differs"


def _compare_numbers(stored: DayNumbers, true: DayNumbers) -> Iterator[str]:
    for name in DaySums._fields:
        mine, its = getattr(stored.sums, name), getattr(true.sums, name)
        if mine != its:
            yield f"{name.replace('_', ' ')} {mine}, by the rows {its}"
    for name in ("leads", "recoveries", "open_since"):
        if not np.array_equal(getattr(stored, name), getattr(true, name)):
            yield f"{name.replace('_', ' ')} differ"
