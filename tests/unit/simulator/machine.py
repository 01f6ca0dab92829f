"""A simulated machine without a job: ports by themselves."""

import random

from msgspec.structs import replace

from qmpi.config.parallel import ParallelSettings
from qmpi.config.settings import Settings
from qmpi.ports.base import Event
from qmpi.ports.data import Block
from qmpi.ports.engine import JoinGroup, RunStep
from qmpi.simulator.agenda import Agenda
from qmpi.simulator.hardware import Hardware
from qmpi.simulator.life import Life
from qmpi.simulator.line import Lines
from qmpi.simulator.ports.engine import SimulatedEngine
from qmpi.simulator.scenario import USUAL
from qmpi.simulator.surroundings import Onlooker, Surroundings
from qmpi.units import Digest, Generation, Rank, Step

LANES = 4


def settings(team_size: int = 1) -> Settings:
    train = replace(USUAL.train, lanes=LANES)
    return replace(USUAL, train=train, parallel=ParallelSettings(tensor=team_size))


class Stages(Onlooker):
    """Notes the stages of engines, and does something at one of them."""

    def __init__(self):
        self.seen: list[tuple[int, str]] = []
        self.at: dict[tuple[int, str], object] = {}

    def staged(self, rank: Rank, stage: str) -> None:
        self.seen.append((rank, stage))
        deed = self.at.pop((rank, stage), None)
        if deed is not None:
            deed()


def machine(team_size: int = 1, seed: int = 0) -> Surroundings:
    around = Surroundings(settings(team_size), Hardware(), Agenda(), random.Random(seed))
    around.onlooker = Stages()
    return around


class Member:
    """An engine, what it was asked for, and what came of it."""

    def __init__(self, around: Surroundings, lines: Lines, rank: int, host: str = "host0"):
        self.life = Life(around.agenda)
        self.engine = SimulatedEngine(around, self.life, Rank(rank), host, lines)
        self.events: list[Event] = []
        self.doomed = ""

    def ask(self, work) -> None:
        self.engine.submit(work, lambda: self.doomed or None, self.events.append)

    def abort(self, reason: str = "told to") -> None:
        self.doomed = reason
        self.engine.nudge()

    def die(self) -> None:
        self.life.end()
        self.engine.die()


class Group:
    """Members of `teams` teams, seated in order."""

    def __init__(self, teams: int, team_size: int = 1, seed: int = 0):
        self.around = machine(team_size, seed)
        self.stages = self.around.onlooker
        self.lines = Lines(self.around.chance, self.around.hardware.link)
        self.teams, self.size = teams, team_size
        ranks = range(teams * team_size)
        self.members = [Member(self.around, self.lines, rank) for rank in ranks]

    def join(self, generation=1, step=0, origin="initial", **changes) -> None:
        for rank, member in enumerate(self.members):
            work = self.seat(rank, generation, step, origin)
            member.ask(replace(work, **changes))

    def seat(self, rank: int, generation=1, step=0, origin="initial") -> JoinGroup:
        return JoinGroup(
            generation=Generation(generation),
            team=rank // self.size,
            teams=self.teams,
            position=rank % self.size,
            is_lead=rank == 0,
            store_address="host0:1",
            step=Step(step),
            finish=False,
            root=0,
            transfer=False,
            receives=False,
            origin=origin,
            origin_digest=Digest(""),
        )

    def step(self, step: int, generation=1, digest_due=True) -> None:
        for rank, member in enumerate(self.members):
            if member.life.alive:
                member.ask(self.share(rank, step, generation, digest_due))

    def share(self, rank: int, step: int, generation=1, digest_due=True) -> RunStep:
        team = rank // self.size
        lanes = tuple(range(team * LANES // self.teams, (team + 1) * LANES // self.teams))
        digests = tuple(Digest(f"{step:08x}{lane:024x}") for lane in lanes)
        return RunStep(
            generation=Generation(generation),
            step=Step(step),
            lanes=lanes,
            blocks=tuple(Block(digest, b"") for digest in digests),
            digest_due=digest_due,
        )

    def settle(self, seconds: float = 30.0) -> None:
        """Let time pass."""
        until = self.around.agenda.now + seconds
        while (following := self.around.agenda.next_time()) is not None and following <= until:
            self.around.agenda.step()
        self.around.agenda.now = until
