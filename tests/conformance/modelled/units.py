"""The modelled units: a farm in virtual time, on a simulated disk that can be filled."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conformance.modelled.machine import Machine
from conformance.units_suite import STAGE_UNITS

from qmpi.simulator.files import DISK
from qmpi.simulator.ports.units import FarmFiles, FarmModel, SimulatedUnits
from qmpi.units import Rank


class ModelledWorld(Machine):
    """One rank of a simulated farm."""

    def __init__(self, kind: type[SimulatedUnits]) -> None:
        super().__init__()
        self._kind = kind
        self._results = FarmFiles(FarmModel(units=STAGE_UNITS, unit_seconds=0.5))
        self.reopen()

    def reopen(self) -> None:
        self.units = self._kind(
            self.around, self.life(), Rank(1), self._results, lambda _rank, _reason: None
        )

    def exists(self, stage: int, unit: int) -> bool:
        return unit in self._results.done(stage)

    def fill(self) -> None:
        self.around.files.fill(DISK)

    def free(self) -> None:
        self.around.files.free(DISK)

    def lose(self, stage: int, unit: int) -> None:
        del self._results.written[stage, unit]

    def finished(self) -> bool:
        return self._results.finished > 0


@contextmanager
def modelled_world(
    folder: Path, kind: type[SimulatedUnits] = SimulatedUnits
) -> Iterator[ModelledWorld]:
    """Offer units whose disk works; the caller may break it."""
    del folder
    yield ModelledWorld(kind)
