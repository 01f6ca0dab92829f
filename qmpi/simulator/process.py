"""One simulated process: roles, timers, workers, and effects performed on the virtual machine.

Theory of operation. The same `RoleHost` as in the real runtime; messages go through the same codec.
Effects without duration happen at once; work takes virtual time and returns its event. A process
that hangs keeps everything that should happen to it for later; one that is gone drops it.
"""

from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Protocol

from qmpi.config.settings import Settings
from qmpi.errors import InvariantError, StorageError
from qmpi.ports.base import Event
from qmpi.ports.books import AppendJournal, WriteEnd, WriteStatus
from qmpi.ports.clock import TimerFired
from qmpi.ports.copies import (
    ReadSnapshotPart,
    SnapshotBroken,
    SnapshotRead,
    SnapshotStored,
    StoreSnapshot,
)
from qmpi.ports.data import BlockBuilt, BuildBlock, MakeRows, OpenSources, RowsMade, SourcesOpened
from qmpi.ports.engine import (
    AbortEngine,
    GroupJoined,
    JoinGroup,
    PrepareEngine,
    RunStep,
    TakeSnapshot,
)
from qmpi.ports.processes import FenceProcess, LeaveJob
from qmpi.ports.transport import Received
from qmpi.protocol.codec import decode, encode
from qmpi.protocol.envelope import RoleName
from qmpi.roles.host import Action, Perform, Post, RoleHost, Schedule
from qmpi.roles.member import RankFacts
from qmpi.simulator.agenda import Agenda, Chance
from qmpi.simulator.engine_model import SimulatedEngine
from qmpi.simulator.files import Files
from qmpi.simulator.group_model import SimulatedGroup
from qmpi.simulator.hardware import Hardware, spread
from qmpi.simulator.invariants import Invariants
from qmpi.simulator.network import SimulatedTransport
from qmpi.simulator.stream_model import block_frame, frame_digest, rows_frame, source_facts
from qmpi.simulator.trace import Trace, event_text
from qmpi.units import Generation, Rank, Seconds

POLL_LIMIT = 64


class World(Protocol):
    """What surrounds a process."""

    settings: Settings
    hardware: Hardware
    agenda: Agenda
    chance: Chance
    files: Files
    trace: Trace
    invariants: Invariants

    def group(self, generation: Generation, size: int) -> SimulatedGroup:
        """Return the trainer group of a generation, made on first use."""
        ...

    def fence(self, host: str, pid: int, reason: str) -> None:
        """Kill a process of a host."""
        ...

    def left(self, process: "SimulatedProcess", reason: str) -> None:
        """Take a process that leaves by itself off the network."""
        ...

    def counts_as_alive(self, rank: Rank) -> bool:
        """Say whether the coordinator believes that a rank lives."""
        ...

    def handled(self, rank: Rank, names: Iterable[str]) -> None:
        """Let faults that wait for one of these names strike."""
        ...


class SimulatedProcess:
    """One rank of one incarnation.

    Invariants: nothing happens in a process that is not `alive`, nor before `hung_until`.
    """

    def __init__(
        self, world: World, facts: RankFacts, transport: SimulatedTransport, host: RoleHost
    ) -> None:
        """Make a process that has not started.

        Args:
            world: what surrounds it.
            facts: who it is.
            transport: its end of the network.
            host: its roles.
        """
        self.world = world
        self.facts = facts
        self.transport = transport
        self.roles = host
        self.alive = True
        self.hung_until = Seconds(0.0)
        self.engine = SimulatedEngine(
            self, world.settings, world.agenda, world.chance, world.files, world.hardware
        )
        self._due: dict[tuple[RoleName, str], Seconds] = {}
        self._busy: dict[str, float] = {}
        self._leaving = ""

    @property
    def rank(self) -> Rank:
        """This rank."""
        return self.facts.rank

    @property
    def host(self) -> str:
        """Its machine."""
        return self.facts.host

    def start(self, roles: Iterable[RoleName]) -> None:
        """Start the roles and listen.

        Args:
            roles: which ones.
        """
        for role in roles:
            now = self.world.agenda.now
            self._did(role, "Started", self.roles.start(role, now), ("Started",))
        self.transport.on_news = lambda: self.run(self._news)
        self.run(self._news)

    def later(self, delay: float, action: Callable[[], None]) -> None:
        """Plan something on this process.

        Args:
            delay: seconds.
            action: skipped if the process is gone by then.
        """
        self.world.agenda.after(delay, lambda: self.run(action))

    def run(self, action: Callable[[], None]) -> None:
        """Do something now, or when the process stops hanging.

        Args:
            action: what.
        """
        if not self.alive:
            return
        if self.world.agenda.now < self.hung_until:
            self.world.agenda.at(self.hung_until, lambda: self.run(action))
            return
        action()

    def handle(self, owner: RoleName, event: Event, cause: str) -> None:
        """Give an event to a role.

        Args:
            owner: the role.
            event: what happened.
            cause: for headers.
        """
        actions = self.roles.handle(owner, event, self.world.agenda.now, cause)
        self._did(owner, event_text(event), actions, (type(event).__name__,))

    def finished(self, owner: RoleName, event: Event, cause: str) -> None:
        """Hand a result of work to the roles.

        Args:
            owner: who asked for it.
            event: the result.
            cause: of the work.
        """
        if isinstance(event, GroupJoined):
            self.world.invariants.joined(event.generation)
        self.handle(owner, event, cause)

    def group(self, generation: Generation, size: int) -> SimulatedGroup:
        """Return the group of a generation.

        Args:
            generation: its number.
            size: its members.
        """
        return self.world.group(generation, size)

    def weights_changed(self, generation: Generation, step: int, weights: bytes) -> None:
        """Let the invariants see new weights.

        Args:
            generation: the group.
            step: weights are those before it.
            weights: the chain.
        """
        alive = self.world.counts_as_alive(self.rank)
        self.world.invariants.weights_changed(self.rank, generation, step, weights, alive=alive)

    def end(self) -> None:
        """Be gone."""
        self.alive = False
        self.engine.die()

    # --- events -----------------------------------------------------------------------------------

    def _news(self) -> None:
        while self.alive and (deliveries := self.transport.poll(POLL_LIMIT)):
            for delivery in deliveries:
                header, message = decode(delivery.data)
                now = self.world.agenda.now
                actions = self.roles.receive(header, message, delivery.frames, now)
                text = event_text(Received(header, message))
                self._did(header.target.role, text, actions, (type(message).__name__,))
        if not self.alive:
            return
        for rank, reason in self.transport.lost():
            actions = self.roles.lose(rank, reason, self.world.agenda.now)
            self._did("all", f"RankLost {rank}: {reason}", actions, ("RankLost",))

    def _fire(self, owner: RoleName, name: str, at: Seconds) -> None:
        if self._due.get((owner, name)) == at:
            del self._due[(owner, name)]
            self.handle(owner, TimerFired(name), f"timer:{name}")

    def _did(self, owner: str, event: str, actions: list[Action], names: tuple[str, ...]) -> None:
        world = self.world
        world.trace.add(world.agenda.now, self.rank, owner, event, actions)
        for action in actions:
            self._act(action)
        for role in self.roles.roles.values():
            role.check()
        if self._leaving and self.alive:
            world.left(self, self._leaving)
        effects = tuple(type(a.effect).__name__ for a in actions if isinstance(a, Perform))
        world.handled(self.rank, (*names, *effects))

    # --- effects ----------------------------------------------------------------------------------

    def _act(self, action: Action) -> None:
        match action:
            case Post(header, message, frames):
                self.transport.send(header.target.rank, encode(header, message), frames)
            case Schedule(owner, name, at):
                self._due[(owner, name)] = at
                wait = max(0.0, at - self.world.agenda.now)
                self.later(wait, lambda: self._fire(owner, name, at))
            case Perform():
                self._perform(action)

    def _perform(self, perform: Perform) -> None:
        owner, effect, cause = perform.owner, perform.effect, perform.cause
        match effect:
            case PrepareEngine() | JoinGroup() | RunStep() | TakeSnapshot():
                self.engine.submit(owner, cause, effect)
            case AbortEngine(reason):
                self.engine.abort(reason)
            case OpenSources() | BuildBlock() | MakeRows():
                self._work("data", self._data_seconds(effect), perform, lambda: self._data(effect))
            case StoreSnapshot():
                self._work(
                    "copies", self._store_seconds(effect), perform, lambda: self._store(effect)
                )
            case ReadSnapshotPart():
                rate = self.world.hardware.disk.ram_bytes_per_second
                self._work("copies", effect.part_size / rate, perform, lambda: self._read(effect))
            case _:
                self._perform_now(perform)

    def _perform_now(self, perform: Perform) -> None:
        world = self.world
        match perform.effect:
            case AppendJournal(records):
                world.files.journal.extend(records)
                world.invariants.appended(records, world.agenda.now)
            case WriteStatus(report):
                world.files.status = report
                world.files.statuses += 1
            case WriteEnd(marker):
                world.files.end = marker
                world.invariants.progress(world.agenda.now)
            case FenceProcess(pid, reason):
                world.fence(self.host, pid, reason)
            case LeaveJob(_, reason):
                self._leaving = reason or "it left"
            case _:
                raise InvariantError(
                    f"{perform.owner} wants {perform.effect!r}: nobody performs it"
                )

    def _work(
        self, worker: str, seconds: float, perform: Perform, work: Callable[[], Event]
    ) -> None:
        """Queue work on a worker that does one thing at a time."""
        now = self.world.agenda.now
        ready = max(now, self._busy.get(worker, 0.0)) + spread(seconds, self.world.chance)
        self._busy[worker] = ready
        self.later(ready - now, lambda: self.finished(perform.owner, work(), perform.cause))

    def _data_seconds(self, work: OpenSources | BuildBlock | MakeRows) -> float:
        compute = self.world.hardware.compute
        match work:
            case OpenSources():
                return compute.open_seconds
            case BuildBlock():
                return compute.block_seconds
            case MakeRows():
                return compute.rows_seconds

    def _data(self, work: OpenSources | BuildBlock | MakeRows) -> Event:
        match work:
            case OpenSources():
                rows = self.world.hardware.corpus_rows
                return SourcesOpened(source_facts(self.world.settings, rows))
            case BuildBlock(step, lane, addresses, made):
                frame = block_frame(addresses, made)
                return BlockBuilt(step, lane, frame_digest(frame), frame)
            case MakeRows(requester, step, lane, source, numbers):
                return RowsMade(requester, step, lane, source, rows_frame(source, numbers))

    def _store_seconds(self, work: StoreSnapshot) -> float:
        hardware = self.world.hardware
        size, disk = hardware.compute.state_bytes, hardware.disk
        to_disk = size / disk.disk_bytes_per_second if work.to_disk else 0.0
        return disk.open_seconds + size / disk.ram_bytes_per_second + to_disk

    def _store(self, work: StoreSnapshot) -> Event:
        files = self.world.files
        try:
            payload = b"".join(map(bytes, work.parts)) or files.read(work.path, self.host)
        except StorageError as error:
            return SnapshotBroken(work.step, str(error))
        if sha256(payload).hexdigest() != work.digest:
            return SnapshotBroken(work.step, "the parts do not match the digest")
        places = [p for p, wanted in (("ram", work.to_ram), ("disk", work.to_disk)) if wanted]
        facts = [files.write(p, self.host, self.rank, work.step, payload) for p in places]
        return SnapshotStored(tuple(facts))

    def _read(self, work: ReadSnapshotPart) -> Event:
        try:
            payload = self.world.files.raw(work.path, self.host).payload
        except StorageError as error:
            return SnapshotBroken(work.step, str(error))
        # The payload stands for `state_bytes`; each part carries its share of it.
        count = max(1, -(-self.world.hardware.compute.state_bytes // work.part_size))
        share = -(-len(payload) // count)
        begin = work.part * share
        frame = payload[begin : begin + share]
        return SnapshotRead(work.requester, work.step, work.part, frame)
