"""The real engines, joined by gloo over loopback: on threads of this process, or in processes.

Theory of operation. A member stands still where a wrapper around a call of its engine waits for a
gate. Whoever may be killed runs in a process of its own, for threads cannot be; the port of such a
member is a mouthpiece that hands work over and events back.
"""

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest
from conformance.crew import LANES
from conformance.real.full_disk import FullDisks, full_disks
from conformance.real.moving import Threads
from conformance.real.remote_engine import RemoteEngine
from msgspec.structs import replace
from unit.training.small_job import block, job

from qmpi.config.parallel import ParallelSettings
from qmpi.config.settings import Settings, SnapshotSettings
from qmpi.corpora.held_out import HeldOutRows
from qmpi.corpora.paper import Paper
from qmpi.errors import NoConnection
from qmpi.policy.scoring import Label
from qmpi.ports.base import Event, Frame, Reply
from qmpi.ports.data import Block
from qmpi.ports.engine import Condemned, EngineWork, JoinGroup, RunStep
from qmpi.protocol.membership import SnapshotFact
from qmpi.runtime.clock import Clock
from qmpi.runtime.compile_cache import CompileCache
from qmpi.runtime.copy_files import CopyFiles
from qmpi.runtime.engine import Means, Probes, TorchEngine
from qmpi.storage.run_directory import RunDirectory
from qmpi.storage.trace_file import TraceFolder
from qmpi.units import Digest, Generation, Rank, Step

STANDING_SECONDS = 60.0

Shard = Literal["none", "optimizer"]
Bits = Literal[32, 16]


class Gates:
    """Where one member is to stand still."""

    def __init__(self) -> None:
        self.standing = False
        self._point = ""
        self._open = threading.Event()

    def hold(self, point: str) -> None:
        self._open.clear()
        self._point, self.standing = point, False

    def release(self) -> None:
        self._point = ""
        self._open.set()

    def arrived(self) -> None:
        """Nobody else is told."""

    def pass_by(self, point: str) -> None:
        """Go on, or wait here; called on the engine's thread."""
        if point == self._point:
            self.standing = True
            self.arrived()
            self._open.wait(STANDING_SECONDS)
            self.standing = False


class GatedEngine(TorchEngine):
    """The real engine with gates around the calls that it makes."""

    gates: Gates
    _gated = False

    def _do(self, work: EngineWork, condemned: Condemned, reply: Reply) -> Event | None:
        event = super()._do(work, condemned, reply)
        if self._engine is not None and not self._gated:
            self._gated = True
            self._put_gates(self._engine)
        return event

    def _put_gates(self, engine) -> None:
        join, runner = engine.join, engine._runner
        runner.run = self._gate("computing", runner.run)
        engine.sync_state = self._gate("syncing", engine.sync_state)
        engine._move = self._gate("applying", engine._move)
        engine.snapshot = self._gate("copying", engine.snapshot)

        def joined(comm, within=None) -> None:
            comm.vote = self._gate("voting", self.votes(comm.vote))
            join(comm, within)

        engine.join = joined

    def votes(self, vote: Callable[[], None]) -> Callable[[], None]:
        """Return what this engine calls to vote."""
        return vote

    def _gate(self, point: str, call: Callable) -> Callable:
        def gated(*arguments, **named):
            self.gates.pass_by(point)
            return call(*arguments, **named)

        return gated


def paper() -> Paper:
    """Seven rows of two sources, held out by saying so."""
    rows = b"".join(block(job(), 1000 + number, 0) for number in range(4))[: 7 * 17 * 2]
    labels = tuple(Label(("words", "sums")[number % 2]) for number in range(7))
    return Paper(16, HeldOutRows(rows, labels, (40,) * 7, ()))


def settings_of(folder: Path, shard: Shard = "none", bits: Bits = 32) -> Settings:
    base = job()
    assert base.train.lanes == LANES
    return Settings(
        job=base.job, model=base.model,
        train=replace(base.train, reduction_bits=bits), optimizer=base.optimizer,
        snapshot=SnapshotSettings(ram_dir=str(folder / "ram")),
        parallel=ParallelSettings(shard=shard),
    )  # fmt: skip


def engine_of(
    folder: Path,
    member: int,
    gates: Gates,
    kind: type[GatedEngine] = GatedEngine,
    shard: Shard = "none",
    bits: Bits = 32,
) -> GatedEngine:
    settings = settings_of(folder, shard, bits)
    files = CopyFiles(settings, "run", Rank(member), RunDirectory(folder))
    traces = TraceFolder(folder / "profiles", Rank(member), "here")
    means = Means(CompileCache(folder / "cache", {}), paper=paper)
    engine = kind(settings, lambda: "127.0.0.1", Clock().now, files, means, Probes(traces=traces))
    engine.gates = gates
    return engine


def block_of(step: int, lane: int) -> tuple[Frame, Digest]:
    frame = block(job(), step, lane)
    return frame, Digest(hashlib.blake2b(frame, digest_size=16).hexdigest())


def step_of(generation: int, step: int, lanes: Iterable[int]) -> RunStep:
    dealt = tuple(lanes)
    blocks = [block_of(step, lane) for lane in dealt]
    return RunStep(
        generation=Generation(generation), step=Step(step), lanes=dealt,
        blocks=tuple(Block(digest, frame) for frame, digest in blocks), digest_due=True,
    )  # fmt: skip


class RealWorld(Threads):
    """Engines of one host; those of `mortal` members run in processes of their own."""

    def __init__(
        self,
        folder: Path,
        disks: FullDisks,
        kind: type[GatedEngine],
        mortal: Iterable[int],
        shard: Shard = "none",
        bits: Bits = 32,
    ) -> None:
        self._shard: Shard = shard
        self._bits: Bits = bits
        self._folder = folder
        self._disks = disks
        self._kind = kind
        (folder / "ram").mkdir()
        self._gates: dict[int, Gates | RemoteEngine] = {}
        self._engines: dict[int, GatedEngine | RemoteEngine] = {}
        for member in mortal:
            self._gates[member] = self._engines[member] = RemoteEngine(folder, member)

    def engine(self, member: int) -> GatedEngine | RemoteEngine:
        if member not in self._engines:
            gates = self._gates[member] = Gates()
            self._engines[member] = engine_of(
                self._folder, member, gates, self._kind, self._shard, self._bits
            )
        return self._engines[member]

    def block(self, step: int, lane: int) -> tuple[Frame, Digest]:
        return block_of(step, lane)

    def hold(self, member: int, point: str) -> None:
        self._gates[member].hold(point)

    def standing(self, member: int) -> bool:
        return self._gates[member].standing

    def release(self, member: int) -> None:
        self._gates[member].release()

    def kill(self, member: int) -> None:
        engine = self._engines[member]
        assert isinstance(engine, RemoteEngine), "threads cannot be killed"
        engine.kill()

    def exhaust(self, member: int) -> None:
        engine = self._engines[member]
        assert isinstance(engine, GatedEngine), "done in this process"
        runner = engine._ready()._runner
        whole = runner.run

        def short(*given: object) -> float:
            del given
            runner.run = whole
            raise MemoryError

        runner.run = short

    def refuse(self, member: int) -> None:
        engine = self._engines[member]
        assert isinstance(engine, GatedEngine), "done in this process"
        whole = engine._connect

        def short(work: JoinGroup):
            del work
            engine._connect = whole
            raise NoConnection("no room for a thread")

        engine._connect = short

    def tell_stacks(self) -> None:
        super().tell_stacks()
        for engine in self._engines.values():
            if isinstance(engine, RemoteEngine):
                engine.tell_stacks()

    def fill_ram(self) -> None:
        self._disks.fill(self._folder / "ram")

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
        for member, engine in self._engines.items():
            if isinstance(engine, RemoteEngine):
                engine.kill()
            else:
                self._gates[member].release()


@contextmanager
def real_world(
    folder: Path,
    kind: type[GatedEngine] = GatedEngine,
    mortal: Iterable[int] = (),
    shard: Shard = "none",
    bits: Bits = 32,
) -> Iterator[RealWorld]:
    """Offer engines whose files work; nobody stands still afterwards."""
    with pytest.MonkeyPatch.context() as patch, full_disks() as disks:
        patch.setenv("GLOO_SOCKET_IFNAME", "lo")
        patch.setenv("TORCH_GLOO_LAZY_INIT", "1")
        patch.setenv("TORCH_CPP_LOG_LEVEL", "FATAL")
        world = RealWorld(folder, disks, kind, mortal, shard, bits)
        try:
            yield world
        finally:
            world.close()
