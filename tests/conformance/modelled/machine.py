"""A simulated machine for the checks: virtual time, seeded chance, ports without roles."""

import random
from collections.abc import Callable

from qmpi.config.settings import Settings
from qmpi.simulator.agenda import Agenda
from qmpi.simulator.hardware import Hardware
from qmpi.simulator.life import Life
from qmpi.simulator.surroundings import Surroundings

PATIENCE = 30.0
"""Virtual seconds; below the time-out of a rendezvous, which must not pass for an abort."""

MOMENT = 3.0


class Machine:
    """A world in virtual time."""

    def __init__(
        self, settings: Settings | None = None, hardware: Hardware | None = None, seed: int = 1
    ) -> None:
        self.agenda = Agenda()
        self.around = Surroundings(
            settings or Settings(), hardware or Hardware(), self.agenda, random.Random(seed)
        )

    def life(self) -> Life:
        return Life(self.agenda)

    def drive(self, until: Callable[[], bool]) -> bool:
        deadline = self.agenda.now + PATIENCE
        while not until():
            due = self.agenda.next_time()
            if due is None or due > deadline:
                return False
            self.agenda.step()
        return True

    def settle(self) -> None:
        self.wait(MOMENT)

    def wait(self, seconds: float) -> None:
        """Let so much time pass and all that is due in it happen."""
        over: list[bool] = []
        self.agenda.after(seconds, lambda: over.append(True))
        while not over:
            self.agenda.step()
