"""The largest elements of matrices that are turned, and how integers are written down."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.training.lane_sums import LAYOUT, Members, gradients

from qmpi.training.flat_state import lay_out
from qmpi.training.reduction.codes import add, write
from qmpi.training.reduction.turned import SIDE, Turns

WIDE = lay_out({"tall": (300, SIDE + 40), "lying": (24, 100), "b": (7,)})


def drawn(size, seed=1):
    return torch.randn(size, generator=torch.Generator().manual_seed(seed))


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 3000), st.integers(-(2**20), 2**20)), max_size=12),
    st.integers(0, 9),
)
def test_integers_that_are_written_down_come_back(told, behind):
    total = torch.zeros(sum(gap + 1 for gap, _ in told) + behind, dtype=torch.int32)
    at = -1
    for gap, value in told:
        at += gap + 1
        total[at] = value
    found = torch.ones_like(total)
    add(found, write(total))
    assert torch.equal(found, total + 1)


def test_a_small_integer_takes_few_bits():
    total = torch.zeros(10_000, dtype=torch.int32)
    total[::10] = 4
    # A gap of 9 takes 6 bits, a value of 4 takes 4.
    assert [len(part) for part in write(total)] == [-(-1000 * 4 // 8), -(-1000 * 6 // 8)]


def test_what_is_turned_back_stands_as_before():
    turns, flat = Turns(WIDE), drawn(WIDE.total)
    means = torch.zeros(turns.size)
    for seed in (2, 3):
        means = turns.followed(means, drawn(WIDE.total, seed))
    bases, turned = turns.bases(means), flat.clone()
    turns.turn(turned, bases)
    assert float((turned - flat).norm()) > 0.5 * float(flat.norm())
    turns.turn_back(turned, bases)
    torch.testing.assert_close(turned, flat, rtol=0, atol=1e-5)


def test_a_gradient_of_few_directions_has_few_large_elements():
    turns, flat = Turns(WIDE), torch.zeros(WIDE.total)
    for slot in WIDE.slots[:2]:
        rows, columns = slot.shape
        matrix = drawn((rows, 2)) @ drawn((2, columns), 5)
        flat[slot.start : slot.start + slot.size] = matrix.flatten()
    means = turns.followed(torch.zeros(turns.size), flat)
    turned = flat.clone()
    turns.turn(turned, turns.bases(means))
    for slot in WIDE.slots[:2]:
        share = 2 * 2 / min(slot.shape) if max(slot.shape) > SIDE else 2 / min(slot.shape)
        squares = turned[slot.start : slot.start + slot.size].square()
        most = torch.topk(squares, round(share * slot.size)).values.sum()
        assert float(most / squares.sum()) > 0.9999


def test_directions_do_not_depend_on_how_large_a_gradient_is():
    turns = Turns(WIDE)
    flat = drawn(WIDE.total)
    wanted = turns.followed(torch.zeros(turns.size), flat)
    for power in (-100, 60):
        found = turns.followed(torch.zeros(turns.size), flat * 2.0**power)
        torch.testing.assert_close(found, wanted, rtol=1e-6, atol=0)
    assert torch.equal(turns.followed(wanted, torch.zeros_like(flat)), wanted)


def test_lanes_keep_the_same_directions_and_a_member_without_lanes_gets_them():
    lanes, members = 2, Members("sparse", 2, 3)
    for seed in range(3):
        members.step([gradients(seed, lane) for lane in range(lanes)], {0: 2, 1: 1})
    means = {raw[4 * LAYOUT.total :] for raw in members.kept()}
    assert len(means) == 1
    assert any(means.pop())
