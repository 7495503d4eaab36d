"""Reads rollups, and keeps what it has decoded: only days that are others than before are read again."""

import datetime
import threading
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from django.db.models import QuerySet

from metrics.models import DayRollup
from metrics.packing import DayDetail, DayNumbers, Integers, add_up, unpack_detail, unpack_numbers
from metrics.slices import Slice

# What one process may keep: the lead times of three years of a thousand changes a day, twice over.
_MOST_BYTES = 128 * 1024 * 1024
_OVERHEAD_BYTES = 1_500  # about what a day takes besides its columns

# A rollup's digest says what is in it, so what was decoded under it stays right, whatever becomes of the row.
Part = tuple[int, DayNumbers]
_Made = TypeVar("_Made")


class DecodedDays:
    """The days that were decoded last, by what they are of. Shared by the threads of a process."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._days: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Any:
        """Return what is kept under a key, or None."""
        return self.get_all([key])[0]

    def get_all(self, keys: Iterable[Hashable]) -> list[Any]:
        """Return what is kept under each of many keys, or None."""
        found = []
        with self._lock:
            for key in keys:
                kept = self._days.get(key)
                if kept is not None:
                    self._days.move_to_end(key)
                found.append(None if kept is None else kept[0])
        return found

    def put(self, key: Hashable, value: Any, *columns: Integers) -> None:
        """Keep what was decoded into these columns, and drop what was not asked for the longest time."""
        size = _OVERHEAD_BYTES + sum(column.nbytes for column in columns)
        with self._lock:
            self._bytes += size - self._days.pop(key, (None, 0))[1]
            self._days[key] = (value, size)
            while self._bytes > self._most_bytes:
                self._bytes -= self._days.popitem(last=False)[1][1]

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._days.clear()
            self._bytes = 0


decoded = DecodedDays(_MOST_BYTES)


def remembered(key: tuple[Hashable, ...], make: Callable[[], _Made]) -> _Made:
    """Return what is made of days whose content the key names, made anew only where it is not kept."""
    found: _Made | None = decoded.get(key)
    if found is None:
        found = make()
        decoded.put(key, found)
    return found


class Replaced(Exception):
    """Rollups were deleted while they were read: others have taken their place, or nothing is left of a day."""


def read(
    rows: "QuerySet[DayRollup]", chosen: Slice, *, leaving_out: Collection[datetime.date] = ()
) -> dict[datetime.date, DayNumbers]:
    """Return the numbers of a slice by day, environments added up. Causes a query, and one more for what is new."""
    digests: dict[int, int] = {}
    of_day = defaultdict[datetime.date, list[int]](list)
    for pk, day, digest in rows.order_by("environment_id").values_list("pk", "day", "digest"):
        if day not in leaving_out:
            digests[pk] = digest
            of_day[day].append(pk)
    kind = _kind(chosen)
    kept = decoded.get_all((digest, kind) for digest in digests.values())
    parts = {pk: (digest, numbers) for (pk, digest), numbers in zip(digests.items(), kept, strict=True)}
    missing = {pk: digest for pk, (digest, numbers) in parts.items() if numbers is None}
    if missing:
        read_now = _read_numbers(missing) if chosen.is_everything else _read_slices(missing, chosen)
        if len(read_now) < len(missing):
            raise Replaced
        parts.update(read_now)
    return {day: _as_one([parts[pk] for pk in pks], chosen) for day, pks in of_day.items()}


def _kind(chosen: Slice) -> Slice | None:
    """Return what numbers are kept under besides the digest: None is found faster, and most is asked for."""
    return None if chosen.is_everything else chosen


def _read_numbers(missing: Mapping[int, int]) -> dict[int, Part]:
    rows = DayRollup.objects.filter(pk__in=list(missing))
    found: dict[int, Part] = {}
    for pk, digest, sums, leads in rows.values_list("pk", "digest", "sums", "leads"):
        numbers = unpack_numbers(bytes(sums), bytes(leads), content=(digest, None))
        found[pk] = (digest, numbers)
        _keep(digest, Slice(), numbers)
    return found


def _read_slices(missing: Mapping[int, int], chosen: Slice) -> dict[int, Part]:
    found: dict[int, Part] = {}
    for pk, (digest, detail) in _details(missing).items():
        numbers = replace(chosen.numbers(detail), content=(digest, _kind(chosen)))
        found[pk] = (digest, numbers)
        _keep(digest, chosen, numbers)
    return found


def details(
    rows: "QuerySet[DayRollup]", *, leaving_out: Collection[datetime.date] = ()
) -> Iterator[tuple[datetime.date, DayDetail]]:
    """Return the details of rollups. Causes a query, and one more for what is new."""
    found = {
        pk: (day, digest) for pk, day, digest in rows.values_list("pk", "day", "digest") if day not in leaving_out
    }
    read = _details({pk: digest for pk, (_, digest) in found.items()})
    if len(read) < len(found):
        raise Replaced
    for pk, (_, detail) in read.items():
        yield found[pk][0], detail


def _details(digests: Mapping[int, int]) -> dict[int, tuple[int, DayDetail]]:
    """Return the details of rollups, with the digests that they have when they are read."""
    known = {pk: (digest, decoded.get((digest, "detail"))) for pk, digest in digests.items()}
    found = {pk: (digest, detail) for pk, (digest, detail) in known.items() if detail is not None}
    unread = [pk for pk in digests if pk not in found]
    if unread:
        rows = DayRollup.objects.filter(pk__in=unread)
        for pk, digest, packed in rows.values_list("pk", "digest", "detail"):
            detail = unpack_detail(bytes(packed))
            found[pk] = (digest, detail)
            decoded.put((digest, "detail"), detail, *detail.columns)
    return found


def _as_one(parts: list[Part], chosen: Slice) -> DayNumbers:
    if len(parts) == 1:
        return parts[0][1]
    key = (tuple(digest for digest, _ in parts), _kind(chosen))
    numbers: DayNumbers | None = decoded.get(key)
    if numbers is None:
        numbers = add_up([part for _, part in parts], content=key)
        decoded.put(key, numbers, numbers.leads, numbers.recoveries, numbers.open_since)
    return numbers


def _keep(digest: int, chosen: Slice, numbers: DayNumbers) -> None:
    decoded.put((digest, _kind(chosen)), numbers, numbers.leads, numbers.recoveries, numbers.open_since)
