"""Trainer groups: open a generation, hear what trainers hold, decide, tell the members.

The decision itself is `qmpi.policy.recovery`; here stands what leads to it and what follows from
it.
"""

from collections.abc import Mapping

from qmpi.errors import InvariantError
from qmpi.policy.recovery import Candidate, GroupPlan, plan_group
from qmpi.ports.base import Effect
from qmpi.ports.transport import Send
from qmpi.protocol.envelope import Address, RoleName
from qmpi.protocol.journal import GenerationOpened
from qmpi.protocol.membership import FormGroup, Hello, Holding, Regroup
from qmpi.roles.copy_book import CopyBook
from qmpi.roles.roster import Roster
from qmpi.units import Generation, Rank, Seconds, Step


def torch_hello(roster: Roster, rank: Rank) -> Hello | None:
    """Return what a trainer or spare brought.

    Args:
        roster: who is there.
        rank: which rank.

    Returns:
        Its hello in either role.
    """
    trainer = roster.hello(Address(rank, RoleName.TRAINER))
    return trainer or roster.hello(Address(rank, RoleName.SPARE))


def candidates(
    roster: Roster, holdings: Mapping[Rank, Holding], committed: Step
) -> list[Candidate]:
    """List every rank that could train.

    Args:
        roster: who is there.
        holdings: what the trainers said they hold.
        committed: snapshots of later steps are left out: the journal does not know how they came
            about.

    Returns:
        Trainers first, then spares, each by rank.
    """
    found: list[Candidate] = []
    for role in (RoleName.TRAINER, RoleName.SPARE):
        for rank in roster.ranks(role):
            hello = torch_hello(roster, rank)
            if hello is None:
                continue
            holding = holdings.get(rank)
            snapshots = holding.snapshots if holding else hello.snapshots
            found.append(
                Candidate(
                    rank=rank,
                    host=hello.host,
                    is_spare=role == RoleName.SPARE,
                    state_step=holding.state_step if holding else -1,
                    reduced=holding.reduced if holding else False,
                    store_address=hello.store_address,
                    snapshots=tuple(f for f in snapshots if f.step <= committed),
                )
            )
    return found


def form_group(roster: Roster, plan: GroupPlan, generation: Generation, reason: str) -> FormGroup:
    """Return the order that carries out a plan.

    Args:
        roster: who is there.
        plan: the decision.
        generation: number of the group.
        reason: why, in words.

    Returns:
        The message for every member.
    """
    hello = torch_hello(roster, plan.lead)
    return FormGroup(
        generation=generation,
        members=plan.members,
        lead=plan.lead,
        store_address=hello.store_address if hello else "",
        lanes=plan.lanes,
        step=plan.step,
        finish=plan.finish,
        state_root=plan.state_root,
        needy=plan.needy,
        origin=plan.origin,
        origin_digest=plan.origin_digest,
        reason=reason,
    )


class Groups:
    """The generation in force and the attempt to form its group.

    Invariants: `generation` grows by one an attempt; `holdings`, `plan` and `ready` belong to it;
    `ready` names members only.
    """

    def __init__(self, roster: Roster, generation: Generation, wanted: int, lanes: int) -> None:
        """Start without a group.

        Args:
            roster: who is there.
            generation: newest generation of earlier incarnations.
            wanted: trainers that placement dealt.
            lanes: lanes of a step.
        """
        self.roster = roster
        self.generation = generation
        self.wanted = wanted
        self.lanes = lanes
        self.holdings: dict[Rank, Holding] = {}
        self.ready: set[Rank] = set()
        self.plan: GroupPlan | None = None

    def check(self) -> None:
        """Check the invariants of the class.

        Raises:
            InvariantError: one of them is broken.
        """
        if not self.ready <= set(self.members()):
            raise InvariantError(f"ready ranks {self.ready} are not members of {self.members()}")

    def members(self) -> tuple[Rank, ...]:
        """Return the members of the group in force; empty while there is none."""
        return self.plan.members if self.plan is not None else ()

    def open(self, reason: str) -> list[Effect]:
        """Open the next generation.

        Args:
            reason: why, in words.

        Returns:
            The question to every trainer.
        """
        self.generation = Generation(self.generation + 1)
        self.holdings, self.ready, self.plan = {}, set(), None
        order = Regroup(self.generation, reason)
        trainers = self.roster.ranks(RoleName.TRAINER)
        return [Send(Address(rank, RoleName.TRAINER), order) for rank in trainers]

    def heard(self, rank: Rank, holding: Holding) -> bool:
        """Take an answer.

        Args:
            rank: who answers.
            holding: what it holds.

        Returns:
            False if it answers an older question.
        """
        if holding.generation != self.generation:
            return False
        self.holdings[rank] = holding
        return True

    def all_heard(self) -> bool:
        """Return True when every live trainer has answered."""
        return set(self.roster.ranks(RoleName.TRAINER)) <= set(self.holdings)

    def decide(self, copies: CopyBook, committed: Step) -> GroupPlan | None:
        """Decide who trains, from which state.

        Args:
            copies: verified copies of the state.
            committed: steps in the weights.

        Returns:
            The plan, or None when nobody can train.
        """
        self.plan = plan_group(
            candidates(self.roster, self.holdings, committed),
            copies.readable(self.roster, committed),
            wanted_trainers=self.wanted,
            lanes=self.lanes,
        )
        return self.plan

    def record(self, plan: GroupPlan, step: Step, reason: str, now: Seconds) -> GenerationOpened:
        """Return the journal's record of the group.

        Args:
            plan: the decision.
            step: committed steps from this one on are void.
            reason: why, in words.
            now: clock.

        Returns:
            The record to append.
        """
        return GenerationOpened(
            time=now,
            generation=self.generation,
            members=plan.members,
            lanes=plan.lanes,
            step=step,
            origin=plan.origin,
            reason=reason,
        )

    def form(self, reason: str) -> list[Effect]:
        """Tell the members.

        Args:
            reason: why, in words.

        Returns:
            One order a member; none without a plan.
        """
        if self.plan is None:
            return []
        order = form_group(self.roster, self.plan, self.generation, reason)
        return [Send(Address(rank, RoleName.TRAINER), order) for rank in self.plan.members]

    def member_ready(self, rank: Rank, generation: Generation) -> bool:
        """Note that a member is connected.

        Args:
            rank: the member.
            generation: group that it joined.

        Returns:
            True when it was the last one.
        """
        if generation != self.generation or rank not in self.members():
            return False
        self.ready.add(rank)
        return self.ready == set(self.members())
