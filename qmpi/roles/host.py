"""The roles of one rank, and the only door between them and a driver.

Theory of operation. A rank hosts one or several roles (a small job hosts all of them in one
process). The host routes events to roles, stamps the headers of what they send, refuses messages of
an older generation and counts them. It knows no MPI and no clock, so `runtime` and `simulator`
drive the same object.
"""

from collections import Counter
from collections.abc import Callable

from msgspec import Struct

from qmpi.protocol.envelope import WIRE_VERSION, Address, Header, RoleName
from qmpi.protocol.messages import GENERATION_BOUND, Message
from qmpi.roles.interface import (
    BecomeRole,
    Effect,
    Event,
    Frame,
    RankLost,
    Received,
    Role,
    Send,
    SetTimer,
    Started,
)
from qmpi.units import Rank, Seconds


class Post(Struct, frozen=True):
    """Hand this message to the transport."""

    header: Header
    message: Message
    frames: tuple[Frame, ...]


class Schedule(Struct, frozen=True):
    """Fire timer `name` of role `owner` at `at`."""

    owner: RoleName
    name: str
    at: Seconds


class Perform(Struct, frozen=True):
    """Perform `effect` for role `owner`; what comes of it goes back to that role."""

    owner: RoleName
    effect: Effect
    cause: str


Action = Post | Schedule | Perform


class RoleHost:
    """Roles of one rank.

    Invariants: at most one instance of each role; `sequence` grows by one a message sent.
    """

    def __init__(self, rank: Rank, build: Callable[[RoleName], Role]) -> None:
        """Make an empty host.

        Args:
            rank: this rank.
            build: makes a role of this rank by name.
        """
        self.rank = rank
        self.roles: dict[RoleName, Role] = {}
        self.refused: Counter[str] = Counter()
        self._build = build
        self._sequence = 0

    def start(self, role: RoleName, now: Seconds, cause: str = "start") -> list[Action]:
        """Build a role and tell it that it has started.

        Args:
            role: which one; an instance that is there already is kept.
            now: the driver's clock.
            cause: what made it start.

        Returns:
            What the driver must do.
        """
        if role in self.roles:
            return []
        self.roles[role] = self._build(role)
        return self.handle(role, Started(), now, cause)

    def receive(
        self, header: Header, message: Message, frames: tuple[Frame, ...], now: Seconds
    ) -> list[Action]:
        """Take a message off the wire.

        Args:
            header: as decoded.
            message: as decoded.
            frames: bulk bytes that came with it.
            now: the driver's clock.

        Returns:
            What the driver must do; nothing if the message was refused.
        """
        role = self.roles.get(header.target.role)
        name = type(message).__name__
        if role is None:
            # A spare that became a trainer may still be spoken to as a spare: facts, safe to drop.
            self.refused[f"{name} for absent {header.target.role}"] += 1
            return []
        if isinstance(message, GENERATION_BOUND) and header.generation < role.generation:
            self.refused[f"{name} of an older generation"] += 1
            return []
        cause = f"{header.source.rank}:{header.sequence}"
        return self.handle(role.name, Received(header, message, frames), now, cause)

    def lose(self, rank: Rank, reason: str, now: Seconds) -> list[Action]:
        """Tell every role here that a rank is gone.

        Args:
            rank: the lost rank.
            reason: how it is known, in words.
            now: the driver's clock.

        Returns:
            What the driver must do.
        """
        actions: list[Action] = []
        for role in sorted(self.roles):
            if role in self.roles:
                actions += self.handle(role, RankLost(rank, reason), now, f"lost:{rank}")
        return actions

    def handle(self, owner: RoleName, event: Event, now: Seconds, cause: str) -> list[Action]:
        """Give an event to one role and translate its effects.

        Args:
            owner: the role; an event for a role that is no longer here is dropped.
            event: what happened.
            now: the driver's clock.
            cause: name of what happened, for headers.

        Returns:
            What the driver must do, in order.
        """
        role = self.roles.get(owner)
        if role is None:
            self.refused[f"{type(event).__name__} for absent {owner}"] += 1
            return []
        actions: list[Action] = []
        for effect in role.handle(event, now):
            match effect:
                case Send():
                    actions.append(self._post(role, effect, cause))
                case SetTimer(name, at):
                    actions.append(Schedule(owner, name, at))
                case BecomeRole(new, instead_of):
                    if instead_of is not None:
                        self.roles.pop(instead_of, None)
                    actions += self.start(new, now, cause)
                case _:
                    actions.append(Perform(owner, effect, cause))
        return actions

    def _post(self, role: Role, send: Send, cause: str) -> Post:
        self._sequence += 1
        header = Header(
            version=WIRE_VERSION,
            source=Address(self.rank, role.name),
            target=send.to,
            sequence=self._sequence,
            generation=role.generation,
            cause=cause,
        )
        return Post(header, send.message, send.frames)
