"""Whether compiled loops give the bits of torch's operations, on gradients of every kind.

Theory of operation. A small table and a parameter of two chunks take two lanes, one in each type,
in both orders and in two passes, by either form. There are ordinary numbers, zeros of both signs,
halves of a unit, numbers too small to be normal, and rows that are added on the finer grid, on the
coarser one, or on neither. Means and the exponents that follow must be equal. A compiler that takes
the liberty to add in another order is found out here.
"""

import torch
from torch import Tensor

from qmpi.training.comm.line import Comm
from qmpi.training.flat_state import CHUNK, FlatState, Layout, lay_out
from qmpi.training.reduction.compiled import Sweeps
from qmpi.training.reduction.exact import ExactSum

ROWS, WIDTH = 48, 1500
SEED = 37
PASSES = 2
"""The second begins with what the first has left."""

CPU = torch.device("cpu")
KINDS = (torch.float32, torch.bfloat16)


@torch.no_grad()
def agree(sweeps: Sweeps) -> bool:
    """Return whether loops make the same of gradients as torch's operations.

    Args:
        sweeps: the loops.
    """
    layout = lay_out({"model.embed_tokens.weight": (ROWS, WIDTH), "wide": (1, CHUNK + 77)})
    draw = torch.Generator().manual_seed(SEED)
    lanes = [[_drawn(slot.size, draw).to(kind) for slot in layout.slots] for kind in KINDS]
    for number, slot in enumerate(layout.slots):
        if slot.is_table:
            for lane in lanes:
                _spread_rows(lane[number].view(ROWS, WIDTH))
    return all(
        torch.equal(*pair)
        for order in (lanes, lanes[::-1])
        for pair in zip(_made(layout, order, None), _made(layout, order, sweeps), strict=True)
    )


def _drawn(count: int, draw: torch.Generator) -> Tensor:
    """Return numbers below 2**-8, among them all that is rare."""
    kinds = torch.randint(0, 8, (count,), generator=draw)
    usual = torch.randn(count, generator=draw) * 2.0**-13
    halves = (torch.randint(-99, 99, (count,), generator=draw) + 0.5) * 2.0**-30
    small = usual.sign().ldexp(torch.randint(-148, -30, (count,), generator=draw))
    usual = torch.where(kinds < 2, halves, usual)
    return torch.where(kinds == 6, small, torch.where(kinds == 7, usual * 0.0, usual))


def _spread_rows(rows: Tensor) -> None:
    rows[::5] *= 2.0**9
    rows[1::5] *= 2.0**-9
    rows[2::5] = 0.0


def _made(layout: Layout, lanes: list[list[Tensor]], sweeps: Sweeps | None) -> tuple[Tensor, ...]:
    total, state = ExactSum(layout, len(lanes), CPU), FlatState(layout, CPU)
    if sweeps is not None:
        total.use(sweeps)
    state.reset()
    total.begin_step(state)
    for _ in range(PASSES):
        total.begin_pass()
        for number, lane in enumerate(lanes):
            for place, (slot, part) in enumerate(zip(layout.slots, lane, strict=True)):
                total.add(place, slot, part)
            total.end_lane(number, 0.0, "00" * 16)
    total.reduce(Comm(store=None, name="", index=0, size=1, timeout_seconds=1, aborted=_never))
    mean = torch.zeros(layout.total)
    total.unpack(mean)
    total.settle(state)
    return mean.view(torch.int32), state.exponents


def _never() -> None:
    return None
