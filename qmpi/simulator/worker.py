"""One thread of a simulated process: a piece of work at a time, in the order asked."""

from collections.abc import Callable

from qmpi.errors import MachineError, UserError
from qmpi.ports.base import Event, Reply, WorkCrashed
from qmpi.simulator.agenda import Chance
from qmpi.simulator.hardware import spread
from qmpi.simulator.life import Life


class Worker:
    """A thread.

    Invariants: `_free` is when the last piece asked for ends.
    """

    def __init__(self, life: Life, chance: Chance) -> None:
        """Stand idle.

        Args:
            life: of the process.
            chance: seeded.
        """
        self._life = life
        self._chance = chance
        self._free = 0.0

    def submit(
        self,
        seconds: float,
        work: Callable[[], Event | None],
        reply: Reply,
        begins: float = 0.0,
    ) -> float:
        """Queue a piece of work.

        Args:
            seconds: how long it takes, +-20 %.
            work: done at the end of that time; an error of the machine's or the user's becomes
                `WorkCrashed`, a broken invariant ends the simulation.
            reply: takes its event, if there is one.
            begins: virtual clock before which nothing gets on.

        Returns:
            Seconds until it is done, if the process does not stand still.
        """
        now = self._life.agenda.now
        self._free = max(now, self._free, begins) + spread(seconds, self._chance)

        def done() -> None:
            event = _outcome(work)
            if event is not None:
                reply(event)

        self._life.later(self._free - now, done)
        return self._free - now


def _outcome(work: Callable[[], Event | None]) -> Event | None:
    try:
        return work()
    except (MachineError, UserError) as error:
        return WorkCrashed(type(error).__name__, str(error), int(error.exit_code))
