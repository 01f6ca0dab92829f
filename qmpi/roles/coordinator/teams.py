"""Teams of a generation: open it, hear what trainers hold, decide, tell each member its seat.

Theory of operation. The decision itself is `qmpi.policy.recovery`; here stands what leads to it and
what follows from it. Each trainer is asked once and answers once, and each member is told its own
seat alone, so a new group costs a message or two a rank.

Invariants: `generation` grows by one an attempt; `holdings`, `plan` and `ready` belong to it; who
is `asked` has neither answered nor died; `ready` names members only.
"""

from collections.abc import Sequence

from qmpi.config.compression_checks import sends_less
from qmpi.config.train import TrainSettings
from qmpi.errors import InvariantError
from qmpi.policy.branches import stands
from qmpi.policy.candidates import Candidate
from qmpi.policy.domains import keeping_team
from qmpi.policy.group_plan import GroupPlan
from qmpi.policy.library import Library
from qmpi.policy.recovery import plan_group
from qmpi.ports.base import Effect
from qmpi.ports.transport import Send
from qmpi.protocol.envelope import Address, RoleName
from qmpi.protocol.hyperparameters import Hyperparameters
from qmpi.protocol.journal import GenerationOpened
from qmpi.protocol.membership import FormGroup, Hello, Holding, Regroup, SnapshotFact
from qmpi.protocol.portions import WHOLE
from qmpi.roles.coordinator.copies import CopyBook
from qmpi.roles.coordinator.facts import RunFacts
from qmpi.roles.roster import Roster
from qmpi.units import Generation, Rank, Seconds, Step

NOWHERE = (-1, -1)


class Groups:
    """The generation in force and the attempt to form its group."""

    def __init__(
        self,
        roster: Roster,
        generation: Generation,
        run: RunFacts,
        train: TrainSettings,
        team_size: int,
    ) -> None:
        """Start without a group.

        Args:
            roster: who is there.
            generation: newest generation of earlier incarnations.
            run: knows the teams that placement dealt.
            train: lanes of a step, and whether these keep something between steps.
            team_size: ranks of a team.
        """
        self.roster = roster
        self.generation = generation
        self.wanted = max(1, len(run.teams))
        self.lanes, self.lanes_keep = train.lanes, sends_less(train)
        self.team_size = team_size
        self.holdings: dict[Rank, Holding] = {}
        self.asked: set[Rank] = set()
        self.ready: set[Rank] = set()
        self.plan: GroupPlan | None = None
        self.decided = False
        self.hyperparameters: tuple[Hyperparameters, ...] = ()
        self.branches: tuple[Step, ...] = ()
        self.evaluated = Step(0)
        self.revision = 0
        self.replays = run.replayed is not None
        self.seats: dict[Rank, tuple[int, int]] = {
            rank: (team, position)
            for team, ranks in enumerate(run.teams)
            for position, rank in enumerate(ranks)
        }
        self.members: dict[Rank, Address] = {}

    def check(self) -> None:
        """Check the invariants of the class.

        Raises:
            InvariantError: one of them is broken.
        """
        if len(self.ready) > len(self.members):
            raise InvariantError(f"{len(self.ready)} ranks are ready, {len(self.members)} members")

    def open(self, reason: str) -> list[Effect]:
        """Open the next generation.

        Args:
            reason: why, in words.

        Returns:
            The question to every trainer.
        """
        self.generation = Generation(self.generation + 1)
        self.holdings, self.ready, self.members = {}, set(), {}
        self.plan, self.decided = None, False
        order = Regroup(self.generation, reason)
        trainers = self.roster.ranks(RoleName.TRAINER)
        self.asked = set(trainers)
        return [Send(Address(rank, RoleName.TRAINER), order) for rank in trainers]

    def heard(self, rank: Rank, holding: Holding) -> None:
        """Take an answer; one to an older question is passed over.

        Args:
            rank: who answers.
            holding: what it holds.
        """
        if holding.generation == self.generation:
            self.holdings[rank] = holding
            self.asked.discard(rank)

    def lose(self, rank: Rank) -> None:
        """Expect no answer of a dead rank.

        Args:
            rank: which rank.
        """
        self.asked.discard(rank)
        self.holdings.pop(rank, None)

    @property
    def too_few(self) -> bool:
        """True when fewer ranks that can train are left than a team has."""
        able = (*self.roster.ranks(RoleName.TRAINER), *self.roster.ranks(RoleName.SPARE))
        return len(able) < self.team_size

    @property
    def all_heard(self) -> bool:
        """True when every live trainer has answered."""
        return not self.asked

    @property
    def all_ready(self) -> bool:
        """True when every member is connected."""
        return bool(self.members) and len(self.ready) == len(self.members)

    def peak_flops(self) -> float:
        """Return the FLOP/s that the members' products reach at most; 0 if one's are unknown."""
        hellos = [self.roster.hello(member) for member in self.members.values()]
        peaks = [hello.peak_flops if hello is not None else 0.0 for hello in hellos]
        return sum(peaks) if all(peaks) else 0.0

    def decide(self, copies: CopyBook, committed: Step) -> GroupPlan | None:
        """Decide who trains, from which state.

        Args:
            copies: verified copies of the state.
            committed: steps in the journal.

        Returns:
            The plan, or None when there are too few ranks for one team.
        """
        self.decided = True
        self.plan = plan_group(
            self._candidates(),
            copies.readable(self.roster, committed),
            wanted_teams=self.wanted,
            lanes=self.lanes,
            team_size=self.team_size,
            committed=committed,
            lanes_keep=self.lanes_keep,
        )
        return self.plan

    @property
    def decided_plan(self) -> GroupPlan:
        """The plan of this attempt.

        Raises:
            InvariantError: there is none.
        """
        if self.plan is None:
            raise InvariantError(f"generation {self.generation} has no plan")
        return self.plan

    def seat(self, plan: GroupPlan) -> None:
        """Take a plan as the group in force.

        Args:
            plan: the decision; `form` tells the members.
        """
        self.seats = {
            rank: (team, position)
            for team, ranks in enumerate(plan.teams)
            for position, rank in enumerate(ranks)
        }
        self.members = {rank: Address(rank, RoleName.TRAINER) for rank in self.seats}

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
            origin=plan.origins[0].origin,
            reason=reason,
            team_size=self.team_size,
        )

    def form(self, plan: GroupPlan, committed: Step, reason: str) -> list[Effect]:
        """Tell each member its seat.

        Args:
            plan: the decision.
            committed: steps in the journal; the reporter begins there.
            reason: why, in words.

        Returns:
            One order a member.
        """
        finish, needy = set(plan.finish), set(plan.needy)
        transfers = {self.seats[rank][1] for rank in needy}
        hello = self._torch_hello(plan.lead)
        store = hello.store_address if hello else ""
        keeping = self._keeping(plan)
        return [
            Send(
                self.members[rank],
                FormGroup(
                    generation=self.generation,
                    team=team,
                    teams=len(plan.teams),
                    position=position,
                    lanes=plan.lanes[team],
                    lead=plan.lead,
                    store_address=store,
                    step=plan.step,
                    finish=rank in finish,
                    root=plan.roots[position],
                    transfer=position in transfers,
                    receives=rank in needy,
                    origin=plan.origins[position].origin,
                    origin_digest=plan.origins[position].digest,
                    reports_from=committed if rank == plan.reporter else Step(-1),
                    keeps_copy=team == keeping,
                    reason=reason,
                    hyperparameters=self.hyperparameters,
                    branch=len(self.branches),
                    evaluated=self.evaluated,
                    replays=self.replays,
                    revision=self.revision,
                ),
            )
            for rank, (team, position) in self.seats.items()
        ]

    def _keeping(self, plan: GroupPlan) -> int:
        roster = self.roster
        domains = [[roster.domain(rank) for rank in team] for team in plan.teams]
        replicas = {roster.domain(rank) for rank in roster.ranks(RoleName.REPLICA)}
        return keeping_team(domains, self.seats[plan.lead][0], replicas)

    def member_ready(self, rank: Rank, generation: Generation) -> None:
        """Note that a member is connected.

        Args:
            rank: the member.
            generation: group that it joined.
        """
        if generation == self.generation and rank in self.members:
            self.ready.add(rank)

    def snapshots_after(self, committed: Step) -> tuple[Step, ...]:
        """Return the steps of whole snapshots that are ahead of the journal.

        Args:
            committed: steps in the journal.

        Returns:
            Steps, ascending.
        """
        hellos = [hello for rank in self.roster.heard if (hello := self._torch_hello(rank))]
        found = {f.step for h in hellos for f in self._standing(h.snapshots)}
        return tuple(sorted(step for step in found if step > committed))

    def whole_steps(self, committed: Step) -> tuple[Step, ...]:
        """Return the steps of which the ranks brought whole snapshots.

        Args:
            committed: snapshots of later steps are left out.

        Returns:
            Steps, newest first.
        """
        return Library(self._candidates(), (), committed, self.team_size).steps

    def _standing(self, facts: Sequence[SnapshotFact]) -> tuple[SnapshotFact, ...]:
        return tuple(fact for fact in facts if stands(fact, self.branches))

    def _candidates(self) -> list[Candidate]:
        """Return every rank that could train: trainers first, then spares, each by rank."""
        return [
            candidate
            for role in (RoleName.TRAINER, RoleName.SPARE)
            for rank in self.roster.ranks(role)
            if (candidate := self._candidate(rank, is_spare=role == RoleName.SPARE)) is not None
        ]

    def _candidate(self, rank: Rank, *, is_spare: bool) -> Candidate | None:
        hello, holding = self._torch_hello(rank), self.holdings.get(rank)
        if hello is None:
            return None
        team, position = self.seats.get(rank, NOWHERE)
        if holding is not None and holding.position >= 0:
            position = holding.position
        return Candidate(
            rank=rank,
            host=self.roster.host(rank),
            is_spare=is_spare,
            team=team,
            position=position,
            state_step=holding.state_step if holding else -1,
            reduced=holding.reduced if holding else False,
            reports_from=holding.reports_from if holding else -1,
            store_address=hello.store_address,
            snapshots=self._standing(holding.snapshots if holding else hello.snapshots),
            portions=holding.portions if holding else WHOLE,
            kept=holding.kept if holding else (),
        )

    def _torch_hello(self, rank: Rank) -> Hello | None:
        trainer = self.roster.hello(Address(rank, RoleName.TRAINER))
        return trainer or self.roster.hello(Address(rank, RoleName.SPARE))
