"""The scale of the loss where gradients are in float16: a power of two that follows them.

Theory of operation. Float16 has no number beyond 65,504 and few below 2**-24, so the loss is
multiplied by a power of two before it is differentiated, and each gradient is divided by it before
it becomes integers: both are exact. The scale is part of the state; what a step does to it follows
from what all members agree on, so it is the same on any number of trainers, and after a resume:

- a gradient is not finite though all losses are: the scale is halved and the pass is done again, in
  the same step, up to `HALVINGS` times and not below 1. So no data are lost, and the step gives
  what it would have given had it begun with that scale;
- a loss is not finite: no scale cures that (the loss is not scaled when it is computed), so nothing
  is tried; the step is skipped and the scale stays;
- all tries fail: the step is skipped, and the next one begins with the scale that was tried last;
- after `GROWS_AFTER` updates without any of these it is doubled, up to 2**`MOST`.
"""

from dataclasses import dataclass

FIRST, MOST = 16, 24
"""Exponents of the first scale and of the largest."""

GROWS_AFTER = 2000
"""Updates; a scale that is one too large costs a pass, so once in 2,000 costs nothing."""

HALVINGS = 8
"""Of one step: eight passes may be wasted on a gradient that no scale cures, and a scale that was
right a step ago is not 256 times too large."""


@dataclass(frozen=True)
class LossScale:
    """The scale of one step.

    Attributes:
        exponent: of two, 0 to `MOST`.
        updates: that went well since it changed.
    """

    exponent: int
    updates: int = 0

    @property
    def factor(self) -> float:
        """What the loss is multiplied with."""
        return 2.0**self.exponent

    def lowered(self, halvings: int = 1) -> "LossScale":
        """Return the scale after a gradient that did not fit.

        Args:
            halvings: how often; 0: it fitted.
        """
        return LossScale(max(0, self.exponent - halvings)) if halvings else self

    def after_update(self) -> "LossScale":
        """Return the scale of the next step, after a step that changed the weights."""
        if self.updates + 1 < GROWS_AFTER:
            return LossScale(self.exponent, self.updates + 1)
        return LossScale(min(MOST, self.exponent + 1))

    def after_skip(self) -> "LossScale":
        """Return the scale of the next step, after one that was skipped."""
        return LossScale(self.exponent)


UNSCALED = LossScale(0)
"""Of any other type: it is never changed."""
