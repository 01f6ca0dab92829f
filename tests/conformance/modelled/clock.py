"""The modelled clock: virtual time, which nobody can set but the agenda."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conformance.modelled.machine import Machine

from qmpi.simulator.ports.clock import SimulatedClock


class ModelledWorld(Machine):
    """A clock and virtual time."""

    def __init__(self, kind: type[SimulatedClock]) -> None:
        super().__init__()
        self.wait(7200.0)
        self.clock = kind(self.agenda)

    def pass_time(self, seconds: float) -> None:
        self.wait(seconds)

    def set_back(self, seconds: float) -> None:
        # The only way to ask for the past: to plan something in it.
        self.agenda.at(self.agenda.now - seconds, lambda: None)
        self.agenda.step()


@contextmanager
def modelled_world(
    folder: Path, kind: type[SimulatedClock] = SimulatedClock
) -> Iterator[ModelledWorld]:
    """Offer a clock."""
    del folder
    yield ModelledWorld(kind)
