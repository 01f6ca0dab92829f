"""Weights in bfloat16: rounded by chance that is none, right on average, the same everywhere."""

import itertools
import math
import statistics
from hashlib import blake2b

import pytest
import torch
from msgspec.structs import replace
from unit.training.small_job import alone, job, run
from unit.training.test_eight_bit import SHAPES, played

from qmpi.config.identity import differences, identity
from qmpi.model.shape import state_bytes
from qmpi.training.flat_state import FlatState, lay_out, state_layout
from qmpi.training.masters import PIECES, Rounder, pieces
from qmpi.training.snapshot_weights import SnapshotWeights

CPU = torch.device("cpu")
PIECE = PIECES["cpu"]


def narrow_job(**changes):
    settings = job(**changes)
    return replace(settings, train=replace(settings.train, masters="bfloat16"))


def by_hand(seed, step, element):
    """Wellons' hash in Python's own numbers."""
    said = f"{seed}/{step}/{element >> 32}".encode()
    raw = blake2b(said, digest_size=8, person=b"masters").digest()
    first, second = (int.from_bytes(raw[at : at + 4], "little") for at in (0, 4))
    x = (element + first) % 2**32
    x ^= x >> 16
    x = x * 0x7FEB352D % 2**32 ^ second
    x ^= x >> 15
    x = x * 0x846CA68B % 2**32
    return x >> 16


@pytest.mark.parametrize("start", [0, 3 * PIECE, 2**31 - 8, 2**32 - PIECE, 5 * 2**32 + PIECE])
def test_chances_are_a_function_of_seed_step_and_element(start):
    rounder = Rounder(9, CPU)
    for step in (0, 12_345):
        found = rounder.chances(step, start, 16).tolist()
        assert found == [by_hand(9, step, start + n) for n in range(16)]
    assert rounder.chances(1, start, 16).tolist() != Rounder(8, CPU).chances(1, start, 16).tolist()


def test_chances_are_even_and_do_not_follow_each_other():
    rounder = Rounder(1, CPU)
    one, other = (rounder.chances(step, 0, PIECE).double() for step in (5, 6))
    spread = 65_536 / math.sqrt(12)
    for row in (one, other):
        assert float(row.mean()) == pytest.approx(32_768, abs=5 * spread / math.sqrt(PIECE))
        assert float(row.std()) == pytest.approx(spread, rel=0.01)
        counts = torch.bincount((row / 256).long(), minlength=256)
        assert int(counts.min()) > 150
        assert int(counts.max()) < 370
    for pair in ((one, other), (one[1:], one[:-1]), (one[256:], one[:-256])):
        assert abs(float(torch.corrcoef(torch.stack(pair))[0, 1])) < 5 / math.sqrt(PIECE)


def test_rounding_is_right_on_average_and_exact_where_it_can_be():
    values = torch.tensor([1.0 + 1 / 512, -1.0 - 3 / 1024, 1e-3, -7e-30, 2.5, 0.0, -0.0])
    spread = values.repeat(PIECE // values.numel())
    out = torch.empty(spread.numel(), dtype=torch.bfloat16)
    Rounder(3, CPU).put(spread.clone(), 4, 0, out)
    rows = out.float().view(-1, values.numel())
    assert torch.equal(rows[:, 4:], values[4:].expand_as(rows[:, 4:]))
    for number, value in enumerate(values[:4].tolist()):
        found = set(rows[:, number].tolist())
        low, high = min(found), max(found)
        assert len(found) == 2
        assert low < value < high
        error = 5 * (high - low) / 2 / math.sqrt(len(rows))
        assert statistics.fmean(rows[:, number].tolist()) == pytest.approx(value, abs=error)


def test_small_updates_add_up_where_rounding_to_nearest_loses_them():
    # An update of a hundredth of the last digit, 1,000 times.
    steps, digit = 1000, 2.0**-7
    weights = torch.ones(4096, dtype=torch.bfloat16)
    nearest, rounder = weights.clone(), Rounder(5, CPU)
    for step in range(steps):
        rounder.put(weights.float() + digit / 100, step, 0, weights)
        nearest.copy_(nearest.float() + digit / 100)
    assert float(weights.float().mean()) == pytest.approx(1 + 10 * digit, abs=0.1 * digit)
    assert torch.equal(nearest, torch.ones_like(nearest))


def test_pieces_cover_a_run_and_begin_at_multiples():
    for start, stop in ((0, 5), (PIECE, 3 * PIECE), (7, 2 * PIECE + 1), (PIECE - 1, PIECE + 1)):
        cut = pieces(start, stop, PIECE)
        assert [n for part in cut for n in (part.start, part.stop)][:: 2 * len(cut) - 1] == [
            start,
            stop,
        ]
        assert all(a.stop == b.start and b.start % PIECE == 0 for a, b in itertools.pairwise(cut))
    assert pieces(4, 4, PIECE) == []


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_pieces_play_no_part(kind):
    whole = played_with_muon(kind, "bfloat16", steps=2)
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(PIECES, "cpu", 1 << 10)
        assert torch.equal(played_with_muon(kind, "bfloat16", steps=2).buffers[0], whole.buffers[0])


@pytest.mark.parametrize("kind", ["adamw", "adamw8", "muon"])
def test_weights_stay_near_those_of_float32(kind):
    wide, narrow = played_with_muon(kind, "float32"), played_with_muon(kind, "bfloat16")
    assert narrow.params.dtype == torch.bfloat16
    for a, b in zip(wide.layout.slots, narrow.layout.slots, strict=True):
        assert a.name == b.name
        error = (wide.view(a) - narrow.view(b).float()).abs()
        assert float((error / wide.view(a).abs().clamp(min=0.01)).mean()) < 0.02
    moved = played_with_muon(kind, "bfloat16", steps=0)
    assert not torch.equal(moved.params, narrow.params)


def played_with_muon(kind, masters, steps=12):
    if kind != "muon":
        return played(kind, steps, masters)
    from qmpi.config.optimizer import OptimizerSettings
    from qmpi.training.optimizer import Optimizer

    layout, settings = lay_out(SHAPES, kind, masters), OptimizerSettings()
    state, optimizer = FlatState(layout, CPU), Optimizer(layout, CPU, torch.float32, 7)
    state.reset()
    draw = torch.Generator().manual_seed(2)
    for slot in layout.slots:
        state.view(slot).copy_(torch.randn(slot.shape, generator=draw) * 0.1)
    for step in range(steps):
        gradient = torch.zeros(layout.total)
        for slot in layout.slots:
            own = torch.randn(slot.shape, generator=draw) + 0.5
            gradient[slot.start : slot.start + slot.size] = own.view(-1) * 0.01
        optimizer.prepare(state, gradient, settings)
        optimizer.apply(state, gradient, settings, 1e-3)
        state.set_counters(step + 1, step + 1, 0)
    return state


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_a_run_trains_and_goes_on_to_the_same_bits(precision):
    settings = narrow_job(precision=precision)
    engine = alone(settings)
    before = engine._state.params.clone()
    run(engine, settings, 0)
    kept = b"".join(engine.snapshot()[1])
    outcome = run(engine, settings, 1)
    assert outcome.gradient_norm > 0
    assert not torch.equal(before, engine._state.params)
    other = alone(settings, start=False)
    other.load_snapshot(1, kept)
    assert run(other, settings, 1).weight_digest == outcome.weight_digest
    assert b"".join(other.snapshot()[1]) == b"".join(engine.snapshot()[1])
    assert "masters in bfloat16" in engine.identity()


def test_first_loss_is_that_of_the_same_weights_in_float32():
    narrow, wide = narrow_job(), job()
    engine, other = alone(narrow), alone(wide)
    views = engine._state.wide_views()
    for slot in other._state.layout.slots:
        other._state.view(slot).copy_(views[slot.name])
    assert run(engine, narrow, 0).lane_losses == run(other, wide, 0).lane_losses


def test_evaluation_and_snapshots_see_the_weights_of_now():
    settings = narrow_job()
    engine = alone(settings)
    run(engine, settings, 0)
    block = torch.arange(17, dtype=torch.int32).numpy().astype("<u2").tobytes()
    first = engine.evaluator().row_losses(block, 1, lambda _: None)
    for step in (1, 2):
        run(engine, settings, step)
    second = engine.evaluator().row_losses(block, 1, lambda _: None)
    assert first != second
    weights = SnapshotWeights(settings, [memoryview(b"".join(engine.snapshot()[1]))])
    assert weights.digest(3) == engine._state.digest()
    for slot in engine._state.layout.slots:
        found = weights.parameter(slot.name)
        assert found.dtype == torch.float32
        assert torch.equal(found, engine._state.view(slot).float())


def test_state_is_two_bytes_smaller_and_identity_tells():
    wide, narrow = job(), narrow_job()
    sizes = [FlatState(state_layout(s), CPU).total_bytes for s in (wide, narrow)]
    count = state_bytes(wide.model, "muon") - state_bytes(wide.model, "muon", "bfloat16")
    assert sizes[0] - sizes[1] == pytest.approx(count, rel=0.02)
    assert "masters" not in identity(wide)["train"]
    assert identity(narrow)["train"]["masters"] == "bfloat16"
    assert any("train.masters" in said for said in differences(wide, narrow))
