"""The fastest layout of a model over a number of GPUs, were all axes there: what would be needed.

Theory of operation. All sizes of the tensor axis within a node, powers of two for the pipeline that
divide the GPUs, with optimizer state shared out over replicas; what does not fit the memory is left
out, the fastest step wins. Expert and context axes are not searched: this model has no experts, and
its sequences fit.
"""

from msgspec import Struct

from qmpi.config.machine import Machine
from qmpi.planning.layout import Layout
from qmpi.planning.memory import layout_memory
from qmpi.planning.rates import Links, Rates, links
from qmpi.planning.shape import Shape, flops_per_token
from qmpi.planning.step_time import step_time

GIB = 2**30
ROOM = 0.9
"""Share of a GPU's memory that may be planned for; the rest goes to fragments and buffers."""

OVERLAPPED = frozenset({"data", "pipeline", "context", "tensor"})


class Advice(Struct, frozen=True, kw_only=True):
    """A layout and what it gives.

    Attributes:
        layout: over the GPUs.
        step_seconds: of a step.
        utilisation: share of the bfloat16 peak.
        gpus: that it uses.
        memory_bytes: of a GPU.
    """

    layout: Layout
    step_seconds: float
    utilisation: float
    gpus: int
    memory_bytes: int


def advise(
    shape: Shape, machine: Machine, gpus: int, sequences: int, sequence_tokens: int
) -> Advice | None:
    """Find the fastest layout.

    Args:
        shape: of the model.
        machine: with GPUs.
        gpus: at most so many.
        sequences: of a step.
        sequence_tokens: of a sequence.

    Returns:
        The layout; None if none fits, or the machine file does not say enough.
    """
    gpu = machine.gpu
    if not (gpu.bf16_tflops and gpu.memory_gbytes and gpu.memory_gib and machine.node.gpus):
        return None
    at, room = links(machine, Rates()), ROOM * gpu.memory_gib * GIB
    found: Advice | None = None
    for layout in _candidates(shape, machine.node.gpus, gpus, (sequences, sequence_tokens)):
        memory = layout_memory(shape, layout)
        if memory > room:
            continue
        offer = _offer(shape, layout, at, memory)
        if found is None or offer.step_seconds < found.step_seconds:
            found = offer
    return found


def _candidates(shape: Shape, node: int, gpus: int, batch: tuple[int, int]) -> list[Layout]:
    found: list[Layout] = []
    tensors = [size for size in (1, 2, 4, 8, 16) if size <= node and shape.heads % size == 0]
    pipes = [2**power for power in range(11) if 2**power <= shape.layers]
    for tensor in tensors:
        for pipe in pipes:
            data = _replicas(batch[0], gpus // (tensor * pipe))
            if data < 1:
                continue
            found += [
                Layout(
                    data=data,
                    tensor=tensor,
                    pipeline=pipe,
                    interleaved=max(1, shape.layers // pipe) if pipe > 1 else 1,
                    sequences=batch[0],
                    sequence_tokens=batch[1],
                    recompute=again,
                    sharded=shares,
                    hides=OVERLAPPED,
                )
                for again in ("none", "full")
                for shares in (("optimizer", "all") if pipe == 1 else ("optimizer",))
            ]
    return found


def _replicas(sequences: int, most: int) -> int:
    """Return the most replicas up to `most` that share the sequences evenly."""
    return next((n for n in range(min(most, sequences), 0, -1) if sequences % n == 0), 0)


def _offer(shape: Shape, layout: Layout, at: Links, memory: float) -> Advice:
    seconds = step_time(shape, layout, at).total
    flops = flops_per_token(shape, layout.sequence_tokens)
    done = flops * layout.sequences * layout.sequence_tokens
    return Advice(
        layout=layout,
        step_seconds=seconds,
        utilisation=done / (seconds * layout.gpus * at.peak),
        gpus=layout.gpus,
        memory_bytes=round(memory),
    )
