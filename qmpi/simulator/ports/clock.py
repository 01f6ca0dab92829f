"""The clock, modelled: the agenda's time."""

from qmpi.simulator.agenda import Agenda
from qmpi.units import Seconds


class SimulatedClock:
    """Virtual seconds; they never fall."""

    def __init__(self, agenda: Agenda) -> None:
        """Read an agenda.

        Args:
            agenda: what happens when.
        """
        self._agenda = agenda

    def now(self) -> Seconds:
        """Return the time."""
        return self._agenda.now
