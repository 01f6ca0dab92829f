"""Updates of the flat state, and clipping by the global norm.

Theory of operation. Torch's fused kernel of AdamW is elementwise: an element's new value depends on
that element's state alone, so the flat buffer gives the bits that separate parameters would: a call
a run, whatever the number of parameters. Muon takes the matrices of the blocks over, in whole; its
momentum stands where AdamW's first moment would. What costs time, and may be shared, is done by
`prepare` and changes nothing; `apply` then needs nobody. The norm is taken over the reduced
gradient, which is equal on every member, by one kernel with a fixed number of threads; so no member
needs another's partial sums.

Where moments are in eight bits or weights in bfloat16, an update goes by pieces: each is unpacked
into float32, given to the same kernels, and packed again. So it does where moments live on the
host: each piece is carried to the device and back.
"""

import torch
from torch import Tensor

from qmpi.config.optimizer import OptimizerSettings
from qmpi.protocol.portions import Portions, Spans, merged
from qmpi.training.division import spans_of
from qmpi.training.eight_bit import EightBit, stored_moments
from qmpi.training.flat_state import FlatState, Layout, lay_out
from qmpi.training.masters import PIECES, Rounder, pieces
from qmpi.training.muon import Directions, Members
from qmpi.training.offload.carrier import Carrier, Visit, in_place

CARRIED = {"cpu": 1 << 16, "cuda": 1 << 22}
"""Elements of a piece whose moments come from the host: two are on the device at a time."""


def clip(gradient: Tensor, limit: float, norm: float) -> None:
    """Scale the gradient to a norm of at most `limit`, in place.

    Args:
        gradient: float32, flat.
        limit: largest norm; 0: no clipping.
        norm: that it has; if that is infinite or NaN the gradient is left alone.
    """
    if 0.0 < limit < norm < float("inf"):
        gradient.mul_(limit / (norm + 1e-6))


class Optimizer:
    """How a reduced gradient becomes new weights and moments."""

    def __init__(
        self,
        layout: Layout,
        device: torch.device,
        precision: torch.dtype,
        seed: int = 0,
        directions: Directions | None = None,
    ) -> None:
        """Group the matrices.

        Args:
            layout: of the state; without second moments of the blocks' matrices, Muon has these.
            device: where the state lives.
            precision: type that Muon computes in.
            seed: of the run; weights in bfloat16 are rounded by it.
            directions: Muon's; None: those of matrices that the state holds whole.
        """
        self._device, self._precision = device, precision
        self._size, self._carrier = PIECES[device.type], Carrier(device)
        self._directions = directions
        if directions is None and layout.uses_muon:
            self._directions = Directions(layout, device, precision)
        self._eight = EightBit(device) if layout.eight else None
        self._rounder = Rounder(seed, device) if layout.narrow else None

    def identity(self) -> str:
        """Return what the bits of an update depend on, beside settings and machine."""
        made = self._directions
        moments = "adamw of moments in eight bits" if self._eight is not None else "adamw"
        name = f"muon in {len(made.batches)} batches" if made is not None else moments
        return name + ("; masters in bfloat16" if self._rounder is not None else "")

    def warm_up(self) -> None:
        """Load lazily loaded parts of torch."""
        layout = lay_out({"warm": (4, 4), "vector": (4,)}, "muon")
        state, settings = FlatState(layout, self._device), OptimizerSettings()
        gradient = torch.zeros_like(state.params)
        other = Optimizer(layout, self._device, self._precision)
        other.prepare(state, gradient, settings)
        other.apply(state, gradient, settings, 0.0)

    @torch.no_grad()
    def prepare(
        self,
        state: FlatState,
        gradient: Tensor,
        settings: OptimizerSettings,
        members: Members | None = None,
    ) -> None:
        """Compute what `apply` needs; the state stays as it is.

        Args:
            state: weights and moments.
            gradient: float32, flat, reduced and clipped.
            settings: momentum.
            members: that do the same with the same state and gradient, and share the work.

        Raises:
            PeerLost: a member is gone.
        """
        if self._directions is not None:
            visit = self._visit(state)
            self._directions.make(state, gradient, settings.momentum, members, visit)

    @torch.no_grad()
    def apply(
        self, state: FlatState, gradient: Tensor, settings: OptimizerSettings, rate: float
    ) -> None:
        """Apply an update that is prepared, in place; the counters are the caller's.

        Where moments are shared out, those that are held here move, and the weights of the same
        elements; what Muon moves needs no moments, and moves whole (see `moved`).

        Args:
            state: weights and moments; `updates` is the number of updates before this one.
            gradient: float32, flat, reduced and clipped.
            settings: betas, momentum, epsilon, decay.
            rate: learning rate.
        """
        layout = state.layout
        if self._directions is not None:
            self._follow(state, gradient, 1.0 - settings.momentum)
            self._move(self._directions, state, rate, 1.0 - rate * settings.weight_decay)
        ratio = 1.0 if self._directions is None else settings.table_ratio
        # The share of a table that decays in a step is that of a matrix, whatever its rate.
        decay = settings.weight_decay / ratio if settings.decay_tables else 0.0
        for begin, end, own_rate, own_decay in (
            (layout.second if layout.uses_muon else 0, layout.hidden, rate, settings.weight_decay),
            (layout.hidden, layout.decayed, rate * ratio, decay),
            (layout.decayed, layout.total, rate, 0.0),
        ):
            for run in _within(state, begin, end):
                self._adamw(state, gradient, run, settings, (own_rate, own_decay))

    def _visit(self, state: FlatState) -> Visit:
        return self._carrier.visit if state.is_split else in_place

    def _cuts(self, state: FlatState, start: int, stop: int) -> list[slice]:
        return pieces(start, stop, CARRIED[self._device.type] if state.is_split else self._size)

    def _follow(self, state: FlatState, gradient: Tensor, share: float) -> None:
        """Move Muon's momentum towards the gradient."""
        cuts = [
            piece
            for run in _within(state, 0, state.layout.hidden)
            for piece in (self._cuts(state, run.start, run.stop) if state.is_split else [run])
        ]

        def follow(number: int, moments: tuple[Tensor, ...]) -> None:
            moments[0].lerp_(gradient[cuts[number]], share)

        firsts = [(state.moments(piece).firsts(piece),) for piece in cuts]
        self._visit(state)(firsts, follow, back=True)

    def _move(self, directions: Directions, state: FlatState, rate: float, keeps: float) -> None:
        if self._rounder is None:
            state.params[: state.layout.hidden].mul_(keeps)
            directions.apply(state, rate)
            return
        for slot, direction, scale in directions.scaled():
            for piece in pieces(slot.start, slot.start + slot.size, self._size):
                own = slice(piece.start - slot.start, piece.stop - slot.start)
                weights = state.params[piece].to(torch.float32).mul_(keeps)
                weights.add_(direction[own], alpha=-rate * scale)
                self._rounder.put(weights, state.step, piece.start, state.params[piece])

    def _adamw(
        self,
        state: FlatState,
        gradient: Tensor,
        run: slice,
        settings: OptimizerSettings,
        pace: tuple[float, float],
    ) -> None:
        """Apply AdamW to a run of the state; `pace` is rate and decay."""
        eight = self._eight if run.start < state.layout.eight else None
        whole = eight is None and self._rounder is None and not state.is_split
        cuts = [run] if whole else self._cuts(state, run.start, run.stop)

        def update(number: int, stored: tuple[Tensor, ...]) -> None:
            piece = cuts[number]
            weights = state.params[piece]
            wide = weights.to(torch.float32)
            first, second = stored if eight is None else eight.take(stored)
            adamw((wide, gradient[piece], first, second), state.updates + 1, settings, *pace)
            if eight is not None:
                eight.put(stored, (first, second))
            if self._rounder is not None:
                self._rounder.put(wide, state.step, piece.start, weights)

        kept = stored_moments if eight is not None else _moments
        self._visit(state)([kept(state, piece) for piece in cuts], update, back=True)


def moved(layout: Layout, portions: Portions) -> Spans:
    """Return the runs of weights that a member moves by itself.

    Args:
        layout: of the state.
        portions: of its moments that the member holds.
    """
    return merged([*spans_of(layout, portions), (0, layout.hidden if layout.uses_muon else 0)])


def _within(state: FlatState, begin: int, end: int) -> list[slice]:
    """Return what of a run has its moments here."""
    cuts = [(max(begin, first), min(end, behind)) for first, behind in state.spans]
    return [slice(first, behind) for first, behind in cuts if first < behind]


def _moments(state: FlatState, run: slice) -> tuple[Tensor, ...]:
    """Return a run's first and second moments in float32."""
    moments = state.moments(run)
    return moments.firsts(run), moments.seconds(run)


def adamw(
    parts: tuple[Tensor, Tensor, Tensor, Tensor],
    update: int,
    settings: OptimizerSettings,
    rate: float,
    decay: float,
) -> None:
    """Apply AdamW to a run, in place.

    Args:
        parts: weights, gradient, first and second moments; float32 [n].
        update: its number, from 1.
        settings: betas, epsilon.
        rate: learning rate.
        decay: decoupled weight decay.
    """
    weights, gradient, first, second = parts
    step = torch.tensor(float(update), device=gradient.device)
    # Not torch.optim, which would hold the moments outside the flat state.
    torch._fused_adamw_(  # pyright: ignore[reportPrivateImportUsage]
        [weights],
        [gradient],
        [first],
        [second],
        [],
        [step],
        lr=rate,
        beta1=settings.beta1,
        beta2=settings.beta2,
        weight_decay=decay,
        eps=settings.epsilon,
        amsgrad=False,
        maximize=False,
    )
