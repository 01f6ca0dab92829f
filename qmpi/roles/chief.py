"""What both chiefs have in common: who is there, who is silent, crashes, gaps, and the end.

Theory of operation. A chief is the one role that decides in a job: coordinator or dealer. It hears
of every rank, answers silence and crashes by `RankLost`, so that there is one answer to each of
them, blames nobody for a time in which it did not run itself, and leaves as the last.
"""

from collections import deque
from collections.abc import Collection, Iterable

from qmpi.config.settings import Settings
from qmpi.errors import ExitCode
from qmpi.policy.failure_detector import silent_ranks
from qmpi.ports.base import Effect, Event
from qmpi.ports.clock import SetTimer, Slept
from qmpi.ports.transport import RankLost, Received
from qmpi.protocol.envelope import Address, RoleName
from qmpi.protocol.membership import Crashed, Hello
from qmpi.roles.ending import Ending, EndState
from qmpi.roles.facts import RankFacts
from qmpi.roles.interface import RoleState
from qmpi.roles.orders import Orders
from qmpi.roles.reports import Reporter
from qmpi.roles.roster import Roster
from qmpi.units import Rank, Seconds

STATUS = "status"
WATCH = "watch"
"""Names of timers."""


class EndJob(Event, frozen=True):
    """Raised by a chief itself: the job must end.

    Attributes:
        digest: of what was made or trained; "" takes what is known.
    """

    state: EndState
    exit_code: ExitCode
    why: str
    digest: str = ""


class Chief:
    """Base of coordinator and dealer."""

    name: RoleName

    def __init__(
        self,
        settings: Settings,
        facts: RankFacts,
        expected: Iterable[Address],
        hosts: tuple[str, ...],
        phase: str,
        domains: tuple[str, ...] = (),
    ) -> None:
        """Expect these instances.

        Args:
            settings: limits of failures, and how often the status is written.
            facts: who this rank is.
            expected: role instances of the job.
            hosts: host of each rank.
            phase: the first one.
            domains: failure domain of each rank's host; empty: each host is one.
        """
        self.settings, self.facts = settings, facts
        self.roster = Roster(expected, hosts, Seconds(0.0), domains)
        self.orders = Orders(self.roster, facts)
        self.ending = Ending(self.orders)
        self.reporter = Reporter(self.roster)
        self.phase = phase
        self.raised: deque[Event] = deque()
        self.gather_until = Seconds(0.0)

    @property
    def state(self) -> RoleState:
        """What it does right now."""
        return RoleState(self.name, self.phase)

    def hears(self, event: Event, now: Seconds) -> bool:
        """Note that a message came; any message is a sign of life.

        Args:
            event: what happened.
            now: clock.

        Returns:
            False for the word of a rank that counts as dead: its story was given up.
        """
        if not isinstance(event, Received):
            return True
        rank = event.header.source.rank
        if self.roster.is_buried(rank):
            return False
        self.roster.seen(rank, now)
        return True

    # --- guards -----------------------------------------------------------------------------------

    def known(self, event: RankLost) -> bool:
        """The rank lives as far as is known."""
        return event.rank in self.roster.heard

    def alone(self, _: object) -> bool:
        """Everybody else has left."""
        return self.ending.alone

    # --- actions ----------------------------------------------------------------------------------

    def begin(self, now: Seconds) -> list[Effect]:
        """Count patience and silence from now on.

        Args:
            now: clock.

        Returns:
            The timers.
        """
        failure, monitor = self.settings.failure, self.settings.monitor
        for rank in list(self.roster.heard):
            self.roster.seen(rank, now)
        me = Address(self.facts.rank, self.name)
        self.roster.greet(me, Hello(self.facts.host, self.facts.pid), now)
        self.gather_until = Seconds(now + failure.start_seconds)
        return [
            SetTimer(STATUS, Seconds(now + monitor.status_seconds)),
            SetTimer(WATCH, Seconds(now + failure.heartbeat_seconds)),
        ]

    def watch_again(self, now: Seconds) -> Effect:
        """Return the timer of the next look for silent ranks.

        Args:
            now: clock.
        """
        return SetTimer(WATCH, Seconds(now + self.settings.failure.heartbeat_seconds))

    def judge_silence(self, now: Seconds, spared: Collection[Rank] = ()) -> list[Effect]:
        """Have ranks that live and say nothing fenced, and count them as lost.

        Args:
            now: clock.
            spared: ranks that need not speak yet.

        Returns:
            Orders to fence.
        """
        effects: list[Effect] = []
        mine = {*spared, self.facts.rank}
        ranks = (seen for seen in self.roster.silent_first() if seen[0] not in mine)
        for silence in silent_ranks(ranks, now, Seconds(self.settings.failure.dead_seconds)):
            effects += self.orders.fence(silence.rank, silence.reason)
            self.raised.append(RankLost(silence.rank, silence.reason))
        return effects

    def crash(self, event: Received, now: Seconds) -> list[Effect]:
        """Answer work that failed: a machine's fault strikes one rank, any other all of them."""
        del now
        message, rank = event.message, event.header.source.rank
        if not isinstance(message, Crashed):
            return []
        reason, code = f"{message.what}: {message.reason}", ExitCode(message.exit_code)
        lost = RankLost(rank, reason)
        machine = code == ExitCode.MACHINE
        self.raised.append(lost if machine else EndJob("failed", code, f"rank {rank}: {reason}"))
        return []

    def forgive(self, event: Slept, now: Seconds) -> list[Effect]:
        """Blame nobody for the time in which this process did not run."""
        del now
        self.roster.forgive(event.seconds)
        self.gather_until = Seconds(self.gather_until + event.seconds)
        return []

    def lose_leaving(self, event: RankLost, now: Seconds) -> list[Effect]:
        """Wait no longer for a rank that has left by dying."""
        del now
        self.roster.bury(event.rank)
        self.ending.gone(event.rank)
        return []

    def note_left(self, event: Received, now: Seconds) -> list[Effect]:
        """Wait no longer for a rank that has left."""
        del now
        self.ending.gone(event.header.source.rank)
        return []

    def leave(self, _: object, now: Seconds) -> list[Effect]:
        """Leave as the last."""
        del now
        return [self.ending.leave()]
