"""Muon on the flat state: against its definition, in its size, and in what it leaves alone."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from torch import Tensor
from unit.training.small_job import alone, job, run

from qmpi.config.model import ModelSettings
from qmpi.config.optimizer import OptimizerSettings
from qmpi.model.shape import parameter_shapes
from qmpi.training import muon as muon_module
from qmpi.training.flat_state import FlatState, lay_out, state_layout
from qmpi.training.muon import Batch, batches, dealt
from qmpi.training.optimizer import Optimizer
from qmpi.training.orthogonal import JORDAN, LEAST, POLAR, orthogonalise
from qmpi.training.sample import load_model

CPU = torch.device("cpu")
SHAPES = parameter_shapes(
    ModelSettings(vocab_size=300, layers=2, width=32, heads=4, kv_heads=2, tied_head=False)
)


def matrices(count: int, rows: int, cols: int) -> Tensor:
    return torch.randn(count, rows, cols, generator=torch.Generator().manual_seed(rows))


def started(seed: int = 1) -> tuple[FlatState, Tensor]:
    """Return a state with weights, and a gradient; padding of both is zero."""
    state = FlatState(lay_out(SHAPES, "muon"), CPU)
    state.reset()
    draw, gradient = torch.Generator().manual_seed(seed), torch.zeros_like(state.params)
    for slot in state.layout.slots:
        state.view(slot).normal_(generator=draw)
        gradient[slot.start : slot.start + slot.size].normal_(generator=draw)
    return state, gradient


def move(
    state: FlatState,
    gradient: Tensor,
    settings: OptimizerSettings,
    rate: float,
    optimizer: Optimizer | None = None,
) -> None:
    ours = optimizer or Optimizer(state.layout, CPU, torch.float32)
    ours.prepare(state, gradient, settings)
    ours.apply(state, gradient, settings, rate)


class Seat:
    """A member that hands in what it has to sum."""

    def __init__(self, index: int, size: int, total: list[Tensor]) -> None:
        self.index, self.size, self._total = index, size, total

    def allreduce(self, tensor: Tensor) -> None:
        assert tensor.dtype == torch.int32
        self._total.append(tensor)


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("size", [2, 3, 30])
def test_members_share_the_work_and_have_the_bits_of_one(kind: torch.dtype, size: int) -> None:
    state, gradient = started()
    settings, before = OptimizerSettings(), state.params.clone()
    handed: list[Tensor] = []
    members = [Optimizer(state.layout, CPU, kind) for _ in range(size)]
    for index, member in enumerate(members):
        member.prepare(state, gradient, settings, Seat(index, size, handed))
    assert torch.equal(state.params, before)
    assert not state.exp_avg.any()
    assert sum(bool(part.any()) for part in handed) == min(size, 3)  # as many batches as shapes
    total = torch.stack(handed).sum(dim=0, dtype=torch.int32)
    handed[0].copy_(total)
    members[0].apply(state, gradient, settings, 0.01)
    alone = started()[0]
    move(alone, gradient, settings, 0.01, Optimizer(state.layout, CPU, kind))
    assert torch.equal(state.params, alone.params)
    assert torch.equal(state.exp_avg, alone.exp_avg)


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 64)), max_size=40), st.integers(1, 9))
def test_batches_are_dealt_once_and_evenly(shapes: list[tuple[int, int]], members: int) -> None:
    slot = lay_out({"a": (2, 2)}).slots[0]
    work = tuple(Batch((slot,) * count, rows, 2 * rows) for count, rows in shapes)
    shares = dealt(work, members)
    assert len(shares) == members
    assert sorted(map(id, (batch for share in shares for batch in share))) == sorted(map(id, work))
    loads = [sum(batch.operations for batch in share) for share in shares]
    largest = max((batch.operations for batch in work), default=0)
    assert max(loads) <= min(loads) + largest


@pytest.mark.parametrize(("rows", "cols"), [(8, 24), (16, 48), (32, 88)])
def test_singular_values_come_near_one(rows: int, cols: int) -> None:
    given = matrices(5, rows, cols)
    shares = torch.linalg.svdvals(given) / torch.linalg.matrix_norm(given)[:, None]
    assert shares.min() > LEAST
    for steps, low, high in ((POLAR, 0.96, 1.04), (JORDAN, 0.67, 1.21)):
        values = torch.linalg.svdvals(orthogonalise(given.clone(), steps))
        assert low < values.min()
        assert values.max() < high


def test_singular_vectors_stay() -> None:
    given = matrices(1, 8, 24)
    u, _, v = torch.linalg.svd(given[0], full_matrices=False)
    torch.testing.assert_close(orthogonalise(given)[0], u @ v, rtol=0, atol=0.02)


def test_a_matrix_of_zeros_stays_and_bfloat16_is_near() -> None:
    assert not orthogonalise(torch.zeros(2, 4, 6)).any()
    exact, rough = orthogonalise(matrices(3, 16, 48)), orthogonalise(matrices(3, 16, 48).bfloat16())
    assert rough.dtype == torch.bfloat16
    torch.testing.assert_close(rough.float(), exact, rtol=0, atol=0.03)


def test_batches_cover_the_matrices_of_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    layout = lay_out(SHAPES, "muon")
    hidden = [slot for slot in layout.slots if ".layers." in slot.name and len(slot.shape) > 1]
    assert hidden[-1].start + hidden[-1].size <= layout.hidden
    assert len(hidden) == 14
    whole = batches(layout, "cpu")
    # Queries and outputs are square; gate, up and down lie or stand.
    assert [(part.rows, part.cols, len(part.slots)) for part in whole] == [
        (32, 32, 4), (16, 32, 4), (32, 128, 6),
    ]  # fmt: skip
    monkeypatch.setattr(muon_module, "BATCH_ELEMENTS", {"cpu": 2 * 32 * 128})
    cut = batches(layout, "cpu")
    assert sorted(slot.name for part in cut for slot in part.slots) == sorted(
        slot.name for slot in hidden
    )
    assert max(part.rows * part.cols * len(part.slots) for part in cut) <= 2 * 32 * 128


def test_an_update_is_that_of_the_definition() -> None:
    state, gradient = started()
    settings = OptimizerSettings(weight_decay=0.1, momentum=0.9)
    ours = Optimizer(state.layout, CPU, torch.float32)
    buffers: dict[str, Tensor] = {}
    weights = {slot.name: state.view(slot).clone() for slot in state.layout.slots}
    for number in range(3):
        flat = gradient * (number + 1)
        for slot in state.layout.slots:
            if slot.start < state.layout.hidden:
                own = flat[slot.start : slot.start + slot.size].view(slot.shape).clone()
                buffer = buffers.setdefault(slot.name, torch.zeros(slot.shape))
                buffer.mul_(0.9).add_(own, alpha=0.1)
                direction = own * 0.1 + buffer * 0.9
                u, values, v = torch.linalg.svd(direction, full_matrices=False)
                values = values / (torch.linalg.vector_norm(direction) * 1.01)
                for a, b, c in POLAR:
                    values = a * values + b * values**3 + c * values**5
                update = 0.2 * max(slot.shape) ** 0.5 * (u * values) @ v
                weights[slot.name] = weights[slot.name] * (1 - 0.01 * 0.1) - 0.01 * update
        move(state, flat, settings, 0.01, ours)
        state.set_counters(number + 1, number + 1, 0)
    for slot in state.layout.slots:
        if slot.start < state.layout.hidden:
            torch.testing.assert_close(state.view(slot), weights[slot.name], rtol=1e-4, atol=1e-4)


def test_updates_have_the_size_of_adamws() -> None:
    state, gradient = started()
    before = state.params.clone()
    move(state, gradient, OptimizerSettings(weight_decay=0.0), 1.0)
    for slot in state.layout.slots:
        if slot.start < state.layout.hidden:
            moved = state.view(slot) - before[slot.start : slot.start + slot.size].view(slot.shape)
            assert float(moved.square().mean().sqrt()) == pytest.approx(0.2, rel=0.15)


def test_the_rest_is_updated_by_adamw_and_decayed_as_asked() -> None:
    given, gradient = started()
    layout = given.layout
    for decayed in (True, False):
        muon_state, plain = started()[0], FlatState(lay_out(SHAPES, "adamw"), CPU)
        plain.reset()
        plain.params.copy_(given.params)
        settings = OptimizerSettings(decay_tables=decayed, table_ratio=1.0)
        for state in (muon_state, plain):
            move(state, gradient.clone(), settings, 0.01)
        assert torch.equal(muon_state.params[layout.hidden :], plain.params[layout.hidden :])
        tables = slice(layout.hidden, layout.decayed)
        still = torch.zeros_like(gradient)
        fresh = started()[0]
        move(fresh, still, settings, 0.01)
        factor = 1 - 0.01 * settings.weight_decay if decayed else 1.0
        torch.testing.assert_close(fresh.params[tables], given.params[tables] * factor)
        assert torch.equal(fresh.params[layout.decayed :], given.params[layout.decayed :])


def test_tables_have_a_rate_of_their_own_beside_muon_and_the_same_decay() -> None:
    moved: dict[tuple[str, float, float], tuple[Tensor, ...]] = {}
    for kind in ("muon", "adamw"):
        for ratio, decay in ((1.0, 0.0), (4.0, 0.0), (1.0, 0.5), (4.0, 0.5)):
            state = FlatState(lay_out(SHAPES, kind), CPU)
            state.reset()
            state.params.copy_(started()[0].params)
            before, layout = state.params.clone(), state.layout
            settings = OptimizerSettings(kind=kind, table_ratio=ratio, weight_decay=decay)
            move(state, started()[1], settings, 1e-3)
            change, sizes = state.params - before, (layout.hidden, layout.decayed)
            moved[kind, ratio, decay] = change.tensor_split(sizes)[1:]
    for decay in (0.0, 0.5):
        for part in (0, 1):
            one, other = moved["adamw", 1.0, decay][part], moved["adamw", 4.0, decay][part]
            assert torch.equal(one, other)
        torch.testing.assert_close(
            moved["muon", 4.0, decay][0] - moved["muon", 4.0, 0.0][0],
            moved["muon", 1.0, decay][0] - moved["muon", 1.0, 0.0][0],
            rtol=0, atol=1e-6,
        )  # fmt: skip
        assert torch.equal(moved["muon", 4.0, decay][1], moved["muon", 1.0, decay][1])
    torch.testing.assert_close(
        moved["muon", 4.0, 0.0][0], 4 * moved["muon", 1.0, 0.0][0], rtol=0, atol=1e-6
    )


def test_padding_stays_zero() -> None:
    state, gradient = started()
    move(state, gradient, OptimizerSettings(), 0.01)
    used = torch.zeros_like(state.params, dtype=torch.bool)
    for slot in state.layout.slots:
        used[slot.start : slot.start + slot.size] = True
    assert not state.params[~used].any()


def test_second_moments_of_the_blocks_matrices_are_left_out() -> None:
    layouts = [lay_out(SHAPES, kind) for kind in ("adamw", "muon")]
    sizes = [FlatState(layout, CPU).total_bytes for layout in layouts]
    assert sizes[0] - sizes[1] == 4 * layouts[0].hidden
    assert layouts[0].slots == layouts[1].slots
    assert [layout.moments for layout in layouts] == [
        2 * layouts[0].total, 2 * layouts[0].total - layouts[0].hidden,
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["muon", "adamw"])
def test_a_run_goes_on_from_its_snapshot_to_the_same_bits(kind: str) -> None:
    settings = job()
    settings = replace(settings, optimizer=replace(settings.optimizer, kind=kind))
    whole, first, second = alone(settings), alone(settings), alone(settings, start=False)
    digests = [run(whole, settings, step).weight_digest for step in range(4)]
    for step in range(2):
        run(first, settings, step)
    payload = memoryview(b"".join(first.snapshot()[1]))
    second.load_snapshot(2, payload)
    assert [run(second, settings, step).weight_digest for step in (2, 3)] == digests[2:]
    assert load_model(settings, [payload]).settings == settings.model
    assert len(payload) == FlatState(state_layout(settings), CPU).total_bytes
    assert kind in whole.identity()
