"""What a role is: events in, effects out. No I/O, no clock, no chance.

Theory of operation. The driver holds the roles of a rank. Whatever happens becomes an event;
`Role.handle(event, now)` returns effects; the driver carries them to the ports (`qmpi.ports`) and
what comes of them returns later as events. Effects of one event are performed in order. Work runs
beside the driver; a role never waits.
"""

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from qmpi.ports.base import Effect, Event
from qmpi.protocol.envelope import RoleName
from qmpi.protocol.level_use import LevelUse
from qmpi.units import Digest, Generation, Seconds


class RoleState(Struct, frozen=True):
    """What a role is doing, for beats and the status.

    Attributes:
        role: which role.
        activity: in a few words.
        step: its weights are those before this step; -1: it has none.
        digest: newest digest of whole weights that it knows; "" if none.
        digest_step: they are the weights before this step.
        levels: what the levels of its cache were asked for; empty: it has none.
    """

    role: RoleName
    activity: str
    step: int = -1
    digest: Digest = Digest("")
    digest_step: int = -1
    levels: tuple[LevelUse, ...] = ()


Describe = Callable[[], tuple[RoleState, ...]]
"""Asks what the roles of this rank are doing."""


class Role(Protocol):
    """One role of one rank, as a state machine."""

    @property
    def name(self) -> RoleName:
        """Which role this is."""
        ...

    @property
    def generation(self) -> Generation:
        """Newest generation this role knows of; stamped on what it sends."""
        ...

    @property
    def state(self) -> RoleState:
        """What it is doing right now."""
        ...

    def handle(self, event: Event, now: Seconds) -> list[Effect]:
        """Take one event, change state, say what shall happen."""
        ...

    def check(self) -> None:
        """Raise `InvariantError` if a state field breaks its invariant."""
        ...
