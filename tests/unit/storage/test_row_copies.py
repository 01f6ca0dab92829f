"""Rows are copied out of chunks of any bounds, and a chunk at hand is not looked up again."""

from bisect import bisect_right
from itertools import accumulate
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmpi.errors import InputError
from qmpi.protocol.recipe import RowAddress
from qmpi.storage.block_builder import BlockBuilder
from qmpi.storage.row_copies import Hand, read_rows


class Pieces:
    """Ids in chunks of given sizes; row r is the spans that it is given."""

    path = Path("pieces")
    dtype = "uint16"

    def __init__(self, sizes, table=None):
        self.starts = [0, *accumulate(sizes)]
        self.ids = np.arange(self.starts[-1], dtype="<u2") * 7
        self.asked = []
        self.table = table

    def chunk_of(self, token):
        number = bisect_right(self.starts, token) - 1
        self.asked.append(number)
        return self.starts[number], self.ids[self.starts[number] : self.starts[number + 1]]

    def spans(self, row, sequence_tokens):
        if self.table is not None:
            return self.table[row]
        return [(row * sequence_tokens, sequence_tokens + 1)]


@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=9), data=st.data())
def test_ids_come_as_they_lie(sizes, data):
    source = Pieces(sizes)
    hand = Hand(source)
    for _ in range(3):
        start = data.draw(st.integers(0, source.ids.size - 1))
        end = data.draw(st.integers(start + 1, source.ids.size))
        out = np.empty(end - start, "<u2")
        hand.fill(out, start)
        assert np.array_equal(out, source.ids[start:end])


@given(sizes=st.lists(st.integers(2, 9), min_size=2, max_size=9), data=st.data())
def test_rows_come_in_the_order_asked_and_no_chunk_twice_in_a_row(sizes, data):
    source = Pieces(sizes)
    length = data.draw(st.integers(1, source.ids.size - 1))
    count = (source.ids.size - 1) // length
    rows = data.draw(st.lists(st.integers(0, count - 1), max_size=6))
    out = np.empty((len(rows), length + 1), "<u2")
    read_rows(source, rows, length, out)
    for line, row in zip(out, rows, strict=True):
        assert np.array_equal(line, source.ids[row * length : row * length + length + 1])
    assert all(one != other for one, other in zip(source.asked, source.asked[1:], strict=False))


def test_rows_of_several_pieces_must_be_full():
    table = [[(9, 1), (0, 3), (4, 1)], [(0, 4)], [(0, 6)]]
    source = Pieces([5, 5], table)
    out = np.empty((1, 5), "<u2")
    read_rows(source, [0], 4, out)
    assert (out[0] // 7).tolist() == [9, 0, 1, 2, 4]
    for row in (1, 2):
        with pytest.raises(InputError, match=f"row {row} of corpus pieces is not 4 long"):
            read_rows(source, [row], 4, out)


def test_ids_too_wide_for_a_block_are_seen_before_they_are_cut_off():
    source = Pieces([9])
    source.dtype, source.ids = "uint32", np.full(9, 65536 + 5, "<u4")
    with pytest.raises(InputError, match="token id 65541"):
        BlockBuilder(300, {0: source}, 4).build([RowAddress(0, 0)], [])
    source.ids[:] = 5
    _, data = BlockBuilder(300, {0: source}, 4).build([RowAddress(0, 1)], [])
    assert np.frombuffer(data, "<u2").tolist() == [5] * 5
