"""AdamW on the flat state, and clipping by the global norm.

Theory of operation. Torch's fused kernel is elementwise: an element's new value depends on that
element's state alone, so the flat buffer gives the bits that separate parameters would. Two calls:
matrices with weight decay, vectors without. The norm is taken over the reduced gradient, which is
equal on every member, by one kernel with a fixed number of threads; so no member needs another's
partial sums.
"""

import torch
from torch import Tensor

from qmpi.config.settings import OptimizerSettings
from qmpi.training.flat_state import FlatState
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


@torch.no_grad()
def adamw(state: FlatState, gradient: Tensor, settings: OptimizerSettings, rate: float) -> None:
    """Apply one update to weights and moments, in place; the counters are the caller's.

    Args:
        state: weights and moments; `updates` is the number of updates before this one.
        gradient: float32, flat, reduced and clipped.
        settings: betas, epsilon, decay.
        rate: learning rate.
    """
    cut = state.layout.decayed
    step = torch.tensor(float(state.updates + 1), device=gradient.device)
    for run, decay in ((slice(0, cut), settings.weight_decay), (slice(cut, None), 0.0)):
        if gradient[run].numel() == 0:
            continue
        # Not torch.optim, which would hold the moments outside the flat state.
        torch._fused_adamw_(  # pyright: ignore[reportPrivateImportUsage]
            [state.params[run]],
            [gradient[run]],
            [state.exp_avg[run]],
            [state.exp_avg_sq[run]],
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
