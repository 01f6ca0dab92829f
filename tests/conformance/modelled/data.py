"""The modelled data: sources without text, troubles that are planted."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conformance.modelled.machine import Machine

from qmpi.config.data import ContentSource, CorpusSource, DataSettings
from qmpi.config.settings import Settings
from qmpi.simulator.ports.data import SimulatedData
from qmpi.units import Rank, Seconds

HERE = Rank(1)


class ModelledWorld(Machine):
    """Data of one simulated rank."""

    artefact = "damaged shard"
    sound, doomed = (3, 1, 7), (100, 102)
    further = ContentSource(name="more", type="code", weight=0.0)
    absent = CorpusSource(name="gone", path="nowhere", weight=0.0)

    def __init__(self, kind: type[SimulatedData]) -> None:
        sources = (
            CorpusSource(name="shards", path="nowhere"),
            ContentSource(name="made", type="mathematics"),
        )
        super().__init__(Settings(data=DataSettings(sources=sources)))
        self._kind = kind
        self.data = kind(self.around, self.life(), HERE)

    def another(self) -> SimulatedData:
        return self._kind(self.around, self.life(), Rank(2))

    def lose_absent(self) -> None:
        self.around.troubles.expect("source", HERE, 1)

    def damage(self) -> None:
        self.around.troubles.expect("block", HERE, 1)

    def remove(self) -> None:
        self.damage()

    def lose(self) -> None:
        self.around.troubles.lose_files(None, Seconds(1e9), hangs=False)

    def find(self) -> None:
        self.around.troubles.lose_files(None, Seconds(0.0), hangs=False)

    def mend(self) -> None:
        self.around.troubles.expect("block", HERE, 0)


@contextmanager
def modelled_world(
    folder: Path, kind: type[SimulatedData] = SimulatedData
) -> Iterator[ModelledWorld]:
    """Offer data whose sources are whole; the caller may damage them."""
    del folder
    yield ModelledWorld(kind)
