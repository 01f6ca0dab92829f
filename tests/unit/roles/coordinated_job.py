"""A coordinator of seven ranks on two hosts, and whatever it wanted."""

from dataclasses import dataclass, field

from qmpi.config.settings import FailureSettings, Settings
from qmpi.config.train import TrainSettings
from qmpi.policy.hyperparameters import log_of
from qmpi.policy.recipes import recipes_of
from qmpi.ports.base import Effect, Event, Started
from qmpi.ports.books import AppendJournal, WriteEnd
from qmpi.ports.transport import Received, Send
from qmpi.protocol.envelope import WIRE_VERSION, Address, Header, RoleName
from qmpi.protocol.journal import (
    JournalRecord,
)
from qmpi.protocol.membership import (
    GroupReady,
    Hello,
    Holding,
)
from qmpi.protocol.messages import Message
from qmpi.protocol.progress import StepReport
from qmpi.roles.coordinator.facts import RunFacts
from qmpi.roles.coordinator.machine import Coordinator
from qmpi.roles.facts import RankFacts
from qmpi.units import Digest, Generation, Rank, Seconds, Step

C, G, M, R = RoleName.COORDINATOR, RoleName.GENERATOR, RoleName.MEMORY, RoleName.REPLICA
T, S = RoleName.TRAINER, RoleName.SPARE
CHIEF = Address(Rank(0), C)
ROLES = {0: C, 1: G, 2: M, 3: T, 4: T, 5: R, 6: S}
HOSTS = ("a", "a", "a", "b", "b", "b", "b")
SETTINGS = Settings(
    train=TrainSettings(steps=20, lanes=2, digest_every=1),
    failure=FailureSettings(heartbeat_seconds=1.0, dead_seconds=10.0, start_seconds=60.0),
)
NOW = Seconds(100.0)


@dataclass
class Job:
    """A coordinator, and whatever it wanted."""

    history: tuple[JournalRecord, ...] = ()
    from_scratch: bool = False
    healing: str = ""
    left_out: tuple[str, ...] = ()
    back_to: int = -1
    replan: bool = False
    settings: Settings = SETTINGS
    now: Seconds = NOW
    effects: list[Effect] = field(default_factory=list)

    def __post_init__(self) -> None:
        facts = RankFacts(Rank(0), "a", 1000, CHIEF, (Rank(0), Rank(1), Rank(2)))
        run = RunFacts(
            run_id="id",
            settings_digest=Digest("s"),
            recipes=recipes_of(self.history, SETTINGS),
            expected=tuple(Address(Rank(rank), role) for rank, role in ROLES.items()),
            placement="as asked for",
            hosts=HOSTS,
            teams=((Rank(3),), (Rank(4),)),
            history=self.history,
            from_scratch=self.from_scratch,
            healing=self.healing,
            left_out=self.left_out,
            hyperparameters=log_of(self.history, SETTINGS),
            back_to=self.back_to,
            replan=self.replan,
            directory="/runs/my run",
        )
        self.role = Coordinator(self.settings, facts, run)
        self.tell(Started())

    def tell(self, event: Event) -> list[Effect]:
        effects = self.role.handle(event, self.now)
        self.role.check()
        self.effects += effects
        return effects

    def word(self, rank: int, message: Message, role: RoleName | None = None) -> list[Effect]:
        header = Header(
            version=WIRE_VERSION,
            source=Address(Rank(rank), role or ROLES[rank]),
            target=CHIEF,
            sequence=1,
            generation=Generation(self.role.generation),
            cause="test",
        )
        return self.tell(Received(header, message))

    def greet(self) -> None:
        for rank in ROLES:
            if rank:
                store = f"h:{rank}" if ROLES[rank] in (T, S) else ""
                self.word(rank, Hello(HOSTS[rank], 1000 + rank, store_address=store))

    def hold(self, rank: int, step: int = -1, *, reports_from: int = -1) -> list[Effect]:
        first = step if reports_from < 0 else reports_from
        held = Holding(self.role.generation, step, reduced=False, position=0, reports_from=first)
        return self.word(rank, held)

    def run(self) -> None:
        """Form the first group, and grant."""
        self.greet()
        for rank in (3, 4):
            self.hold(rank)
        for rank in (3, 4):
            self.word(rank, GroupReady(self.role.generation, Step(0)))
        assert self.role.phase == "running"

    def report(self, step: int, digest: str = "w", generation: int | None = None) -> list[Effect]:
        current = self.role.generation if generation is None else Generation(generation)
        blocks, digests = (1.0, 2.0), (Digest("a"), Digest("b"))
        told = StepReport(
            current, Step(step), blocks, digests, 0.5, 0.1, Digest(digest), 2.0, 0.5, redone=1
        )
        return self.word(3, told)

    @property
    def end(self) -> tuple[str, str]:
        (end,) = [e.marker for e in self.effects if isinstance(e, WriteEnd)]
        return end.state, end.reason


def sent(effects: list[Effect], kind: type) -> dict[int, Message]:
    return {
        int(e.to.rank): e.message
        for e in effects
        if isinstance(e, Send) and isinstance(e.message, kind)
    }


def journal(effects: list[Effect], kind: type) -> list[JournalRecord]:
    written = [r for e in effects if isinstance(e, AppendJournal) for r in e.records]
    return [record for record in written if isinstance(record, kind)]
