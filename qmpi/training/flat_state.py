"""The whole training state in one buffer, or two: counters, exponents, weights and moments.

Theory of operation. One allocation of bytes is cut into views, each on a multiple of 64 bytes, so
that kernels take the same path on every rank, a snapshot is the buffer itself, and a peer's state
is one broadcast. Weights stand in three runs, because these differ in how they are updated and
decayed: matrices of the blocks, tables (embedding and head), vectors. An optimizer then needs a
call a run, whatever the number of parameters. Padding is zero and stays zero, for the gradient
there is zero too.

A state that is split keeps its moments in a second buffer, in the host's memory. What is hashed,
stored and sent is one after the other: byte for byte what a single buffer holds. A state whose
moments teams share out keeps those of some runs of elements alone (see `division`), each in a
buffer of its own; what is stored of it is put together from several members (see `dealing`).

The exact sum scales gradients by powers of two, one a chunk: a row of a table of tokens, whose rows
differ as widely as tokens are rare, and a run of elements of anything else.

Layout: counters (3 int64), then 5 float64, the levels that a guard judges by, zero where none does;
exponents (int32 a chunk), weights (float32, or bfloat16 if the job says so), first moments, second
moments (float32). The third counter holds the loss scale too, above its low 32 bits. Muon keeps one
moment only: second moments then begin where the tables do. Moments in eight bits stand behind all
others (see `eight_bit`), for whole blocks of one parameter; those in float32 then begin where the
vectors do. Whoever changes what a state that is there means raises the version of
`qmpi.storage.snapshot_format`.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import msgspec
import torch
from torch import Tensor, nn

from qmpi.config.model import ModelSettings
from qmpi.config.settings import Settings
from qmpi.errors import CorruptData
from qmpi.model.shape import MOMENT_BLOCK, TABLES, bias_shapes, is_matrix, parameter_shapes
from qmpi.protocol.portions import WHOLE
from qmpi.protocol.spikes import NO_LEVELS, Levels
from qmpi.training.held_moments import HeldMoments
from qmpi.training.moments import ALIGN, Kinds, Moments, padded, row_bytes
from qmpi.units import Bytes, Digest

LANE_FLOATS = ALIGN // 4
NO_STATE = -1
SKIPPED, SCALE = (1 << 32) - 1, (1 << 8) - 1
EXPONENT_AT, UPDATES_AT = 32, 40
"""Bits of the third counter: steps skipped in a row, then the loss scale's exponent and updates."""

FIRST_EXPONENT = -8
"""Gradients of a fresh model are mostly below 2**-8; a wrong guess costs one repeated pass."""

CHUNK = 32_768
"""Elements of a chunk: gradient, scaled copy and sum together fit a core's L2 cache."""


@dataclass(frozen=True)
class Slot:
    """Place of one parameter in the flat buffers.

    Attributes:
        name: of the parameter.
        shape: of the parameter.
        start: first element.
        size: elements, without padding.
        chunk: elements that share an exponent; the last chunk may have fewer.
        is_table: the chunks are rows of a table of tokens.
    """

    name: str
    shape: tuple[int, ...]
    start: int
    size: int
    chunk: int = CHUNK
    is_table: bool = False

    @property
    def chunks(self) -> int:
        """Chunks of the parameter."""
        return -(-self.size // self.chunk)


@dataclass(frozen=True)
class Layout:
    """Where each parameter lies.

    Attributes:
        slots: matrices of the blocks, tables, vectors; each in model order.
        hidden: elements of the matrices of the blocks, padding included.
        decayed: elements of these and of the tables, padding included.
        total: elements of all, padding included.
        second: first element that has a second moment in float32.
        eight: elements, from the first on, whose moments are in eight bits; whole blocks.
        narrow: weights are in bfloat16.
        shares: of a lane's gradient that ranks of a team have of what is common, at most.
    """

    slots: tuple[Slot, ...]
    hidden: int
    decayed: int
    total: int
    second: int
    eight: int = 0
    narrow: bool = False
    shares: int = 1

    @property
    def moments(self) -> int:
        """Elements of the first and the second moments in float32 together."""
        return 2 * self.total - self.second - self.eight

    @property
    def kinds(self) -> Kinds:
        """Which elements have which moments."""
        return Kinds(self.eight, self.second)

    @property
    def uses_muon(self) -> bool:
        """Whether the matrices of the blocks have one moment."""
        return self.second > self.eight

    @property
    def chunks(self) -> int:
        """Chunks of all parameters."""
        return sum(slot.chunks for slot in self.slots)


def lay_out(
    shapes: dict[str, tuple[int, ...]], kind: str = "adamw", masters: str = "float32"
) -> Layout:
    """Place the parameters.

    Args:
        shapes: by name, in model order.
        kind: of optimizer; "muon" keeps no second moments of the blocks' matrices, "adamw8" those
            of all matrices in eight bits.
        masters: type of the weights.

    Returns:
        The layout; a function of the arguments alone.
    """
    matrices = [item for item in shapes.items() if is_matrix(item[1])]
    hidden = [item for item in matrices if item[0] not in TABLES]
    tables = [item for item in matrices if item[0] in TABLES]
    others = [item for item in shapes.items() if not is_matrix(item[1])]
    eight, narrow = kind == "adamw8", masters == "bfloat16"
    # A block of moments belongs to one parameter, whose gradients are of one size.
    line = LANE_FLOATS * (2 if narrow else 1)
    block = MOMENT_BLOCK if eight else line
    slots: list[Slot] = []
    ends: list[int] = []
    at = 0
    for group, multiple in ((hidden, block), (tables, block), (others, line)):
        for name, shape in group:
            slots.append(_slot(name, shape, at))
            at += padded(prod(shape), multiple)
        ends.append(at)
    kept = ends[1] if eight else 0
    second = ends[0] if kind == "muon" else kept
    return Layout(tuple(slots), ends[0], ends[1], ends[2], second, kept, narrow)


def state_layout(settings: Settings) -> Layout:
    """Return the layout of the state of a job's whole model.

    Args:
        settings: the job; its shape, its kind of optimizer and the type of its weights count.
    """
    shapes = state_shapes(settings.model)
    return lay_out(shapes, settings.optimizer.kind, settings.train.masters)


def state_shapes(model: ModelSettings) -> dict[str, tuple[int, ...]]:
    """Return the shape of all that a state keeps with moments: parameters, biases of experts.

    Biases are vectors whose gradient is zero, so no optimizer moves them.

    Args:
        model: its shape.
    """
    return parameter_shapes(model) | bias_shapes(model)


def _slot(name: str, shape: tuple[int, ...], start: int) -> Slot:
    if name in TABLES:
        return Slot(name, shape, start, prod(shape), shape[-1], is_table=True)
    return Slot(name, shape, start, prod(shape))


class FlatState(HeldMoments):
    """State of a training run between two steps."""

    def __init__(
        self, layout: Layout, device: torch.device, *, split: bool = False, shared: bool = False
    ) -> None:
        """Allocate; holds no state until it is initialised or loaded.

        Args:
            layout: from `state_layout`.
            device: where the state lives.
            split: its moments live in the host's memory, pinned if the device is another.
            shared: it holds moments of some elements only, none at first.

        Raises:
            MachineError: the host's memory cannot be pinned.
        """
        super().__init__(layout.kinds, layout.total, device, is_split=split)
        self.layout, self.is_shared = layout, shared
        exponents = padded(4 * layout.chunks, ALIGN)
        kind = torch.bfloat16 if layout.narrow else torch.float32
        ends = [ALIGN, exponents, kind.itemsize * layout.total]
        moments = sum(row_bytes(layout.kinds, 0, layout.total))
        self._payload_bytes = Bytes(sum(ends) + moments)
        behind = 0 if split or shared else moments
        near = torch.zeros(sum(ends) + behind, dtype=torch.uint8, device=device)
        counters, powers, params, rest = near.split([*ends, behind])
        self.head_bytes = Bytes(sum(ends[:2]))
        self.buffers = [near]
        if split and not shared:
            rest = self.apart(moments)
            self.buffers.append(rest)
        if not shared:
            self.hold(WHOLE, (Moments(layout.kinds, 0, layout.total, rest),))
        self._counters = counters.view(torch.int64)
        self._numbers = counters.view(torch.float64)[3:]
        self._levels = NO_LEVELS
        self.exponents = powers.view(torch.int32)[: layout.chunks]
        self.params = params.view(kind)
        self._params_bytes = params
        self._scaling = 0, 0
        self.set_counters(NO_STATE, 0, 0)

    @property
    def held_bytes(self) -> Bytes:
        """Bytes that the state takes here."""
        apart = sum(run.size for run in self.runs) if self.is_shared else 0
        return Bytes(sum(buffer.numel() for buffer in self.buffers) + apart)

    @property
    def total_bytes(self) -> Bytes:
        """Bytes of the payload: of a whole state of this layout."""
        return self._payload_bytes

    @property
    def step(self) -> int:
        """Weights are those before this step; -1: no state."""
        return self._step

    @property
    def updates(self) -> int:
        """Optimizer updates applied; steps with non-finite gradients are not among them."""
        return self._updates

    @property
    def skipped(self) -> int:
        """Steps skipped in a row, up to now."""
        return self._skipped

    @property
    def scaling(self) -> tuple[int, int]:
        """Exponent of the loss scale, and updates since it changed; zeros where none is used."""
        return self._scaling

    def set_scaling(self, exponent: int, updates: int) -> None:
        """Set the loss scale.

        Args:
            exponent: of two.
            updates: since it changed.
        """
        self._scaling = exponent, updates
        self.set_counters(self._step, self._updates, self._skipped)

    def set_counters(self, step: int, updates: int, skipped: int) -> None:
        """Set the counters.

        Args:
            step: weights are those before this step; -1: no state.
            updates: optimizer updates applied.
            skipped: steps skipped in a row.
        """
        self._step, self._updates, self._skipped = step, updates, skipped
        exponent, scaled = self._scaling
        packed = skipped | exponent << EXPONENT_AT | scaled << UPDATES_AT
        self._counters[:3] = torch.tensor([step, updates, packed], dtype=torch.int64)

    @property
    def levels(self) -> Levels:
        """Where loss and norm have been, as far as they were followed."""
        return self._levels

    def set_levels(self, levels: Levels) -> None:
        """Keep where loss and norm have been.

        Args:
            levels: after the step that the counters name.
        """
        self._levels = levels
        self._numbers.copy_(torch.tensor(msgspec.structs.astuple(levels), dtype=torch.float64))

    def reset(self) -> None:
        """Become the state before step 0, apart from the weights, which the caller sets next."""
        for buffer in self.buffers:
            buffer.zero_()
        for run in self.runs:
            run.clear()
        self.exponents.fill_(FIRST_EXPONENT)
        self._levels = NO_LEVELS
        self._scaling = 0, 0
        self.set_counters(0, 0, 0)

    def forget(self) -> None:
        """Hold no state any more."""
        self.set_counters(NO_STATE, 0, 0)

    def view(self, slot: Slot) -> Tensor:
        """Return a parameter's view of the weights."""
        return self.params[slot.start : slot.start + slot.size].view(slot.shape)

    def wide_views(self) -> dict[str, Tensor]:
        """Return each parameter in float32: a view of the weights, or a copy if they are not."""
        return {slot.name: self.view(slot).to(torch.float32) for slot in self.layout.slots}

    def adopt(self, model: nn.Module) -> None:
        """Make the model's parameters views of the weights; their values are taken over.

        Args:
            model: holds exactly the parameters of the layout.
        """
        parameters = dict(model.named_parameters())
        for slot in self.layout.slots:
            view = self.view(slot)
            view.copy_(parameters[slot.name].detach())
            parameters[slot.name].data = view

    def digest(self) -> Digest:
        """Return SHA-256 over the weights' bytes, padding included, and the step."""
        return weight_digest(host_view(self._params_bytes), self._step)

    def to_parts(self) -> list[memoryview]:
        """Return the payload without a copy; valid until the state changes."""
        apart = self.whole_bytes() if self.is_shared else []
        return [host_view(buffer) for buffer in (*self.buffers, *apart)]

    def load(self, payload: bytes | bytearray | memoryview) -> None:
        """Take over a payload.

        Args:
            payload: the joined parts of `to_parts` of a state of the same layout.

        Raises:
            CorruptData: the size is not that of this model's state.
        """
        raw = memoryview(payload).cast("B")
        if raw.nbytes != self.total_bytes:
            raise CorruptData(
                f"a snapshot of {raw.nbytes} bytes does not fit this model, whose state takes "
                f"{self.total_bytes} bytes; it belongs to a run with another [model] section"
            )
        # A writable copy: torch warns of read-only memory, and the file's map may go away.
        whole = torch.frombuffer(bytearray(raw), dtype=torch.uint8)
        near = self.buffers[0].numel()
        if self.is_shared:
            moments, whole = whole[near:], whole[:near]
            self.hold(WHOLE, self.room_for(((0, self.layout.total),)))
            self.runs[0].fill(moments)
        self.take(whole.split([buffer.numel() for buffer in self.buffers]))

    def take(self, payload: Sequence[Tensor]) -> None:
        """Take over a payload that is cut as the buffers are.

        Args:
            payload: uint8, of each buffer's size.
        """
        for buffer, part in zip(self.buffers, payload, strict=True):
            buffer.copy_(part)
        self._step, self._updates, packed = (int(x) for x in self._counters[:3].tolist())
        self._skipped = packed & SKIPPED
        self._scaling = packed >> EXPONENT_AT & SCALE, packed >> UPDATES_AT
        self._levels = Levels(*self._numbers.tolist())


def weight_digest(weights: memoryview, step: int) -> Digest:
    """Return SHA-256 over weights and step, as the journal has it.

    Args:
        weights: bytes of the flat buffer of weights, padding included.
        step: weights are those before this step.
    """
    state = hashlib.sha256(weights)
    state.update(step.to_bytes(8, "little", signed=True))
    return Digest(state.hexdigest())


def host_view(tensor: Tensor) -> memoryview:
    """Return the bytes of a uint8 tensor; a copy only when it lives on another device."""
    return tensor.detach().cpu().numpy().data.cast("B")
