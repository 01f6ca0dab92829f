"""Trainer groups: rendezvous and collectives with the failures that real ones have.

Theory of operation. A collective is complete when every member has contributed; each member then
sees it a little later, in its own time. A member that dies breaks the waits of the others at once;
those for whom all contributions had been made see it complete or broken by chance, as when a ring
is cut half way. A member that leaves alive breaks nothing: who waits for it waits until it is told
to stop. Both are what gloo and NCCL do.
"""

from collections.abc import Callable

from msgspec import Struct

from qmpi.errors import InvariantError
from qmpi.simulator.agenda import Chance
from qmpi.simulator.hardware import Link
from qmpi.units import Generation

Values = dict[int, tuple[tuple[int, str], ...]]
"""What each member contributed, by group index: (lane, block digest) pairs."""

Later = Callable[[float, Callable[[], None]], None]
"""Plan something on a member's own process, so that it waits while the process hangs."""


class Wait(Struct):
    """A member in a collective; `open` until it is complete, broken or given up.

    Attributes:
        turn: raised when what was planned for it no longer holds.
    """

    name: str
    later: Later
    done: Callable[[Values], None]
    broken: Callable[[str], None]
    open: bool = True
    turn: int = 0


class SimulatedGroup:
    """One generation's group.

    Invariants: each index contributes once to a collective; a wait ends once.
    """

    def __init__(self, generation: Generation, size: int, chance: Chance, link: Link) -> None:
        """Make a group that nobody has joined.

        Args:
            generation: its number.
            size: members.
            chance: seeded.
            link: delays.
        """
        self.generation = generation
        self.size = size
        self._chance = chance
        self._link = link
        self._values: dict[str, Values] = {}
        self._waits: dict[int, Wait] = {}
        self._dead: set[int] = set()
        self._left: set[int] = set()

    def enter(self, index: int, value: tuple[tuple[int, str], ...], wait: Wait) -> None:
        """Contribute to a collective and wait for the others.

        Args:
            index: of the member.
            value: its contribution.
            wait: what happens then.

        Raises:
            InvariantError: the member is in it already.
        """
        values = self._values.setdefault(wait.name, {})
        if index in values:
            raise InvariantError(f"member {index} of {self.generation} is twice in {wait.name}")
        values[index] = value
        self._waits[index] = wait
        if len(values) == self.size:
            for member in sorted(self._waits):
                self._complete(member, wait.name)
        elif self._dead:
            self._break(index, min(self._dead))

    def die(self, index: int) -> None:
        """A member's process is gone.

        Args:
            index: of the member.
        """
        self._dead.add(index)
        self._waits.pop(index, None)
        for member in sorted(self._waits):
            full = len(self._values[self._waits[member].name]) == self.size
            if not full or self._chance.random() < 0.5:
                self._break(member, index)

    def leave(self, index: int) -> None:
        """A member gives up, alive; half of what was nearly complete stalls.

        Args:
            index: of the member.
        """
        if index in self._left:
            return
        self._left.add(index)
        mine = self._waits.pop(index, None)
        if mine is None:
            return
        mine.open = False
        for member in sorted(self._waits):
            wait = self._waits[member]
            if wait.name == mine.name and self._chance.random() < 0.5:
                # It stays in the collective, which can no longer end by itself.
                wait.turn += 1

    def _complete(self, member: int, name: str) -> None:
        wait = self._waits[member]
        if wait.name != name:
            return
        turn = wait.turn

        def done() -> None:
            if wait.open and wait.turn == turn:
                wait.open = False
                del self._waits[member]
                wait.done(self._values[name])

        wait.later(self._link.delay(0, self._chance), done)

    def _break(self, member: int, dead: int) -> None:
        wait = self._waits[member]
        # Between the death and its discovery nothing more may arrive: the ring is cut.
        wait.turn += 1
        turn = wait.turn

        def broken() -> None:
            if wait.open and wait.turn == turn:
                wait.open = False
                del self._waits[member]
                wait.broken(f"member {dead} closed the connection")

        wait.later(self._link.detection(self._chance), broken)
