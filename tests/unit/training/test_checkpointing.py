"""Layers that keep less: the same bits, less memory, and no more done again than is said."""

import os
import shutil
import subprocess
import sys

import pytest
import torch
from msgspec.structs import replace
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode
from unit.training.on_cuda import needs_cuda
from unit.training.small_job import alone, job, run

from qmpi.config.checks import contradictions
from qmpi.config.compiling import is_worth_compiling
from qmpi.config.identity import differences, identity
from qmpi.config.model import ModelSettings
from qmpi.config.widths import ffn_width
from qmpi.errors import PeerLost
from qmpi.training.checkpointing import with_checkpoints

STEPS, LAYERS = 3, 4
MODES = [("full", 1), ("selective", 1), ("full", 2), ("selective", 3)]


def saving(mode, every=1, microbatches=1, **changes):
    settings = job(microbatches=microbatches)
    model = ModelSettings(vocab_size=256, layers=LAYERS, width=32, heads=2, kv_heads=1)
    train = replace(settings.train, checkpointing=mode, checkpoint_every=every, **changes)
    return replace(settings, model=model, train=train)


def digests(settings):
    engine = alone(settings)
    engine.warm_up()
    return [run(engine, settings, step) for step in range(STEPS)]


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"precision": "bfloat16"},
        {"microbatches": 2},
        pytest.param({"sequence_tokens": 1100, "lanes": 4}, marks=pytest.mark.slow),
        {"reduction": "fast"},
    ],
    ids=lambda form: "-".join(form) or "plain",
)
def test_the_weights_are_the_same_bits(form):
    wanted = digests(saving("none", **form))
    for mode, every in MODES:
        found = digests(saving(mode, every, **form))
        assert [o.weight_digest for o in found] == [o.weight_digest for o in wanted]
        assert [o.lane_losses for o in found] == [o.lane_losses for o in wanted]


class Counted(TorchDispatchMode):
    """Counts the operations that run, by name."""

    def __init__(self):
        super().__init__()
        self.seen = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func._schema.name
        self.seen[name] = self.seen.get(name, 0) + 1
        return func(*args, **(kwargs or {}))


def counted(mode, every=1):
    settings = saving(mode, every)
    engine = alone(settings)
    run(engine, settings, 0)  # whose exponents are a guess: it may be done twice
    with Counted() as counts:
        run(engine, settings, 1, lanes=[0])
    return counts.seen


def test_what_is_done_again_is_what_was_said():
    none, full, part, half = (
        counted(*form) for form in (("none",), ("full",), ("selective",), ("full", 2))
    )
    # Of the four products of a layer the last is not needed again.
    assert full["aten::mm"] - none["aten::mm"] == 3 * LAYERS
    assert half["aten::mm"] - none["aten::mm"] == 3 * LAYERS / 2
    assert part["aten::mm"] == none["aten::mm"]
    assert full["aten::_softmax"] - none["aten::_softmax"] == LAYERS
    assert part["aten::_softmax"] - none["aten::_softmax"] == LAYERS
    assert part["aten::silu"] - none["aten::silu"] == LAYERS


def storages(tree):
    found = [leaf.untyped_storage() for leaf in pytree.tree_leaves(tree) if torch.is_tensor(leaf)]
    return [(storage.data_ptr(), storage) for storage in found]


class Alive(TorchDispatchMode):
    """Knows the memory of all results that somebody still holds."""

    def __init__(self):
        super().__init__()
        self.held = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        given = {ptr for ptr, _ in storages((args, kwargs))}
        for ptr, storage in storages(out):
            if ptr not in given:  # else it is a view, or was there before
                self.held[ptr] = StorageWeakRef(storage), storage.nbytes()
        return out

    def bytes(self):
        return sum(size for held, size in self.held.values() if not held.expired())


def kept_a_token(mode, every=1, precision="float32"):
    """Bytes of a token that are held when the loss is computed."""
    settings = saving(mode, every, precision=precision, sequences=8, lanes=1)
    engine = alone(settings)
    run(engine, settings, 0, lanes=[0])
    backprop, found = engine._runner._backprop, []
    whole = backprop.run

    def watched(*given):
        with Alive() as alive:

            def look(*_):
                found.append(alive.bytes())
                raise PeerLost("enough seen")

            backprop.ends._loss.step = look
            return whole(*given)

    backprop.run = watched
    with pytest.raises(PeerLost):
        run(engine, settings, 1, lanes=[0])
    return found[0] / (8 * settings.train.sequence_tokens)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_what_is_kept_is_what_was_said(precision):
    size = 4 if precision == "float32" else 2
    none, full, half, part = (
        kept_a_token(*form, precision=precision)
        for form in (("none",), ("full",), ("full", 2), ("selective",))
    )
    width, hidden, query, key = 32, ffn_width(saving("none").model), 32, 16
    products = size * (query + 2 * key + width + 2 * hidden + width)
    # Beside the layers the last norm keeps its stream and what it gives, and the ids are there.
    ends = 4 * width + size * width + 200
    assert LAYERS * 4 * width <= full <= LAYERS * 4 * width + ends
    assert LAYERS * (4 * width + products) <= part <= LAYERS * (4 * width + products) + ends
    assert half == pytest.approx((none + full) / 2, rel=0.02)
    assert full < part < none


def test_without_it_the_functions_are_the_ones_that_were_given():
    layers = (lambda *_: None,) * 3
    assert with_checkpoints(layers, job().train) is layers
    third = with_checkpoints(layers, saving("full", 3).train)
    assert [one is layers[0] for one in third] == [False, True, True]


def test_it_is_no_part_of_a_runs_identity():
    assert identity(saving("full", 2)) == identity(saving("none"))
    assert differences(saving("none"), saving("selective")) == ()


def test_a_selective_job_is_not_compiled_and_cannot_be():
    train = saving("selective").train
    assert is_worth_compiling(saving("full").train, 1e12, "cpu")
    assert not is_worth_compiling(train, 1e12, "cpu")
    told = contradictions(saving("selective", compile="on"))
    assert any("train.checkpointing" in line for line in told)
    assert not contradictions(saving("full", compile="on"))
    assert any("checkpoint_every = 2" in line for line in contradictions(saving("none", 2)))


@needs_cuda
@pytest.mark.parametrize(("mode", "every"), MODES)
def test_cuda_gives_the_same_bits_too(mode, every):
    wanted, found = (
        [o.weight_digest for o in digests(saving(*form, device="cuda"))]
        for form in (("none",), (mode, every))
    )
    assert found == wanted


COMPILED = """
from unit.training.test_checkpointing import digests, saving
print([o.weight_digest for o in digests(saving(MODE, EVERY, compile="on"))])
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_compiled_layers_give_the_same_bits_too(tmp_path):
    """Each in a process of its own: what was compiled without checkpoints is not at hand."""
    if shutil.which("g++") is None:
        pytest.skip("no C++ compiler")
    known = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    known["TORCHINDUCTOR_CACHE_DIR"] = str(tmp_path)
    told = [
        subprocess.run(
            [sys.executable, "-c", f"MODE, EVERY = {mode!r}, {every}\n{COMPILED}"],
            capture_output=True, text=True, check=True, env=known,
        ).stdout
        for mode, every in (("full", 2), ("none", 1))
    ]  # fmt: skip
    assert told[0] == told[1]
    assert len(told[0]) > STEPS * 64
