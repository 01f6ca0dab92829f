"""The trainer on a CUDA device: near a CPU's numbers, and its own bits again and again.

Losses may differ from a CPU's by rounding; what exactness promises is that bits on one kind of
device depend on nothing else. The layer, the exact sum, the stopwatch, compiled layers and gangs
have their tests beside those of their CPU forms.
"""

import json
import math
import time

import pytest
import torch
from msgspec.structs import asdict, replace
from unit.training.on_cuda import CUDA, NEEDS_CUDA
from unit.training.small_job import alone, block, digest, job, run

from qmpi.config.batch import BatchSettings
from qmpi.config.guard import GuardSettings
from qmpi.config.model import ModelSettings
from qmpi.config.optimizer import OptimizerSettings
from qmpi.model.shape import parameter_shapes
from qmpi.policy.step_split import seconds
from qmpi.training.flat_state import FlatState, lay_out
from qmpi.training.masters import Rounder
from qmpi.training.norm import global_norm
from qmpi.training.optimizer import Optimizer
from qmpi.training.precision import choose_precision, computes_bfloat16, machine_identity
from qmpi.training.sample import load_model

pytestmark = [*NEEDS_CUDA]

CPU, STEPS = torch.device("cpu"), 4


def settings_of(device: torch.device, kind: str = "muon", **train: object):
    settings = job(device=device.type)
    return replace(
        settings,
        optimizer=replace(settings.optimizer, kind=kind),
        train=replace(settings.train, **train),
    )


def trained(settings, steps: int = STEPS):
    engine = alone(settings)
    return engine, [run(engine, settings, step) for step in range(steps)]


@pytest.mark.parametrize("reduction", ["exact", "fast"])
@pytest.mark.parametrize("kind", ["muon", "adamw", "adamw8"])
def test_losses_are_near_those_of_a_cpu(kind: str, reduction: str) -> None:
    found, wanted = (
        trained(settings_of(device, kind, reduction=reduction))[1] for device in (CUDA, CPU)
    )
    for mine, theirs in zip(found, wanted, strict=True):
        assert mine.lane_losses == pytest.approx(theirs.lane_losses, rel=1e-3)
        assert mine.gradient_norm == pytest.approx(theirs.gradient_norm, rel=1e-2)
        assert mine.block_digests == theirs.block_digests


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("kind", ["muon", "adamw", "adamw8"])
def test_the_same_steps_give_the_same_bits(kind: str, precision: str) -> None:
    settings = settings_of(CUDA, kind, precision=precision)
    digests = [[one.weight_digest for one in trained(settings)[1]] for _ in range(2)]
    assert digests[0] == digests[1]


def test_the_order_of_lanes_does_not_matter() -> None:
    settings = settings_of(CUDA)
    there, back = alone(settings), alone(settings)
    for step in range(STEPS):
        first = run(there, settings, step, [0, 1, 2, 3])
        assert run(back, settings, step, [2, 0, 3, 1]).weight_digest == first.weight_digest


def test_microbatches_are_summed() -> None:
    one, two = settings_of(CUDA), settings_of(CUDA, microbatches=2)
    frame = block(one, 0, 0)
    outcomes = [
        alone(settings).run_step(0, range(4), [held] * 4, [digest(held)] * 4, digest_due=True)
        for settings, held in ((one, frame), (two, frame * 2))
    ]
    assert outcomes[1].gradient_norm == pytest.approx(outcomes[0].gradient_norm, rel=1e-4)


def test_a_snapshot_goes_on_to_the_same_bits_and_is_read_on_a_cpu() -> None:
    settings = settings_of(CUDA)
    engine, _ = trained(settings, 2)
    kept = b"".join(engine.snapshot()[1])
    ahead = run(engine, settings, 2).weight_digest
    other = alone(settings, start=False)
    other.load_snapshot(2, kept)
    assert run(other, settings, 2).weight_digest == ahead
    plain = alone(settings_of(CPU), start=False)
    plain.load_snapshot(2, kept)
    assert b"".join(plain.snapshot()[1]) == kept
    model = load_model(settings_of(CPU), [memoryview(kept)])
    assert next(model.parameters()).device == CPU


def test_an_overflow_is_redone_and_what_is_not_finite_is_skipped() -> None:
    settings = settings_of(CUDA)
    engine = alone(settings)
    engine._state.exponents.fill_(-60)
    assert run(engine, settings, 0).redone == 1
    engine._state.params[:2000] = 3e38
    assert run(engine, settings, 1).gradient_norm == -1.0


def test_lanes_are_measured_and_levels_kept_as_on_a_cpu() -> None:
    guard, batch = GuardSettings(loss_spike=1e6), BatchSettings(noise_scale=True)
    told: list[float] = []
    for device in (CUDA, CPU):
        settings = replace(settings_of(device), guard=guard, batch=batch)
        engine, outcomes = trained(settings, 2)
        told += [outcomes[0].lane_square, engine._state.levels.norm]
        kept = b"".join(engine.snapshot()[1])
        other = alone(settings, start=False)
        other.load_snapshot(2, kept)
        assert other._state.levels == engine._state.levels
    assert told[:2] == pytest.approx(told[2:], rel=1e-2)


def test_the_parts_of_a_step_make_up_its_time() -> None:
    settings = settings_of(CUDA)
    _, outcomes = trained(settings)
    last = outcomes[-1]
    times = asdict(last.times)
    assert min(times[part] for part in ("forward", "backward", "sweep", "optimizer")) > 0
    assert seconds(last.times) <= last.seconds * 1.1


@pytest.mark.parametrize("kind", ["muon", "adamw", "adamw8"])
def test_an_update_is_near_that_of_a_cpu(kind: str) -> None:
    shapes = parameter_shapes(
        ModelSettings(vocab_size=300, layers=2, width=32, heads=4, kv_heads=2, tied_head=False)
    )
    layout = lay_out(shapes, kind)
    draw = torch.Generator().manual_seed(1)
    weights, gradient = (torch.zeros(layout.total) for _ in range(2))
    for slot in layout.slots:
        for flat in (weights, gradient):
            flat[slot.start : slot.start + slot.size].normal_(generator=draw)
    ends = []
    for device in (CUDA, CPU):
        state = FlatState(layout, device)
        state.reset()
        state.params.copy_(weights)
        optimizer = Optimizer(layout, device, torch.float32)
        for number in range(3):
            optimizer.apply(state, gradient.to(device, copy=True), OptimizerSettings(), 0.01)
            state.set_counters(number + 1, number + 1, 0)
        ends.append(state.params.cpu())
    # A moment on the border between two codes may take the other one.
    near = 1e-3 if kind == "adamw8" else 1e-4
    torch.testing.assert_close(ends[0], ends[1], rtol=1e-3, atol=near)


def test_weights_in_bfloat16_are_rounded_as_on_a_cpu() -> None:
    values = torch.randn(1000, generator=torch.Generator().manual_seed(1))
    ends = []
    for device in (CUDA, CPU):
        out = torch.empty(1000, dtype=torch.bfloat16, device=device)
        Rounder(5, device).put(values.to(device, copy=True), 3, 1 << 20, out)
        ends.append(out.cpu())
    assert torch.equal(*ends)


def test_an_overflow_in_float16_is_done_again_with_a_smaller_scale() -> None:
    settings = settings_of(CUDA, precision="float16")
    engine = alone(settings)
    engine._state.set_scaling(24, 0)
    outcome = run(engine, settings, 0)
    assert outcome.gradient_norm > 0
    assert outcome.loss_scale < 2.0**24


def test_the_norm_is_that_of_a_cpu() -> None:
    flat = torch.randn(1 << 22, generator=torch.Generator().manual_seed(1))
    assert global_norm(flat.to(CUDA)) == pytest.approx(global_norm(flat), rel=1e-5)
    flat[5] = math.inf
    assert not math.isfinite(global_norm(flat.to(CUDA)))


def test_a_profile_holds_kernels_of_the_device(tmp_path) -> None:
    settings = settings_of(CUDA)
    engine, _ = trained(settings, 1)
    profiler = engine.profiler()
    profiler.start()
    with profiler.step(1):
        run(engine, settings, 1)
    profiler.stop()
    profiler.write(tmp_path / "trace.json")
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    assert [event for event in events if event["name"] == "step 1" and event["ph"] == "X"]
    assert [event for event in events if event.get("cat") == "kernel"]


def test_the_device_is_named_and_its_peak_measured() -> None:
    settings = settings_of(CUDA, precision="auto")
    engine = alone(settings)
    engine.warm_up()
    assert machine_identity(CUDA) in engine.identity()
    native = choose_precision(settings.train, CUDA) == torch.bfloat16
    assert native is computes_bfloat16(CUDA)
    # No device of this kind is slower than a tenth of this.
    assert engine.peak(time.monotonic) > 1e11
