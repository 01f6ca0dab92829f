"""Orders of a chief to whole ranks: they go to the ranks' heralds."""

from qmpi.ports.base import Effect
from qmpi.ports.processes import FenceProcess
from qmpi.ports.transport import Send
from qmpi.protocol.envelope import Address, RoleName
from qmpi.protocol.membership import Fence, Leave
from qmpi.roles.facts import RankFacts
from qmpi.roles.roster import Roster
from qmpi.units import Rank


def herald(rank: Rank) -> Address:
    """Return whom to speak to for a whole rank.

    Args:
        rank: which rank.
    """
    return Address(rank, RoleName.HERALD)


class Orders:
    """What a chief can have done to ranks."""

    def __init__(self, roster: Roster, facts: RankFacts) -> None:
        """Order the ranks of a roster.

        Args:
            roster: who is there.
            facts: who the chief's rank is.
        """
        self.roster = roster
        self.facts = facts

    def fence(self, rank: Rank, reason: str) -> list[Effect]:
        """Have a silent rank killed, by this process or by a neighbour on its host.

        Args:
            rank: the silent rank.
            reason: why, in words.

        Returns:
            The order; nothing if no other rank lives on its host.
        """
        pid = self.roster.pid(rank)
        if self.roster.host(rank) == self.facts.host:
            return [FenceProcess(pid, reason)]
        # The one heard of last is the least likely to hang as well.
        mates = [mate for mate in self.roster.mates(rank) if mate != rank]
        mates.sort(key=lambda mate: -self.roster.heard[mate])
        return [Send(herald(mate), Fence(pid, reason)) for mate in mates[:1]]

    def others(self) -> list[Rank]:
        """Return the live ranks but the chief's."""
        return self.roster.others(self.facts.rank)

    def dismiss(self, exit_code: int, reason: str, *, forget_copies: bool) -> list[Effect]:
        """Send everybody else home.

        Args:
            exit_code: with which code.
            reason: why, in words.
            forget_copies: the RAM copies are of no use any more; one rank a host removes them.

        Returns:
            One order a rank.
        """
        leaders = set(self.roster.leaders()) if forget_copies else set[Rank]()
        return [
            Send(herald(rank), Leave(exit_code, reason, forget_copies=rank in leaders))
            for rank in self.others()
        ]
