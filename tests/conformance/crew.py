"""Members of a group as the checks of the engine see them: what they ask, what comes of it."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol, TypeVar

from conformance.asking import Moving

from qmpi.driver.tickets import Tickets, never
from qmpi.policy.lanes import deal_lanes
from qmpi.ports.base import Event, Frame
from qmpi.ports.data import Block
from qmpi.ports.engine import (
    Engine,
    EngineReady,
    EngineWork,
    Evaluate,
    GiveMoments,
    GroupJoined,
    JoinGroup,
    PrepareEngine,
    RunStep,
    StepApplied,
    TakeSnapshot,
)
from qmpi.protocol.membership import SnapshotFact
from qmpi.units import Digest, Generation, Rank, Step

LANES = 4
BOTH = (0, 1)
Kind = TypeVar("Kind", bound=Event)


class World(Moving, Protocol):
    """Engines of some ranks, all on one host, one RAM and one disk."""

    def engine(self, member: int) -> Engine:
        """Return the engine of a member; the same at each call."""
        ...

    def block(self, step: int, lane: int) -> tuple[Frame, Digest]:
        """Return a block and its digest."""
        ...

    def hold(self, member: int, point: str) -> None:
        """Let a member stand still when its work next comes to a point.

        "syncing": connected, and has not taken part in the transfer; "computing": has not given
        anything to the reduction; "voting": has given all of it, and has not voted; "applying":
        all have voted, its event is not out; "copying": the snapshot is not written.
        """
        ...

    def standing(self, member: int) -> bool:
        """Return whether a member that shall stand still does."""
        ...

    def release(self, member: int) -> None:
        """Let a member go on."""
        ...

    def kill(self, member: int) -> None:
        """End a member's process at once, wherever its work is."""
        ...

    def exhaust(self, member: int) -> None:
        """Let the next lane of a member that is in a group find no memory."""
        ...

    def refuse(self, member: int) -> None:
        """Let a member's own machine have no room for its next connection."""
        ...

    def fill_ram(self) -> None:
        """Leave no room in RAM."""
        ...

    def free(self) -> None:
        """Give it room again."""
        ...

    def harm(self, fact: SnapshotFact, *, remove: bool) -> None:
        """Flip a bit of a snapshot, or remove it."""
        ...


class Asked:
    """A piece of work and the events it has had."""

    def __init__(self, world: World, work: EngineWork) -> None:
        self.work = work
        self.events: list[Event] = []
        self._world = world

    def end(self, kind: type[Kind]) -> Kind:
        """Wait for the one event, which must be of a kind."""
        assert self._world.drive(lambda: bool(self.events)), f"{self.work!r} never ended"
        event = self.events[0]
        assert isinstance(event, kind), f"{type(self.work).__name__} ended in {event!r}"
        return event


class Member:
    """One member: its engine and its tickets, as a driver keeps them."""

    def __init__(self, world: World, number: int) -> None:
        self.number = number
        self.asked: list[Asked] = []
        self._world = world
        self._engine = world.engine(number)
        self._tickets = Tickets(Rank(number))
        self._address = ""

    def ask(self, work: EngineWork) -> Asked:
        asked = Asked(self._world, work)
        self.asked.append(asked)
        is_bound = isinstance(work, JoinGroup | RunStep | Evaluate | GiveMoments)
        is_bound |= isinstance(work, TakeSnapshot) and work.generation > 0
        condemned = self._tickets.issue() if is_bound else never
        self._engine.submit(work, condemned, asked.events.append)
        return asked

    def abort(self) -> None:
        self._tickets.condemn("the group is over")
        self._engine.nudge()

    def prepare(self) -> EngineReady:
        ready = self.ask(PrepareEngine()).end(EngineReady)
        self._address = ready.store_address
        return ready

    @property
    def address(self) -> str:
        return self._address or self.prepare().store_address


def taking(step: int, *, to_disk: bool = False) -> TakeSnapshot:
    return TakeSnapshot(Step(step), to_disk)


def copying(crew: "Crew", generation: int, step: int, keeper: int, absent: int = -1) -> list[Asked]:
    """Ask all members, but one that is absent, for a copy that one of them keeps."""
    together = TakeSnapshot(Step(step), to_disk=False, generation=Generation(generation))
    given = GiveMoments(Generation(generation), Step(step))
    return [
        m.ask(together if m.number == keeper else given) for m in crew.members if m.number != absent
    ]


def measuring(generation: int, step: int, part: int = 0, parts: int = 1) -> Evaluate:
    return Evaluate(Generation(generation), Step(step), part, parts)


class Joining(NamedTuple):
    """How members join; the first of `who` is lead and root.

    Those that are absent have a seat and are not asked: the others wait for them.
    """

    who: tuple[int, ...] = ()
    absent: tuple[int, ...] = ()
    step: int = 0
    origin: str = "initial"
    origin_digest: str = ""
    receivers: tuple[int, ...] = ()
    finishers: tuple[int, ...] = ()


class Crew:
    """All members of a world, and what they are asked together."""

    def __init__(self, world: World, size: int = 2) -> None:
        self.world = world
        self.members = [Member(world, number) for number in range(size)]
        for member in self.members:
            member.prepare()

    def join(self, generation: int, **how: Any) -> list[Asked]:
        """Ask members to join; fields of `Joining` say how."""
        plan = Joining(**how)
        seats = plan.who or tuple(range(len(self.members)))
        return [
            self.members[number].ask(self._joining(generation, team, seats, plan))
            for team, number in enumerate(seats)
            if number not in plan.absent
        ]

    def _joining(
        self, generation: int, team: int, seats: tuple[int, ...], plan: "Joining"
    ) -> JoinGroup:
        return JoinGroup(
            generation=Generation(generation),
            team=team,
            teams=len(seats),
            position=0,
            is_lead=team == 0,
            store_address=self.members[seats[0]].address,
            step=Step(plan.step),
            finish=seats[team] in plan.finishers,
            root=0,
            transfer=bool(plan.receivers),
            receives=seats[team] in plan.receivers,
            origin=plan.origin,
            origin_digest=Digest(plan.origin_digest),
            lanes=deal_lanes(LANES, len(seats))[team],
        )

    def joined(self, generation: int, **how: Any) -> list[GroupJoined]:
        return [asked.end(GroupJoined) for asked in self.join(generation, **how)]

    def step(self, generation: int, step: int, who: Iterable[int] | None = None) -> list[Asked]:
        """Ask members for a step."""
        seats = list(range(len(self.members))) if who is None else list(who)
        return [
            self.members[number].ask(self.running(generation, step, lanes))
            for number, lanes in zip(seats, deal_lanes(LANES, len(seats)), strict=True)
        ]

    def running(self, generation: int, step: int, lanes: Iterable[int]) -> RunStep:
        dealt = tuple(lanes)
        blocks = [self.world.block(step, lane) for lane in dealt]
        return RunStep(
            generation=Generation(generation), step=Step(step), lanes=dealt,
            blocks=tuple(Block(digest, frame) for frame, digest in blocks), digest_due=True,
        )  # fmt: skip

    def applied(self, generation: int, step: int, who: Iterable[int] | None = None) -> StepApplied:
        """Do a step, on whose outcome all members must agree."""
        outcomes = [asked.end(StepApplied) for asked in self.step(generation, step, who)]
        assert len({(o.weight_digest, o.lane_losses, o.block_digests) for o in outcomes}) == 1
        return outcomes[0]

    def undisturbed(self, steps: int, generation: int = 1) -> list[Digest]:
        """Train alone with the first member; return the digest after each step."""
        self.joined(generation, who=[0])
        return [self.applied(generation, step, [0]).weight_digest for step in range(steps)]

    def finish(self, *but: int) -> None:
        """See that each piece of work, but that of dead members, had exactly one event."""
        self.world.settle()
        for member in self.members:
            for asked in member.asked if member.number not in but else ():
                assert len(asked.events) == 1, f"{asked.work!r} had the events {asked.events}"

    def hold_all(self, point: str, ask: Callable[[], list[Asked]]) -> list[Asked]:
        """Ask for something, and wait until every member stands still at a point of it."""
        for member in self.members:
            self.world.hold(member.number, point)
        asked = ask()
        for member in self.members:
            self.standing(member.number)
        return asked

    def standing(self, member: int) -> None:
        """Wait until a member stands still where it was told to."""
        assert self.world.drive(lambda: self.world.standing(member)), f"{member} never got there"
