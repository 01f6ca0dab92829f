"""The modelled engines: ranks of one simulated host on the lines of one job.

Theory of operation. A member stands still as a process does that the machine has stopped: at the
stage of its work that comes before the point. It is stopped for a moment at a time, until released.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from conformance.crew import LANES
from conformance.modelled.machine import Machine

from qmpi.config.parallel import ParallelSettings
from qmpi.config.settings import Settings
from qmpi.config.train import TrainSettings
from qmpi.ports.base import Frame
from qmpi.protocol.blocks import frame_digest
from qmpi.protocol.membership import SnapshotFact
from qmpi.simulator.life import Life
from qmpi.simulator.line import Lines
from qmpi.simulator.ports.engine import SimulatedEngine
from qmpi.simulator.surroundings import Onlooker
from qmpi.simulator.troubles import CONNECTION
from qmpi.units import Digest, Rank, Seconds

HOST = "host0"
STAGE_BEFORE = {
    "syncing": "connecting",
    "computing": "computing",
    "voting": "reducing",
    "applying": "applying",
    "copying": "copying",
}
"""Where a process is stopped so that it has done all that comes before a point, and nothing of it:
what it gives to a collective leaves in the same moment in which it comes to the stage."""

STILL = Seconds(0.01)

Shard = Literal["none", "optimizer"]
Bits = Literal[32, 16]


class ModelledWorld(Machine, Onlooker):
    """Engines of a simulated host."""

    def __init__(self, kind: type[SimulatedEngine], seed: int, shard: Shard, bits: Bits) -> None:
        parallel = ParallelSettings(shard=shard)
        train = TrainSettings(lanes=LANES, reduction_bits=bits)
        super().__init__(Settings(train=train, parallel=parallel), seed=seed)
        self._kind = kind
        self._lines = Lines(self.around.chance, self.around.hardware.link)
        self._engines: dict[int, SimulatedEngine] = {}
        self._lives: dict[int, Life] = {}
        self._wanted: dict[int, str] = {}
        self._still: set[int] = set()
        self.around.onlooker = self

    def engine(self, member: int) -> SimulatedEngine:
        if member not in self._engines:
            life = self._lives[member] = self.life()
            rank = Rank(member)
            self._engines[member] = self._kind(self.around, life, rank, HOST, self._lines)
        return self._engines[member]

    def block(self, step: int, lane: int) -> tuple[Frame, Digest]:
        frame = f"block {step} {lane}".encode()
        return frame, frame_digest(frame)

    def staged(self, rank: Rank, stage: str) -> None:
        if self._wanted.get(rank) == stage and rank not in self._still:
            self._still.add(rank)
            self._keep_still(rank)

    def _keep_still(self, member: int) -> None:
        if member in self._still:
            self._lives[member].hang(STILL)
            self.agenda.after(STILL / 2, lambda: self._keep_still(member))

    def hold(self, member: int, point: str) -> None:
        self._wanted[member] = STAGE_BEFORE[point]

    def standing(self, member: int) -> bool:
        return member in self._still

    def release(self, member: int) -> None:
        self._wanted.pop(member, None)
        self._still.discard(member)

    def kill(self, member: int) -> None:
        self._lives[member].end()
        self._engines[member].die()

    def exhaust(self, member: int) -> None:
        self._engines[member].exhaust(1)

    def refuse(self, member: int) -> None:
        self.around.troubles.expect(CONNECTION, Rank(member), 1)

    def fill_ram(self) -> None:
        self.around.files.fill(HOST)

    def free(self) -> None:
        self.around.files.free(HOST)

    def harm(self, fact: SnapshotFact, *, remove: bool) -> None:
        if remove:
            del self.around.files._hosts[HOST][fact.path]
        else:
            stored = self.around.files.raw(fact.path, HOST)
            stored.payload = stored.payload[:-1] + bytes([stored.payload[-1] ^ 1])


@contextmanager
def modelled_world(
    folder: Path,
    kind: type[SimulatedEngine] = SimulatedEngine,
    mortal: Iterable[int] = (),
    seed: int = 1,
    shard: Shard = "none",
    bits: Bits = 32,
) -> Iterator[ModelledWorld]:
    """Offer engines whose files work; every member can be killed."""
    del folder, mortal
    yield ModelledWorld(kind, seed, shard, bits)
