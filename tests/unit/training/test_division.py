"""Portions in elements: aligned, whole between them whenever their fractions are, and exchanged."""

import itertools
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmpi.errors import InvariantError
from qmpi.model.shape import MOMENT_BLOCK
from qmpi.protocol.portions import Portions, are_covered, merged
from qmpi.training.division import border, portion, rounds, spans_of, transfers, without
from qmpi.training.flat_state import lay_out

SHAPES = {
    **{f"layers.{n}.{name}": (48, 40 + 8 * n) for n in range(4) for name in ("a", "b")},
    "embed.weight": (300, 40),
    "norm": (40,),
}
LAYOUTS = {kind: lay_out(SHAPES, kind) for kind in ("adamw", "muon", "adamw8")}

layouts = st.sampled_from(sorted(LAYOUTS)).map(LAYOUTS.get)
divisions = st.integers(1, 9).flatmap(
    lambda count: st.builds(Portions, index=st.integers(0, count - 1), count=st.just(count))
)


@given(layouts, st.fractions(0, 1), st.fractions(0, 1))
def test_borders_never_fall_and_cut_no_block_and_no_matrix_of_muon(layout, one, other):
    first, second = sorted((border(layout, one), border(layout, other)))
    assert (one < other) <= (border(layout, one) <= border(layout, other))
    starts = {slot.start for slot in layout.slots}
    for edge in (first, second):
        inside = layout.uses_muon and edge < layout.hidden
        aligned = edge % MOMENT_BLOCK == 0 or edge in (layout.hidden, layout.total)
        assert edge in starts if inside else aligned


@given(layouts, st.lists(divisions, max_size=5))
def test_what_covers_all_fractions_covers_all_elements(layout, holders):
    held = merged(span for holder in holders for span in spans_of(layout, holder))
    if are_covered(holders):
        assert held == ((0, layout.total),)


@given(layouts, st.integers(1, 12))
def test_portions_follow_one_another(layout, count):
    edges = [portion(layout, number, count) for number in range(count)]
    assert (edges[0][0], edges[-1][1]) == (0, layout.total)
    assert all(a[1] == b[0] for a, b in itertools.pairwise(edges))
    assert border(layout, Fraction(1)) == layout.total


@settings(max_examples=60)
@given(layouts, st.lists(divisions, min_size=1, max_size=6), st.integers(1, 5))
def test_an_exchange_gives_everybody_what_is_needed_once(layout, holders, blocks):
    haves = [spans_of(layout, holder) for holder in holders]
    size = len(holders)
    needs = [spans_of(layout, Portions(member, size)) for member in range(size)]
    if not are_covered(holders):
        return
    planned = transfers(haves, needs)
    cut = [t for batch in rounds(planned, size, blocks * MOMENT_BLOCK) for t in batch]
    for member in range(size):
        mine = sorted((t.first, t.end) for t in cut if t.target == member)
        assert merged(mine) == needs[member]
        assert sum(end - first for first, end in mine) == sum(b - a for a, b in needs[member])
    for t in planned:
        assert any(first <= t.first and t.end <= end for first, end in haves[t.source])
        kept = any(first <= t.first and t.end <= end for first, end in haves[t.target])
        assert t.source == t.target or not kept


def test_what_nobody_holds_is_no_exchange():
    with pytest.raises(InvariantError, match="nobody holds elements 4 to 8"):
        transfers([((0, 4),)], [((0, 8),)])
    assert without(8, ((2, 4),)) == ((0, 2), (4, 8))
    assert without(8, ()) == ((0, 8),)
