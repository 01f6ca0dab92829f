"""Moments in eight bits: the nearest code, by brute force; AdamW by torch's; torchao's numbers."""

import importlib.util
import subprocess
import sys

import numpy as np
import pytest
import torch
from msgspec.structs import replace
from unit.training.small_job import alone, job, run

from qmpi.config.optimizer import OptimizerSettings
from qmpi.model.shape import MOMENT_BLOCK, state_bytes
from qmpi.training.eight_bit import LEAST_SHARE, Codes, EightBit, code_values, stored_moments
from qmpi.training.flat_state import FlatState, lay_out, state_layout
from qmpi.training.masters import PIECES
from qmpi.training.optimizer import Optimizer

CPU = torch.device("cpu")
SETTINGS = OptimizerSettings(kind="adamw8")
SHAPES = {
    "model.embed_tokens.weight": (40, 24),
    "norm": (24,),
    "a": (33, 24),
    "wide": (3, PIECES["cpu"] // 2),
}
BLOCKS = 64


def drawn(count, seed=1):
    """Return numbers of very different sizes."""
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(count, generator=draw) * torch.exp(3 * torch.randn(count, generator=draw))


def packed(codes, values):
    out = torch.empty(values.numel(), dtype=torch.uint8)
    scales = torch.empty(values.numel() // MOMENT_BLOCK)
    codes.pack(values.clone(), out, scales)
    return out, scales


@pytest.mark.parametrize("signed", [True, False])
def test_each_share_gets_the_nearest_code(signed):
    codes = Codes.make(CPU, signed=signed)
    values = drawn(BLOCKS * MOMENT_BLOCK)
    values = values if signed else values.abs()
    found, scales = packed(codes, values)
    shares = values.view(BLOCKS, -1) / values.view(BLOCKS, -1).abs().amax(1, keepdim=True)
    assert torch.equal(scales, values.view(BLOCKS, -1).abs().amax(1))
    far = (shares.view(-1, 1).double() - codes.values.double()).abs()
    chosen = far.gather(1, found.view(-1, 1).long()).squeeze(1)
    lifted = (found == 1) & (not signed)
    assert torch.allclose(chosen[~lifted], far.amin(1)[~lifted], atol=1e-8, rtol=1e-5)
    assert set(codes.values.tolist()) >= {0.0, 1.0}
    assert len(set(codes.values.tolist())) == 256


@pytest.mark.parametrize("signed", [True, False])
def test_the_table_is_exact_around_every_border(signed):
    codes = Codes.make(CPU, signed=signed)
    borders = codes.borders[:-1]
    # No two borders share the sixteen bits that the table is asked by.
    assert len({int(bits) >> 16 for bits in borders.view(torch.int32).tolist()}) == 255
    around = [borders, *(torch.nextafter(borders, torch.tensor(side)) for side in (-9.0, 9.0))]
    shares = torch.cat(around).clamp(-1.0 if signed else 0.0, 1.0)
    block = torch.ones(MOMENT_BLOCK)
    for part in shares.split(MOMENT_BLOCK - 1):
        values = block.clone()
        values[1 : 1 + part.numel()] = part
        found, _ = packed(codes, values)
        expected = torch.bucketize(part, borders, right=True)
        assert torch.equal(found[1 : 1 + part.numel()].long(), expected)


def test_a_second_moment_never_becomes_zero():
    codes = Codes.make(CPU, signed=False)
    values = torch.full((MOMENT_BLOCK,), 1e-12)
    values[0], values[1], values[2] = 1.0, 0.0, LEAST_SHARE
    found, scales = packed(codes, values)
    assert found[:4].tolist() == [255, 0, 1, 1]
    assert codes.unpack(found, scales)[3] > 1e-7


def test_the_update_of_a_rare_row_stays_bounded_when_its_gradient_ends():
    """A frequent and a rare token share a block; then the rare one's gradient is exactly zero."""
    layout = lay_out({"model.embed_tokens.weight": (2, MOMENT_BLOCK // 2)}, "adamw8")
    state, optimizer = FlatState(layout, CPU), Optimizer(layout, CPU, torch.float32)
    state.reset()
    gradient = torch.ones(layout.total)
    gradient[MOMENT_BLOCK // 2 :] = 3e-4
    for step in range(4):
        before = state.params.clone()
        optimizer.apply(state, gradient, replace(SETTINGS, weight_decay=0.0), 0.01)
        state.set_counters(step + 1, step + 1, 0)
        gradient[MOMENT_BLOCK // 2 :] = 0.0
        assert float((state.params - before).abs().max()) < 0.03


def played(kind, steps=12, masters="float32"):
    layout = lay_out(SHAPES, kind, masters)
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
        optimizer.apply(state, gradient, SETTINGS, 1e-3)
        state.set_counters(step + 1, step + 1, 0)
    return state


def test_updates_are_those_of_adamw_with_rounded_moments():
    """The oracle is AdamW on float32 moments, which are rounded to their codes between steps."""
    ours = played("adamw8")
    layout = ours.layout
    plain, optimizer = FlatState(lay_out(SHAPES), CPU), None
    plain.reset()
    optimizer = Optimizer(plain.layout, CPU, torch.float32)
    draw = torch.Generator().manual_seed(2)
    for slot in plain.layout.slots:
        plain.view(slot).copy_(torch.randn(slot.shape, generator=draw) * 0.1)
    kinds = [Codes.make(CPU, signed=signed) for signed in (True, False)]
    for step in range(12):
        gradient = torch.zeros(plain.layout.total)
        for slot in plain.layout.slots:
            own = torch.randn(slot.shape, generator=draw) + 0.5
            gradient[slot.start : slot.start + slot.size] = own.view(-1) * 0.01
        optimizer.apply(plain, gradient, SETTINGS, 1e-3)
        plain.set_counters(step + 1, step + 1, 0)
        for slot in plain.layout.slots[:-1]:
            for codes, flat in zip(kinds, (plain.exp_avg, plain.exp_avg_sq), strict=True):
                own = flat[slot.start : slot.start + slot.size]
                filled = torch.zeros(-(-slot.size // MOMENT_BLOCK) * MOMENT_BLOCK)
                filled[: slot.size] = own
                own.copy_(codes.unpack(*packed(codes, filled))[: slot.size])
    for mine, theirs in zip(layout.slots, plain.layout.slots, strict=True):
        assert mine.name == theirs.name
        torch.testing.assert_close(ours.view(mine), plain.view(theirs), rtol=1e-6, atol=1e-7)


def test_pieces_play_no_part():
    whole = played("adamw8", 3)
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(PIECES, "cpu", 4 * MOMENT_BLOCK)
        assert torch.equal(played("adamw8", 3).buffers[0], whole.buffers[0])


def test_layout_has_blocks_of_one_parameter_and_a_fourth_of_the_moments():
    layout = lay_out(SHAPES, "adamw8")
    quantised = [slot for slot in layout.slots if slot.start < layout.eight]
    assert [slot.name for slot in layout.slots if slot not in quantised] == ["norm"]
    assert all(slot.start % MOMENT_BLOCK == 0 for slot in quantised)
    assert (layout.eight, layout.second) == (layout.decayed, layout.decayed)
    assert not layout.uses_muon
    assert layout.moments == 2 * (layout.total - layout.decayed)
    state = FlatState(layout, CPU)
    assert all(part.data_ptr() % 64 == 0 for part in (*state.eights, state.exp_avg, state.params))
    settings = job()
    settings = replace(settings, optimizer=SETTINGS)
    size = FlatState(state_layout(settings), CPU).total_bytes
    count = FlatState(state_layout(job()), CPU).layout.total
    told = state_bytes(settings.model, "adamw8")
    assert told <= size <= told + 4 * 256 + 64 * 40
    for masters in ("float32", "bfloat16"):
        narrow = state_bytes(settings.model, "adamw8", masters)
        assert narrow == told - (2 * count if masters == "bfloat16" else 0)


def test_padding_stays_zero():
    state = played("adamw8")
    used = torch.zeros_like(state.params, dtype=torch.bool)
    for slot in state.layout.slots:
        used[slot.start : slot.start + slot.size] = True
    assert not state.params[~used].any()
    first, second = EightBit(CPU).take(stored_moments(state, slice(0, state.layout.eight)))
    unused = ~used[: state.layout.eight]
    assert not first[unused].any()
    assert not second[unused].any()


def test_a_run_goes_on_from_its_snapshot_to_the_same_bits():
    settings = replace(job(), optimizer=replace(job().optimizer, kind="adamw8"))
    engine = alone(settings)
    run(engine, settings, 0)
    kept = b"".join(engine.snapshot()[1])
    run(engine, settings, 1)
    other = alone(settings, start=False)
    other.load_snapshot(1, kept)
    run(other, settings, 1)
    assert b"".join(other.snapshot()[1]) == b"".join(engine.snapshot()[1])
    assert "eight bits" in engine.identity()


TORCHAO = """
import sys
import numpy as np
import torch
from torchao.optim.quant_utils import create_dynamic_map, quantize_8bit_with_qmap, scale_tensor
values = torch.from_numpy(np.load(sys.argv[1]))
for signed in (True, False):
    numbers = torch.tensor(create_dynamic_map(signed=signed))
    mine = values if signed else values.abs()
    shares, scales = scale_tensor(mine, 256)
    codes = quantize_8bit_with_qmap(shares, numbers)
    np.savez(sys.argv[2 + signed], numbers=numbers, codes=codes, scales=scales)
"""


@pytest.mark.skipif(importlib.util.find_spec("torchao") is None, reason="torchao is the oracle")
def test_codes_are_those_of_torchao(tmp_path):
    # In a process of its own: its import writes to the log and registers classes.
    values = drawn(BLOCKS * MOMENT_BLOCK, 4)
    paths = [tmp_path / name for name in ("values.npy", "unsigned.npz", "signed.npz")]
    np.save(paths[0], values.numpy())
    command = [sys.executable, "-c", TORCHAO, *map(str, paths)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    for signed in (False, True):
        told = np.load(paths[1 + signed])
        numbers, codes, scales = (torch.from_numpy(told[n]) for n in ("numbers", "codes", "scales"))
        assert torch.equal(code_values(signed=signed), numbers)
        found = packed(Codes.make(CPU, signed=signed), values if signed else values.abs())
        assert torch.equal(found[1], scales)
        other = found[0] != codes
        # Ours never calls a second moment zero.
        assert set(codes[other].tolist()) <= {0}
        assert set(found[0][other].tolist()) <= {1}
        assert bool(other.any()) is not signed
