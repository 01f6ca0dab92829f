"""How many lanes the coming steps have, as far as requests for blocks tell.

Theory of operation. A request names step, lane and number of its block, so it tells which block of
the stream its step begins with. What the job was begun with says that of every step; where it does
not fit what was asked for, the lanes have changed meanwhile: a run has gone on with another
section [batch], has passed over data, or noise has doubled its lanes. Of lanes that stay as they
are a step and its first block tell all; with "noise", or where the stage of a curriculum sets them,
two steps tell how many there are now, and until they change, which nobody knows ahead. How far
along lanes are that grow by another rule than the job was begun with, requests do not tell. A wrong
guess costs time, never a block, and the next request that does not fit ends it.
"""

from qmpi.config.settings import Settings
from qmpi.protocol.batch import Batch, begun_batch, first_block, rule_of
from qmpi.units import Step


class LanesSeen:
    """The rule of lanes that fits what was asked for.

    Attributes:
        batch: the rule; None: all lanes, always.
        is_known: whether one fits.
    """

    def __init__(self, settings: Settings) -> None:
        """Believe what the job is begun with.

        Args:
            settings: the job.
        """
        self._most = settings.train.lanes
        self._window = settings.data.prefetch_steps
        self._begun = begun_batch(settings, Step(0), 0)
        self._rule = rule_of(settings.batch)
        self._jumps = self._rule.grow == "noise" or "batch" in settings.curriculum.sets
        self._last: tuple[Step, int] = (Step(0), 0)
        self.batch, self.is_known = self._begun, True

    def hear(self, step: Step, first: int) -> None:
        """Hear of a request.

        Args:
            step: of the block.
            first: number of the block that the step begins with; < 0: it was not told.
        """
        last = self._last[0]
        # Steps of a trainer's window overtake one another: only the furthest tells what comes.
        if first < 0 or last - self._window <= step < last:
            return
        if not self.is_known or first_block(self.batch, step, self._most) != first:
            self.batch, self.is_known = self._fitting(step, first)
        self._last = step, first

    def _fitting(self, step: Step, first: int) -> tuple[Batch | None, bool]:
        if first_block(self._begun, step, self._most) == first:
            return self._begun, True
        lanes = self._lanes_now(step, first)
        if not 1 <= lanes <= self._most:
            return None, False
        return Batch(self._rule, self._most, step, first, lanes), True

    def _lanes_now(self, step: Step, first: int) -> int:
        if self._rule.grow == "none" and not self._jumps:
            return self._rule.first_lanes or self._most
        before, block = self._last
        if not self._jumps or step <= before:
            return 0
        lanes, over = divmod(first - block, step - before)
        return 0 if over else lanes
