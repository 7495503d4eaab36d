"""Packed columns say what was packed, and a place among many sorted columns is found as if they were one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.packing import SortedParts, integers, merge, pack_columns, unpack_columns

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
