"""The network: delays with jitter, order kept for each pair, loss by death only.

Theory of operation. A message of a pair arrives after the one before it. A killed rank takes with
it, for each receiver, everything that would have arrived after a moment drawn by chance: a suffix,
since order is kept. Then the receivers are told of the loss, each in its own time, and hear nothing
more of that rank. A partition holds messages back until it heals, as a reliable link does; one that
outlasts the patience of the coordinator ends like a death. `SimulatedTransport` has the interface
that roles' drivers know.
"""

from collections import deque
from collections.abc import Callable, Sequence

from msgspec import Struct

from qmpi.ports.base import Frame
from qmpi.ports.transport import Delivery
from qmpi.simulator.agenda import Agenda, Chance
from qmpi.simulator.hardware import Link
from qmpi.simulator.tidings import Tidings
from qmpi.units import Bytes, Rank, Seconds


class Flight(Struct):
    """A message on its way; `lost` once its sender took it along."""

    to: Rank
    size: int
    arrival: float
    delivery: Delivery
    lost: bool = False


class Cut(Struct, frozen=True):
    """Ranks that cannot reach the others until `until`."""

    ranks: frozenset[Rank]
    until: float


def _nothing() -> None:
    """Nobody waits for news of a transport that is polled."""


class SimulatedTransport:
    """One rank's end of the simulated network."""

    def __init__(self, network: "Network", rank: Rank) -> None:
        """Join a network.

        Args:
            network: shared by all ranks.
            rank: this rank.
        """
        self._network = network
        self._rank = rank
        self.inbox: deque[Delivery] = deque()
        self.losses: list[tuple[Rank, str]] = []
        self.on_news: Callable[[], None] = _nothing

    @property
    def rank(self) -> Rank:
        """This rank."""
        return self._rank

    @property
    def size(self) -> int:
        """Ranks in all."""
        return len(self._network.ends)

    @property
    def pending_bytes(self) -> Bytes:
        """Bytes accepted for sending that have not arrived yet."""
        return Bytes(self._network.flying_bytes(self._rank))

    def send(self, to: Rank, data: bytes, frames: Sequence[Frame]) -> None:
        """Accept a message for sending.

        Args:
            to: receiving rank.
            data: encoded header and message.
            frames: bulk bytes.
        """
        self._network.carry(self._rank, to, data, tuple(frames))

    def poll(self, limit: int) -> list[Delivery]:
        """Take what has arrived.

        Args:
            limit: most messages to take.

        Returns:
            Messages in order of arrival.
        """
        inbox = self.inbox
        return [inbox.popleft() for _ in range(min(limit, len(inbox)))]

    def lost(self) -> list[tuple[Rank, str]]:
        """Return ranks newly known to be gone; each is told once."""
        if not self.losses:
            return []
        told, self.losses = self.losses, []
        return told

    def flush(self, deadline: Seconds) -> bool:
        """Let messages move until all have arrived.

        Args:
            deadline: moment on the virtual clock to give up at.

        Returns:
            True if nothing is pending.
        """
        agenda = self._network.agenda
        while self.pending_bytes:
            following = agenda.next_time()
            if following is None or following > deadline:
                return False
            agenda.step()
        return True

    def close(self) -> None:
        """Leave the network; what is pending is given up."""
        self._network.remove(self._rank, "it left", flushed=False)


class Network:
    """All links of one job.

    Invariants: arrivals of a pair never overtake each other; nothing arrives from a rank whose loss
    was told.
    """

    def __init__(self, agenda: Agenda, chance: Chance, link: Link, size: int) -> None:
        """Connect `size` ranks.

        Args:
            agenda: the clock.
            chance: seeded.
            link: delays.
            size: ranks in all.
        """
        self.agenda = agenda
        self._chance = chance
        self._link = link
        self.gone: set[Rank] = set()
        self.ends = [SimulatedTransport(self, Rank(rank)) for rank in range(size)]
        self._last: dict[tuple[Rank, Rank], float] = {}
        self._flying: dict[Rank, dict[int, Flight]] = {}
        self._flying_bytes: dict[Rank, int] = {}
        self._cuts: list[Cut] = []
        self._tidings = Tidings(agenda, chance, link, size, self.gone)
        self._number = 0

    def carry(self, source: Rank, to: Rank, data: bytes, frames: tuple[Frame, ...]) -> None:
        """Send a message on its way; one from or to the dead vanishes.

        Args:
            source: sender.
            to: receiver.
            data: header and message.
            frames: bulk bytes.
        """
        if source in self.gone or to in self.gone:
            return
        size = len(data) + sum(len(frame) for frame in frames) if frames else len(data)
        arrival = self.agenda.now + self._link.delay(size, self._chance)
        if self._cuts:
            arrival = max(arrival, self._healed(source, to, size))
        arrival = max(arrival, self._last.get((source, to), 0.0))
        self._last[source, to] = arrival
        self._number += 1
        number, flight = self._number, Flight(to, size, arrival, Delivery(source, data, frames))
        self._flying.setdefault(source, {})[number] = flight
        self._flying_bytes[source] = self._flying_bytes.get(source, 0) + size
        self.agenda.at(arrival, lambda: self._arrive(number, flight))

    def remove(self, rank: Rank, reason: str, *, flushed: bool) -> None:
        """Take a rank off the network.

        Args:
            rank: who is gone.
            reason: told to the others.
            flushed: everything it sent still arrives.
        """
        if rank in self.gone:
            return
        self.gone.add(rank)
        now = self.agenda.now
        waited_for: dict[Rank, float] = {}
        for to, flights in self._flights_of(rank).items():
            if not flushed:
                kept = now + self._link.delay(0, self._chance) * self._chance.random()
                for flight in flights:
                    flight.lost = flight.arrival > kept
            waited_for[to] = max((f.arrival for f in flights if not f.lost), default=now)

        def tell(to: Rank) -> None:
            last = waited_for.get(to, 0.0)
            if last > self.agenda.now:
                self.agenda.at(last, lambda: self._tell(to, rank, reason))
            else:
                self._tell(to, rank, reason)

        self._tidings.spread(tell)

    def cut(self, ranks: frozenset[Rank], seconds: float) -> None:
        """Hold back what crosses between `ranks` and the others.

        Args:
            ranks: one side.
            seconds: how long.
        """
        self._cuts = [c for c in self._cuts if c.until > self.agenda.now]
        self._cuts.append(Cut(ranks, self.agenda.now + seconds))

    def flying_bytes(self, rank: Rank) -> int:
        """Return the bytes that `rank` has sent and that have not arrived.

        Args:
            rank: the sender.
        """
        return self._flying_bytes.get(rank, 0)

    def _healed(self, source: Rank, to: Rank, size: int) -> float:
        return max(
            (
                cut.until + self._link.delay(size, self._chance)
                for cut in self._cuts
                if cut.until > self.agenda.now and (source in cut.ranks) != (to in cut.ranks)
            ),
            default=0.0,
        )

    def _flights_of(self, rank: Rank) -> dict[Rank, list[Flight]]:
        found: dict[Rank, list[Flight]] = {}
        for flight in self._flying.get(rank, {}).values():
            found.setdefault(flight.to, []).append(flight)
        return found

    def _arrive(self, number: int, flight: Flight) -> None:
        source = flight.delivery.source
        del self._flying[source][number]
        self._flying_bytes[source] -= flight.size
        if flight.lost or flight.to in self.gone:
            return
        end = self.ends[flight.to]
        end.inbox.append(flight.delivery)
        end.on_news()

    def _tell(self, to: Rank, rank: Rank, reason: str) -> None:
        if to in self.gone:
            return
        end = self.ends[to]
        end.losses.append((rank, reason))
        end.on_news()
