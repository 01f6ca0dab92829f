"""Counted kernels and bytes against those that torch is seen to run."""

import hashlib
import itertools
import time

import numpy as np
import pytest
import torch
from msgspec.structs import replace
from unit.planning.kernel_counter import KernelCounter

from qmpi.config.model import ModelSettings
from qmpi.config.optimizer import OptimizerSettings
from qmpi.config.settings import Settings
from qmpi.config.train import TrainSettings
from qmpi.model.fused.cross_entropy import CHUNK_LOGITS, LEAST_ROWS, ROWS
from qmpi.model.layer import choose_kernels, make_layers
from qmpi.model.plain import Positions, attend
from qmpi.planning import sweeps
from qmpi.planning.shape import parameters, shape_of
from qmpi.training import engine as engine_module
from qmpi.training.comm.line import Comm
from qmpi.training.engine import Engine
from qmpi.training.flat_state import CHUNK, FlatState, state_layout
from qmpi.training.weights import Weights

CPU = torch.device("cpu")


def job(precision="float32", **changes):
    model = {"vocab_size": 1024, "layers": 2, "width": 256, "heads": 4, "kv_heads": 4}
    train = {"sequences": 4, "sequence_tokens": 64, "lanes": 2, "device": "cpu"}
    train |= {"precision": precision, "compile": "off"}
    for name, value in changes.items():
        (model if name in ModelSettings.__struct_fields__ else train)[name] = value
    return Settings(model=ModelSettings(**model), train=TrainSettings(**train))


class Staged:
    """An engine whose parts are counted apart, in one step."""

    def __init__(self, settings, monkeypatch):
        self.counts, self._within = {}, 0
        made = Engine(settings, time.monotonic, lambda: None)
        made.join(
            Comm(store=None, name="g", index=0, size=1, timeout_seconds=5, aborted=lambda: None)
        )
        made.initialise()
        self._settings, self._engine = settings, made
        self._step(0)
        total, runner = made._sum, made._runner
        for owner, names in (
            (total, {"begin_pass": "pass", "add": "added", "reduce": "pass", "unpack": "pass"}),
            (made._weights, {"refresh": "pass"}),
            (made._optimizer, {"prepare": "directions", "apply": "update"}),
            (engine_module, {"clip": "update"}),
            (made._team, {"norm": "update"}),
            (runner._gradients, {"_accumulated": "gathered"}),
            (runner._backprop, {"begin_lane": "gathered"}),
            (runner._backprop.ends._loss, {"to_errors": "loss"}),
        ):
            for name, part in names.items():
                monkeypatch.setattr(owner, name, self._counted(getattr(owner, name), part))
        self._step(1)

    def _counted(self, function, part):
        def count(*args, **kwargs):
            with KernelCounter() as counter:
                result = function(*args, **kwargs)
            before = self.counts.get(part, (0, 0))
            self.counts[part] = (before[0] + counter.bytes, before[1] + counter.kernels)
            return result

        return count

    def _step(self, step):
        train = self._settings.train
        shape = (train.lanes, train.microbatches * train.sequences, train.sequence_tokens + 1)
        # The same each time: rows that come and go would be outliers of the sum.
        ids = np.random.default_rng(0).integers(0, 1024, shape).astype("<u2")
        blocks = [lane.tobytes() for lane in ids]
        digests = [hashlib.blake2b(block, digest_size=16).hexdigest() for block in blocks]
        self._engine.run_step(step, range(train.lanes), blocks, digests, digest_due=False)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    "fields",
    [{"qk_norm": False}, {}, {"qk_norm_over": "projection", "norm_place": "post"}],
    ids=["no norm of heads", "qwen3", "olmo2"],
)
def test_a_layer_moves_what_is_counted(precision, fields):
    settings = job(precision, **fields)
    model, kind = settings.model, getattr(torch, precision)
    kernels = choose_kernels(CPU, 64, compiled=False)._replace(attend=attend)
    layer, positions = make_layers(model, 4, kernels)[0], Positions.of(model, 64, CPU)
    weights = Weights(model, FlatState(state_layout(settings), CPU), kind).layers[0]
    stream = torch.randn(256, 256, requires_grad=True)
    with KernelCounter() as counter:
        layer(stream, positions, weights).backward(torch.ones_like(stream))
    half = kind == torch.bfloat16
    planned = sweeps.layer_sweeps(shape_of(model), 256, half=half, compiled=False)
    assert planned.bytes == pytest.approx(counter.bytes, rel=0.05)
    assert planned.kernels == pytest.approx(counter.kernels, rel=0.1)


QUICK_STEPS = {
    ("exact", True, 2, "float32"),
    ("fast", False, 2, "float32"),
}
"""Most settings once; the other products of them are slow tests."""

STEPS = [
    pytest.param(*step, marks=() if step in QUICK_STEPS else pytest.mark.slow)
    for step in itertools.product(("exact", "fast"), (False, True), (1, 2), ("float32", "bfloat16"))
]


@pytest.mark.parametrize(("reduction", "tied", "microbatches", "precision"), STEPS)
def test_a_step_moves_what_is_counted(precision, microbatches, tied, reduction, monkeypatch):
    settings = job(precision, microbatches=microbatches, tied_head=tied, reduction=reduction)
    assert_moved(settings, monkeypatch)


def test_a_step_that_predicts_ahead_moves_what_is_counted(monkeypatch):
    assert_moved(job(microbatches=2, predict_ahead=1), monkeypatch)


def assert_moved(settings, monkeypatch):
    train, shape = settings.train, shape_of(settings.model)
    half, microbatches = train.precision == "bfloat16", train.microbatches
    count, exact = parameters(shape), train.reduction == "exact"
    single, heads = half and microbatches == 1, 1 + shape.further_heads
    seen, lanes = Staged(settings, monkeypatch).counts, 2
    planned = {
        "added": sweeps.added_sweeps(shape, count, lanes, half=single, exact=exact, compiled=False),
        "gathered": sweeps.gathered_sweeps(shape, count, microbatches, half=half).times(lanes),
        "loss": sweeps.loss_sweeps(shape, 256, half=half).times(lanes * microbatches * heads),
        "pass": sweeps.pass_sweeps(shape, count, half=half, exact=exact, compiled=False),
        "update": sweeps.update_sweeps(shape, count, half=half, muon=True),
        "directions": sweeps.direction_sweeps(shape, half=half),
    }
    for part, work in planned.items():
        assert work.bytes == pytest.approx(seen[part][0], rel=0.06), part
    assert planned["added"].kernels == pytest.approx(seen["added"][1], rel=0.25)


def test_adamw_alone_moves_what_is_counted(monkeypatch):
    settings = job()
    settings = replace(settings, optimizer=OptimizerSettings(kind="adamw"))
    shape = shape_of(settings.model)
    planned = sweeps.update_sweeps(shape, parameters(shape), half=False, muon=False)
    seen = Staged(settings, monkeypatch).counts
    assert planned.bytes == pytest.approx(seen["update"][0], rel=0.05)


def test_blocks_are_those_of_the_engine():
    assert (sweeps.LOSS_ROWS, sweeps.LEAST_ROWS) == (ROWS, LEAST_ROWS)
    assert (sweeps.CHUNK_LOGITS, sweeps.CHUNK) == (CHUNK_LOGITS, CHUNK)


@pytest.mark.parametrize("half", [False, True])
def test_compiled_layers_move_less(half):
    shape = shape_of(job().model)
    eager, compiled = (
        sweeps.layer_sweeps(shape, 256, half=half, compiled=compiled) for compiled in (False, True)
    )
    assert compiled.bytes < eager.bytes / 2
    assert compiled.kernels < eager.kernels


@pytest.mark.parametrize("half", [False, True])
def test_compiled_loops_of_the_exact_sum_move_what_a_float_sum_does_and_tables_twice(half):
    shape = shape_of(job().model)
    count, tables = parameters(shape), sweeps.table_elements(shape)
    by_loops, by_kernels, floats = (
        sweeps.added_sweeps(shape, count, 3, half=half, exact=exact, compiled=compiled)
        + sweeps.pass_sweeps(shape, count, half=half, exact=exact, compiled=compiled)
        for exact, compiled in ((True, True), (True, False), (False, True))
    )
    # A second look and another grid for each lane, and rows of that grid copied once; but no sum
    # is filled, nor read by the first lane.
    # And the float sum is read once more, to see whether all of it is finite.
    more = 3 * (4 + 8) * tables + 8 * tables - 4 * (count + tables) - 8 * count
    assert by_loops.bytes == floats.bytes + more
    assert by_loops.bytes < by_kernels.bytes / 2
    assert by_loops.kernels < by_kernels.kernels
