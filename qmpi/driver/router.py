"""The roles of one rank, and the only door between them and the world.

Theory of operation. A rank has one or several roles (a small job has all of them in one process).
The router gives events to roles, stamps the headers of what they send, refuses messages of an older
generation, starts roles, and carries what one role announces to the others of its rank.
"""

from collections.abc import Callable

from msgspec import Struct

from qmpi.ports.base import Announce, BecomeRole, Effect, Event, Frame, RoleStarted, Started
from qmpi.ports.clock import SetTimer
from qmpi.ports.transport import Received, Send
from qmpi.protocol.envelope import WIRE_VERSION, Address, Header, RoleName
from qmpi.protocol.messages import GENERATION_BOUND, Message
from qmpi.roles.interface import Describe, Role, RoleState
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


class Tell(Struct, frozen=True):
    """Give `event` to role `owner` of this rank, as an event of its own."""

    owner: RoleName
    event: Event
    cause: str


Action = Post | Schedule | Perform | Tell

Build = Callable[[RoleName, Describe], Role]
"""Makes a role of this rank by name; it is told how to ask what the rank's roles are doing."""


class Router:
    """Roles of one rank.

    Invariants: at most one instance of each role; the sequence number grows by one a message sent.
    """

    def __init__(self, rank: Rank, build: Build) -> None:
        """Make a rank without roles.

        Args:
            rank: this rank.
            build: makes its roles.
        """
        self.rank = rank
        self.roles: dict[RoleName, Role] = {}
        self._build = build
        self._sequence = 0

    def describe(self) -> tuple[RoleState, ...]:
        """Return what each role here is doing, sorted by name."""
        return tuple(self.roles[name].state for name in sorted(self.roles))

    def start(self, role: RoleName, cause: str = "start") -> list[Tell]:
        """Build a role and tell it, then the others here, that it has started.

        Args:
            role: which one; an instance that is there already is kept.
            cause: what made it start.

        Returns:
            What the driver must tell.
        """
        if role in self.roles:
            return []
        others = [Tell(name, RoleStarted(role), cause) for name in sorted(self.roles)]
        self.roles[role] = self._build(role, self.describe)
        return [Tell(role, Started(), cause), *others]

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
        if role is None:
            # A spare that became a trainer may still be spoken to as a spare: facts, safe to drop.
            return []
        if header.generation < role.generation and isinstance(message, GENERATION_BOUND):
            return []
        cause = f"{header.source.rank}:{header.sequence}"
        return self.handle(role.name, Received(header, message, frames), now, cause)

    def tell_all(self, event: Event, cause: str) -> list[Tell]:
        """Give an event to every role here.

        Args:
            event: what happened.
            cause: name of what happened, for headers.

        Returns:
            What the driver must do.
        """
        return [Tell(name, event, cause) for name in sorted(self.roles)]

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
            return []
        actions: list[Action] = []
        for effect in role.handle(event, now):
            match effect:
                case Send():
                    actions.append(self._post(role, effect, cause))
                case SetTimer(name, at):
                    actions.append(Schedule(owner, name, at))
                case Announce(news):
                    others = [name for name in sorted(self.roles) if name != owner]
                    actions += [Tell(name, news, cause) for name in others]
                case BecomeRole(new, instead_of):
                    if instead_of:
                        self.roles.pop(RoleName(instead_of), None)
                    actions += self.start(RoleName(new), cause)
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
