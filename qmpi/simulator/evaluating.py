"""An evaluation, modelled: what a row gives is a hash of the row and of the weights.

So an evaluation of other weights, of a row too many or of one too few shows in its numbers.
"""

from hashlib import blake2b

from qmpi.config.settings import Settings
from qmpi.policy.evaluation_schedule import own_share
from qmpi.policy.scoring import added_up
from qmpi.ports.engine import Evaluate, Evaluated
from qmpi.protocol.evaluation import NATS, Marks
from qmpi.simulator.bench import Bench
from qmpi.simulator.stream_model import State

ROWS = 6
"""Held-out rows of each source."""

ROW_TOKENS = 16


def row_marks(settings: Settings, state: State, number: int) -> Marks:
    """Return what a held-out row gives.

    Args:
        settings: the job.
        state: of the weights.
        number: of the row, 0 <= number < `rows_of`.
    """
    name = settings.data.sources[number // ROWS].name
    text = f"{name} {number % ROWS}".encode()
    found = blake2b(state.weights + text, digest_size=4).digest()
    nats = int.from_bytes(found, "big") % (8 * ROW_TOKENS * NATS)
    lost = int(state.is_broken)
    right = found[0] % 2
    return Marks(name, "", "", 0 if lost else nats, ROW_TOKENS, 3 * ROW_TOKENS, lost, right, 1)


def rows_of(settings: Settings) -> int:
    """Return how many held-out rows a job has.

    Args:
        settings: the job.
    """
    return ROWS * len(settings.data.sources)


class Evaluating(Bench):
    """An engine's share of an evaluation."""

    def _evaluate(self, work: Evaluate) -> None:
        state = self.state
        if self._reason() is None and (state is None or state.step != work.step):
            self._bug(f"rank {self._rank} measures step {work.step}, but holds {state}")
            return
        self._stage("evaluating")
        share = list(own_share(rows_of(self._around.settings), work.part, work.parts))
        self._measure(work, share, [], self._around.agenda.now)

    def _measure(self, work: Evaluate, left: list[int], marks: list[Marks], began: float) -> None:
        reason, state = self._reason(), self.state
        if reason is not None or state is None:
            self._give_up(reason or "there is no state")
            return
        if not left:
            spent = self._around.agenda.now - began
            self._finish(
                Evaluated(
                    work.generation, work.step, work.part, work.parts, added_up(marks), (), spent
                )
            )
            return
        now = [*marks, row_marks(self._around.settings, state, left[0])]
        seconds = self._spread(self._around.hardware.compute.measure_seconds)
        self._then(seconds, lambda: self._measure(work, left[1:], now, began))
