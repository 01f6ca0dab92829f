import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from unit.training.lane_sums import CPU, LAYOUT, SQUEEZES, Counting, Members, flat_of, gradients
from unit.training.line_of_threads import ThreadLine, run_all

from qmpi.config.presets import preset
from qmpi.errors import InvariantError
from qmpi.training.flat_state import FlatState, state_layout
from qmpi.training.reduction.by_lane import LaneSum
from qmpi.training.reduction.kinds import make_sum
from qmpi.training.reduction.narrow import packed, unpacked
from qmpi.training.reduction.orthonormal import orthonormal, revived
from qmpi.training.reduction.sparse import FIRST_SHARE, largest_places, share_at

KINDS = [*SQUEEZES]


def story(seed, lanes, scale, steps=3):
    return [[gradients(seed + n, lane, scale) for lane in range(lanes)] for n in range(steps)]


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=8, deadline=None)
@given(st.data())
def test_no_deal_and_no_order_changes_a_bit(kind, data):
    lanes, members = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 3))
    scale = 2.0 ** data.draw(st.integers(-60, 20))
    steps = story(data.draw(st.integers(0, 9)), lanes, scale)
    lane, bits = data.draw(st.integers(0, lanes - 1)), data.draw(st.integers(0, 30))
    steps[1][lane][0][3] *= 2.0**bits
    order = data.draw(st.permutations(range(lanes)))
    deal = {lane: data.draw(st.integers(0, members - 1)) for lane in order}
    one, other = Members(kind, lanes, 1), Members(kind, lanes, members)
    for parts in steps:
        assert torch.equal(one.step(parts), other.step(parts, deal))
    assert one.kept() == other.kept()
    assert len(one.kept()) == lanes


@pytest.mark.parametrize(("kind", "near"), [("narrow", 0.0), ("sparse", 4e-9)])
def test_what_is_not_sent_is_kept_to_the_last_bit(kind, near):
    lanes, steps = 3, story(1, 3, 1e-3)
    members = Members(kind, lanes, 2)
    had = torch.zeros(lanes, LAYOUT.total)
    for parts in steps:
        had += torch.stack([flat_of(lane) for lane in parts])
        mean = members.step(parts)
        kept = torch.stack([members.residual(lane) for lane in range(lanes)])
        sent = (had.double() - kept.double()).sum(0)
        # The mean is rounded to a float32, and so is what is turned; all else is exact.
        torch.testing.assert_close(mean.double() * lanes, sent, rtol=2**-23, atol=near)
        had = kept


def test_a_lane_keeps_its_matrix_less_the_product_that_it_has_sent():
    lanes, members = 3, Members("low_rank", 3, 2)
    had = torch.zeros(lanes, LAYOUT.total)
    for parts in story(2, lanes, 1e-3):
        had += torch.stack([flat_of(lane) for lane in parts])
        mean = members.step(parts)
        kept = torch.stack([members.residual(lane) for lane in range(lanes)])
        torch.testing.assert_close(mean * lanes, (had - kept).sum(0), rtol=1e-4, atol=1e-8)
        had = kept
    slot = next(slot for slot in LAYOUT.slots if slot.name == "a")
    matrix = mean[slot.start : slot.start + slot.size].view(slot.shape)
    sizes = torch.linalg.svdvals(matrix)
    assert float(sizes[1]) > 1e-4 > 1e-7 > float(sizes[2])


def test_a_matrix_of_low_rank_is_found_and_nothing_is_left():
    generator = torch.Generator().manual_seed(5)
    members, far = Members("low_rank", 1, 1), []
    parts = gradients(1, 0)
    parts[1] = torch.randn(24, 2, generator=generator) @ torch.randn(2, 20, generator=generator)
    for _ in range(6):
        mean = members.step([parts])
        slot = LAYOUT.slots[1]
        matrix = mean[slot.start : slot.start + slot.size].view(slot.shape)
        far.append(float((matrix - parts[1]).norm() / parts[1].norm()))
    assert far[-1] < 1e-5
    assert float(members.residual(0)[slot.start : slot.start + slot.size].abs().max()) < 1e-4


def test_a_basis_is_kept_alike_by_all_lanes_and_turns_to_the_largest_directions():
    generator = torch.Generator().manual_seed(5)
    slot, members = LAYOUT.slots[1], Members("low_rank", 2, 2)
    parts = [gradients(1, lane) for lane in range(2)]
    rows, columns = (torch.linalg.qr(torch.randn(n, 20, generator=generator))[0] for n in (24, 20))
    steady = rows @ torch.diag(2.0 ** -torch.arange(20.0)) @ columns.T
    far = []
    for _ in range(4):
        for lane in parts:
            lane[1] = steady
        for state, total in zip(members.states, members.totals, strict=True):
            # The residual is dropped, so that only the basis carries on.
            for lane in total.residuals.held(state.updates):
                kept = torch.frombuffer(
                    bytearray(total.residuals.give(lane, state.updates)), dtype=torch.float32
                )
                kept[: LAYOUT.total] = 0.0
                total.residuals.take(lane, state.updates, kept.view(torch.uint8).numpy().data)
        mean = members.step(parts)
        far.append(float((mean[slot.start : slot.start + slot.size].view(24, 20) - steady).norm()))
    bases = {raw[4 * LAYOUT.total :] for raw in members.kept()}
    assert len(bases) == 1
    assert any(bases.pop())
    # Two of the directions are worth 1 and 1/2; without them this is left.
    least = float(steady.norm() ** 2 - 1.25) ** 0.5
    assert far[0] > 1.02 * least
    assert far[-1] < 1.002 * least


@pytest.mark.parametrize("kind", KINDS)
def test_in_time_all_of_a_steady_gradient_is_sent(kind):
    members, parts = Members(kind, 2, 1), [gradients(3, lane) for lane in range(2)]
    mean = torch.stack([flat_of(lane) for lane in parts]).double().mean(0)
    total, far = torch.zeros(LAYOUT.total, dtype=torch.float64), {}
    # An element of which one in fifty is sent waits as many steps.
    few = 30 if kind == "sparse" else 8
    for number in range(1, 4 * few + 1):
        total += members.step(parts).double()
        far[number] = float((total / number - mean).norm() / mean.norm())
    # What is kept stays as large as it is: its share falls as steps pass.
    assert far[4 * few] < 0.45 * far[few]


@pytest.mark.parametrize("kind", KINDS)
def test_a_pass_that_is_done_again_gives_the_same_bits(kind):
    first, again = story(4, 3, 1e-3, steps=2)
    one, other = Members(kind, 3, 2), Members(kind, 3, 2)
    for members in (one, other):
        members.step(first)
    other.reduce(first, other.even())  # a failure ends the step
    kept = other.kept()
    assert kept == one.kept()
    assert torch.equal(one.step(again), other.step(again))


@pytest.mark.parametrize("kind", KINDS)
def test_a_lane_moves_with_what_it_keeps(kind):
    first, second = story(5, 3, 1e-3, steps=2)
    one, other = Members(kind, 3, 1), Members(kind, 3, 2)
    one.step(first)
    other.step(first, {0: 0, 1: 1, 2: 0})
    other.totals[0].begin_step(other.states[0])
    with pytest.raises(InvariantError, match="what lane 1 keeps after 1 updates is not here"):
        other.totals[0].begin_lane(1)
    there, here = other.totals[1].residuals, other.totals[0].residuals
    here.take(1, 1, bytes(there.give(1, 1)))
    assert torch.equal(one.step(second), other.step(second, dict.fromkeys(range(3), 0)))
    assert one.kept() == other.kept()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan])
def test_non_finite_gradients_are_seen_and_change_nothing(kind, bad):
    first, second = story(6, 2, 1e-3, steps=2)
    members = Members(kind, 2, 2)
    members.step(first)
    kept, parts = members.kept(), [gradients(9, lane) for lane in range(2)]
    parts[1][2].view(-1)[-1] = bad
    members.reduce(parts, members.even())
    assert all(total.broken() for total in members.totals)
    assert not any(total.overflowed() for total in members.totals)
    assert members.kept() == kept
    members.step(second)


@pytest.mark.parametrize("kind", KINDS)
def test_a_parameter_that_a_lane_leaves_alone_sends_what_is_kept(kind):
    first, second = story(7, 2, 1e-3, steps=2)
    second[1][1] = None
    members = Members(kind, 2, 2)
    members.step(first)
    before = members.residual(1)
    members.step(second)
    slot = LAYOUT.slots[1]
    span = slice(slot.start, slot.start + slot.size)
    assert float(members.residual(1)[span].norm()) < float(before[span].norm())


@pytest.mark.parametrize("kind", KINDS)
def test_zeros_and_members_without_lanes_do_no_harm(kind):
    zeros = [[torch.zeros(slot.shape) for slot in LAYOUT.slots]]
    members = Members(kind, 1, 2)
    assert not members.step(zeros).any()
    assert not members.step(zeros).any()
    mean = members.step([gradients(1, 0)])
    assert all(mean[slot.start : slot.start + slot.size].any() for slot in LAYOUT.slots)


def test_facts_and_counts_are_those_of_all_lanes():
    for kind in KINDS:
        line = ThreadLine(2)
        state = FlatState(LAYOUT, CPU)
        state.reset()

        def work(lane, line=line, state=state, kind=kind):
            total = LaneSum(LAYOUT, 2, CPU, SQUEEZES[kind](2), counts=3)
            total.begin_step(state)
            total.begin_pass()
            total.begin_lane(lane)
            for number, slot in enumerate(LAYOUT.slots):
                total.add(number, slot, torch.ones(slot.shape))
            total.counts.copy_(torch.tensor([lane + 1, 70_000, 0]))
            total.end_lane(lane, lane + 0.5, f"{lane:032x}")
            total.reduce(line.member(lane))
            return total.counts.tolist(), total.facts().losses

        told = run_all([lambda: work(0), lambda: work(1)], [line])
        assert told == [([3, 140_000, 0], (0.5, 1.5))] * 2


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(-4000, 4000), st.integers(-4000, 4000)), min_size=1))
def test_a_sum_of_pairs_is_the_pair_of_the_sums(pairs):
    wires = []
    for pair in pairs[:8]:
        low, high = torch.tensor(pair, dtype=torch.int32).view(2, 1)
        packed(low, high)
        wires.append(high)
    low, high = torch.zeros(1, dtype=torch.int32), sum(wires)
    unpacked(low, high)
    assert (int(low), int(high)) == tuple(map(sum, zip(*pairs[:8], strict=True)))


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(-5, 5), min_size=1, max_size=40), st.data())
def test_the_largest_are_found_and_of_equal_ones_the_first(numbers, data):
    count = data.draw(st.integers(1, len(numbers)))
    found = largest_places(torch.tensor(numbers, dtype=torch.float32), count)
    wanted = sorted(range(len(numbers)), key=lambda n: (-abs(numbers[n]), n))[:count]
    assert sorted(found.tolist()) == sorted(wanted)


def test_the_share_falls_by_equal_factors():
    shares = [share_at(n, 0.01, 4) for n in range(6)]
    assert shares[0] == FIRST_SHARE
    assert shares[4:] == [0.01, 0.01]
    factors = {round(b / a, 9) for a, b in pairwise(shares[:5])}
    assert len(factors) == 1
    assert share_at(0, 0.3, 4) == 0.3
    assert share_at(0, 0.01, 0) == 0.01


@pytest.mark.parametrize("rank", [1, 3, 6])
def test_bases_are_orthonormal_and_what_depends_on_others_is_dropped(rank):
    columns = torch.randn(9, rank, generator=torch.Generator().manual_seed(1))
    columns[:, -1] = columns[:, 0] * 3.0
    made = orthonormal(columns)
    kept = 1 if rank == 1 else rank - 1
    wanted = torch.zeros(rank, rank)
    wanted[range(kept), range(kept)] = 1.0
    torch.testing.assert_close(made.T @ made, wanted, rtol=0, atol=1e-6)


def test_columns_that_are_zero_are_drawn_the_others_kept():
    columns = torch.tensor([[3.0, 0.0], [4.0, 0.0]])
    made, again, other = (revived(columns, seed) for seed in (1, 1, 2))
    assert made[:, 0].tolist() == pytest.approx([0.6, 0.8])
    assert torch.equal(made, again)
    assert not torch.equal(made, other)
    torch.testing.assert_close(made.norm(dim=0), torch.ones(2))


MOST_BYTES = {
    "narrow": ({"reduction_bits": 16}, 0.505),
    "sparse": ({"compression": "topk", "compression_share": 0.01}, 0.015),
    "low_rank": ({"compression": "powersgd"}, 0.055),
}
"""Of those of a sum of 32 bits, needs, places and facts of lanes included."""


@pytest.mark.parametrize("kind", KINDS)
def test_a_member_with_two_lanes_of_the_demo_sends_few_bytes(kind):
    demo, (fields, most) = preset("demo"), MOST_BYTES[kind]
    layout, line = state_layout(demo), ThreadLine(2)
    train = replace(demo.train, lanes=4, **fields)
    state = FlatState(layout, CPU)
    state.reset()

    def work(number):
        total, member = make_sum(train, layout, CPU), Counting(line, number)
        total.begin_step(state)
        total.begin_pass()
        generator = torch.Generator().manual_seed(number)
        for lane in (2 * number, 2 * number + 1):
            total.begin_lane(lane)
            for place, slot in enumerate(layout.slots):
                total.add(place, slot, torch.randn(slot.shape, generator=generator))
            total.end_lane(lane, 1.0, f"{lane:032x}")
        total.reduce(member)
        return member.given

    given = run_all([lambda: work(0), lambda: work(1)], [line])
    assert max(given) <= most * 4 * layout.total
    assert min(given) >= 0.6 * most * 4 * layout.total
