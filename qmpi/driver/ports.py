"""The ports of one rank: its side of the world, real or modelled."""

from msgspec import Struct

from qmpi.errors import InvariantError
from qmpi.ports.base import Effect, Reply
from qmpi.ports.books import Books, BooksBroken, Entry
from qmpi.ports.clock import Clock
from qmpi.ports.copies import Copies
from qmpi.ports.data import Data
from qmpi.ports.engine import Condemned, Engine, EngineWork
from qmpi.ports.processes import Processes
from qmpi.ports.transport import Transport
from qmpi.ports.units import Units


class Unplugged:
    """A port that this rank does not have: most ranks have no books, a farm has no data."""

    def submit(self, work: Effect, reply: Reply) -> None:
        """Refuse work.

        Args:
            work: what was asked.
            reply: never called.

        Raises:
            InvariantError: always; a role asked for what its rank cannot do.
        """
        del reply
        raise InvariantError(f"{type(work).__name__} on a rank that has no port for it")

    def write(self, entry: Entry) -> BooksBroken | None:
        """Refuse to write.

        Args:
            entry: what was asked.

        Raises:
            InvariantError: always.
        """
        raise InvariantError(f"{type(entry).__name__} on a rank that keeps no books")


class NoEngine:
    """The engine of a rank that has none."""

    def submit(self, work: EngineWork, condemned: Condemned, reply: Reply) -> None:
        """Refuse work.

        Args:
            work: what was asked.
            condemned: not asked.
            reply: never called.

        Raises:
            InvariantError: always.
        """
        del condemned, reply
        raise InvariantError(f"{type(work).__name__} on a rank that has no engine")

    def nudge(self) -> None:
        """Nothing waits here."""


UNPLUGGED = Unplugged()
NO_ENGINE = NoEngine()


class Ports(Struct, frozen=True, kw_only=True):
    """All ports of a rank."""

    clock: Clock
    transport: Transport
    processes: Processes
    engine: Engine = NO_ENGINE
    data: Data = UNPLUGGED
    copies: Copies = UNPLUGGED
    books: Books = UNPLUGGED
    units: Units = UNPLUGGED
