"""What a reduced gradient does to a state: first what a member moves by itself, then the counters.

Theory of operation. Between the two lies, where teams share out moments, the exchange of what each
has moved. A member that is cut off there has moved its own elements and no others, and is of the
step before by its counters: so it can be told what it lacks, and end the step.
"""

import math
from collections.abc import Callable

from qmpi.protocol.hyperparameters import rate_of
from qmpi.protocol.progress import MAX_SKIPPED
from qmpi.protocol.spikes import halts
from qmpi.training.outcome import Held, StepOutcome, diverged, finite, lane_square, means
from qmpi.training.station import Station
from qmpi.units import Digest


class Update:
    """Updates the state of one station."""

    def __init__(self, at: Station) -> None:
        """Take the station.

        Args:
            at: its state, its reduced gradient and what applies it.
        """
        self._at = at

    def move(self, held: Held) -> None:
        """Move weights and moments, those that this member moves by itself; once.

        Args:
            held: the update; it is prepared.
        """
        at, given = self._at, held.hyperparameters
        # After a failure, what lies between is its time, not the step's.
        at.watch.resume()
        if not changes(held):
            return
        rate = rate_of(given, held.step)
        at.optimizer.apply(at.state, at.total.place, given.optimizer, rate)
        at.balance.move(held.step, given, rate)
        at.watch.lap("optimizer")

    def end(self, held: Held, told_digest: Callable[[], Digest]) -> StepOutcome:
        """Count a step whose weights have all been moved.

        Args:
            held: the update.
            told_digest: returns the digest of the weights, if it is due; "" if it cannot.

        Returns:
            What the step came to.

        Raises:
            UserError: the run has diverged.
        """
        at, state, given = self._at, self._at.state, held.hyperparameters
        scaling = at.passes.next_scaling(held.scale, updated=changes(held))
        if scaling != state.scaling:
            state.set_scaling(*scaling)
        if changes(held):
            at.total.settle(state)
            state.set_counters(held.step + 1, state.updates + 1, 0)
            if given.guard.is_on:
                state.set_levels(held.levels)
        else:
            self._skip(held)
        facts = at.total.facts()
        at.watch.lap("sweep")
        digest = told_digest() if held.digest_due else Digest("")
        at.watch.lap("digest")
        return StepOutcome(
            step=held.step,
            lane_losses=tuple(map(finite, facts.losses)),
            block_digests=facts.digests,
            gradient_norm=finite(held.norm),
            learning_rate=rate_of(given, held.step),
            weight_digest=digest,
            seconds=at.means.clock() - held.started,
            redone=held.redone,
            times=at.watch.times(),
            updates=state.updates,
            loss_scale=held.scale.factor,
            spike=held.spike,
            halts=halts(given.guard, held.spike, state.skipped),
            lane_square=lane_square(facts.squares),
            experts=at.balance.told(),
            ahead_losses=means(facts.ahead),
            # What is not finite is not summed over the members.
            sources=() if at.total.broken() else at.tokens.sources.read(at.total.counts),
            owes_digest=held.digest_due and not digest,
        )

    def _skip(self, held: Held) -> None:
        state = self._at.state
        state.set_counters(held.step + 1, state.updates, state.skipped + 1)
        if state.skipped >= MAX_SKIPPED and not held.spike:
            raise diverged(held)


def changes(held: Held) -> bool:
    """Return whether an update moves any weights, rather than being left out.

    Args:
        held: the update.
    """
    return math.isfinite(held.norm) and not held.spike
