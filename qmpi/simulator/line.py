"""Lines of ranks: rendezvous and collectives with the failures that real ones have.

Theory of operation. A group has a line for each set of ranks that work together: those of one
position along the data axis, those of one team, and all of them for the vote. A collective is
complete when every member of its line has contributed; each member then sees it a little later, in
its own time. A member that dies breaks the waits of the others on its lines at once; those for whom
all contributions had been made see it complete or broken by chance, as when a ring is cut half way.
A member that leaves alive breaks nothing: who waits for it waits until it is told to stop. Both are
what gloo and NCCL do.

Invariants: a member contributes once to a collective; a wait ends once.
"""

from collections.abc import Callable

from msgspec import Struct

from qmpi.errors import InvariantError
from qmpi.simulator.agenda import Chance
from qmpi.simulator.hardware import Link
from qmpi.simulator.stream_model import Sum
from qmpi.units import Generation

Contribution = tuple[tuple[int, str], ...]
"""What a member brings: (lane, block digest) pairs, or whatever else fits."""

Values = dict[int, Contribution]
"""What each member brought, by index."""

Later = Callable[[float, Callable[[], None]], None]
"""Plan something on a member's own process, so that it waits while the process hangs."""

REMEMBERED = 4
"""Generations whose lines are kept: who is late for an older one is told so by the coordinator."""


class Meeting:
    """One collective of a line."""

    def __init__(self, name: str) -> None:
        """Nobody has come.

        Args:
            name: unique on its line.
        """
        self.name = name
        self.values: Values = {}
        self.seen = 0
        self.leavers = 0
        self._sum: Sum | None = None

    def sum(self, make: Callable[[Values], Sum]) -> Sum:
        """Return what the contributions come to; worked out once for all members.

        Args:
            make: works it out.
        """
        if self._sum is None:
            self._sum = make(self.values)
        return self._sum


class Wait(Struct):
    """A member in a collective; `open` until it is complete, broken or given up.

    Attributes:
        turn: raised when what was planned for it no longer holds.
    """

    name: str
    later: Later
    done: Callable[[Meeting], None]
    broken: Callable[[str], None]
    open: bool = True
    turn: int = 0


class Line:
    """A line of ranks of one generation."""

    def __init__(self, name: str, size: int, chance: Chance, link: Link) -> None:
        """Make a line that nobody has joined.

        Args:
            name: for messages.
            size: members.
            chance: seeded.
            link: delays.
        """
        self.name = name
        self.size = size
        self._chance = chance
        self._link = link
        self._meetings: dict[str, Meeting] = {}
        self._waits: dict[int, Wait] = {}
        self._broken = ""
        self._is_cut = False

    def enter(self, index: int, value: Contribution, wait: Wait) -> None:
        """Contribute to a collective and wait for the others.

        Args:
            index: of the member.
            value: its contribution.
            wait: what happens then.

        Raises:
            InvariantError: the member is in it already.
        """
        meeting = self._meetings.get(wait.name)
        if meeting is None:
            meeting = self._meetings[wait.name] = Meeting(wait.name)
        if index in meeting.values:
            raise InvariantError(f"member {index} of {self.name} is twice in {wait.name}")
        meeting.values[index] = value
        self._waits[index] = wait
        if self._is_cut:
            self._break(index, self._broken)
        elif len(meeting.values) == self.size:
            # Nobody waits elsewhere: an earlier collective is over, a later one needs this member.
            for member in sorted(self._waits):
                self._complete(member, meeting)
        elif self._broken:
            self._break(index, self._broken)

    def die(self, index: int) -> None:
        """A member's process is gone.

        Args:
            index: of the member.
        """
        self._waits.pop(index, None)
        self._sever(f"member {index} of {self.name} closed the connection")

    def cut(self) -> None:
        """The line breaks, though all its members live; nothing is completed on it any more."""
        self._is_cut = True
        self._sever(f"{self.name} was cut")

    def leave(self, index: int) -> None:
        """A member gives up, alive; half of what was nearly complete stalls.

        Args:
            index: of the member.
        """
        mine = self._waits.pop(index, None)
        if mine is None:
            return
        mine.open = False
        meeting = self._meetings[mine.name]
        if len(meeting.values) == self.size:
            meeting.leavers += 1

    def _sever(self, reason: str) -> None:
        self._broken = self._broken or reason
        for member in sorted(self._waits):
            meeting = self._meetings[self._waits[member].name]
            if len(meeting.values) < self.size or self._chance.random() < 0.5:
                self._break(member, reason)

    def _complete(self, member: int, meeting: Meeting) -> None:
        wait = self._waits[member]
        turn, leavers = wait.turn, meeting.leavers

        def done() -> None:
            if not wait.open or wait.turn != turn:
                return
            left = meeting.leavers - leavers
            if left and self._chance.random() > 0.5**left:
                # It stays in the collective, which can no longer end by itself.
                return
            wait.open = False
            del self._waits[member]
            meeting.seen += 1
            if meeting.seen == self.size:
                del self._meetings[meeting.name]
            wait.done(meeting)

        wait.later(self._link.delay(0, self._chance), done)

    def _break(self, member: int, reason: str) -> None:
        wait = self._waits[member]
        # Between the death and its discovery nothing more may arrive: the ring is cut.
        wait.turn += 1
        turn = wait.turn

        def broken() -> None:
            if wait.open and wait.turn == turn:
                wait.open = False
                del self._waits[member]
                wait.broken(reason)

        wait.later(self._link.detection(self._chance), broken)


class Lines:
    """The lines of one job, each made when its first member comes."""

    def __init__(self, chance: Chance, link: Link) -> None:
        """Make none yet.

        Args:
            chance: seeded.
            link: delays.
        """
        self._chance = chance
        self._link = link
        self._made: dict[Generation, dict[str, Line]] = {}

    def of(self, generation: Generation, name: str, size: int) -> Line:
        """Return a line.

        Args:
            generation: of the group.
            name: unique in it.
            size: members.
        """
        lines = self._made.get(generation)
        if lines is None:
            lines = self._made[generation] = {}
            for old in sorted(self._made)[:-REMEMBERED]:
                del self._made[old]
        line = lines.get(name)
        if line is None:
            line = lines[name] = Line(name, size, self._chance, self._link)
        return line
