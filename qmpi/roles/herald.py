"""Herald: speaks for its rank to the chief, and carries the chief's word back. One a rank.

Theory of operation. Once a heartbeat each herald says what the roles of its rank are doing. It says
so to the leader of its host, the lowest rank there that lives; the leader sends the chief one
merged beat, so the chief's messages grow with hosts and not with ranks. A leader answers each beat;
one that does not answer for some heartbeats is passed over until it speaks again, and the next
lowest takes its place. No election is needed: whoever is beaten to passes it on, with its own, to
the leader it believes in, or to the chief if that is itself. So a leader that hangs is the only
rank of its host that falls silent.

The directory goes the other way: the chief tells the leaders what changed, they tell their mates.
Beats carry the revision that their sender holds, so one that was missed is sent again whole.

A host whose network is cut can be told nothing, and nobody can fence its ranks but they themselves:
a leader whose beats the chief does not answer for long sends its mates home and leaves. By then the
chief has counted them as dead, or is dead itself, so their work is void either way.

Orders for the rank as a whole end here: take on a role, fence a neighbour, leave.

Invariants: `directory.revision` never falls; `mates` are ranks of this host that are not lost, this
one among them.
"""

from msgspec.structs import replace

from qmpi.config.settings import Settings
from qmpi.errors import ExitCode, InvariantError
from qmpi.ports.base import Announce, BecomeRole, Effect, Event, RoleStarted, Started
from qmpi.ports.clock import SetTimer, Slept, TimerFired
from qmpi.ports.copies import ForgetCopies
from qmpi.ports.processes import FenceProcess, LeaveJob
from qmpi.ports.transport import RankLost, Received, Send
from qmpi.protocol.envelope import Address, RoleName
from qmpi.protocol.membership import Assign, Fence, Leave, Left
from qmpi.protocol.messages import Message
from qmpi.protocol.pulse import (
    Beat,
    BeatHeard,
    Directory,
    DirectoryChange,
    DirectoryWanted,
    Pulse,
)
from qmpi.roles.directory import DirectoryChanged, changed
from qmpi.roles.facts import RankFacts
from qmpi.roles.interface import Describe, RoleState
from qmpi.units import Generation, Rank, Seconds

BEAT = "beat"
"""Name of the timer."""

SILENT_BEATS = 3
"""Heartbeats without an answer after which a leader is passed over; never more than a third of
`failure.dead_seconds`, so that its mates are heard of in time."""


CUT_OFF = 5
"""Times `failure.dead_seconds` without an answer of the chief after which a host gives itself up:
later than the chief gives it up, and than a supervisor gives up a chief that hangs."""


class Herald:
    """One rank's voice, and perhaps its host's."""

    name = RoleName.HERALD
    generation = Generation(0)

    def __init__(self, settings: Settings, facts: RankFacts, describe: Describe) -> None:
        """Make a herald that has said and heard nothing.

        Args:
            settings: the job.
            facts: who this rank is.
            describe: asks what the roles of this rank are doing.
        """
        self.facts = facts
        limits = settings.failure
        self.every = Seconds(limits.heartbeat_seconds)
        self.patience = min(SILENT_BEATS * limits.heartbeat_seconds, limits.dead_seconds / 3)
        self.cut_off = Seconds(CUT_OFF * limits.dead_seconds)
        self.directory = Directory()
        self.mates = list(facts.mates)
        self._describe = describe
        self._silent: set[Rank] = set()
        self._heard: dict[Rank, Beat] = {}
        self._answered_at = Seconds(0.0)
        self._leads = False
        self._chief_at = Seconds(0.0)

    @property
    def state(self) -> RoleState:
        """What it is doing; heralds beat, and are not spoken of in beats."""
        return RoleState(self.name, "beats")

    @property
    def leader(self) -> Rank:
        """The lowest rank of this host that is not lost, nor silent."""
        return min(rank for rank in self.mates if rank not in self._silent)

    def check(self) -> None:
        """Check the invariants of the class.

        Raises:
            InvariantError: this rank counts as lost.
        """
        if self.facts.rank not in self.mates:
            raise InvariantError(f"herald {self.facts.rank} counts itself as lost")

    def handle(self, event: Event, now: Seconds) -> list[Effect]:
        """Take one event.

        Args:
            event: what happened.
            now: the driver's clock, seconds.

        Returns:
            What shall happen, in order.
        """
        match event:
            case Started():
                self._answered_at = now
                return [self._next(now)]
            case TimerFired():
                return [*self._beat(now), self._next(now)]
            case Slept(seconds):
                self._answered_at = Seconds(self._answered_at + seconds)
                self._chief_at = Seconds(self._chief_at + seconds)
                return []
            case RankLost(rank, reason):
                return self._lost(rank, reason, now)
            case RoleStarted():
                return [self._news()] if self.directory.revision else []
            case Received(header, message):
                return self._received(header.source, message, now)
            case _:
                return []

    def _received(self, source: Address, message: Message, now: Seconds) -> list[Effect]:
        match message:
            case Beat():
                return self._mate_beat(source, message)
            case BeatHeard(revision):
                if source == self.facts.chief:
                    self._chief_at = now
                self._silent.discard(source.rank)
                self._answered_at = now
                behind = revision < self.directory.revision
                return [Send(source, self.directory)] if behind else []
            case Directory():
                return self._take(message, source, message)
            case DirectoryChange():
                return self._change(message, source)
            case DirectoryWanted(revision):
                behind = revision < self.directory.revision
                return [Send(source, self.directory)] if behind else []
            case _:
                return self._obey(message)

    def _obey(self, order: Message) -> list[Effect]:
        match order:
            case Assign(role, instead_of, reason):
                return [BecomeRole(role, instead_of, reason)]
            case Fence(pid, reason):
                return [FenceProcess(pid, reason)]
            case Leave(exit_code, reason, forget_copies):
                forget: list[Effect] = [ForgetCopies()] if forget_copies else []
                return [*forget, Send(self.facts.chief, Left()), LeaveJob(exit_code, reason)]
            case _:
                return []

    # --- signs of life ----------------------------------------------------------------------------

    def _next(self, now: Seconds) -> Effect:
        return SetTimer(BEAT, Seconds(now + self.every))

    def _beat(self, now: Seconds) -> list[Effect]:
        leader, me = self.leader, self.facts.rank
        if leader != me and now - self._answered_at > self.patience:
            self._silent.add(leader)
            self._answered_at = now
            leader = self.leader
        if leader == me and not self._leads:
            self._chief_at = now  # until now its answers went to another
        self._leads = leader == me
        if self._leads and now - self._chief_at > self.cut_off:
            return self._give_up(Seconds(now - self._chief_at))
        beats = [self._own_beat(), *self._heard.values()]
        self._heard = {}
        to = self.facts.chief if leader == me else self._herald(leader)
        return [Send(to, merged(beats))]

    def _give_up(self, silence: Seconds) -> list[Effect]:
        why = f"the {self.facts.chief.role} has not answered for {silence:.0f} s: cut off from it"
        order = Leave(ExitCode.MACHINE, why)
        home = [Send(self._herald(rank), order) for rank in self.mates if rank != self.facts.rank]
        return [*home, LeaveJob(ExitCode.MACHINE, why)]

    def _own_beat(self) -> Beat:
        me = (self.facts.rank,)
        pulses = tuple(
            Pulse(s.role, me, s.activity, s.step, s.digest, s.digest_step, s.levels)
            for s in self._describe()
            if s.role != self.name
        )
        return Beat(pulses, self.directory.revision)

    def _mate_beat(self, source: Address, beat: Beat) -> list[Effect]:
        self._heard[source.rank] = beat
        self._silent.discard(source.rank)
        answer = Send(source, BeatHeard(self.directory.revision))
        behind = beat.revision < self.directory.revision
        return [answer, Send(source, self.directory)] if behind else [answer]

    def _lost(self, rank: Rank, reason: str, now: Seconds) -> list[Effect]:
        if rank == self.facts.chief.rank:
            why = f"the {self.facts.chief.role} is gone: {reason}"
            return [LeaveJob(ExitCode.MACHINE, why, together=True)]
        if rank in self.mates and rank != self.facts.rank:
            leader = self.leader
            self.mates.remove(rank)
            self._silent.discard(rank)
            self._heard.pop(rank, None)
            if rank == leader:
                self._answered_at = now
        return []

    def _herald(self, rank: Rank) -> Address:
        return Address(rank, self.name)

    # --- the directory ----------------------------------------------------------------------------

    def _news(self) -> Effect:
        return Announce(DirectoryChanged(self.directory))

    def _change(self, change: DirectoryChange, source: Address) -> list[Effect]:
        if change.revision <= self.directory.revision:
            return []
        if change.base != self.directory.revision:
            return [Send(source, DirectoryWanted(self.directory.revision))]
        return self._take(changed(self.directory, change), source, change)

    def _take(
        self, directory: Directory, source: Address, word: Directory | DirectoryChange
    ) -> list[Effect]:
        if directory.revision <= self.directory.revision:
            return []
        self.directory = directory
        from_chief = source == self.facts.chief
        mates = [r for r in self.mates if from_chief and r != self.facts.rank]
        return [self._news(), *(Send(self._herald(rank), word) for rank in mates)]


def merged(beats: list[Beat]) -> Beat:
    """Merge beats of different ranks of a host: those that say the same share a pulse.

    Args:
        beats: at least one.

    Returns:
        One beat; ranks ascending in each pulse.
    """
    if len(beats) == 1:
        return beats[0]
    ranks: dict[Pulse, list[Rank]] = {}
    for beat in beats:
        for pulse in beat.pulses:
            ranks.setdefault(replace(pulse, ranks=()), []).extend(pulse.ranks)
    pulses = tuple(replace(says, ranks=tuple(sorted(whose))) for says, whose in ranks.items())
    return Beat(pulses, min(beat.revision for beat in beats))
