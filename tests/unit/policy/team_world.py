"""A small world of teams that train, die and recover, for tests of the recovery decision.

It keeps the two promises of training (nobody votes before holding the reduced gradient, nobody
applies before all have voted), so what its ranks hold after a failure is what ranks can hold.
"""

from random import Random

from msgspec.structs import replace

from qmpi.policy.recovery import INITIAL, LIVE, Candidate, GroupPlan, KeptCopy, plan_group
from qmpi.protocol.membership import SnapshotFact

KEPT = 2
"""Snapshots that are kept of a position."""


class World:
    """Ranks, copies and the journal of one job.

    Attributes:
        ranks: every live rank that can train, with what it holds.
        copies: snapshots within reach of whoever lives on their host.
        committed: steps in the journal.
        plan: the group in force.
    """

    def __init__(self, random: Random, team_size: int, teams: int, spares: int) -> None:
        self.random = random
        self.team_size = team_size
        self.wanted = teams
        self.lanes = teams + random.choice([0, 0, 2])
        self.committed = 0
        self.copies: list[KeptCopy] = []
        self.hosts = [f"h{n}" for n in range(random.randint(1, 4))]
        count = teams * team_size
        self.ranks = {
            rank: Candidate(
                rank=rank,
                host=random.choice(self.hosts),
                is_spare=rank >= count,
                team=rank // team_size if rank < count else -1,
                position=rank % team_size if rank < count else -1,
                state_step=-1,
                reduced=False,
                reports_from=-1,
                store_address=random.choice(["", f"x:{rank}"]),
            )
            for rank in range(count + spares)
        }
        self.plan: GroupPlan | None = None

    def decide(self, candidates: list[Candidate], copies: list[KeptCopy]) -> GroupPlan | None:
        """Ask for a plan."""
        return plan_group(
            candidates,
            copies,
            wanted_teams=self.wanted,
            lanes=self.lanes,
            team_size=self.team_size,
            committed=self.committed,
        )

    def carry_out(self, plan: GroupPlan, *, whole: bool) -> None:
        """Take the seats and, as far as nothing interrupts, the state."""
        self.plan = plan
        self.committed = min(self.committed, plan.step)
        for rank in plan.demoted:
            c = self.ranks[rank]
            keeps = self.random.random() < 0.5
            self.change(rank, is_spare=True, team=-1, state_step=c.state_step if keeps else -1)
        for rank in plan.members:
            seat = plan.seat(rank)
            moved = seat.position != self.ranks[rank].position
            self.change(rank, is_spare=False, team=seat.team)
            if moved:
                self.change(rank, position=seat.position, state_step=-1, reduced=False)
        for rank in sorted(plan.members, key=lambda rank: rank in plan.needy):
            if whole or self.random.random() < 0.5:
                self.receive(plan, rank)

    def receive(self, plan: GroupPlan, rank: int) -> None:
        """Bring one member to the step of its plan."""
        c = self.ranks[rank]
        here = plan.origins[plan.seat(rank).position].origin
        if rank in plan.finish or (here == LIVE and rank not in plan.needy):
            self.change(rank, state_step=plan.step, reduced=False)
        else:
            root = plan.teams[plan.roots[c.position]][c.position]
            had = here == INITIAL or rank == root or self.ranks[root].state_step == plan.step
            if had:
                self.change(rank, state_step=plan.step, reduced=False, reports_from=plan.step)

    def change(self, rank: int, **fields: object) -> None:
        """Set fields of a rank."""
        self.ranks[rank] = replace(self.ranks[rank], **fields)

    def train(self, steps: int) -> None:
        """Do whole steps; the journal lags behind the reporter."""
        plan = self.plan
        assert plan is not None
        for _ in range(steps):
            for rank in plan.members:
                self.change(rank, state_step=self.ranks[rank].state_step + 1)
            if self.random.random() < 0.3:
                self.keep_snapshot()
        done = self.ranks[plan.reporter].state_step
        self.committed = self.random.randint(min(done, max(self.committed, done - 3)), done)

    def break_off(self) -> None:
        """Stop in the middle of a step: before the vote, or while it is applied."""
        plan = self.plan
        assert plan is not None
        voted = self.random.random() < 0.5
        share = self.random.choice([0.0, 0.3, 1.0])
        for rank in plan.members:
            step = self.ranks[rank].state_step
            if voted and self.random.random() < share:
                self.change(rank, state_step=step + 1)
            elif voted or self.random.random() < share:
                self.change(rank, reduced=True)

    def keep_snapshot(self) -> None:
        """Copy some positions of a team to the RAM of some host, or to disk."""
        plan = self.plan
        assert plan is not None
        step = self.ranks[plan.members[0]].state_step
        on_disk = self.random.random() < 0.3
        together = self.random.random() < 0.5
        host = self.random.choice(self.hosts)
        for position in range(self.team_size):
            host = host if together else self.random.choice(self.hosts)
            place = "disk" if on_disk else "ram"
            path = f"/{place}/{host if not on_disk else ''}/{step}.{position}"
            fact = SnapshotFact(step, f"{step}.{position}", place, path, position)
            self.copies.append(KeptCopy(1000 + len(self.copies), host, fact))
        steps = sorted({copy.fact.step for copy in self.copies})[-KEPT:]
        self.copies = [copy for copy in self.copies if copy.fact.step in steps]

    def kill(self) -> None:
        """Take a rank, some ranks, a team, or a host with its RAM."""
        plan = self.plan
        assert plan is not None
        kind = self.random.choice(["rank", "rank", "ranks", "team", "trainers", "host", "position"])
        if kind == "rank":
            lost = {self.random.choice(sorted(self.ranks))}
        elif kind == "ranks":
            lost = {rank for rank in self.ranks if self.random.random() < 0.2}
        elif kind == "team":
            lost = set(self.random.choice(plan.teams))
        elif kind == "trainers":
            lost = {rank for rank, c in self.ranks.items() if not c.is_spare}
        elif kind == "position":
            position = self.random.randrange(self.team_size)
            lost = {team[position] for team in plan.teams if self.random.random() < 0.7}
        else:
            host = self.random.choice(self.hosts)
            lost = {rank for rank, c in self.ranks.items() if c.host == host}
            self.copies = [c for c in self.copies if c.fact.place == "disk" or c.host != host]
        self.ranks = {rank: c for rank, c in self.ranks.items() if rank not in lost}
