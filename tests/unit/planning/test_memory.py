"""Planned memory against what torch holds."""

import time
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from msgspec.structs import replace

from qmpi.config.load import parse_job
from qmpi.config.machine import Machine, NodeShape
from qmpi.config.settings import Settings
from qmpi.model.layer import choose_kernels, make_layers
from qmpi.model.plain import Positions
from qmpi.model.transformer import Transformer
from qmpi.planning.advice import advise
from qmpi.planning.engine_time import engine_time
from qmpi.planning.layout import Layout
from qmpi.planning.limits import limits
from qmpi.planning.memory import kept_bytes, layout_memory, saved_bytes, trainer_memory
from qmpi.planning.muon_work import BATCH_ELEMENTS, muon_share
from qmpi.planning.shape import matrices_a_token, shape_of
from qmpi.planning.sweeps import hidden_elements
from qmpi.planning.team import heaviest
from qmpi.planning.workload import Counts, Workload, speeds_of_cores, workload
from qmpi.training import muon
from qmpi.training.backprop import Backprop
from qmpi.training.ends import Ends
from qmpi.training.flat_state import FlatState, state_layout
from qmpi.training.own_tokens import OwnTokens
from qmpi.training.source_losses import NOT_KNOWN
from qmpi.training.stopwatch import make_stopwatch
from qmpi.training.weights import Weights

JOBS = Path(__file__).parents[3] / "jobs"


def job(name: str, *, half: bool, machine: Machine | None = None) -> Workload:
    settings = parse_job((JOBS / f"{name}.toml").read_text(encoding="utf-8"))
    speeds = speeds_of_cores((1e11, 1e10, 1e10, 1e10, 1e9, 1e-6, half))
    return workload(settings, Counts(ranks=5, trainers=1), machine or Machine(), speeds, None)


def saved(settings: Settings, *, half: bool) -> int:
    """Return the bytes that autograd keeps for one microbatch, weights apart."""
    train, model = settings.train, Transformer(settings.model)
    ids = torch.zeros(train.sequences, train.sequence_tokens + 1, dtype=torch.int64)
    held: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        held[storage.data_ptr()] = storage.nbytes()
        return tensor

    with (
        torch.autocast("cpu", torch.bfloat16, enabled=half),
        torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor),
    ):
        loss = model.loss(ids[:, :-1], ids[:, 1:])
    assert loss.isfinite()
    own = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    return sum(size for address, size in held.items() if address not in own)


@pytest.mark.parametrize("name", ["demo", "laptop"])
@pytest.mark.parametrize("half", [False, True])
def test_activations_are_what_autograd_saves(name: str, half: bool) -> None:
    planned = job(name, half=half)
    settings, shape = planned.settings, planned.shape
    tokens = settings.train.sequences * settings.train.sequence_tokens
    softmax = 4 * tokens * shape.vocab_size
    last = (10 if half else 12) * tokens * shape.width
    casts = 2 * matrices_a_token(shape) * half
    layers = tokens * shape.layers * saved_bytes(shape, half=half)
    seen = saved(settings, half=half)
    assert layers + last + softmax + casts == pytest.approx(seen, rel=0.1)


@pytest.mark.parametrize("kind", ["muon", "adamw"])
def test_state_is_what_the_flat_state_holds(kind: Literal["muon", "adamw"]) -> None:
    given = job("laptop", half=True)
    chosen = replace(given.settings.optimizer, kind=kind)
    planned = replace(given, settings=replace(given.settings, optimizer=chosen))
    state = FlatState(state_layout(planned.settings), torch.device("cpu"))
    memory = trainer_memory(planned)
    assert memory["weights"] + memory["moments"] == pytest.approx(state.total_bytes, rel=0.001)


def test_microbatches_keep_gradients_between_them() -> None:
    one = job("laptop", half=False)
    train = replace(one.settings.train, microbatches=2)
    two = replace(one, settings=replace(one.settings, train=train))
    assert trainer_memory(two)["gradient"] == 4 * one.parameters
    assert trainer_memory(one)["gradient"] < 4 * one.parameters


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize(
    ("tokens", "fields"),
    [
        (128, {}),
        (2048, {}),
        (768, {"window": 100, "sinks": 4}),
        (2048, {"window": 100, "sinks": 4}),
        (128, {"norm_place": "post", "qk_norm_over": "projection"}),
    ],
)
def test_layers_keep_what_fused_nodes_save(half: bool, tokens: int, fields: dict[str, Any]) -> None:
    given = job("demo", half=half)
    model = replace(given.settings.model, **fields)
    given = replace(given, settings=replace(given.settings, model=model), shape=shape_of(model))
    train = replace(given.settings.train, sequences=1, sequence_tokens=tokens)
    planned = replace(given, settings=replace(given.settings, train=train))
    kind = torch.bfloat16 if half else torch.float32
    state = FlatState(state_layout(planned.settings), torch.device("cpu"))
    weights = Weights(planned.settings.model, state, kind)
    kernels = choose_kernels(torch.device("cpu"), tokens, compiled=False)
    layer = make_layers(planned.settings.model, 1, kernels)[0]
    positions = Positions.of(planned.settings.model, tokens, torch.device("cpu"))
    tables = [*positions[:3], *(leaf.tensor for leaf in weights.leaves)]
    own = {tensor.untyped_storage().data_ptr() for tensor in tables}
    held: dict[int, torch.UntypedStorage] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        held[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
        return tensor

    stream = torch.randn(tokens, planned.shape.width, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        out = layer(stream, positions, weights.layers[0])
    assert out.shape == stream.shape
    seen = sum(storage.nbytes() for address, storage in held.items() if address not in own)
    assert tokens * kept_bytes(planned, half=half) == pytest.approx(seen, rel=0.1)


def kept_by_backprop(given: Workload, *, half: bool) -> int:
    """Return the bytes that autograd keeps in the engine's pass over one microbatch."""
    settings, cpu = given.settings, torch.device("cpu")
    state = FlatState(state_layout(settings), cpu)
    weights = Weights(settings.model, state, torch.bfloat16 if half else torch.float32)
    train = settings.train
    kernels = choose_kernels(cpu, train.sequence_tokens, compiled=False)
    watch, ends = make_stopwatch(cpu, time.monotonic), Ends(weights, settings.model)
    tokens = OwnTokens(settings, cpu)
    backprop = Backprop(settings, weights, kernels, watch, ends, tokens)
    own = {leaf.tensor.untyped_storage().data_ptr() for leaf in weights.leaves}
    shared = tokens.positions(torch.empty(0))[:3]
    own |= {tensor.untyped_storage().data_ptr() for tensor in shared}
    held: dict[int, torch.UntypedStorage] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        held[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
        return tensor

    ids = torch.randint(0, 256, (train.sequences, train.sequence_tokens + 1))
    layers = make_layers(settings.model, train.sequences, kernels)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        backprop.run(layers, ids, 1.0, NOT_KNOWN)
    return sum(storage.nbytes() for address, storage in held.items() if address not in own)


@pytest.mark.parametrize("half", [False, True])
def test_an_ahead_module_keeps_what_is_counted(half: bool) -> None:
    plain = job("demo", half=half)
    model = replace(plain.settings.model, predict_ahead=2)
    train = replace(plain.settings.train, sequences=1)
    both = [
        replace(plain, settings=replace(plain.settings, model=m, train=train), shape=shape_of(m))
        for m in (plain.settings.model, model)
    ]
    planned = [trainer_memory(given)["activations"] for given in both]
    seen = [kept_by_backprop(given, half=half) for given in both]
    assert planned[1] - planned[0] == pytest.approx(seen[1] - seen[0], rel=0.1)


def saving(given: Workload, mode: str, every: int = 1) -> Workload:
    train = replace(given.settings.train, checkpointing=mode, checkpoint_every=every)
    return replace(given, settings=replace(given.settings, train=train))


@pytest.mark.parametrize("half", [False, True])
def test_checkpointed_layers_keep_what_the_engine_keeps(half: bool) -> None:
    """The counts themselves are held to torch's in tests/unit/training/test_checkpointing.py."""
    given = job("laptop", half=half)
    shape, size, train = given.shape, 2 if half else 4, given.settings.train
    rows = train.sequences * train.sequence_tokens
    whole, width = kept_bytes(given, half=half), shape.width
    products = shape.query + 2 * shape.key + 2 * shape.ffn_width + 2 * width
    for mode, every, layer in (
        ("full", 1, 4 * width),
        ("full", 2, (4 * width + whole) / 2),
        ("selective", 1, 4 * width + size * products),
    ):
        kept = trainer_memory(saving(given, mode, every))["activations"] / rows - whole
        assert shape.layers % 2 == 0
        assert kept / shape.layers == pytest.approx(layer, rel=1e-6)


def test_what_is_done_again_takes_time_and_full_takes_more() -> None:
    given = job("laptop", half=False)
    assert given.speeds is not None
    speeds = given.speeds
    forms: tuple[tuple[str, int], ...] = (("none", 1), ("full", 2), ("selective", 1), ("full", 1))
    none, some, part, full = (engine_time(saving(given, *form), speeds) for form in forms)
    assert none == engine_time(given, speeds)
    assert none.total < some.total < full.total
    assert none.total < part.total < full.total
    assert part.products == none.products
    # A third of the way there and back, less the last product of a layer and the head.
    assert 1.15 < full.products / none.products < 4 / 3


def test_a_job_that_does_not_fit_is_told_which_checkpointing_would() -> None:
    given = job("laptop", half=False)
    for mode in ("selective", "full"):
        need = sum(trainer_memory(saving(given, mode)).values())
        room = NodeShape(memory_gib=(need + 2**20) / 2**30, cores=2)
        tight = replace(given, machine=replace(given.machine, node=room))
        (told, *_) = limits(tight, heaviest(tight), None, None, None)
        assert f'train.checkpointing = "{mode}" makes that' in told


@pytest.mark.parametrize("trainers", [1, 2, 3, 64])
@pytest.mark.parametrize("name", ["demo", "laptop"])
def test_muon_is_shared_as_the_engine_deals_it(name: str, trainers: int) -> None:
    planned = job(name, half=True)
    work = muon.batches(state_layout(planned.settings), "cpu")
    total = sum(batch.operations for batch in work)
    busiest = max(sum(b.operations for b in part) for part in muon.dealt(work, trainers))
    share = muon_share(planned.shape, trainers, on_gpus=False)
    assert share == pytest.approx(busiest / total, rel=0.2)
    assert muon_share(planned.shape, trainers, on_gpus=True) == 1.0
    assert muon.BATCH_ELEMENTS == BATCH_ELEMENTS


def test_directions_of_muon_take_memory() -> None:
    planned = job("laptop", half=True)
    chosen = replace(planned.settings.optimizer, kind="adamw")
    other = replace(planned, settings=replace(planned.settings, optimizer=chosen))
    assert trainer_memory(other)["directions"] == 0
    assert trainer_memory(planned)["directions"] > 2 * hidden_elements(planned.shape)


def test_sharding_and_recomputation_save_memory() -> None:
    shape = shape_of(job("cluster", half=True).settings.model)
    plain = Layout(data=64, sequences=64, sequence_tokens=4096, sharded="none")
    state = layout_memory(shape, replace(plain, sharded="optimizer"))
    assert state < layout_memory(shape, plain)
    assert layout_memory(shape, replace(plain, sharded="all")) < state
    assert layout_memory(shape, replace(plain, recompute="full")) < layout_memory(shape, plain)


def test_nothing_is_advised_for_a_machine_without_gpus() -> None:
    assert advise(shape_of(job("laptop", half=True).settings.model), Machine(), 8, 64, 128) is None


def test_moments_that_teams_share_out_are_counted_as_they_are_held():
    settings = parse_job('[parallel]\nshard = "optimizer"\n')
    speeds = speeds_of_cores((1e11, 1e10, 1e10, 1e10, 1e9, 1e-6, False))
    told = {
        teams: trainer_memory(
            workload(settings, Counts(ranks=teams + 4, trainers=teams), Machine(), speeds, None)
        )["moments"]
        for teams in (1, 2, 4, 8)
    }
    assert told[1] == told[2] == 2 * told[4] == 4 * told[8]


def test_what_lanes_keep_is_in_memory_twice_and_in_copies_once() -> None:
    plain = job("demo", half=False)
    train = replace(plain.settings.train, reduction_bits=16)
    keeping = replace(plain, settings=replace(plain.settings, train=train))
    before, now = trainer_memory(plain), trainer_memory(keeping)
    each = 4 * plain.parameters
    assert before["residuals"] == 0
    assert now["residuals"] == 2 * keeping.team_lanes * each
    assert now["sum"] == each < before["sum"]
    assert keeping.copy_bytes - plain.copy_bytes == train.lanes * each
    assert plain.copy_bytes == plain.state_bytes
    assert {kind for kind in now if now[kind] != before[kind]} == {"residuals", "sum"}


def test_what_ranks_of_a_team_share_out_is_counted_as_it_is_held() -> None:
    speeds = speeds_of_cores((1e11, 1e10, 1e10, 1e10, 1e9, 1e-6, False))

    def told(shard: str) -> dict[str, int]:
        settings = parse_job(f'[parallel]\nshard = "{shard}"\ncontext = 4\n')
        return trainer_memory(
            workload(settings, Counts(ranks=8, trainers=4), Machine(), speeds, None)
        )

    all_held, shared = told("none"), told("full")
    for kind in ("weights", "moments"):
        assert shared[kind] == pytest.approx(all_held[kind] / 4, rel=1e-3)
    assert shared["sum"] < all_held["sum"]
    assert shared["borrowed"] > all_held["borrowed"] == 0
