"""The next trainer group as it was decided, and the decision in words."""

from functools import cached_property

from msgspec import Struct

from qmpi.errors import InvariantError
from qmpi.policy.state_source import Origin, in_words
from qmpi.protocol.teams import Seat
from qmpi.units import Rank, Step


class GroupPlan(Struct, frozen=True, kw_only=True, dict=True):
    """The next group; what `qmpi.protocol.membership.FormGroup` tells each member its part of.

    Attributes:
        teams: ranks of each team by position.
        lead: member whose store is used for the rendezvous.
        lanes: lanes of each team.
        step: step the group starts with.
        finish: members that first apply the gradient they hold, of `step - 1`.
        roots: for each position the team whose rank there has the state of `step` once it has
            finished or read.
        needy: members that receive the state from the root of their position.
        origins: where each position's part of the state comes from.
        reporter: member that reports steps; it knows the outcome of all that the journal lacks.
        promoted: members that were spares.
        demoted: trainers that got no seat: they become spares.
        reason: why, in words.
    """

    teams: tuple[tuple[Rank, ...], ...]
    lead: Rank
    lanes: tuple[tuple[int, ...], ...]
    step: Step
    finish: tuple[Rank, ...]
    roots: tuple[int, ...]
    needy: tuple[Rank, ...]
    origins: tuple[Origin, ...]
    reporter: Rank
    promoted: tuple[Rank, ...]
    demoted: tuple[Rank, ...]
    reason: str

    @cached_property
    def members(self) -> tuple[Rank, ...]:
        """Ranks in group order, team by team."""
        return tuple(rank for team in self.teams for rank in team)

    def seat(self, rank: Rank) -> Seat:
        """Return where a member sits.

        Args:
            rank: the member.

        Returns:
            Its seat.

        Raises:
            InvariantError: it is not a member.
        """
        found = self._seats.get(rank)
        if found is None:
            raise InvariantError(f"rank {rank} is not a member of {self.members}")
        return found

    @cached_property
    def _seats(self) -> dict[Rank, Seat]:
        return {
            rank: Seat(number, position)
            for number, team in enumerate(self.teams)
            for position, rank in enumerate(team)
        }


def reason_of(plan: GroupPlan, why: str, wanted: int) -> str:
    """Tell a plan.

    Args:
        plan: what was decided.
        why: where the state comes from, in words.
        wanted: teams that spares would have filled up to.

    Returns:
        Sentences for the journal; they speak of teams only where a team has several ranks.
    """
    members, lanes = plan.members, sum(map(len, plan.lanes))
    size = len(plan.origins)
    said = [why]
    if plan.promoted:
        joins = "joins from the spares" if len(plan.promoted) == 1 else "join from the spares"
        said.append(f"{in_words(plan.promoted)} {joins}")
    if plan.needy:
        gets = "receives" if len(plan.needy) == 1 else "receive"
        places = {plan.seat(rank).position for rank in plan.needy}
        roots = sorted(plan.teams[plan.roots[position]][position] for position in places)
        said.append(f"{in_words(plan.needy)} {gets} the state from {in_words(roots)}")
    if len(plan.teams) < min(wanted, lanes):
        who = "trainers" if size == 1 else f"teams of {size}"
        said.append(f"no spare is left: {len(plan.teams)} of {wanted} {who} share {lanes} lanes")
    if plan.demoted:
        becomes = "becomes a spare" if len(plan.demoted) == 1 else "become spares"
        said.append(f"{in_words(plan.demoted)} {becomes}")
    go = "go" if len(members) > 1 else "goes"
    said.append(f"{in_words(members)} {go} on at step {plan.step}")
    return "; ".join(said)
