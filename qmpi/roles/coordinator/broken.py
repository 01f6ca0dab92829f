"""Groups that broke in a row, as the coordinator keeps them. Part of the coordinator.

Theory of operation. The decision is `qmpi.policy.broken_groups`; here stands what begins a new
series, which ranks can be spared, and what people are told.

Invariants: `series` holds the groups that broke since the last committed step, death or new member;
`waits` only while it holds one.
"""

from collections import Counter
from collections.abc import Iterable
from shlex import quote

from qmpi.policy.broken_groups import AfterBroken, BrokenGroup, after_broken
from qmpi.protocol.envelope import RoleName
from qmpi.protocol.membership import GroupBroken
from qmpi.roles.coordinator.facts import RunFacts
from qmpi.roles.roster import Roster
from qmpi.units import Rank, Seconds, Step

REFORM = "reform"
"""Name of the timer of the next group."""


class BrokenGroups:
    """The series of groups that broke, and whether the next one waits.

    Attributes:
        waits: the next group is not decided yet, though all have said what they hold.
    """

    def __init__(self, roster: Roster, run: RunFacts, chief: Rank, team_size: int) -> None:
        """No group has broken.

        Args:
            roster: who is there.
            run: says whether the job can do without a rank, and where it lies.
            chief: the coordinator's rank, without which there is no job.
            team_size: ranks of a team.
        """
        self.roster, self.run, self.chief, self.team_size = roster, run, chief, team_size
        self.series: list[BrokenGroup] = []
        self.waits = False
        self._tried: set[Rank] = set()

    def begin_anew(self) -> None:
        """Forget the series: a step was committed, or a rank is gone."""
        self.series.clear()
        self._tried.clear()
        self.waits = False

    def formed(self, members: Iterable[Rank]) -> None:
        """Note a group; one with a member that was in none of the series begins a new one.

        Args:
            members: ranks of the group.
        """
        ranks = set(members)
        if not ranks <= self._tried:
            self.series.clear()
        self._tried |= ranks

    def broke(self, rank: Rank, told: GroupBroken, now: Seconds) -> AfterBroken:
        """Note a group that broke, and decide what follows.

        Args:
            rank: member that reported it.
            told: what it said.
            now: clock.

        Returns:
            The decision.
        """
        self.series.append(BrokenGroup(now, rank, told.reason, told.own_fault))
        decided = after_broken(self.series, self._spared())
        self.waits = decided.wait_seconds > 0
        return decided

    def _spared(self) -> frozenset[Rank]:
        trainers = self.roster.ranks(RoleName.TRAINER)
        left = len(trainers) + len(self.roster.ranks(RoleName.SPARE)) - 1
        if self.run.healing or left < self.team_size:
            return frozenset()
        return frozenset(trainers) - {self.chief}

    def why_unfit(self, rank: Rank) -> str:
        """Say why a member is given up.

        Args:
            rank: which one.

        Returns:
            Text for people.
        """
        mine = [group for group in self.series if group.rank == rank and group.own_fault]
        return (
            f"it cannot connect to its group: {len(mine)} tries in {self._lasted():.0f} s, "
            f"{mine[-1].reason}"
        )

    def why_ends(self, committed: Step) -> str:
        """Say why the job ends, and what can be done.

        Args:
            committed: steps in the journal.

        Returns:
            Text for people: each rank that reported, its host, its reasons.
        """
        told = Counter((group.rank, group.reason) for group in self.series)
        named = "; ".join(
            f"rank {rank} on host {self.roster.host(rank)}, {_times(count)}: {reason}"
            for (rank, reason), count in sorted(told.items())
        )
        return (
            f"the trainers' group broke {_times(len(self.series))} in {self._lasted():.0f} s, and "
            f"no step was done in between. {named}. Look on these hosts for limits of a process "
            "(`ulimit -v`, `-u`, `-n`, those of a container), and for a firewall between the "
            f"hosts; then `qmpi train --resume {quote(self.run.directory)}` goes on from step "
            f"{committed}; more: `qmpi explain no-connection`"
        )

    def _lasted(self) -> float:
        return self.series[-1].at - self.series[0].at


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
