"""Keeping every role played: understudies, promotions, directory, fencing.

Invariants: `directory.revision` grows by one a publication; a role that somebody plays is never
assigned again.
"""

from qmpi.policy.understudy import choose_understudy
from qmpi.ports.base import Effect
from qmpi.ports.processes import FenceProcess
from qmpi.ports.transport import Send
from qmpi.protocol.envelope import Address, RoleName
from qmpi.protocol.membership import Assign, Directory, Fence
from qmpi.roles.member import RankFacts
from qmpi.roles.roster import Roster
from qmpi.units import Rank, Seconds

DATA_ROLES = (RoleName.GENERATOR, RoleName.MEMORY, RoleName.REPLICA)


class Crew:
    """Orders that change who plays what."""

    def __init__(self, roster: Roster, facts: RankFacts) -> None:
        """Start with an empty directory.

        Args:
            roster: who is there; changed by `assign`.
            facts: who the coordinator's rank is.
        """
        self.roster = roster
        self.facts = facts
        self.directory = Directory(0, (), (), (), ())

    def fill_roles(self, now: Seconds) -> list[Effect]:
        """Give each role that nobody plays any more to a live rank.

        Args:
            now: clock.

        Returns:
            Orders.
        """
        effects: list[Effect] = []
        for role in DATA_ROLES:
            if any(a.role == role and e.alive for a, e in self.roster.entries.items()):
                continue
            live = {r: self.roster.roles_on(r) for r in self.roster.live_ranks()}
            rank = choose_understudy(live, avoid=self.facts.rank)
            if rank is not None:
                effects += self.assign(rank, role, f"no {role} is left", now)
        return effects

    def assign(self, rank: Rank, role: RoleName, reason: str, now: Seconds) -> list[Effect]:
        """Let a rank take on a role; a spare becomes it, others play it besides.

        Args:
            rank: who.
            role: what.
            reason: why, in words.
            now: clock.

        Returns:
            The order.
        """
        spoken_to, brought = self.any_role(rank), None
        spare = Address(rank, RoleName.SPARE)
        if spare in self.roster.entries:
            spoken_to, brought = spare, self.roster.retire(spare)
        keeps = brought if role == RoleName.TRAINER else None
        self.roster.expect(Address(rank, role), keeps, now)
        return [Send(spoken_to, Assign(role, reason))]

    def publish(self, reason: str) -> list[Effect]:
        """Tell every rank that moves data who serves it.

        Args:
            reason: what changed, in words.

        Returns:
            One message a role instance that needs it.
        """
        self.directory = Directory(
            revision=self.directory.revision + 1,
            generators=self.roster.ranks(RoleName.GENERATOR),
            memories=self.roster.ranks(RoleName.MEMORY),
            replicas=self.roster.ranks(RoleName.REPLICA),
            sources=self.roster.sources(),
            reason=reason,
        )
        return [
            Send(Address(rank, role), self.directory)
            for role in (*DATA_ROLES, RoleName.TRAINER)
            for rank in self.roster.ranks(role)
        ]

    def cure(self, roles: list[RoleName]) -> str:
        """Say what is done about the death of a rank.

        Args:
            roles: what it played.

        Returns:
            A sentence for people.
        """
        if RoleName.TRAINER in roles:
            spares = self.roster.ranks(RoleName.SPARE)
            place = (
                f"spare rank {spares[0]} takes its place"
                if spares
                else "its lanes are dealt to the trainers that live"
            )
            return f"{place}; the step is finished or done again"
        if roles == [RoleName.SPARE]:
            return "none needed; one spare less"
        orphans = [r for r in roles if r in DATA_ROLES and not self.roster.ranks(r)]
        if orphans:
            return f"another rank takes on {', '.join(orphans)}; what was lost is made again"
        return "the other ranks of that role take over; what was lost is made again"

    def fence(self, rank: Rank, reason: str) -> list[Effect]:
        """Have a silent rank killed, by this process or by a neighbour on its host.

        Args:
            rank: the silent rank.
            reason: why, in words.

        Returns:
            The order; nothing if no rank lives on its host.
        """
        pid, host = self.roster.process(rank)
        if host == self.facts.host:
            return [FenceProcess(pid, reason)]
        neighbours = [r for r in self.others() if r != rank and self.roster.host(r) == host]
        return [Send(self.any_role(r), Fence(pid, reason)) for r in neighbours[:1]]

    def others(self) -> list[Rank]:
        """Return the live ranks but the coordinator's."""
        return [rank for rank in self.roster.live_ranks() if rank != self.facts.rank]

    def any_role(self, rank: Rank) -> Address:
        """Return an instance on `rank` to speak to.

        Args:
            rank: a live rank.

        Returns:
            Its first role but the coordinator's; the coordinator's if it has no other.
        """
        roles = self.roster.roles_on(rank)
        followers = [role for role in roles if role != RoleName.COORDINATOR]
        return Address(rank, (followers or list(roles))[0])
