"""The copies, modelled: files of the simulated machine within reach of one process."""

from hashlib import sha256

import msgspec

from qmpi.errors import InvariantError, StorageError
from qmpi.ports.base import Event, Reply
from qmpi.ports.copies import (
    CopyWork,
    ForgetCopies,
    ReadSnapshotPart,
    SnapshotBroken,
    SnapshotRead,
    SnapshotStored,
    StoreSnapshot,
)
from qmpi.protocol.membership import SnapshotFact
from qmpi.simulator.files import Writing
from qmpi.simulator.life import Life
from qmpi.simulator.stream_model import State
from qmpi.simulator.surroundings import Surroundings
from qmpi.simulator.worker import Worker
from qmpi.units import Rank


class SimulatedCopies:
    """The copies of one process; one thread reads and writes."""

    def __init__(self, around: Surroundings, life: Life, rank: Rank, host: str) -> None:
        """Look at the machine's files.

        Args:
            around: the machine.
            life: of the process.
            rank: whose folder is written.
            host: whose RAM.
        """
        self._around = around
        self._rank = rank
        self._host = host
        self._worker = Worker(life, around.chance)

    def submit(self, work: CopyWork, reply: Reply) -> None:
        """Queue a piece of work.

        Args:
            work: what to do.
            reply: takes its event, if it has one.

        Raises:
            InvariantError: it is no work on copies.
        """
        match work:
            case StoreSnapshot():
                self._worker.submit(self._store_seconds(work), lambda: self._store(work), reply)
            case ReadSnapshotPart():
                rate = self._around.hardware.disk.ram_bytes_per_second
                self._worker.submit(work.part_size / rate, lambda: self._read(work), reply)
            case ForgetCopies():
                self._worker.submit(0.0, self._forget, reply)
            case _:
                raise InvariantError(f"{work!r} is no work on copies")

    def _store_seconds(self, work: StoreSnapshot) -> float:
        size, disk = self._around.hardware.compute.state_bytes, self._around.hardware.disk
        to_disk = size / disk.disk_bytes_per_second if work.to_disk else 0.0
        return disk.open_seconds + size / disk.ram_bytes_per_second + to_disk

    def _store(self, work: StoreSnapshot) -> Event:
        try:
            payload = b"".join(map(bytes, work.parts)) or self._read_whole(work.path)
            _check(work, payload)
        except StorageError as error:
            return SnapshotBroken(work.step, str(error), work.position)
        writing = Writing(
            self._host, self._rank, work.step, work.position, work.branch, work.skipped
        )
        facts: list[SnapshotFact] = []
        faults: list[str] = []
        for place, wanted in (("ram", work.to_ram), ("disk", work.to_disk)):
            try:
                facts += [self._around.files.write(place, writing, payload)] if wanted else []
            except StorageError as error:
                faults.append(str(error))
        if not facts:
            reason = "; ".join(faults) or "no place was named"
            only_ram = "ram" if work.to_ram and not work.to_disk else ""
            return SnapshotBroken(work.step, reason, work.position, only_ram)
        return SnapshotStored(tuple(facts), "; ".join(faults))

    def _read_whole(self, path: str) -> bytes:
        return self._around.files.read(path, self._host)

    def _read(self, work: ReadSnapshotPart) -> Event:
        try:
            payload = self._around.files.raw(work.path, self._host).payload
        except StorageError as error:
            return SnapshotBroken(work.step, str(error), work.position)
        # The payload stands for `state_bytes`; each part carries its share of it.
        count = max(1, -(-self._around.hardware.compute.state_bytes // work.part_size))
        share = -(-len(payload) // count)
        begin = work.part * share
        frame = payload[begin : begin + share]
        return SnapshotRead(work.requester, work.step, work.part, frame, work.position)

    def _forget(self) -> None:
        self._around.files.lose_hosts((self._host,))


def _check(work: StoreSnapshot, payload: bytes) -> None:
    if sha256(payload).hexdigest() != work.digest:
        raise StorageError(f"the parts of step {work.step} do not match their digest")
    state = msgspec.msgpack.decode(payload, type=State)
    if (state.step, state.position) != (work.step, work.position):
        raise StorageError(
            f"a snapshot of step {work.step}, position {work.position} holds {state}"
        )
