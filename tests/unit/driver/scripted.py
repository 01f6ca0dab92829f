"""A role that does as it is told, ports that remember, and a rank made of both."""

from collections.abc import Callable, Sequence

from qmpi.driver.inbox import Inbox
from qmpi.driver.ports import Ports
from qmpi.driver.process import Handled, Process
from qmpi.driver.router import Router
from qmpi.ports.base import Effect, Event, Frame, Reply
from qmpi.ports.books import BooksBroken, Entry
from qmpi.ports.engine import Condemned, EngineWork
from qmpi.ports.transport import Delivery
from qmpi.protocol.codec import encode
from qmpi.protocol.envelope import WIRE_VERSION, Address, Header, RoleName
from qmpi.protocol.messages import Message
from qmpi.roles.interface import RoleState
from qmpi.units import Generation, Rank, Seconds

HERE, THERE = Rank(1), Rank(2)
TRAINER, SPARE, HERALD = RoleName.TRAINER, RoleName.SPARE, RoleName.HERALD

Answer = Callable[[Event, Seconds], Sequence[Effect]]


def silent(event: Event, now: Seconds) -> Sequence[Effect]:
    del event, now
    return ()


class ScriptedRole:
    """Remembers its events and answers each as `answer` says."""

    def __init__(self, name: RoleName, answer: Answer = silent, generation: int = 0) -> None:
        self.name = name
        self.generation = Generation(generation)
        self.answer = answer
        self.events: list[Event] = []

    @property
    def state(self) -> RoleState:
        return RoleState(self.name, f"{len(self.events)} events")

    def handle(self, event: Event, now: Seconds) -> list[Effect]:
        self.events.append(event)
        return list(self.answer(event, now))

    def check(self) -> None:
        """Nothing can be wrong."""


def header(target: RoleName, generation: int = 0, sequence: int = 1) -> Header:
    return Header(
        version=WIRE_VERSION,
        source=Address(THERE, RoleName.COORDINATOR),
        target=Address(HERE, target),
        sequence=sequence,
        generation=Generation(generation),
        cause="test",
    )


class MemoryTransport:
    """What is to arrive is put into lists; what is sent is kept."""

    rank, size, pending_bytes = HERE, 3, 0

    def __init__(self) -> None:
        self.arriving: list[Delivery] = []
        self.losing: list[tuple[Rank, str]] = []
        self.sent: list[tuple[Rank, bytes, tuple[Frame, ...]]] = []

    def arrive(self, message: Message, target: RoleName, generation: int = 0) -> None:
        data = encode(header(target, generation), message)
        self.arriving.append(Delivery(THERE, data, ()))

    def send(self, to: Rank, data: bytes, frames: Sequence[Frame]) -> None:
        self.sent.append((to, data, tuple(frames)))

    def poll(self, limit: int) -> list[Delivery]:
        taken, self.arriving = self.arriving[:limit], self.arriving[limit:]
        return taken

    def lost(self) -> list[tuple[Rank, str]]:
        lost, self.losing = self.losing, []
        return lost

    def flush(self, deadline: Seconds) -> bool:
        del deadline
        return True

    def close(self) -> None:
        """Nothing is open."""


class HandClock:
    """Time that a test moves."""

    def __init__(self, time: float = 1000.0) -> None:
        self.time = time

    def now(self) -> Seconds:
        return Seconds(self.time)


class MemoryProcesses:
    """Keeps what was asked; tells what a test puts into `asked`."""

    def __init__(self) -> None:
        self.fenced: list[tuple[int, str]] = []
        self.left: list[tuple[int, str]] = []
        self.asked: list[Event] = []

    def fence(self, pid: int, reason: str) -> None:
        self.fenced.append((pid, reason))

    def leave(self, exit_code: int, reason: str, *, together: bool) -> None:
        del together
        self.left.append((exit_code, reason))

    @property
    def leaving(self) -> bool:
        return bool(self.left)

    def notices(self, now: Seconds) -> Sequence[Event]:
        del now
        asked, self.asked = self.asked, []
        return asked


class MemoryWork:
    """Keeps work and the way back of it."""

    def __init__(self) -> None:
        self.works: list[Effect] = []
        self.replies: list[Reply] = []

    def submit(self, work: Effect, reply: Reply) -> None:
        self.works.append(work)
        self.replies.append(reply)


class MemoryEngine:
    """Keeps engine work, its tickets and the way back of it."""

    def __init__(self) -> None:
        self.works: list[EngineWork] = []
        self.tickets: list[Condemned] = []
        self.replies: list[Reply] = []
        self.nudges = 0

    def submit(self, work: EngineWork, condemned: Condemned, reply: Reply) -> None:
        self.works.append(work)
        self.tickets.append(condemned)
        self.replies.append(reply)

    def nudge(self) -> None:
        self.nudges += 1


class MemoryBooks:
    """Keeps entries; refuses when told to."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.full = False

    def write(self, entry: Entry) -> BooksBroken | None:
        if self.full:
            return BooksBroken(type(entry).__name__, "full", 3)
        self.entries.append(entry)
        return None


class Rank1:
    """One rank of scripted roles between ports that remember."""

    def __init__(self, *roles: ScriptedRole) -> None:
        self.roles = {role.name: role for role in roles}
        self.clock = HandClock()
        self.transport = MemoryTransport()
        self.processes = MemoryProcesses()
        self.engine = MemoryEngine()
        self.data, self.copies, self.units = MemoryWork(), MemoryWork(), MemoryWork()
        self.books = MemoryBooks()
        self.inbox = Inbox(lambda: None)
        self.handled: list[Handled] = []
        self.complaints: list[str] = []
        self.ports = Ports(
            clock=self.clock, transport=self.transport, processes=self.processes,
            engine=self.engine, data=self.data, copies=self.copies, books=self.books,
            units=self.units,
        )  # fmt: skip
        router = Router(HERE, lambda name, _describe: self.roles[name])
        self.process = Process(
            router, self.ports, self.inbox, self.handled.append, self.complaints.append
        )

    def start(self, *names: RoleName) -> None:
        self.process.start(names or tuple(self.roles))

    def told(self, name: RoleName) -> list[Event]:
        """Return what a role was told since the last look."""
        events = list(self.roles[name].events)
        self.roles[name].events.clear()
        return events
