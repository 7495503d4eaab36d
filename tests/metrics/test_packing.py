"""Packed columns say what was packed, and a place among many sorted columns is found as if they were one."""

import datetime as dt
import zoneinfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.packing import (
    NOTHING,
    DayDetail,
    SortedParts,
    integers,
    merge,
    pack_columns,
    pack_detail,
    replace_applications,
    unpack_columns,
)
from metrics.raw_days import RawDays

columns = st.lists(st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(0, 300), max_size=20), max_size=6)
sorted_parts = st.lists(st.lists(st.integers(0, 50) | st.integers(0, 10**9), max_size=300).map(sorted), max_size=8)


@given(columns)
def test_columns_come_back_as_they_were(values: list[list[int]]) -> None:
    packed = pack_columns([integers(column) for column in values])
    assert [column.tolist() for column in unpack_columns(packed)] == values


def test_small_numbers_take_little_room() -> None:
    assert len(pack_columns([integers([1] * 1000)])) < 1010
    assert len(pack_columns([integers([86400] * 1000)])) < 4010


@pytest.mark.parametrize("damaged", [b"", b"\x05", b"\x01\x03\x10\x00\x00\x00ab", b"\x01\x09\x00\x00\x00\x00"])
def test_what_is_no_packed_column_is_refused(damaged: bytes) -> None:
    with pytest.raises(ValueError, match="no packed columns"):
        unpack_columns(damaged)


@given(sorted_parts, st.data())
def test_every_place_among_sorted_columns_has_the_value_that_it_has_when_all_are_sorted(
    values: list[list[int]], data: st.DataObject
) -> None:
    parts = SortedParts(integers(part) for part in values)
    everything = sorted(value for part in values for value in part)
    assert len(parts) == len(everything)
    assert merge([integers(part) for part in values]).tolist() == everything
    if everything:
        for place in data.draw(st.lists(st.integers(-len(everything), len(everything) - 1), max_size=20)):
            assert parts[place] == everything[place]
    with pytest.raises(IndexError):
        parts[len(everything)]


def test_places_among_many_long_columns() -> None:
    chance = np.random.default_rng(7)
    columns = [np.sort(chance.integers(0, 5000, chance.integers(0, 2000))) for _ in range(40)]
    parts, everything = SortedParts(columns), np.sort(np.concatenate(columns))
    assert [parts[place] for place in range(0, len(parts), 997)] == everything[::997].tolist()


people = st.sampled_from(["Ada", "bo", "Renovate[bot]", "Zoë", ""])
changes = st.lists(
    st.tuples(st.none() | st.integers(0, 900), st.booleans(), st.none() | st.integers(1, 9), people), max_size=4
)
deployments = st.lists(
    st.tuples(st.integers(1, 4), people, st.sampled_from(["forward", "redeploy"]), st.booleans(), changes), max_size=9
)


def read(rows: list[tuple[int, tuple[int, str, str, bool, list]]]) -> DayDetail:
    """Return a day of these deployments, each with its number, as if they had been read."""
    noon = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)
    day = RawDays(zoneinfo.ZoneInfo("UTC"), frozenset(), [noon.date()], [noon - dt.timedelta(hours=12)])
    for number, (application, author, kind, failed, _) in sorted(rows, key=lambda row: (row[1][0], row[0])):
        day.add_deployment(number, 1, noon, application, author, kind, True, failed, False, None, True, 1)
    for number, row in rows:
        for lead, ahead, pull_request, author in row[4]:
            stages = (1, 2, 3, 4, None if ahead else number)
            day.add_change((number, lead, ahead, pull_request, False, author, *stages))
    return dict(day).get((1, noon.date()), NOTHING)


@given(deployments, deployments, st.sets(st.integers(1, 5)))
def test_a_day_mended_application_by_application_is_the_day_read_at_once(
    before: list, after: list, applications: set[int]
) -> None:
    stays = [(number, row) for number, row in enumerate(before) if row[0] not in applications]
    comes = [(number, row) for number, row in enumerate(after, 100) if row[0] in applications]
    mended = replace_applications(read(list(enumerate(before))), applications, read(comes))
    assert pack_detail(mended) == pack_detail(read(stays + comes))
