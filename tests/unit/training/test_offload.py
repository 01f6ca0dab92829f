"""What waits in the host's memory: the same bits, whenever copies are done, and less on the device.

A CPU stands in for the device: same pieces, same places for them, same hooks.
"""

import logging
import os
import shutil
import subprocess
import sys

import pytest
import torch
from msgspec.structs import replace
from unit.training.late_queues import LateCopies, LateQueues
from unit.training.on_cuda import CUDA, needs_cuda
from unit.training.small_job import alone, job, run

from qmpi.config.checks import contradictions
from qmpi.config.identity import differences, identity
from qmpi.config.model import ModelSettings
from qmpi.errors import MachineError, PeerLost
from qmpi.training import optimizer as optimizer_module
from qmpi.training.flat_state import FlatState, lay_out
from qmpi.training.offload import activations, places
from qmpi.training.offload.activations import Activations, Kept
from qmpi.training.offload.carrier import Carrier
from qmpi.training.offload.queues import COMPUTE, AtOnce
from qmpi.training.optimizer import Optimizer
from qmpi.training.share import share

CPU, STEPS, LAYERS = torch.device("cpu"), 3, 4


@pytest.fixture
def apart(monkeypatch):
    """Let a CPU be a device with a memory of its own, and be offloaded in small pieces."""
    monkeypatch.setattr(places, "DEVICES", frozenset({"cuda", "cpu"}))
    monkeypatch.setattr(activations, "LEAST_BYTES", 1)
    monkeypatch.setattr(optimizer_module, "CARRIED", {"cpu": 1 << 10, "cuda": 1 << 12})


def offloading(what, kind="muon", device="cpu", **train):
    settings = job(device=device)
    model = ModelSettings(vocab_size=256, layers=LAYERS, width=32, heads=2, kv_heads=1)
    return replace(
        settings,
        model=model,
        optimizer=replace(settings.optimizer, kind=kind),
        train=replace(settings.train, offload=what, **train),
    )


def trained(settings, steps=STEPS):
    engine = alone(settings)
    return engine, [run(engine, settings, step) for step in range(steps)]


def digests(settings, steps=STEPS):
    return [outcome.weight_digest for outcome in trained(settings, steps)[1]]


@pytest.mark.usefixtures("apart")
@pytest.mark.parametrize("masters", ["float32", "bfloat16"])
@pytest.mark.parametrize("kind", ["adamw", "muon", "adamw8"])
def test_moments_on_the_host_give_the_same_bits(kind, masters):
    (whole, wanted), (split, found) = (
        trained(offloading(what, kind, masters=masters)) for what in ("none", "optimizer")
    )
    assert [o.weight_digest for o in found] == [o.weight_digest for o in wanted]
    parts = split.snapshot()[1]
    assert len(parts) == 2
    assert b"".join(parts) == b"".join(whole.snapshot()[1])
    assert split.snapshot()[0] == whole.snapshot()[0]


@pytest.mark.usefixtures("apart")
def test_a_snapshot_fits_both_ways():
    settings = {what: offloading(what) for what in ("none", "optimizer")}
    ends = []
    for before, after in (("none", "optimizer"), ("optimizer", "none")):
        kept = b"".join(trained(settings[before], 2)[0].snapshot()[1])
        other = alone(settings[after], start=False)
        other.load_snapshot(2, kept)
        ends.append(run(other, settings[after], 2).weight_digest)
    assert ends == [digests(settings["none"])[-1]] * 2


@pytest.mark.usefixtures("apart")
@pytest.mark.parametrize(
    "form",
    [
        {},
        {"precision": "bfloat16", "microbatches": 2},
        {"checkpointing": "full"},
        {"checkpointing": "selective", "checkpoint_every": 2},
    ],
    ids=lambda form: "-".join(form) or "plain",
)
def test_activations_on_the_host_give_the_same_bits(form):
    settings = offloading("activations", **form)
    if "microbatches" in form:
        # A block has the rows of both.
        settings = replace(settings, train=replace(settings.train, sequences=1))
    plain = replace(settings, train=replace(settings.train, offload="none"))
    assert digests(settings, 2) == digests(plain, 2)
    assert digests(replace(settings, train=replace(settings.train, offload="all")), 2) == digests(
        plain, 2
    )


@pytest.mark.parametrize("seed", range(40))
def test_late_copies_of_moments_change_nothing(seed):
    queues = LateQueues(seed)
    carrier, wanted = Carrier(CPU, queues), []
    groups = [(torch.full((n + 3,), float(n)), torch.arange(4) + n) for n in range(7)]
    for back in (True, False, True):
        wanted = [tuple(tensor.clone() for tensor in group) for group in groups]
        seen = []

        def use(number, here, seen=seen):
            def work(place=here):
                seen.append((number, *(tensor.clone() for tensor in place)))
                for tensor in place:
                    tensor.mul_(3)

            queues.put(COMPUTE, work)

        carrier.visit(groups, use, back=back)
        queues.finish(queues.mark(COMPUTE))
        for number, *tensors in seen:
            assert all(map(torch.equal, tensors, wanted[number]))
        factor = 3 if back else 1
        for group, before in zip(groups, wanted, strict=True):
            assert all(torch.equal(a, factor * b) for a, b in zip(group, before, strict=True))
        assert [number for number, *_ in seen] == list(range(7))


def test_a_visit_that_fails_leaves_no_copy_under_way():
    queues = LateQueues(1)
    groups = [(torch.ones(3),) for _ in range(4)]

    def use(number, here):
        del here
        if number == 2:
            raise PeerLost("gone")

    with pytest.raises(PeerLost):
        Carrier(CPU, queues).visit(groups, use, back=True)
    assert not queues.under_way()


@pytest.mark.usefixtures("apart")
@pytest.mark.parametrize("seed", range(5))
def test_late_copies_of_activations_change_nothing(monkeypatch, seed):
    wanted = digests(offloading("none"), 2)
    made = []

    def late(_device):
        made.append(LateCopies(seed))
        return made[-1]

    monkeypatch.setattr(activations, "queues_of", late)
    assert digests(offloading("activations"), 2) == wanted
    assert sum(queues.copies for queues in made) > LAYERS


@pytest.mark.usefixtures("apart")
def test_layers_keep_on_the_host_what_they_save():
    """On the device stay the last layer's tensors, and those of two more."""
    settings = offloading("activations")
    engine = alone(settings)
    carried, kept = [], {}
    whole = Activations.around

    def around(self, layers):
        carried.append(self)
        return whole(self, layers)

    Activations.around = around
    try:
        run(engine, settings, 0)
    finally:
        Activations.around = whole
    (one,) = carried
    run_layer = engine._microbatches.ready().layers
    backprop = engine._runner._backprop
    weights = engine._weights.layers
    at = backprop.tokens.positions(torch.zeros(2, 16, dtype=torch.int64))
    x = torch.randn(32, 32, requires_grad=True)
    for number, layer in enumerate(run_layer):
        x = layer(x, at, weights[number])
        kept[number] = [k.host.shape for k in one._kept.get(number, [])]
        assert {layer for layer, *_ in one._leaving} <= {number - 1, number}
    assert [len(shapes) > 5 for shapes in kept.values()] == [True] * (LAYERS - 1) + [False]
    held = {leaf.tensor.untyped_storage().data_ptr() for leaf in engine._weights.leaves}
    hosts = [k.host.untyped_storage().data_ptr() for ks in one._kept.values() for k in ks]
    assert not held.intersection(hosts)
    x.sum().backward()
    assert not one._kept
    assert not one._leaving


def test_what_has_gaps_is_small_or_a_weight_stays(monkeypatch):
    monkeypatch.setattr(activations, "LEAST_BYTES", 64)
    one = Activations(CPU, AtOnce())
    weight, tensor = torch.ones(64), torch.ones(64, 64)
    own = {weight.untyped_storage().data_ptr()}
    assert isinstance(one._pack(0, own, tensor), Kept)
    turned = one._pack(0, own, tensor.mT)
    assert turned.host.stride() == tensor.mT.stride()
    for stays in (weight, tensor[:, :32], tensor[:1, :8], tensor[:1].expand(64, 64)):
        assert one._pack(0, own, stays).data_ptr() == stays.data_ptr()


@pytest.mark.usefixtures("apart")
def test_a_pass_that_was_aborted_leaves_nothing():
    settings = offloading("activations")
    engine, _ = trained(settings, 1)
    backprop = engine._runner._backprop
    step = backprop.ends._loss.step

    def fails(*_):
        raise PeerLost("enough seen")

    backprop.ends._loss.step = fails
    with pytest.raises(PeerLost):
        run(engine, settings, 1)
    backprop.ends._loss.step = step
    assert run(engine, settings, 1).weight_digest == digests(offloading("none"), 2)[-1]


class Told:
    """A member to whom a root that spoke before gives what it gave."""

    def __init__(self, index, said):
        self.index, self._said, self._heard = index, said, 0

    def broadcast(self, tensor, root):
        if self.index == root:
            self._said.append(tensor.clone())
            return
        tensor.copy_(self._said[self._heard])
        self._heard += 1

    def look_on(self, like, root):
        self.broadcast(torch.empty_like(like), root)


def test_a_split_state_goes_to_who_lacks_it():
    layout = lay_out({"a": (40, 300), "v": (7,)}, "muon")
    states, said = [FlatState(layout, CPU, split=True) for _ in range(3)], []
    states[0].reset()
    for buffer in states[0].buffers:
        buffer[64:].copy_(torch.arange(buffer.numel() - 64) % 251)
    took = [
        share(Told(index, said), state, 0, receives=index == 1)
        for index, state in enumerate(states)
    ]
    assert took == [False, True, False]
    payloads = [b"".join(state.to_parts()) for state in states]
    assert payloads[1] == payloads[0] != payloads[2]
    assert [state.step for state in states] == [0, 0, -1]


def test_it_is_no_part_of_a_runs_identity():
    assert identity(offloading("all")) == identity(offloading("none"))
    assert differences(offloading("none"), offloading("optimizer")) == ()
    assert not contradictions(offloading("all"))


def test_a_cpu_computes_as_ever_and_says_so(caplog):
    with caplog.at_level(logging.WARNING):
        engine, outcomes = trained(offloading("all"), 1)
    assert "no effect on a CPU" in caplog.text
    assert not engine._state.is_split
    assert [o.weight_digest for o in outcomes] == digests(offloading("none"), 1)


def test_memory_that_cannot_be_pinned_is_told(monkeypatch):
    class Refusing:
        def cudaHostRegister(self, *_):  # noqa: N802 - CUDA's name
            return 2

    monkeypatch.setattr(torch.cuda, "cudart", Refusing)
    with pytest.raises(MachineError, match=r"train\.offload"):
        places.pin(Refusing(), torch.zeros(8))


def test_pinned_memory_is_given_back_with_its_owner(monkeypatch):
    told = []

    class Cudart:
        def cudaHostRegister(self, address, size, flags):  # noqa: N802 - CUDA's name
            told.append((address, size, flags))
            return 0

        def cudaHostUnregister(self, address):  # noqa: N802 - CUDA's name
            told.append(address)

    class Owner:
        pass

    monkeypatch.setattr(torch.cuda, "cudart", Cudart)
    owner, memory = Owner(), torch.zeros(8)
    places.pin(owner, memory)
    assert told == [(memory.data_ptr(), 32, places.PORTABLE)]
    del owner
    assert told[1:] == [memory.data_ptr()]


@needs_cuda
@pytest.mark.parametrize("what", ["optimizer", "activations", "all"])
@pytest.mark.parametrize("kind", ["adamw", "muon", "adamw8"])
def test_cuda_gives_the_same_bits_too(monkeypatch, kind, what):
    monkeypatch.setattr(activations, "LEAST_BYTES", 1)
    monkeypatch.setattr(optimizer_module, "CARRIED", {"cuda": 1 << 12})
    wanted, found = (digests(offloading(form, kind, "cuda")) for form in ("none", what))
    assert found == wanted


@needs_cuda
def test_cuda_holds_less_and_the_host_is_pinned():
    layout = lay_out({"a": (2048, 2048)}, "adamw")
    before = torch.cuda.memory_allocated(CUDA)
    state = FlatState(layout, CUDA, split=True)
    assert torch.cuda.memory_allocated(CUDA) - before < 1.1 * 4 * layout.total
    assert state.buffers[1].is_pinned()
    state.reset()
    gradient = torch.ones(layout.total, device=CUDA)
    Optimizer(layout, CUDA, torch.float32).apply(state, gradient, job().optimizer, 0.01)
    assert float(state.exp_avg.max()) == pytest.approx(0.1, rel=1e-4)


COMPILED = """
from qmpi.training.offload import activations, places
from unit.training.test_offload import digests, offloading
activations.LEAST_BYTES, places.DEVICES = 1, frozenset({"cpu"})
kept, unpack = [], activations.Activations._unpack
def counting(self, packed):
    kept.append(isinstance(packed, activations.Kept))
    return unpack(self, packed)
activations.Activations._unpack = counting
for what in ("none", "all"):
    print(digests(offloading(what, compile="on"), 2))
print(sum(kept))
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_compiled_layers_give_the_same_bits_too(tmp_path):
    if shutil.which("g++") is None:
        pytest.skip("no C++ compiler")
    known = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    known["TORCHINDUCTOR_CACHE_DIR"] = str(tmp_path)
    told = subprocess.run(
        [sys.executable, "-c", COMPILED], capture_output=True, text=True, check=True, env=known
    ).stdout.splitlines()
    assert told[0] == told[1]
    assert len(told[0]) > 2 * 64
    assert int(told[2]) > 2 * LAYERS
