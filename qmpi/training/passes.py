"""The passes of one step over its lanes, until one is of use.

Theory of operation. A pass is of no use if some gradient did not fit its integers: exponents are
raised, and the lanes are computed again; or, in float16, if some gradient is not finite: the loss
scale is halved, and they are computed again (see `qmpi.config.loss_scale`). Both follow from what
the members have agreed on, so all do the same passes. What is tried belongs to the step: the state
takes over nothing before the step is applied, so whoever does a step again after a failure begins
as all others do.
"""

import math

import torch

from qmpi.config.loss_scale import HALVINGS, UNSCALED, LossScale
from qmpi.errors import InvariantError, PeerLost
from qmpi.model.layer import Layers
from qmpi.training.comm.line import Comm
from qmpi.training.comm.waits import Aborted
from qmpi.training.flat_state import FlatState
from qmpi.training.lanes import Runner, Work
from qmpi.training.reduction.kinds import Sum
from qmpi.training.reduction.within_teams import Within
from qmpi.training.stopwatch import Stopwatch

MAX_PASSES = 4
"""Equal data overflow once; more passes mean that a lane does not compute the same bits twice."""


class Passes:
    """Computes, adds up and agrees, as often as needed."""

    def __init__(
        self,
        runner: Runner,
        total: Sum,
        watch: Stopwatch,
        aborted: Aborted,
        kind: torch.dtype,
        shares: int = 1,
    ) -> None:
        """Take the parts.

        Args:
            runner: computes lanes.
            total: the reduction.
            watch: told where parts of a step end.
            aborted: says why the work in hand shall end, or None.
            kind: type that matrices are multiplied in.
            shares: of a lane's gradient that come to a rank.
        """
        self._shares = shares
        self._runner, self._sum, self._watch, self._aborted = runner, total, watch, aborted
        self._is_scaled = kind == torch.float16

    def first_scale(self, state: FlatState) -> LossScale:
        """Return the loss scale that a step begins with.

        Args:
            state: before the step.
        """
        return LossScale(*state.scaling) if self._is_scaled else UNSCALED

    def next_scaling(self, scale: LossScale, *, updated: bool) -> tuple[int, int]:
        """Return what the state keeps of the scale after a step.

        Args:
            scale: that the step ended with.
            updated: it changed the weights.
        """
        if not self._is_scaled:
            return 0, 0
        scale = scale.after_update() if updated else scale.after_skip()
        return scale.exponent, scale.updates

    def run(
        self, comm: Comm, team: Within, layers: Layers, state: FlatState, work: Work, many: int
    ) -> tuple[int, LossScale]:
        """Compute the lanes of a step until their sum can be used, or no pass will help.

        Args:
            comm: the group.
            team: ranks that compute the same lanes.
            layers: function of each layer.
            state: weights and exponents; stays as it is.
            work: lanes of this member.
            many: lanes of the step, of all members.

        Returns:
            Passes that were of no use, and the loss scale of the last one.

        Raises:
            PeerLost: a member is gone, or this one is told to leave.
            InvariantError: a lane gives other bits each time.
        """
        scale, overflows, halvings = self.first_scale(state), 0, 0
        self._sum.begin_step(state, many)
        while overflows < MAX_PASSES:
            self._once(comm, team, layers, work, scale)
            if self._sum.overflowed():
                overflows += 1
            elif self._is_scaled and halvings < HALVINGS and self._outgrown(scale):
                scale = scale.lowered()
                halvings += 1
            else:
                return overflows + halvings, scale
        raise InvariantError(
            f"step {state.step} overflowed {MAX_PASSES} times; a lane gives other bits each time"
        )

    def _outgrown(self, scale: LossScale) -> bool:
        """Return whether the scale is what keeps a gradient from being finite."""
        if not scale.exponent or not self._sum.broken():
            return False
        return all(map(math.isfinite, self._sum.facts().losses))

    def _once(self, comm: Comm, team: Within, layers: Layers, work: Work, scale: LossScale) -> None:
        watch = self._watch
        self._runner.begin_pass(scale.factor)
        self._sum.begin_pass()
        self._sum.go_early(comm, len(work) * self._shares, watch)
        watch.lap("sweep")
        self._runner.run_all(layers, work, self._sum, self._aborted)
        try:
            self._sum.reduce(comm, team)
        except (PeerLost, MemoryError, RuntimeError):
            self._sum.renew()
            raise
        watch.lap("communication")
