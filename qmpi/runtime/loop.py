"""The event loop of a rank: poll, event, role, effects.

Theory of operation. One thread. Each turn takes what the transport, the workers and the timers
have, gives it to the roles, and performs what they want. A turn with nothing to do sleeps, longer
each time up to `IDLE_SECONDS`: MPI has no wait that sleeps, and a rank that spins takes a core from
those that compute. A worker's result ends the sleep at once.
"""

import heapq
import logging
from collections.abc import Callable, Iterable
from typing import Protocol

from qmpi.errors import ProtocolError
from qmpi.ports.base import Event
from qmpi.ports.clock import TimerFired
from qmpi.ports.processes import StopRequested
from qmpi.ports.transport import Transport
from qmpi.protocol.codec import decode, encode
from qmpi.protocol.envelope import RoleName
from qmpi.roles.host import Action, Perform, Post, RoleHost, Schedule
from qmpi.runtime.clock import Clock
from qmpi.runtime.workers import Inbox
from qmpi.units import Rank, Seconds

logger = logging.getLogger(__name__)

FIRST_SLEEP_SECONDS = 0.0005
IDLE_SECONDS = 0.05
"""Longest sleep of an idle rank. At 20 ms a rank among 64 on two cores took 2.4 % of a core; a rank
that is spoken to every few milliseconds never sleeps that long."""

POLL_LIMIT = 64
"""Messages taken in one turn, so that timers and results are never starved."""

HOUSEKEEPING_SECONDS = 0.25


class Performer(Protocol):
    """Carries out work effects; results come back by the inbox, or at once."""

    def perform(self, perform: Perform) -> Event | None:
        """Carry out an effect.

        Args:
            perform: effect, its role and its cause.

        Returns:
            An event that is known at once, or None.
        """
        ...

    @property
    def leaving(self) -> bool:
        """True once the process shall leave."""
        ...


class Loop:
    """One rank, one clock, one thread."""

    def __init__(
        self,
        transport: Transport,
        host: RoleHost,
        performer: Performer,
        clock: Clock,
        inbox: Inbox,
        housekeeping: Callable[[], str | None],
    ) -> None:
        """Join the parts.

        Args:
            transport: how messages travel.
            host: the roles of this rank.
            performer: carries out effects.
            clock: the clock.
            inbox: where results of work arrive.
            housekeeping: called a few times a second; returns a reason to stop the run, or None.
        """
        self.transport = transport
        self.host = host
        self.performer = performer
        self.clock = clock
        self.inbox = inbox
        self.housekeeping = housekeeping
        self.malformed = 0
        self._timers: list[tuple[Seconds, RoleName, str]] = []
        self._due: dict[tuple[RoleName, str], Seconds] = {}
        self._next_housekeeping = Seconds(0.0)
        self._sleep = FIRST_SLEEP_SECONDS

    def run(self, roles: Iterable[RoleName]) -> None:
        """Start the roles and run until one of them wants to leave.

        Args:
            roles: roles of this rank.
        """
        for role in roles:
            self._act(self.host.start(role, self.clock.now()))
        while not self.performer.leaving:
            if self.turn():
                self._sleep = FIRST_SLEEP_SECONDS
                continue
            self.inbox.wake.wait(self._sleep)
            self._sleep = min(2 * self._sleep, IDLE_SECONDS)

    def turn(self) -> bool:
        """Do what there is to do.

        Returns:
            True if there was anything.
        """
        self.inbox.wake.clear()
        busy = self._results()
        busy = self._messages() or busy
        busy = self._losses() or busy
        busy = self._fire() or busy
        self._housekeep()
        return busy

    def _messages(self) -> bool:
        deliveries = self.transport.poll(POLL_LIMIT)
        for delivery in deliveries:
            try:
                header, message = decode(delivery.data)
            except ProtocolError as error:
                self.malformed += 1
                logger.warning("message from rank %d refused: %s", delivery.source, error)
                continue
            now = self.clock.now()
            self._act(self.host.receive(header, message, tuple(delivery.frames), now))
        return bool(deliveries)

    def _losses(self) -> bool:
        losses = self.transport.lost()
        for rank, reason in losses:
            logger.warning("rank %d is lost: %s", rank, reason)
            self._act(self.host.lose(rank, reason, self.clock.now()))
        return bool(losses)

    def _results(self) -> bool:
        results = self.inbox.take()
        for result in results:
            now = self.clock.now()
            self._act(self.host.handle(result.owner, result.event, now, result.cause))
        return bool(results)

    def _fire(self) -> bool:
        now = self.clock.now()
        fired = False
        while self._timers and self._timers[0][0] <= now:
            at, owner, name = heapq.heappop(self._timers)
            if self._due.get((owner, name)) != at:
                continue
            del self._due[(owner, name)]
            self._act(self.host.handle(owner, TimerFired(name), now, f"timer:{name}"))
            fired = True
        return fired

    def _housekeep(self) -> None:
        now = self.clock.now()
        if now < self._next_housekeeping:
            return
        self._next_housekeeping = Seconds(now + HOUSEKEEPING_SECONDS)
        reason = self.housekeeping()
        if reason is not None:
            event = StopRequested(reason)
            self._act(self.host.handle(RoleName.COORDINATOR, event, now, "stop"))

    def _act(self, actions: Iterable[Action]) -> None:
        for action in actions:
            match action:
                case Post(header, message, frames):
                    data = encode(header, message)
                    self.transport.send(Rank(header.target.rank), data, frames)
                case Schedule(owner, name, at):
                    self._due[(owner, name)] = at
                    heapq.heappush(self._timers, (at, owner, name))
                case Perform(owner, _, cause):
                    event = self.performer.perform(action)
                    if event is not None:
                        self._act(self.host.handle(owner, event, self.clock.now(), cause))
