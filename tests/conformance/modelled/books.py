"""The modelled books, on a simulated disk that can be filled."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conformance.modelled.machine import Machine

from qmpi.protocol.journal import JournalRecord
from qmpi.protocol.status import EndMarker, StatusReport
from qmpi.simulator.files import DISK
from qmpi.simulator.ports.books import SimulatedBooks


class ModelledWorld(Machine):
    """Books of a simulated run."""

    def __init__(self, kind: type[SimulatedBooks]) -> None:
        super().__init__()
        self.books = kind(self.around)

    def fill(self) -> None:
        self.around.files.fill(DISK)

    def free(self) -> None:
        self.around.files.free(DISK)

    def journal(self) -> list[JournalRecord]:
        return list(self.around.files.journal)

    def status(self) -> StatusReport | None:
        return self.around.files.status

    def end(self) -> EndMarker | None:
        return self.around.files.end


@contextmanager
def modelled_world(
    folder: Path, kind: type[SimulatedBooks] = SimulatedBooks
) -> Iterator[ModelledWorld]:
    """Offer books whose disk works; the caller may break it."""
    del folder
    yield ModelledWorld(kind)
