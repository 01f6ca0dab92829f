"""Keeping every role played: understudies, promotions, the directory. Part of the coordinator.

Invariants: `directory.revision` grows by one a publication; a role that somebody plays is never
assigned again.
"""

from collections.abc import Iterable

from qmpi.policy.understudy import choose_understudy
from qmpi.ports.base import Effect
from qmpi.ports.transport import Send
from qmpi.protocol.added import AddedSource, Proposal
from qmpi.protocol.envelope import Address, RoleName
from qmpi.protocol.membership import Assign
from qmpi.protocol.pulse import Directory, DirectoryChange
from qmpi.protocol.recipe import Recipe
from qmpi.roles.directory import DATA_ROLES, difference
from qmpi.roles.facts import RankFacts
from qmpi.roles.orders import herald
from qmpi.roles.roster import Roster
from qmpi.units import Rank, Seconds

SETTLE_SECONDS = Seconds(2.0)
"""A beat with an older directory is answered with the new one only so long after it came out: until
then it is on its way."""

GIVEN_UP = {RoleName.TRAINER: RoleName.SPARE, RoleName.SPARE: RoleName.TRAINER}
"""What a rank stops being when it takes on a role; other roles are played besides."""


class Crew:
    """Orders that change who plays what.

    Attributes:
        recipes: the recipe log, which `publish` tells of.
        added: sources that the job file does not have; likewise.
        proposal: sources that data ranks shall try; likewise.
    """

    def __init__(self, roster: Roster, facts: RankFacts, *, lanes_keep: bool) -> None:
        """Start with an empty directory.

        Args:
            roster: who is there; changed by `assign`.
            facts: who the coordinator's rank is.
            lanes_keep: lanes keep a part between steps, which a dead trainer takes along.
        """
        self.roster = roster
        self.facts = facts
        self.lanes_keep = lanes_keep
        self.directory = Directory()
        self.recipes: tuple[Recipe, ...] = ()
        self.added: tuple[AddedSource, ...] = ()
        self.proposal: Proposal | None = None
        self._published_at = Seconds(0.0)

    def fill_roles(self, now: Seconds) -> list[Effect]:
        """Give each role that nobody plays any more to a live rank.

        Args:
            now: clock.

        Returns:
            Orders.
        """
        effects: list[Effect] = []
        for role in DATA_ROLES:
            if self.roster.living(role):
                continue
            live = {rank: self.roster.roles_on(rank) for rank in self.roster.heard}
            near = self._near_copy() if role == RoleName.REPLICA else ()
            rank = choose_understudy(live, self.facts.rank, near)
            if rank is not None:
                effects += self.assign(rank, role, f"no {role} is left", now)
        return effects

    def _near_copy(self) -> list[Rank]:
        """Return the live ranks in the failure domain of the trainer that keeps a copy itself."""
        trainers = self.roster.ranks(RoleName.TRAINER)
        home = {self.roster.domain(rank) for rank in trainers[:1]}
        return [rank for rank in self.roster.heard if self.roster.domain(rank) in home]

    def assign(self, rank: Rank, role: RoleName, reason: str, now: Seconds) -> list[Effect]:
        """Let a rank take on a role; spares and trainers change into each other.

        Args:
            rank: who.
            role: what.
            reason: why, in words.
            now: clock.

        Returns:
            The order.
        """
        other = GIVEN_UP.get(role)
        given_up = other if other is not None and other in self.roster.roles_on(rank) else None
        brought = None if given_up is None else self.roster.retire(Address(rank, given_up))
        self.roster.expect(Address(rank, role), brought, now)
        return [Send(herald(rank), Assign(role, given_up or "", reason))]

    def exchange(
        self, promoted: Iterable[Rank], demoted: Iterable[Rank], reason: str, now: Seconds
    ) -> list[Effect]:
        """Let spares train, and trainers be spares.

        Args:
            promoted: spares.
            demoted: trainers.
            reason: why, in words.
            now: clock.

        Returns:
            The orders.
        """
        trainers = [self.assign(rank, RoleName.TRAINER, reason, now) for rank in promoted]
        spares = [self.assign(rank, RoleName.SPARE, reason, now) for rank in demoted]
        return [effect for orders in (*trainers, *spares) for effect in orders]

    def publish(self, reason: str, now: Seconds) -> list[Effect]:
        """Tell the leader of every host who serves data now, and what is drawn from.

        Args:
            reason: what changed, in words.
            now: clock.

        Returns:
            One message a host; nothing if nothing changed.
        """
        old, roster = self.directory, self.roster
        new = Directory(
            revision=old.revision + 1,
            generators=roster.ranks(RoleName.GENERATOR),
            memories=roster.ranks(RoleName.MEMORY),
            replicas=roster.ranks(RoleName.REPLICA),
            sources=(*roster.sources(), *(added.fact for added in self.added)),
            reason=reason,
            recipes=self.recipes,
            added=tuple(added.source for added in self.added),
            proposal=self.proposal,
        )
        change = difference(old, new)
        opened = (old.sources, old.added, old.proposal) == (new.sources, new.added, new.proposal)
        if opened and old.recipes == new.recipes and not change.joined and not change.gone:
            return []
        self.directory, self._published_at = new, now
        word: Directory | DirectoryChange = change if opened else new
        return [Send(herald(rank), word) for rank in roster.leaders()]

    def catch_up(self, source: Address, revision: int, now: Seconds) -> list[Effect]:
        """Answer a beat whose ranks hold an older directory.

        Args:
            source: the leader that sent it.
            revision: of the oldest directory among its ranks.
            now: clock.

        Returns:
            The whole directory, if the newest should have arrived by now.
        """
        late = now - self._published_at > SETTLE_SECONDS
        behind = revision < self.directory.revision
        return [Send(source, self.directory)] if behind and late else []

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
            again = (
                "steps since the newest copy are done again"
                if self.lanes_keep
                else "the step is finished or done again"
            )
            return f"{place}; {again}"
        if roles == [RoleName.SPARE]:
            return "none needed; one spare less"
        orphans = [r for r in roles if r in DATA_ROLES and not self.roster.ranks(r)]
        if orphans:
            return f"another rank takes on {', '.join(orphans)}; what was lost is made again"
        return "the other ranks of that role take over; what was lost is made again"
