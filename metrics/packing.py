"""One day's facts as packed columns, and the sums over any part of them. Plain functions over NumPy arrays."""

import struct
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

# The smallest of these that holds all values of a column is what it is stored as, in the order of its code.
_TYPES = (np.dtype("<u1"), np.dtype("<u2"), np.dtype("<i4"), np.dtype("<i8"))
_HEAD = struct.Struct("<BI")
# Every so many values of each sorted part are looked at first where one value of all is wanted.
_RUNG = 64
# Around a value so many rungs more are sorted: whoever wants a median wants its range too.
_SPARE = 12
# So few values are sorted all at once.
_FEW = 4_096


class Bots(StrEnum):
    """What becomes of changes whose authors are bots."""

    APART = "apart"
    INCLUDE = "include"
    ONLY = "only"


class Mark:
    """What is to be known of a deployment, a bit for each. Plain numbers: an IntFlag takes ten times as long."""

    REACHED = 1
    FAILED = 2
    OPEN = 4  # it failed, and nothing has repaired it
    REWORK = 8
    BASELINE = 16
    REDEPLOY = 32
    EXPECTED = 64
    WITHOUT_COMMITS = 128


class ChangeMark:
    """What is to be known of a change, a bit for each."""

    BOT = 1
    CLOCK_AHEAD = 2
    WITHOUT_START = 4
    STAGED = 8


@dataclass(frozen=True, slots=True)
class DayDetail:
    """All deployments of one environment and day, and their changes, column by column.

    `failures` says of a failed deployment how many seconds it took until the repair, or, where it is still open, when
    it was deployed. Changes name their deployment by its place, and authors stand by their place in `names`.
    """

    names: tuple[str, ...]
    applications: Integers
    authors: Integers
    marks: Integers
    failures: Integers
    change_deployments: Integers
    change_authors: Integers
    change_marks: Integers
    leads: Integers
    stages: tuple[Integers, ...]  # of the changes that have them only

    @property
    def columns(self) -> list[Integers]:
        """All columns, in the order in which they are packed."""
        return [
            self.applications, self.authors, self.marks, self.failures, self.change_deployments,
            self.change_authors, self.change_marks, self.leads, *self.stages,
        ]  # fmt: skip


class DaySums(NamedTuple):
    """What a day comes to. Times are in seconds."""

    deployments: int = 0  # that reached the environment and are not archived, redeploys included
    redeploys: int = 0  # of them, those of the commit that ran already, unless they failed or were rework
    failed: int = 0  # of the deployments, those that had to be repaired
    failed_attempts: int = 0  # that ended as failure or error and never reached it, where the rule counts them
    rework: int = 0  # of the deployments, those that were unplanned, because of a failure
    baselines: int = 0
    expected: int = 0  # deployments that should have brought changes: no baseline, no redeploy, no rollback
    without_known_commits: int = 0  # of them, those whose commits nobody told of
    changes_without_start: int = 0
    clocks_ahead: int = 0
    bot_changes: int = 0  # changes by bots that were set apart
    lead_sum: int = 0
    staged: int = 0  # how many of the changes have stages (pull requests do)
    staged_lead_sum: int = 0
    coding: int = 0
    draft: int = 0
    waiting_for_review: int = 0
    review: int = 0
    waiting_for_deployment: int = 0


def total(sums: Iterable[DaySums]) -> DaySums:
    """Return the sums of several days, or of several parts of one."""
    return DaySums(*map(sum, zip(*sums, strict=True)))


@dataclass(frozen=True, slots=True)
class DayNumbers:
    """The sums of a day, and the times in order from which medians are taken.

    Where `content` is known it names what is in it: two of the same content are the same.
    """

    sums: DaySums
    leads: Integers
    recoveries: Integers
    open_since: Integers
    content: Hashable = None


def integers(values: Iterable[int]) -> Integers:
    """Return a column of these values."""
    return np.fromiter(values, np.int64)


def sum_up(detail: DayDetail, deployments: Mask, changes: Mask, bots: Bots) -> DayNumbers:
    """Return the numbers of the deployments and changes that the masks choose. Rollups and slices are this."""
    marks, failures = detail.marks[deployments], detail.failures[deployments]
    reached = _has(marks, Mark.REACHED)
    failed, is_open = _has(marks, Mark.FAILED), _has(marks, Mark.OPEN)
    of_bots = _has(detail.change_marks, ChangeMark.BOT)
    counted = _counted(changes, of_bots, bots)
    change_marks = detail.change_marks[counted]
    leads = detail.leads[measured(detail, changes, bots)]
    is_staged = _has(detail.change_marks, ChangeMark.STAGED)
    staged = counted[is_staged]
    sums = DaySums(
        deployments=_count(reached),
        redeploys=_count(reached & _has(marks, Mark.REDEPLOY)),
        failed=_count(reached & failed),
        failed_attempts=_count(~reached & failed),
        rework=_count(reached & _has(marks, Mark.REWORK)),
        baselines=_count(reached & _has(marks, Mark.BASELINE)),
        expected=_count(reached & _has(marks, Mark.EXPECTED)),
        without_known_commits=_count(reached & _has(marks, Mark.WITHOUT_COMMITS)),
        changes_without_start=_count(_has(change_marks, ChangeMark.WITHOUT_START)),
        clocks_ahead=_count(_has(change_marks, ChangeMark.CLOCK_AHEAD)),
        bot_changes=_count(changes & of_bots) if bots is Bots.APART else 0,
        lead_sum=int(leads.sum()),
        staged=_count(staged),
        staged_lead_sum=int(detail.leads[is_staged][staged].sum()),
        coding=int(detail.stages[0][staged].sum()),
        draft=int(detail.stages[1][staged].sum()),
        waiting_for_review=int(detail.stages[2][staged].sum()),
        review=int(detail.stages[3][staged].sum()),
        waiting_for_deployment=int(detail.stages[4][staged].sum()),
    )
    return DayNumbers(sums, np.sort(leads), np.sort(failures[failed & ~is_open]), np.sort(failures[is_open]))


def measured(detail: DayDetail, changes: Mask, bots: Bots) -> Mask:
    """Tell of each change whether its lead time is one of those that the masks choose."""
    of_bots = _has(detail.change_marks, ChangeMark.BOT)
    return _counted(changes, of_bots, bots) & ~_has(detail.change_marks, ChangeMark.WITHOUT_START)


def _counted(changes: Mask, of_bots: Mask, bots: Bots) -> Mask:
    if bots is Bots.INCLUDE:
        return changes
    return changes & of_bots if bots is Bots.ONLY else changes & ~of_bots


def _has(marks: Integers, mark: int) -> Mask:
    found: Mask = (marks & mark) != 0
    return found


def _count(mask: Mask) -> int:
    return int(np.count_nonzero(mask))


def everything(detail: DayDetail) -> DayNumbers:
    """Return the numbers of a whole day, bots set apart: what is asked for most."""
    deployments = np.ones(len(detail.marks), np.bool_)
    return sum_up(detail, deployments, np.ones(len(detail.leads), np.bool_), Bots.APART)


def pack_columns(columns: Sequence[Integers]) -> bytes:
    """Return columns one after another, each in the smallest type that holds all its values."""
    heads, bodies = [], []
    for column in columns:
        code = _code_of(column)
        heads.append(_HEAD.pack(code, len(column)))
        bodies.append(column.astype(_TYPES[code]).tobytes())
    return b"".join([struct.pack("<B", len(columns)), *heads, *bodies])


def _code_of(column: Integers) -> int:
    if not len(column):
        return 0
    low, high = int(column.min()), int(column.max())
    fitting = (np.iinfo(kind).min <= low and high <= np.iinfo(kind).max for kind in _TYPES)
    return next(code for code, fits in enumerate(fitting) if fits)


def unpack_columns(packed: bytes) -> list[Integers]:
    """Return the columns that `pack_columns` packed. Raises ValueError where it is none of its work."""
    try:
        heads = [_HEAD.unpack_from(packed, 1 + _HEAD.size * place) for place in range(packed[0])]
        at = 1 + _HEAD.size * len(heads)
        columns = []
        for code, length in heads:
            column = np.frombuffer(packed, _TYPES[code], length, at).astype(np.int64)
            column.flags.writeable = False  # shared by whoever reads the same day
            columns.append(column)
            at += length * _TYPES[code].itemsize
    except (IndexError, ValueError, struct.error) as error:
        raise ValueError("these are no packed columns") from error
    return columns


def pack_numbers(numbers: DayNumbers) -> tuple[bytes, bytes]:
    """Return the sums with the times of failures, and the lead times."""
    sums = integers(numbers.sums)
    return pack_columns([sums, numbers.recoveries, numbers.open_since]), pack_columns([numbers.leads])


def unpack_numbers(sums: bytes, leads: bytes, content: Hashable = None) -> DayNumbers:
    """Return what `pack_numbers` packed."""
    values, recoveries, open_since = unpack_columns(sums)
    return DayNumbers(DaySums(*values.tolist()), unpack_columns(leads)[0], recoveries, open_since, content)


def pack_detail(detail: DayDetail) -> bytes:
    """Return the detail of a day."""
    names = "\n".join(detail.names).encode()
    return struct.pack("<I", len(names)) + names + pack_columns(detail.columns)


def unpack_detail(packed: bytes) -> DayDetail:
    """Return what `pack_detail` packed."""
    (length,) = struct.unpack_from("<I", packed)
    names = packed[4 : 4 + length].decode().split("\n")
    return detail_of(names, unpack_columns(packed[4 + length :]))


def detail_of(names: Iterable[str], columns: Sequence[Integers]) -> DayDetail:
    """Return the detail of a day from its columns, in the order of the fields; the stages are the last five."""
    applications, authors, marks, failures, *of_changes = columns
    change_deployments, change_authors, change_marks, leads, *stages = of_changes
    return DayDetail(
        tuple(names), applications, authors, marks, failures,
        change_deployments, change_authors, change_marks, leads, tuple(stages),
    )  # fmt: skip


NOTHING = detail_of((), [np.empty(0, np.int64)] * 13)


def replace_applications(detail: DayDetail, applications: Collection[int], others: DayDetail) -> DayDetail:
    """Return a day with what other rows say of some applications, as if all of it had been read at once."""
    kept = ~np.isin(detail.applications, np.fromiter(applications, np.int64))
    return _together(_part(detail, kept), others)


def _part(detail: DayDetail, kept: Mask) -> DayDetail:
    """Return the deployments of a day that the mask chooses, with their changes."""
    changes = kept[detail.change_deployments]
    staged = changes[_has(detail.change_marks, ChangeMark.STAGED)]
    places = np.cumsum(kept) - 1
    columns = [detail.applications[kept], detail.authors[kept], detail.marks[kept], detail.failures[kept]]
    columns += [places[detail.change_deployments[changes]], detail.change_authors[changes]]
    columns += [detail.change_marks[changes], detail.leads[changes]]
    return detail_of(detail.names, columns + [stage[staged] for stage in detail.stages])


def _together(one: DayDetail, other: DayDetail) -> DayDetail:
    """Return two parts of a day as one, in the order of raw_days: by application, in which both of them are."""
    names = sorted(_used_names(one) | _used_names(other))
    place_of = {name: place for place, name in enumerate(names)}
    columns = [np.concatenate(pair) for pair in zip(one.columns, other.columns, strict=True)]
    applications, _, marks, failures, _, _, change_marks, leads, *stages = columns
    authors = np.concatenate([_renumbered(part.authors, part.names, place_of) for part in (one, other)])
    writers = np.concatenate([_renumbered(part.change_authors, part.names, place_of) for part in (one, other)])
    deployments = np.argsort(applications, kind="stable")
    new_places = np.argsort(deployments)
    shipped_by = new_places[np.concatenate([one.change_deployments, other.change_deployments + len(one.marks)])]
    changes = np.argsort(shipped_by, kind="stable")
    is_staged = _has(change_marks, ChangeMark.STAGED)
    staged = (np.cumsum(is_staged) - 1)[changes][is_staged[changes]]
    return detail_of(names, [
        applications[deployments], authors[deployments], marks[deployments], failures[deployments],
        shipped_by[changes], writers[changes], change_marks[changes], leads[changes],
        *(stage[staged] for stage in stages),
    ])  # fmt: skip


def _used_names(detail: DayDetail) -> set[str]:
    used = np.union1d(detail.authors, detail.change_authors)
    return {detail.names[place] for place in used.tolist()}


def _renumbered(column: Integers, names: Sequence[str], place_of: Mapping[str, int]) -> Integers:
    """Return a column of places among some names as places among others. Names that are not used have none."""
    if not len(column):
        return column
    return np.array([place_of.get(name, -1) for name in names], np.int64)[column]


def add_up(parts: Sequence[DayNumbers], content: Hashable = None) -> DayNumbers:
    """Return the numbers of several environments as one."""
    if len(parts) == 1:
        return parts[0]
    return DayNumbers(
        total(part.sums for part in parts),
        merge([part.leads for part in parts]),
        merge([part.recoveries for part in parts]),
        merge([part.open_since for part in parts]),
        content,
    )


def merge(parts: Sequence[Integers]) -> Integers:
    """Return the values of sorted columns as one in order."""
    filled = [part for part in parts if len(part)]
    if len(filled) == 1:
        return filled[0]
    merged = np.sort(np.concatenate([np.empty(0, np.int64), *filled]), kind="stable")
    merged.flags.writeable = False
    return merged


class SortedParts(Sequence[int]):
    """The values of many sorted columns in order, as if they were one: exact, and without sorting them all.

    A day's lead times are in order already. To find one place among those of 90 days it is enough to look at few of
    each: between two values that enclose it lie some hundreds, and only those are sorted.
    """

    def __init__(self, parts: Iterable[Integers]) -> None:
        self._parts = [part for part in parts if len(part)]
        self._length = sum(len(part) for part in self._parts)
        self._rungs: Integers | None = None
        self._found: tuple[int, Integers] = (0, np.empty(0, np.int64))

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, place: int) -> int:  # type: ignore[override]
        """Return the value at a place. Raises IndexError where there is none."""
        if place < 0:
            place += self._length
        if not 0 <= place < self._length:
            raise IndexError(place)
        first, values = self._found
        if not first <= place < first + len(values):
            self._found = first, values = self._around(place)
        return int(values[place - first])

    def _around(self, place: int) -> tuple[int, Integers]:
        """Return values in order among which that of a place is, and the place of their first."""
        if self._length <= _FEW:
            return 0, merge(self._parts)
        if self._rungs is None:
            self._rungs = np.sort(np.concatenate([part[::_RUNG] for part in self._parts]))
        # At most 64 × k values lie below rung k, and all but 63 of each part up to it: so these two enclose it.
        low = max(0, place // _RUNG - _SPARE)
        high = place // _RUNG + len(self._parts) + _SPARE
        starts = [int(part.searchsorted(self._rungs[low], "left")) for part in self._parts]
        ends = [
            len(part) if high >= len(self._rungs) else int(part.searchsorted(self._rungs[high], "right"))
            for part in self._parts
        ]
        slices = [part[start:end] for part, start, end in zip(self._parts, starts, ends, strict=True)]
        return sum(starts), np.sort(np.concatenate(slices))
