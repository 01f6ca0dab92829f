"""One rank, turn by turn: take what is there, give it to the roles, perform what they want.

Theory of operation. A turn takes results, then messages, then losses, then what the outside asks,
then timers that are due. Messages come before timers, so that nobody is judged while his word lies
unread. A turn ends with a rest: how long the rank may sleep, and until when at the latest. A world
that must be polled (MPI has no wait that sleeps) sleeps `pause`, longer each idle turn, and wakes
early for a result; a world that tells of news sleeps until there is some.

A process that was stopped (by a batch system, or because the machine slept) sees its timers due
long ago. It tells its roles of the gap before anything else, so that they forgive the silence of
others during it. A turn in which it stood still itself (a disk that answered late, a stop in its
midst) fires no timer: the next turn tells of the gap, and takes first what others said meanwhile.

Invariants: one event is handled at a time; effects of an event are performed in order before the
next event is taken, one that they announce or are answered with included; a timer fires once, and
only for the very role that set it.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterable

from msgspec import Struct

from qmpi.driver.inbox import Inbox
from qmpi.driver.perform import Performer
from qmpi.driver.ports import Ports
from qmpi.driver.router import Action, Perform, Post, Router, Schedule, Tell
from qmpi.errors import ProtocolError
from qmpi.ports.base import Event, Frame
from qmpi.ports.clock import Slept, TimerFired
from qmpi.ports.transport import RankLost, Received
from qmpi.protocol.codec import decode, encode
from qmpi.protocol.envelope import RoleName
from qmpi.roles.interface import Role
from qmpi.units import Rank, Seconds

FIRST_PAUSE = Seconds(0.0005)
LONGEST_PAUSE = Seconds(0.05)
"""Sleep of an idle rank. At 20 ms a rank among 64 on two cores took 2.4 % of a core; a rank that is
spoken to every few milliseconds never sleeps that long."""

POLL_LIMIT = 64
POLLS = 64
"""Messages taken at once, and how often in one turn: all that waits, yet never without end."""

GAP_SECONDS = Seconds(2.0)
"""A timer that fires so late means that this process did not run."""


class Rest(Struct, frozen=True):
    """How a turn ends.

    Attributes:
        pause: seconds that a polled world may sleep; 0: there may be more to do.
        until: when the next timer is due; None: no timer is set.
    """

    pause: Seconds
    until: Seconds | None


class Handled(Struct, frozen=True):
    """One event, and what followed from it; for traces and invariants."""

    owner: RoleName
    event: Event
    actions: tuple[Action, ...]


class Due(Struct, frozen=True):
    """A timer that is set, and the role that set it."""

    at: Seconds
    role: Role


Observe = Callable[[Handled], None]
Complain = Callable[[str], None]


class Process:
    """One rank."""

    def __init__(
        self,
        router: Router,
        ports: Ports,
        inbox: Inbox,
        observe: Observe | None = None,
        complain: Complain | None = None,
    ) -> None:
        """Join the parts.

        Args:
            router: the roles.
            ports: the world.
            inbox: results of the ports' work.
            observe: told of each event after its effects are performed.
            complain: told of messages that could not be read, in words.
        """
        self.router = router
        self.ports = ports
        self._inbox = inbox
        self._performer = Performer(ports, inbox)
        self._observe = observe
        self._complain = complain
        self._timers: list[tuple[Seconds, RoleName, str]] = []
        self._due: dict[tuple[RoleName, str], Due] = {}
        self._following: deque[Tell] = deque()
        self._pause = FIRST_PAUSE
        self._has_put_off = False

    @property
    def leaving(self) -> bool:
        """True once a role wants this process to leave."""
        return self.ports.processes.leaving

    def start(self, roles: Iterable[RoleName]) -> None:
        """Start roles.

        Args:
            roles: roles of this rank.
        """
        for role in roles:
            self._act(self.router.start(role))
            self._follow()

    def turn(self) -> Rest:
        """Do what there is to do.

        Returns:
            How long the rank may sleep.
        """
        begun = self.ports.clock.now()
        self._forgive_gap()
        busy = self._results()
        busy = self._messages() or busy
        busy = self._losses() or busy
        busy = self._notices() or busy
        # A timer alone brings no news soon: it must not wake an idle rank for many short pauses.
        if not self._stood_still(begun):
            self._fire()
        return self._rest(busy=busy)

    def _rest(self, *, busy: bool) -> Rest:
        until = self._next_due()
        if busy:
            self._pause = FIRST_PAUSE
            return Rest(Seconds(0.0), until)
        pause, self._pause = self._pause, Seconds(min(2 * self._pause, LONGEST_PAUSE))
        if until is not None:
            pause = Seconds(max(0.0, min(pause, until - self.ports.clock.now())))
        return Rest(pause, until)

    def _next_due(self) -> Seconds | None:
        while self._timers:
            at, owner, name = self._timers[0]
            if self._is_due(at, owner, name):
                return at
            heapq.heappop(self._timers)
        return None

    def _is_due(self, at: Seconds, owner: RoleName, name: str) -> bool:
        due = self._due.get((owner, name))
        return due is not None and due.at == at and due.role is self.router.roles.get(owner)

    def _forgive_gap(self) -> None:
        oldest = self._next_due()
        # A process that leaves fires no timers any more, however late they are.
        if oldest is None or self.leaving:
            return
        late = Seconds(self.ports.clock.now() - oldest)
        if late > GAP_SECONDS:
            self._tell_all(Slept(late), "gap")

    def _stood_still(self, begun: Seconds) -> bool:
        # Once in a row: where every turn is slow, timers would never fire.
        took = Seconds(self.ports.clock.now() - begun)
        self._has_put_off = took > GAP_SECONDS and not self._has_put_off
        return self._has_put_off

    def _results(self) -> bool:
        results = self._inbox.take()
        for result in results:
            self._handle(result.owner, result.event, result.cause)
        return bool(results)

    def _messages(self) -> bool:
        for number in range(POLLS):
            deliveries = self.ports.transport.poll(POLL_LIMIT)
            for delivery in deliveries:
                self._deliver(delivery.source, delivery.data, delivery.frames)
            if len(deliveries) < POLL_LIMIT:
                return bool(number or deliveries)
        return True

    def _deliver(self, source: Rank, data: bytes, frames: tuple[Frame, ...]) -> None:
        try:
            header, message = decode(data)
        except ProtocolError as error:
            if self._complain is not None:
                self._complain(f"a message of rank {source} is refused: {error}")
            return
        now = self.ports.clock.now()
        actions = self.router.receive(header, message, frames, now)
        self._act(actions)
        self._tell(header.target.role, Received(header, message, frames), actions)
        self._follow()

    def _losses(self) -> bool:
        losses = self.ports.transport.lost()
        for rank, reason in losses:
            self._tell_all(RankLost(rank, reason), f"lost:{rank}")
        return bool(losses)

    def _notices(self) -> bool:
        notices = self.ports.processes.notices(self.ports.clock.now())
        for event in notices:
            self._tell_all(event, "notice")
        return bool(notices)

    def _fire(self) -> None:
        # Only what is due by now: a role that sets a timer for this moment would hold the turn.
        now = self.ports.clock.now()
        due: list[tuple[Seconds, RoleName, str]] = []
        while self._timers and self._timers[0][0] <= now and not self.leaving:
            due.append(heapq.heappop(self._timers))
        for at, owner, name in due:
            # One before it may have set it anew.
            if self._is_due(at, owner, name):
                del self._due[(owner, name)]
                self._handle(owner, TimerFired(name), f"timer:{name}")

    def _handle(self, owner: RoleName, event: Event, cause: str) -> None:
        self._following.append(Tell(owner, event, cause))
        self._follow()

    def _tell_all(self, event: Event, cause: str) -> None:
        self._following.extend(self.router.tell_all(event, cause))
        self._follow()

    def _follow(self) -> None:
        while self._following:
            told = self._following.popleft()
            now = self.ports.clock.now()
            actions = self.router.handle(told.owner, told.event, now, told.cause)
            self._act(actions)
            self._tell(told.owner, told.event, actions)

    def _tell(self, owner: RoleName, event: Event, actions: list[Action]) -> None:
        if self._observe is not None:
            self._observe(Handled(owner, event, tuple(actions)))

    def _act(self, actions: Iterable[Action]) -> None:
        for action in actions:
            match action:
                case Post(header, message, frames):
                    to = header.target.rank
                    self.ports.transport.send(to, encode(header, message), frames)
                case Schedule(owner, name, at):
                    if owner in self.router.roles:
                        self._due[(owner, name)] = Due(at, self.router.roles[owner])
                        heapq.heappush(self._timers, (at, owner, name))
                case Perform(owner, _, cause) as wanted:
                    event = self._performer.perform(wanted)
                    if event is not None:
                        self._following.append(Tell(owner, event, cause))
                case Tell() as told:
                    self._following.append(told)
