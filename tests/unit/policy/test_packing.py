"""Packing: every id once, every row full, few documents cut; against counts made by brute force."""

import random
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmpi.policy.packing import pack

documents = st.lists(st.integers(1, 60), max_size=60)
lengths = st.integers(1, 40)


def ids_of(row):
    return [number for piece in row for number in range(piece.start, piece.start + piece.size)]


def cut(rows, counts, length):
    """Return documents of at most a row that lie in more than one piece, or in none."""
    whole = {(piece.start, piece.size) for row in rows for piece in row}
    starts = [0, *accumulate(counts)]
    short = [(a, b - a) for a, b in pairwise(starts) if b - a <= length]
    return [document for document in short if document not in whole]


@given(documents, lengths, st.integers(1, 70))
def test_every_id_once_and_every_row_full(counts, length, window):
    rows = list(pack(counts, length, window))
    ids = [number for row in rows for number in ids_of(row)]
    assert all(len(ids_of(row)) == length for row in rows)
    assert len(rows) == sum(counts) // length
    assert len(set(ids)) == len(ids)
    assert set(ids) <= set(range(sum(counts)))


@given(documents, lengths, st.integers(1, 70))
def test_pieces_say_whether_they_begin_and_end_a_document(counts, length, window):
    starts = [0, *accumulate(counts)]
    of = {start + n: i for i, start in enumerate(starts[:-1]) for n in range(counts[i])}
    for row in pack(counts, length, window):
        for piece in row:
            last = piece.start + piece.size - 1
            assert of[piece.start] == of[last]
            assert piece.begins == (piece.start in starts)
            assert piece.ends == (last + 1 in starts)


@given(documents, lengths, st.integers(1, 70))
def test_what_continues_stands_first_and_what_is_cut_off_last(counts, length, window):
    for row in pack(counts, length, window):
        marks = [(not piece.ends, piece.begins) for piece in row]
        assert marks == sorted(marks)


@given(documents, lengths)
def test_a_document_longer_than_a_row_fills_rows_from_its_beginning(counts, length):
    rows = list(pack(counts, length))
    first = {row[0].start for row in rows if len(row) == 1 and row[0].begins}
    starts = [0, *accumulate(counts)]
    long = [a for a, b in pairwise(starts) if b - a >= length]
    assert set(long) <= first


@given(documents, lengths, st.integers(1, 70))
def test_the_same_documents_give_the_same_rows(counts, length, window):
    assert list(pack(iter(counts), length, window)) == list(pack(tuple(counts), length, window))


@given(documents, lengths, st.integers(1, 9))
def test_a_window_does_not_know_what_comes_after_it(counts, length, window):
    kept = counts[: len(counts) // window * window]
    rows, more = list(pack(kept, length, window)), list(pack(counts, length, window))
    assert more[: len(rows)] == rows


def test_documents_that_fit_exactly_are_never_cut():
    # Halves, thirds and sixths of a row, shuffled.
    counts = [60] * 20 + [40] * 30 + [20] * 60
    random.Random(1).shuffle(counts)
    assert cut(list(pack(counts, 120)), counts, 120) == []


@pytest.mark.parametrize("length", [256, 1024])
def test_few_documents_are_cut(length):
    draw = random.Random(2)
    counts = [min(4000, max(8, round(draw.lognormvariate(5, 1)))) for _ in range(20_000)]
    short = sum(count <= length for count in counts)
    rows = list(pack(counts, length))
    concatenated = sum(
        (b - 1) // length > a // length
        for a, b in pairwise([0, *accumulate(counts)])
        if b - a <= length
    )
    assert len(cut(rows, counts, length)) < concatenated / 20
    assert len(cut(rows, counts, length)) < short / 100


def test_best_fit_takes_the_fullest_row_that_has_room():
    # 3 fits the room of 5 as well; then 1 and 2 would fill what 7 leaves.
    rows = pack([7, 5, 3, 2, 2, 1], 10)
    assert [sorted(p.size for p in row) for row in rows] == [[3, 7], [1, 2, 2, 5]]


@pytest.mark.parametrize("counts", [[19, 6, 6], [31, 8, 8, 8]])
def test_gaps_are_filled_with_what_is_cut_already(counts):
    # The tail of 9, though its row is the fullest; a full length from inside the document of 31.
    rows = list(pack(counts, 10))
    assert cut(rows, counts, 10) == []
    assert len(rows) == sum(counts) // 10
