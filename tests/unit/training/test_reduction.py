import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.training.line_of_threads import ThreadLine, run_all
from unit.training.on_cuda import CUDA, needs_cuda

from qmpi.config.exact_sum import ROW_KEPT_BITS, lane_bits, row_depth, row_spare, spare_bits
from qmpi.errors import InvariantError
from qmpi.training.flat_state import CHUNK, FlatState, lay_out
from qmpi.training.reduction.exact import ExactSum
from qmpi.training.reduction.exponents import FLOOR, MOST_SPARE, NOT_FINITE, needs_of
from qmpi.training.reduction.fast import FastSum
from qmpi.training.reduction.outliers import LEAST_PLACES, LEVELS, STEP

ROOM, DEPTH, TABLE_SPARE = spare_bits(1), row_depth(1), row_spare(1)
SPARE = MOST_SPARE - 2
CPU = torch.device("cpu")
TABLE = "model.embed_tokens.weight"
ROWS = 4 * LEAST_PLACES
PLACED = lay_out({TABLE: (ROWS, 6), "a": (5, 7), "b": (3,), "wide": (1, CHUNK + 9)})
# Slots may stand in any order; here rows of the table are the first chunks, the vector the last.
ORDER = (TABLE, "a", "wide", "b")
LAYOUT = replace(PLACED, slots=tuple(sorted(PLACED.slots, key=lambda s: ORDER.index(s.name))))
NAMES = [slot.name for slot in LAYOUT.slots]
FIRST = dict(zip(NAMES, (0, ROWS, ROWS + 1, ROWS + 3), strict=True))


def fresh(lowered=0, updates=1):
    """Return a state with exponents below the usual start, in mid-run."""
    state = FlatState(LAYOUT, CPU)
    state.reset()
    state.exponents.sub_(lowered)
    state.set_counters(updates, updates, 0)
    return state


def gradients(seed, lane, scale):
    generator = torch.Generator().manual_seed(seed * 100 + lane)
    return [torch.randn(slot.shape, generator=generator) * scale for slot in LAYOUT.slots]


def add_lane(total, lane, parts):
    for number, (slot, part) in enumerate(zip(LAYOUT.slots, parts, strict=True)):
        if part is not None:
            total.add(number, slot, part)
    total.end_lane(lane, lane + 0.1, f"{lane:032x}")


def started(lanes, state, kind=ExactSum):
    total = kind(LAYOUT, lanes, CPU)
    total.begin_step(state)
    total.begin_pass()
    return total


def reduced(deal, lanes, parts, state, again=False):
    """Sum lanes dealt to members; `deal` is (lane, member) in the order of computation.

    Returns the members' reductions after the last pass, and the sums' sizes.
    """
    members = {member: started(lanes, state) for _, member in deal}
    line = ThreadLine(len(members))

    def compute(member, total):
        while True:
            for lane in (lane for lane, owner in deal if owner == member):
                add_lane(total, lane, parts[lane])
            total.reduce(line.member())
            if not (again and total.overflowed()):
                return
            total.begin_pass()

    run_all([lambda m=m, t=t: compute(m, t) for m, t in members.items()])
    return SimpleNamespace(first=next(iter(members.values())), all=[*members.values()], line=line)


def alone(lanes, parts, state, **named):
    return reduced([(lane, 0) for lane in range(lanes)], lanes, parts, state, **named).first


def mean_of(total):
    mean = torch.full((LAYOUT.total,), math.nan)
    mean_slots = torch.zeros(LAYOUT.total)
    total.unpack(mean)
    for slot in LAYOUT.slots:
        span = slice(slot.start, slot.start + slot.size)
        mean_slots[span] = mean[span]
    return mean_slots


def true_mean(parts, number):
    return torch.stack([lane[number].double() for lane in parts]).mean(0)


def view(flat, number):
    slot = LAYOUT.slots[number]
    return flat[slot.start : slot.start + slot.size].view(slot.shape)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_no_deal_and_no_order_changes_a_bit(data):
    lanes = data.draw(st.integers(1, 7))
    scale = 2.0 ** data.draw(st.integers(-30, -11))
    parts = [gradients(data.draw(st.integers(0, 9)), lane, scale) for lane in range(lanes)]
    jumps = st.tuples(
        st.integers(0, lanes - 1), st.integers(0, ROWS - 1), st.integers(0, LEVELS * STEP + 9)
    )
    # A row jumps once in a lane: four jumps of 2**41 are no number any more.
    once = st.lists(jumps, max_size=40, unique_by=lambda jump: jump[:2])
    for lane, row, bits in data.draw(once):
        parts[lane][0][row] *= 2.0**bits
    order = data.draw(st.permutations(range(lanes)))
    deal = [(lane, data.draw(st.integers(0, 2))) for lane in order]
    state = fresh(data.draw(st.sampled_from((0, 9))))
    one = alone(lanes, parts, state, again=True)
    dealt = reduced(deal, lanes, parts, state, again=True)
    for other in dealt.all:
        assert torch.equal(mean_of(one), mean_of(other))
        assert torch.equal(one._exponents, other._exponents)
        assert torch.equal(one._needs, other._needs)
        assert one.tail.facts() == other.tail.facts()
    assert one.tail.facts().digests == tuple(f"{lane:032x}" for lane in range(lanes))
    assert one.tail.facts().losses == tuple(lane + 0.1 for lane in range(lanes))


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_mean_is_as_good_as_the_grid(kind):
    parts = [[p.to(kind) for p in gradients(3, lane, 1e-4)] for lane in range(5)]
    total = alone(5, parts, fresh())
    assert not total.overflowed()
    mean = mean_of(total)
    for number in range(len(NAMES)):
        exact = true_mean(parts, number)
        error = (view(mean, number).double() - exact).abs()
        most = 2.0 ** (-8 - lane_bits(5)) + 2.0**-23 * float(exact.abs().max())
        assert float(error.max()) <= most


def test_bfloat16_counts_as_the_float32_that_it_stands_for():
    halves = [[part.bfloat16() for part in gradients(5, lane, 1e-4)] for lane in range(3)]
    halves[1][0][::9] *= 2.0**9
    wholes = [[part.float() for part in lane] for lane in halves]
    one, other = alone(3, halves, fresh()), alone(3, wholes, fresh())
    assert torch.equal(mean_of(one), mean_of(other))
    assert int((one._needs > fresh().exponents).sum()) > 9


def test_redone_pass_gives_the_bits_of_a_start_with_the_right_exponents():
    parts = [gradients(4, lane, 8.0) for lane in range(3)]
    state = fresh()
    total = alone(3, parts, state)
    assert total.overflowed()
    assert torch.equal(state.exponents, fresh().exponents)  # the step is not over: state untouched
    total.begin_pass()
    for lane in range(3):
        add_lane(total, lane, parts[lane])
    total.reduce(ThreadLine(1).member())
    assert not total.overflowed()
    right = fresh()
    right.exponents.copy_(total._needs + SPARE)
    right.exponents[:ROWS] = total._needs[:ROWS] + TABLE_SPARE
    direct = reduced([(lane, lane % 2) for lane in range(3)], 3, parts, right).first
    assert not direct.overflowed()
    assert torch.equal(mean_of(total), mean_of(direct))


def test_a_chunk_that_overflows_leaves_the_others_alone_and_the_sum_undone():
    parts = [gradients(4, lane, 2.0**-14) for lane in range(2)]
    parts[1][NAMES.index("wide")][0, -1] = 1.5
    dealt = reduced([(0, 0), (1, 1)], 2, parts, fresh())
    assert dealt.line.sums == []
    now = fresh().exponents
    now[FIRST["wide"] + 1] = 1 + SPARE
    for total in dealt.all:
        assert total.overflowed()
        assert torch.equal(total._exponents, now)


def test_outliers_are_summed_without_a_pass_more_and_lose_nothing():
    parts = [gradients(6, lane, 2.0**-13) for lane in range(4)]
    jumps = {(0, 3): 1, (2, 3): 11, (3, 3): 19, (1, 70): 30, (3, ROWS - 1): 8}
    for (lane, row), bits in jumps.items():
        parts[lane][0][row] *= 2.0**bits
    dealt = reduced([(0, 0), (1, 1), (2, 2), (3, 1)], 4, parts, fresh(1))
    rows = len({row for _, row in jumps})
    (size,) = dealt.line.sums
    assert LAYOUT.total + 6 * rows < size <= LAYOUT.total + 6 * rows * LEVELS
    expected = true_mean(parts, 0)
    for total in dealt.all:
        assert not total.overflowed()
        assert torch.equal(mean_of(total), mean_of(dealt.first))
        error = (view(mean_of(total), 0).double() - expected).abs().amax(1)
        assert bool((error <= expected.abs().amax(1) * 2.0 ** -(22 - STEP - 1)).all())


@pytest.mark.parametrize("rows", [LEAST_PLACES, LEAST_PLACES + 1])
def test_too_many_outliers_redo_the_pass_though_no_member_has_too_many(rows):
    parts = [gradients(7, lane, 2.0**-13) for lane in range(3)]
    for row in range(rows):
        parts[row % 3][0][row] = 0.75
    redone = rows > LEAST_PLACES
    dealt = reduced([(lane, lane) for lane in range(3)], 3, parts, fresh())
    assert dealt.line.sums == [] if redone else len(dealt.line.sums) == 1
    for total in dealt.all:
        assert total.overflowed() is redone
        if redone:
            assert total._exponents[:rows].tolist() == [TABLE_SPARE] * rows
            assert torch.equal(total._exponents[rows:], fresh().exponents[rows:])


def test_a_member_with_more_outliers_than_places_keeps_no_more_than_those():
    parts = [gradients(7, 0, 1.0)]
    total = alone(1, parts, fresh())
    outliers = total._tables[0].outliers
    assert outliers._count <= outliers.places
    assert outliers._sums.shape[0] <= outliers.places
    assert total.overflowed()


def test_exponents_rise_at_once_keep_a_margin_and_fall():
    assert (ROOM, DEPTH, MOST_SPARE, SPARE, TABLE_SPARE) == (9, 7, 7, 5, 2)
    state = fresh()
    unit = [torch.full(slot.shape, 0.75) for slot in LAYOUT.slots]
    for need, dense, rows, overflows in (
        (-16, -9, -8, False),  # 8 bits spare: a matrix falls by one
        (-16, -9, -8, False),
        (-25, -10, -11, False),  # 17 bits spare: a row falls to where 14 are
        (-8, -3, -6, True),
        (-5, 0, -3, True),  # 2 bits spare in a matrix: set anew
        (1, 6, 3, True),
    ):
        parts = [part * 2.0**need for part in unit]
        total = alone(1, [parts], state)
        assert total.overflowed() is overflows
        if overflows:
            total.begin_pass()
            add_lane(total, 0, parts)
            total.reduce(ThreadLine(1).member())
            assert not total.overflowed()
        assert total._needs.tolist() == [need] * LAYOUT.chunks
        total.settle(state)
        assert state.exponents.tolist() == [rows] * ROWS + [dense] * (LAYOUT.chunks - ROWS)


def test_the_first_update_sets_all_exponents():
    state = fresh(updates=0)
    tiny = [torch.full(slot.shape, 2.0**-30) for slot in LAYOUT.slots]
    alone(1, [tiny], state).settle(state)
    assert state.exponents.tolist() == [-29 + DEPTH] * ROWS + [-29 + MOST_SPARE] * 4


@pytest.mark.parametrize("spare", [0, 1, DEPTH - 1, DEPTH, DEPTH + 1, 2 * DEPTH])
def test_rows_keep_their_bits_though_they_shrink(spare):
    generator = torch.Generator().manual_seed(9)
    parts = [gradients(3, lane, 2.0**-14) for lane in range(6)]
    for lane in parts:
        lane[0] = torch.rand(ROWS, 6, generator=generator) * 1.9 - 0.95
        lane[0][:, 0] = 0.95
        lane[0] *= 2.0 ** (-8 - spare)
    one = alone(6, parts, fresh())
    dealt = reduced([(lane, lane % 3) for lane in range(6)], 6, parts, fresh())
    assert not one.overflowed()
    assert torch.equal(mean_of(one), mean_of(dealt.first))
    error = (view(mean_of(one), 0).double() - true_mean(parts, 0)).abs().max()
    kept = lane_bits(6) - (spare if spare < DEPTH else spare - DEPTH)
    assert kept >= ROW_KEPT_BITS
    assert float(error) <= 2.0 ** (-8 - spare - kept) + 2.0 ** (-8 - spare - 24)


def test_what_is_zero_in_all_lanes_keeps_its_exponent():
    state = fresh(3)
    zero = [torch.zeros(slot.shape) for slot in LAYOUT.slots]
    total = alone(1, [zero], state)
    assert total._needs.tolist() == [FLOOR] * LAYOUT.chunks
    total.settle(state)
    assert torch.equal(state.exponents, fresh(3).exponents)


@pytest.mark.parametrize("gone", range(len(NAMES)))
def test_a_parameter_that_a_lane_leaves_alone_needs_nothing_there(gone):
    parts = [gradients(2, lane, 2.0 ** -(12 + lane)) for lane in range(3)]
    expected = torch.stack([parts[lane][gone] for lane in (1, 2)]).double().sum(0) / 3
    parts[0][gone] = None
    state = fresh()
    one = alone(3, parts, state)
    other = reduced([(2, 1), (1, 1), (0, 0)], 3, parts, state).first
    chunk = FIRST[NAMES[gone]]
    without = needs_of(torch.stack([parts[n][gone].flatten()[:6].abs().max() for n in (1, 2)]))
    if gone == 0:
        assert int(one._needs[chunk]) == int(without.max())
    assert torch.equal(one._needs, other._needs)
    assert torch.equal(mean_of(one), mean_of(other))
    error = (view(mean_of(one), gone).double() - expected).abs()
    assert float(error.max()) <= 2.0 ** (-8 - lane_bits(3)) + 2.0**-34


def test_stale_extremes_do_not_outlive_their_lane():
    big, small = gradients(2, 0, 2.0**-10), gradients(2, 1, 2.0**-20)
    total = started(2, fresh())
    add_lane(total, 0, big)
    total._largest.zero_()
    add_lane(total, 1, [small[0], None, None, None])
    needs = needs_of(total._largest)
    assert needs[ROWS:].tolist() == [FLOOR] * (LAYOUT.chunks - ROWS)


@pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan])
@pytest.mark.parametrize("name", [TABLE, "wide"])
def test_non_finite_gradients_are_seen_not_redone(bad, name):
    parts = [gradients(1, lane, 100.0) for lane in range(2)]
    number = NAMES.index(name)
    parts[1][number].view(-1)[-1] = bad
    dealt = reduced([(0, 0), (1, 1)], 2, parts, fresh())
    assert dealt.line.sums == []
    last = FIRST[name] + LAYOUT.slots[number].chunks - 1
    for total in dealt.all:
        assert total.broken()
        assert not total.overflowed()
        assert (total._needs == NOT_FINITE).nonzero().flatten().tolist() == [last]
        assert total.tail.facts().losses == (0.1, 1.1)


def test_fresh_memory_begins_without_what_was_left_behind():
    parts = [gradients(3, 0, 1e-4)]
    total = started(1, fresh())
    add_lane(total, 0, parts[0])
    left = (total._buffer, total._said)
    total.renew()
    for old in left:
        old.fill_(7)
    total.begin_step(fresh())
    total.begin_pass()
    add_lane(total, 0, parts[0])
    total.reduce(ThreadLine(1).member())
    assert torch.equal(mean_of(total), mean_of(alone(1, parts, fresh())))


def test_short_digest_is_refused():
    total = started(1, fresh())
    with pytest.raises(InvariantError, match="lane 0"):
        total.end_lane(0, 1.0, "ab")


def test_float_sum_takes_both_types_and_tells_of_all_lanes():
    parts = [[p.bfloat16() if lane else p for p in gradients(3, lane, 1e-4)] for lane in range(2)]
    members = [started(2, fresh(), FastSum) for _ in range(2)]
    line = ThreadLine(2)
    for lane, total in enumerate(members):
        add_lane(total, lane, parts[lane])
    run_all([lambda t=t: t.reduce(line.member()) for t in members])
    for total in members:
        assert total.tail.facts().losses == (0.1, 1.1)
        for number in range(len(NAMES)):
            torch.testing.assert_close(
                view(mean_of(total), number), true_mean(parts, number).float(), rtol=1e-5, atol=1e-9
            )


@needs_cuda
def test_cuda_gives_the_bits_of_a_cpu():
    parts = [gradients(6, lane, 2.0**-13) for lane in range(4)]
    parts[2][0][5] *= 2.0**12
    expected = alone(4, parts, fresh())
    state = FlatState(LAYOUT, CUDA)
    state.buffers[0].copy_(fresh().buffers[0])
    total = ExactSum(LAYOUT, 4, CUDA)
    total.begin_step(state)
    total.begin_pass()
    for lane, mine in enumerate(parts):
        add_lane(total, lane, [part.to(CUDA) for part in mine])
    total.reduce(ThreadLine(1).member())
    mean = torch.zeros(LAYOUT.total, device=CUDA)
    total.unpack(mean)
    assert torch.equal(mean.cpu(), mean_of(expected))
    assert torch.equal(total._needs.cpu(), expected._needs)


def test_small_numbers_of_many_lanes_are_not_lost_beside_a_large_one():
    lanes = 256
    small, units = 0.3, lane_bits(lanes)
    rows = torch.full((ROWS, 6), small * 2.0 ** (-8 - units))
    noise = torch.rand(lanes, ROWS, 6, generator=torch.Generator().manual_seed(4)) * 0.01
    others = gradients(1, 0, 2.0**-20)[1:]
    parts = [[rows * (1 + noise[lane]), *others] for lane in range(lanes)]
    parts[7][0] = torch.full((ROWS, 6), 0.75 * 2.0**-8)
    mean = view(mean_of(alone(lanes, parts, fresh())), 0).double()
    error = (mean - true_mean(parts, 0)) * lanes * 2.0 ** (8 + units)
    # Rounded without noise each would be short by 0.3 * 255 = 77 units.
    assert abs(float(error.mean())) < 3
    assert float(error.square().mean().sqrt()) < 12
