"""Where a trainer's time goes between steps; part of the trainer's state machine.

Theory of operation. The engine measures what it does; the role knows the rest: when the step before
ended, and when the last block of this one came. What neither of them accounts for is `other`.
"""

from msgspec.structs import replace

from qmpi.policy.step_split import seconds
from qmpi.protocol.progress import StepTimes
from qmpi.units import Seconds


class Timing:
    """The time of the step that comes or runs.

    Invariants: the parts of a whole are >= 0 and add up to the time since the step before.
    """

    def __init__(self) -> None:
        """No step has begun."""
        self._since = Seconds(0.0)
        self._data = 0.0

    def begin(self, now: Seconds) -> None:
        """Count the next step's time from now on: its group has just been joined.

        Args:
            now: clock.
        """
        self._since, self._data = now, 0.0

    def stepping(self, arrived_at: Seconds) -> None:
        """Note that the engine is given a step.

        Args:
            arrived_at: when the last of its blocks came.
        """
        self._data = max(0.0, arrived_at - self._since)

    def whole(self, measured: StepTimes, now: Seconds) -> StepTimes:
        """Complete what the engine measured of a step that has ended now.

        Args:
            measured: its parts, as the engine saw them.
            now: clock; the next step's time counts from here.

        Returns:
            All parts; a wait for blocks that a snapshot hid counts as snapshot.
        """
        spent, engine = now - self._since, seconds(measured)
        data = max(0.0, min(self._data, spent - engine))
        self.begin(now)
        return replace(measured, data=data, other=max(0.0, spent - engine - data))
