"""The modelled copies: ranks on two simulated hosts, one disk for all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from conformance.copies_suite import KEEP
from conformance.modelled.machine import Machine

from qmpi.config.parallel import ParallelSettings
from qmpi.config.settings import Settings, SnapshotSettings
from qmpi.protocol.membership import SnapshotFact
from qmpi.simulator.files import DISK
from qmpi.simulator.hardware import Compute, Hardware
from qmpi.simulator.ports.copies import SimulatedCopies
from qmpi.simulator.stream_model import State
from qmpi.units import Bytes, Rank

RANKS_OF_A_HOST = 2
WEIGHTS = 4000


def _payload(step: int, position: int) -> bytes:
    return msgspec.msgpack.encode(State(step, position, b"%04d" % step * (WEIGHTS // 4)))


class ModelledWorld(Machine):
    """Copies of four ranks on two hosts."""

    def __init__(self, kind: type[SimulatedCopies], team: int) -> None:
        settings = Settings(
            snapshot=SnapshotSettings(keep=KEEP), parallel=ParallelSettings(tensor=team)
        )
        size = Bytes(len(_payload(0, 0)))
        super().__init__(settings, Hardware(compute=Compute(state_bytes=size)))
        self._kind = kind
        self._copies: dict[Rank, SimulatedCopies] = {}

    def _host(self, rank: Rank) -> str:
        return f"host{rank // RANKS_OF_A_HOST}"

    def copies(self, rank: Rank) -> SimulatedCopies:
        if rank not in self._copies:
            self._copies[rank] = self._kind(self.around, self.life(), rank, self._host(rank))
        return self._copies[rank]

    def payload(self, step: int, position: int) -> bytes:
        return _payload(step, position)

    def find(self, rank: Rank) -> tuple[SnapshotFact, ...]:
        return self.around.files.find(self._host(rank))

    def fill_ram(self, rank: Rank) -> None:
        self.around.files.fill(self._host(rank))

    def fill_disk(self) -> None:
        self.around.files.fill(DISK)

    def free(self) -> None:
        for place in (DISK, "host0", "host1"):
            self.around.files.free(place)

    def flip(self, fact: SnapshotFact, rank: Rank) -> None:
        stored = self.around.files.raw(fact.path, self._host(rank))
        stored.payload = stored.payload[:-1] + bytes([stored.payload[-1] ^ 1])

    def tear(self, fact: SnapshotFact, rank: Rank) -> None:
        stored = self.around.files.raw(fact.path, self._host(rank))
        stored.payload = stored.payload[:-1]

    def remove(self, fact: SnapshotFact, rank: Rank) -> None:
        place = DISK if fact.place == "disk" else self._host(rank)
        del self.around.files._hosts[place][fact.path]


@contextmanager
def modelled_world(
    folder: Path, kind: type[SimulatedCopies] = SimulatedCopies, team: int = 1
) -> Iterator[ModelledWorld]:
    """Offer copies whose files work; the caller may break them."""
    del folder
    yield ModelledWorld(kind, team)
