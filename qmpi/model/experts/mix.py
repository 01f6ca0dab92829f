"""The feed-forward part of a layer with experts, for training, as a function of its weights.

Theory of operation. The router works in float32 on the normed features before they are rounded to
the compute type: of two experts that are nearly equal, rounding would take any. How often each
expert was wanted is counted into integers that come with the weights; whoever computes a lane hands
them on. What is decided here depends on the tokens of one microbatch alone, thus on the lane.

The penalty on large router logits (z-loss, Zoph et al., arXiv 2202.08906) is in the gradient only:
the loss that is reported stays the cross-entropy.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from qmpi.config.model import ModelSettings
from qmpi.model.experts.choice import Plan, capacity, choose, plan
from qmpi.model.experts.products import Products


class ExpertWeights(NamedTuple):
    """What a layer with experts has beside the matrices of these.

    Attributes:
        router: float32 [experts, width].
        bias: of the choice, float32 [experts]; no gradient.
        counts: int32 [1 or 2, experts], added to: how many tokens wanted an expert, and, where
            there is a capacity, how many of them it dropped.
        features: float32 [width], added to: the mean of the features that the router saw over the
            lane's tokens; or None.
        shared_gate_up: [2 * shared hidden, width], or None.
        shared_down: [width, shared hidden], or None.
    """

    router: Tensor
    bias: Tensor
    counts: Tensor
    features: Tensor | None = None
    shared_gate_up: Tensor | None = None
    shared_down: Tensor | None = None


class ZLoss(torch.autograd.Function):
    """Logits as they are; the gradient of scale * mean(log-sum-exp ** 2) joins theirs."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, scale: float) -> Tensor:  # noqa: ANN401
        """Return the logits.

        Args:
            ctx: of autograd.
            logits: float32 [tokens, experts].
            scale: of the penalty.
        """
        ctx.save_for_backward(logits)
        ctx.scale = scale
        return logits.view_as(logits)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401
        """Return the gradient of the logits."""
        (logits,) = ctx.saved_tensors
        size = logits.logsumexp(dim=-1, keepdim=True)
        factor = 2.0 * ctx.scale / logits.shape[0]
        return gradients[0] + size.mul(factor) * logits.softmax(dim=-1), None


Begun = Callable[[Tensor, Tensor], Tensor]
"""(gate_up, down) to what experts add to tokens that are on their way, float32 [tokens, width]."""


class Exchange(Protocol):
    """How tokens come to the experts.

    Attributes:
        parts: ranks that the tokens of a microbatch are dealt to.
    """

    parts: int

    def begin(self, x: Tensor, shares: Tensor, given: Plan) -> Begun:
        """Let tokens go; arguments as of `Products`."""
        ...


class Here:
    """All tokens and all experts are here.

    Attributes:
        parts: one.
    """

    parts = 1

    def begin(self, x: Tensor, shares: Tensor, given: Plan) -> Begun:
        """Return the products to come.

        Args:
            x: as `Products` takes it.
            shares: likewise.
            given: likewise.
        """
        return lambda gate_up, down: Products.apply(x, shares, given, gate_up, down)


HERE = Here()

Mix = Callable[[Tensor, Tensor, Tensor, ExpertWeights | None], Tensor]
"""(normed features float32 [tokens, width], gate_up, down, weights) to what is added to the stream,
float32; the matrices as `Products` takes them."""


def make_mix(
    settings: ModelSettings,
    swiglu: Callable[[Tensor], Tensor],
    microbatches: int,
    exchange: Exchange = HERE,
) -> Mix:
    """Make the function.

    Args:
        settings: shape of the model.
        swiglu: merged gate and up to hidden features.
        microbatches: of a lane, which share the penalty on logits.
        exchange: brings tokens to the experts.

    Returns:
        The function.
    """
    portions = microbatches * exchange.parts
    penalty = settings.router_z_loss / portions

    def mix(x: Tensor, gate_up: Tensor, down: Tensor, weights: ExpertWeights | None) -> Tensor:
        if weights is None:
            raise ValueError("a layer with experts was given the weights of a dense one")
        logits = functional.linear(x, weights.router)
        if penalty:
            logits = ZLoss.apply(logits, penalty)
        chosen, shares = choose(logits, weights.bias, settings)
        most = capacity(x.shape[0], settings) if settings.capacity_factor else None
        given, wanted, dropped = plan(chosen, settings.experts, most)
        weights.counts[0].add_(wanted)
        if dropped is not None:
            weights.counts[1].add_(dropped)
        if weights.features is not None:
            weights.features.add_(x.detach().mean(dim=0), alpha=1.0 / portions)
        seen = x.to(gate_up.dtype)
        begun = exchange.begin(seen, shares, given)
        if weights.shared_gate_up is None or weights.shared_down is None:
            return begun(gate_up, down)
        # While tokens are on their way to experts elsewhere.
        hidden = swiglu(functional.linear(seen, weights.shared_gate_up))
        shared = functional.linear(hidden, weights.shared_down)
        return begun(gate_up, down) + shared

    return mix
