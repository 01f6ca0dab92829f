"""The real engines: some in one process, each on its thread, joined by gloo over loopback.

Theory of operation. A member stands still where a wrapper around a call of its engine waits for a
gate. One that is killed leaves its thread at that gate, and its connections are closed as the
kernel closes those of a dead process; nobody tells the others.
"""

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conformance.crew import LANES
from conformance.real.full_disk import FullDisks, full_disks
from conformance.real.moving import Threads
from unit.training.small_job import block, job

from qmpi.config.settings import Settings, SnapshotSettings
from qmpi.ports.base import Event, Frame
from qmpi.ports.engine import Condemned, EngineWork
from qmpi.protocol.membership import SnapshotFact
from qmpi.runtime.clock import Clock
from qmpi.runtime.copy_files import CopyFiles
from qmpi.runtime.engine import TorchEngine
from qmpi.units import Digest, Rank


class Gates:
    """Where one member is to stand still."""

    def __init__(self) -> None:
        self.point = ""
        self.standing = False
        self.dead = False
        self._open = threading.Event()

    def hold(self, point: str) -> None:
        self._open.clear()
        self.point, self.standing = point, False

    def release(self) -> None:
        self.point = ""
        self._open.set()

    def kill(self) -> None:
        self.dead = True
        self._open.set()

    def pass_by(self, point: str) -> None:
        """Go on, or wait here; called on the engine's thread."""
        if point == self.point:
            self.standing = True
            self._open.wait(60.0)
            self.standing = False
        if self.dead:
            # Ends the thread without a word, as the process would end.
            raise SystemExit


class GatedEngine(TorchEngine):
    """The real engine with gates around the calls that it makes."""

    gates: Gates
    _gated = False

    def _do(self, work: EngineWork, condemned: Condemned) -> Event:
        event = super()._do(work, condemned)
        if self._engine is not None and not self._gated:
            self._gated = True
            self._put_gates(self._engine)
        return event

    def _put_gates(self, engine) -> None:
        join, runner = engine.join, engine._runner
        runner.run = self._gate("computing", runner.run)
        engine.sync_state = self._gate("syncing", engine.sync_state)
        engine.apply_held = self._gate("applying", engine.apply_held)
        engine.snapshot = self._gate("copying", engine.snapshot)

        def joined(comm) -> None:
            comm.vote = self._gate("voting", comm.vote)
            join(comm)

        engine.join = joined

    def _gate(self, point: str, call: Callable) -> Callable:
        def gated(*arguments, **named):
            self.gates.pass_by(point)
            return call(*arguments, **named)

        return gated

    def close_connections(self) -> None:
        """Drop the group: what the kernel does to a process that is gone."""
        if self._engine is not None:
            self._engine._comm = None
            self._engine._graveyard.clear()


class RealWorld(Threads):
    """Engines that share this process."""

    def __init__(self, folder: Path, disks: FullDisks, kind: type[GatedEngine]) -> None:
        self._disks = disks
        self._kind = kind
        self._ram, self._disk = folder / "ram", folder / "checkpoints"
        self._ram.mkdir()
        assert job().train.lanes == LANES
        snapshot = SnapshotSettings(ram_dir=str(self._ram))
        base = job()
        self._settings = Settings(
            job=base.job, model=base.model, train=base.train, optimizer=base.optimizer,
            snapshot=snapshot,
        )  # fmt: skip
        self._engines: dict[int, GatedEngine] = {}

    def engine(self, member: int) -> GatedEngine:
        if member not in self._engines:
            files = CopyFiles(self._settings, "run", Rank(member), self._disk)
            engine = self._kind(self._settings, "127.0.0.1", Clock().now, files)
            engine.gates = Gates()
            self._engines[member] = engine
        return self._engines[member]

    def block(self, step: int, lane: int) -> tuple[Frame, Digest]:
        frame = block(self._settings, step, lane)
        return frame, Digest(hashlib.blake2b(frame, digest_size=16).hexdigest())

    def hold(self, member: int, point: str) -> None:
        self._engines[member].gates.hold(point)

    def standing(self, member: int) -> bool:
        return self._engines[member].gates.standing

    def release(self, member: int) -> None:
        self._engines[member].gates.release()

    def kill(self, member: int) -> None:
        engine = self._engines[member]
        engine.gates.kill()
        thread = engine._worker._thread
        assert thread is not None
        thread.join(20.0)
        engine.close_connections()

    def fill_ram(self) -> None:
        self._disks.fill(self._ram)

    def free(self) -> None:
        self._disks.free()

    def harm(self, fact: SnapshotFact, *, remove: bool) -> None:
        path = Path(fact.path)
        if remove:
            path.unlink()
            return
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)

    def close(self) -> None:
        for engine in self._engines.values():
            engine.gates.kill()


@contextmanager
def real_world(folder: Path, kind: type[GatedEngine] = GatedEngine) -> Iterator[RealWorld]:
    """Offer engines whose files work; nobody stands still afterwards."""
    with pytest.MonkeyPatch.context() as patch, full_disks() as disks:
        patch.setenv("GLOO_SOCKET_IFNAME", "lo")
        patch.setenv("TORCH_GLOO_LAZY_INIT", "1")
        patch.setenv("TORCH_CPP_LOG_LEVEL", "FATAL")
        world = RealWorld(folder, disks, kind)
        try:
            yield world
        finally:
            world.close()
