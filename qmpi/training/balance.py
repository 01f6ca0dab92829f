"""Loads of experts: counted exactly, told, and made even by biases.

Theory of operation. Each lane counts how many of its tokens wanted each expert. The counts are
integers and are summed beside the gradient, so they are the same for any deal and after a pass that
is done again. After an update the bias of each expert with less than the mean load is raised by
`balance_rate`, that of each with more lowered (Wang et al., arXiv 2408.15664). The step follows the
schedule of the learning rate: biases have to keep up with the router, whose logits move as fast as
it does, and where it moves slowly large steps would only make loads swing. Biases are part of the
state; a step that is skipped moves none. No loss is added, so no gradient pulls experts together.

A model with a "softmax" router shall end as a plain Qwen3-MoE, which has no biases. So there they
fade: over the last `decay_share` of the steps, the stretch in which "wsd" lowers the learning rate,
all of them shrink in a line to exactly 0. What a bias loses is given to the router: its row moves
along the mean feature m of the step's tokens, by the loss over |m|**2, which changes the expert's
logit by just the loss on average over the tokens. Without that the router would have to unlearn at
the end what the biases had held off from the beginning. With a "sigmoid" router biases stay: dots1
and its like have them.
"""

from math import ceil

import torch
from torch import Tensor

from qmpi.config.settings import Settings
from qmpi.model.ownership import ROUTER
from qmpi.model.shape import BIAS, bias_shapes
from qmpi.protocol.hyperparameters import Hyperparameters
from qmpi.protocol.progress import ExpertLoads
from qmpi.training.flat_state import FlatState
from qmpi.training.tallies import Tallies, fades

LEAST = 1e-6
"""Square of a mean feature below which nothing is given to a router: there is no direction."""


def kept_share(step: int, steps: int, decay_share: float) -> float:
    """Return what share of a fading bias is there before a step.

    Args:
        step: from 0 to `steps`.
        steps: length of the run.
        decay_share: of the steps, in which biases fade; 0: between the last step and the end.

    Returns:
        1 before the stretch, 0 at the end of the run.
    """
    stretch = max(1, ceil(decay_share * steps))
    return min(1.0, max(0.0, (steps - step) / stretch))


class Balance:
    """Biases of one state, and the loads of its step in hand; of a dense model there are none."""

    def __init__(self, settings: Settings, state: FlatState, tallies: Tallies) -> None:
        """Find the biases.

        Args:
            settings: the job.
            state: holds them.
            tallies: how lanes tell their loads.
        """
        model = settings.model
        slots = {slot.name: slot for slot in state.layout.slots}
        every = list(bias_shapes(model))
        # Of those of all layers: a stage of a pipeline has some.
        self._rows = [row for row, name in enumerate(every) if name in slots]
        names = [every[row] for row in self._rows]
        self._biases = [state.view(slots[name]) for name in names]
        self._routers = [state.view(slots[name.replace(BIAS, ROUTER)]) for name in names]
        self._numbers = [int(name.split(".")[2]) for name in every]
        self._tallies = tallies
        self._rate, self._fades = model.balance_rate, fades(model)
        self._held: tuple[Tensor, Tensor] | None = None

    def hold(self, total: Tensor | None, lanes: int = 0) -> None:
        """Keep the loads of a step until it is applied.

        Args:
            total: what all lanes told, summed; None: there is nothing, or the step is skipped.
            lanes: of the step.
        """
        self._held = None
        if total is not None and self._tallies.size:
            self._held = self._tallies.read(total, lanes)

    @torch.no_grad()
    def move(self, step: int, given: Hyperparameters, rate: float) -> None:
        """Move the biases, once the weights have been.

        Args:
            step: that is applied.
            given: what it is trained with; its length and `decay_share` say how biases fade.
            rate: learning rate of the step.
        """
        if self._held is None or not self._rate:
            return
        wanted, means = self._held[0][self._rows, 0], self._held[1][self._rows]
        lacks = wanted.sum(dim=-1, keepdim=True) - wanted * wanted.shape[-1]
        by = self._rate * rate / given.optimizer.learning_rate
        for bias, sign in zip(self._biases, lacks.sign(), strict=True):
            bias.add_(sign, alpha=by)
        if self._fades:
            before, after = (
                kept_share(at, given.steps, given.optimizer.decay_share) for at in (step, step + 1)
            )
            if after < before or not after:
                self._fade(after / before if before else 0.0, means)

    def _fade(self, ratio: float, means: Tensor) -> None:
        """Shrink biases to a share of what they are, and give the rest to the routers."""
        for bias, router, mean in zip(self._biases, self._routers, means, strict=True):
            lost = bias * (1.0 - ratio)
            bias.sub_(lost) if ratio else bias.zero_()
            square = float(mean.square().sum())
            if square > LEAST:
                router.addr_(lost, (mean / square).to(torch.float32))

    def told(self) -> ExpertLoads | None:
        """Return the loads of the layer where they are least even; None: nothing was counted."""
        if self._held is None:
            return None
        counts = self._held[0]
        wanted = counts[:, 0]
        total = int(wanted[0].sum())
        worst = int(wanted.amax(dim=-1).argmax())
        row = wanted[worst]
        each = total / row.numel()
        dropped = int(counts[:, 1].sum()) if counts.shape[1] > 1 else 0
        return ExpertLoads(
            layer=self._numbers[worst],
            largest=int(row.max()) / each,
            smallest=int(row.min()) / each,
            dropped=dropped / (total * len(self._numbers)),
        )
