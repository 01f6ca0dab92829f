"""Updates of the flat state, and clipping by the global norm.

Theory of operation. Torch's fused kernel of AdamW is elementwise: an element's new value depends on
that element's state alone, so the flat buffer gives the bits that separate parameters would: a call
a run, whatever the number of parameters. Muon takes the matrices of the blocks over, in whole; its
momentum stands where AdamW's first moment would. What costs time, and may be shared, is done by
`prepare` and changes nothing; `apply` then needs nobody. The norm is taken over the reduced
gradient, which is equal on every member, by one kernel with a fixed number of threads; so no member
needs another's partial sums.
"""

import torch
from torch import Tensor

from qmpi.config.optimizer import OptimizerSettings
from qmpi.training.flat_state import FlatState, Layout, lay_out
from qmpi.training.muon import Directions, Members
from qmpi.training.norm import global_norm


def clip(gradient: Tensor, limit: float) -> float:
    """Scale the gradient to a norm of at most `limit`, in place.

    Args:
        gradient: float32, flat.
        limit: largest norm; 0: no clipping.

    Returns:
        The norm before clipping; may be infinite or NaN, and then the gradient is left alone.
    """
    norm = global_norm(gradient)
    if 0.0 < limit < norm < float("inf"):
        gradient.mul_(limit / (norm + 1e-6))
    return norm


class Optimizer:
    """How a reduced gradient becomes new weights and moments."""

    def __init__(self, layout: Layout, device: torch.device, precision: torch.dtype) -> None:
        """Group the matrices.

        Args:
            layout: of the state; without second moments of the blocks' matrices, Muon has these.
            device: where the state lives.
            precision: type that Muon computes in.
        """
        self._device, self._precision = device, precision
        self._directions = Directions(layout, device, precision) if layout.second else None

    def identity(self) -> str:
        """Return what the bits of an update depend on, beside settings and machine."""
        made = self._directions
        return f"muon in {len(made.batches)} batches" if made is not None else "adamw"

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
            self._directions.make(state, gradient, settings.momentum, members)

    @torch.no_grad()
    def apply(
        self, state: FlatState, gradient: Tensor, settings: OptimizerSettings, rate: float
    ) -> None:
        """Apply an update that is prepared, in place; the counters are the caller's.

        Args:
            state: weights and moments; `updates` is the number of updates before this one.
            gradient: float32, flat, reduced and clipped.
            settings: betas, momentum, epsilon, decay.
            rate: learning rate.
        """
        layout = state.layout
        if self._directions is not None:
            hidden = slice(0, layout.hidden)
            state.exp_avg[hidden].lerp_(gradient[hidden], 1.0 - settings.momentum)
            state.params[hidden].mul_(1.0 - rate * settings.weight_decay)
            self._directions.apply(state, rate)
        ratio = 1.0 if self._directions is None else settings.table_ratio
        # The share of a table that decays in a step is that of a matrix, whatever its rate.
        decay = settings.weight_decay / ratio if settings.decay_tables else 0.0
        for begin, end, own_rate, own_decay in (
            (layout.second, layout.hidden, rate, settings.weight_decay),
            (layout.hidden, layout.decayed, rate * ratio, decay),
            (layout.decayed, layout.total, rate, 0.0),
        ):
            if begin < end:
                adamw(state, gradient, slice(begin, end), settings, own_rate, own_decay)


def adamw(
    state: FlatState,
    gradient: Tensor,
    run: slice,
    settings: OptimizerSettings,
    rate: float,
    decay: float,
) -> None:
    """Apply AdamW to a run of the state, in place.

    Args:
        state: weights and moments.
        gradient: float32, flat.
        run: elements that have second moments.
        settings: betas, epsilon.
        rate: learning rate.
        decay: decoupled weight decay.
    """
    second = state.layout.second
    step = torch.tensor(float(state.updates + 1), device=gradient.device)
    # Not torch.optim, which would hold the moments outside the flat state.
    torch._fused_adamw_(  # pyright: ignore[reportPrivateImportUsage]
        [state.params[run]],
        [gradient[run]],
        [state.exp_avg[run]],
        [state.exp_avg_sq[run.start - second : run.stop - second]],
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
