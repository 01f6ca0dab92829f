"""Jobs of thousands of ranks in the simulator: what they cost here, and what the coordinator costs.

The shipped roles, driver and codec run; links, disks and engines are modelled. A step takes about
one virtual second, so that signs of life weigh as they would. Costs are CPU time of this core.

With --arms the data follow an adaptive curriculum of so many arms; what it costs is told apart.

Run: python tests/benchmarks/bench_scale.py [--ranks N] [--steps K] [--kills M] [--team 2 1 1 8]
     [--arms 80]
Without --ranks a table of several sizes; with --json the last line is one object.
"""

import argparse
import itertools
import json
import statistics
import sys
import time
from dataclasses import asdict, dataclass

from msgspec.structs import replace

from qmpi.config.curriculum import CurriculumSettings
from qmpi.config.data import ContentSource
from qmpi.config.parallel import ParallelSettings
from qmpi.config.settings import RoleSettings, Settings
from qmpi.config.train import TrainSettings
from qmpi.content.address import TYPES
from qmpi.content.level import LEVELS
from qmpi.driver.process import Handled
from qmpi.driver.router import Post
from qmpi.ports.books import AppendJournal, Entry
from qmpi.ports.transport import Received
from qmpi.protocol.codec import decode, encode
from qmpi.protocol.envelope import RoleName
from qmpi.protocol.journal import StepCommitted
from qmpi.protocol.teams import AXES
from qmpi.roles.coordinator.machine import Coordinator
from qmpi.roles.coordinator.recipes import RecipeBook
from qmpi.simulator.engine import NO_CARE, Simulation
from qmpi.simulator.faults import Fault, parse_fault
from qmpi.simulator.hardware import Compute, Hardware
from qmpi.simulator.process import SimulatedProcess
from qmpi.simulator.scenario import USUAL
from qmpi.units import Seconds

SIZES = (64, 512, 2048, 8000)
TRAINING = 0.65
SHARED = 0.97
"""Shares of the ranks that train: of those that hold a model, and of those that share one."""
RANKS_PER_HOST = 8
ALONE = ParallelSettings()
LANE_SECONDS = Seconds(0.8)
"""The slowest of thousands takes a fifth longer; with the rest of a step that is one second."""

VICTIMS = ("trainer 3", "memory 0", "trainer 0", "generator 0", "replica 0")


@dataclass
class Cost:
    """Of the coordinator, so far."""

    seconds: float = 0.0
    events: int = 0
    messages: int = 0
    bytes: int = 0
    curriculum: float = 0.0


@dataclass(frozen=True)
class Figures:
    ranks: int
    trainers: int
    steps: int
    wall_seconds: float
    events: int
    coordinator_us_per_event: float
    coordinator_share: float
    messages_per_step: float
    bytes_per_step: float
    bytes_per_second: float
    same_weights: bool
    arms: int
    curriculum_us_per_step: float


class Measured(Simulation):
    """A run whose coordinator is timed."""

    def __init__(self, *args, **options):
        self.cost = Cost()
        self.commits: list[tuple[int, float, Cost]] = []
        super().__init__(*args, **options)

    def handled(self, process: SimulatedProcess, handled: Handled) -> None:
        super().handled(process, handled)
        if handled.owner != RoleName.COORDINATOR:
            return
        self.cost.events += 1
        event = handled.event
        if isinstance(event, Received):
            data = encode(event.header, event.message)
            self.cost.messages += 1
            self.cost.bytes += len(data)
            self._time(decode, data)
        for action in handled.actions:
            if isinstance(action, Post):
                self._time(encode, action.header, action.message)

    def written(self, entry: Entry) -> None:
        super().written(entry)
        if isinstance(entry, AppendJournal):
            for record in entry.records:
                if isinstance(record, StepCommitted):
                    now = Cost(**asdict(self.cost))
                    self.commits.append((int(record.generation), float(self.agenda.now), now))

    def _time(self, work, *args):
        began = time.process_time()
        result = work(*args)
        self.cost.seconds += time.process_time() - began
        return result

    def decide(self, work, *args):
        """Take the time of what the curriculum makes of a step; it is within the coordinator's."""
        began = time.process_time()
        result = work(*args)
        self.cost.curriculum += time.process_time() - began
        return result


def with_curriculum(settings: Settings, arms: int) -> Settings:
    """Return a job whose data follow the losses of so many arms, in turn of each type."""
    sources = tuple(
        ContentSource(
            name=f"arm-{number}",
            type=TYPES[number % len(TYPES)],
            min_level=number % LEVELS + 1,
            max_level=number % LEVELS + 1,
        )
        for number in range(arms)
    )
    window = 8 + settings.data.prefetch_steps
    return replace(
        settings,
        data=replace(settings.data, sources=sources),
        curriculum=CurriculumSettings(kind="adaptive", every_steps=window),
    )


def job(ranks: int, steps: int, team: ParallelSettings = ALONE):
    """Return settings of a job of `ranks`; of teams of several, as many as its trainers make."""
    size = team.team_size
    trainers = max(1, int(ranks * (TRAINING if size == 1 else SHARED)) // size) * size
    light = max(1, (ranks - trainers) // 6)
    roles = RoleSettings(
        generator=light, memory=light, trainer=trainers, replica=light, spare=2 * light
    )
    train = TrainSettings(steps=steps, lanes=trainers // size, sequences=1, sequence_tokens=16)
    return replace(USUAL, roles=roles, train=train, parallel=team)


def some_kills(steps: int, kills: int, size: int) -> list[Fault]:
    """Return kills spread over the run: of several roles, or of each position of teams."""
    moments = [max(1, steps * (number + 1) // (kills + 1)) for number in range(kills)]
    victims = VICTIMS if size == 1 else [f"trainer {2 * p * size + p}" for p in range(size)]
    return [
        parse_fault(f"when step {moment} kill {victims[number % len(victims)]}")
        for number, moment in enumerate(moments)
    ]


def measure(
    ranks: int, steps: int, kills: int, team: ParallelSettings = ALONE, arms: int = 0
) -> Figures:
    """Run one job."""
    settings = job(ranks, steps, team)
    settings = with_curriculum(settings, arms) if arms else settings
    hardware = Hardware(ranks_per_host=RANKS_PER_HOST, compute=Compute(lane_seconds=LANE_SECONDS))
    began = time.perf_counter()
    run = Measured(
        settings, ranks, 5, some_kills(steps, kills, team.team_size), hardware, care=NO_CARE
    )
    plain, followed = Coordinator.handle, RecipeBook.committed

    def handle(self, event, now):
        return run._time(plain, self, event, now)

    def committed(self, *args):
        return run.decide(followed, self, *args)

    Coordinator.handle, RecipeBook.committed = handle, committed
    try:
        outcome = run.run()
    finally:
        Coordinator.handle, RecipeBook.committed = plain, followed
    wall = time.perf_counter() - began
    steady = _steady(run.commits)
    return Figures(
        ranks=ranks,
        trainers=settings.train.lanes * team.team_size,
        steps=steps,
        wall_seconds=round(wall, 2),
        events=outcome.events,
        coordinator_us_per_event=round(1e6 * run.cost.seconds / max(1, run.cost.events), 2),
        coordinator_share=round(steady.seconds, 5),
        messages_per_step=round(steady.messages, 1),
        bytes_per_step=round(steady.bytes, 1),
        bytes_per_second=round(steady.bytes_per_second, 1),
        same_weights=outcome.same_weights and not outcome.violation,
        arms=arms,
        curriculum_us_per_step=round(1e6 * run.cost.curriculum / max(1, len(run.commits)), 1),
    )


@dataclass(frozen=True)
class Steady:
    """Of the usual step."""

    seconds: float
    messages: float
    bytes: float
    bytes_per_second: float


def _steady(commits) -> Steady:
    pairs = [
        (old, new)
        for old, new in itertools.pairwise(commits)
        if old[0] == new[0] and new[1] > old[1]
    ]
    if not pairs:
        return Steady(0.0, 0.0, 0.0, 0.0)

    def mean(value) -> float:
        return statistics.fmean(value(new) - value(old) for old, new in pairs)

    size = mean(lambda c: c[2].bytes)
    return Steady(
        seconds=mean(lambda c: c[2].seconds),
        messages=mean(lambda c: c[2].messages),
        bytes=size,
        bytes_per_second=size / mean(lambda c: c[1]),
    )


def _row(figures: Figures) -> str:
    f = figures
    return (
        f"{f.ranks:6d} ranks, {f.trainers:5d} trainers, {f.steps} steps: {f.wall_seconds:7.1f} s, "
        f"{f.events:8d} events; coordinator {f.coordinator_us_per_event:6.1f} us an event, "
        f"{100 * f.coordinator_share:5.2f} % of a core, {f.messages_per_step:7.1f} messages and "
        f"{f.bytes_per_step / 1e3:8.1f} kB a step, {f.bytes_per_second / 1e3:8.1f} kB/s; "
        f"same weights: {f.same_weights}"
        + (f"; {f.arms} arms: {f.curriculum_us_per_step:.0f} us a step" if f.arms else "")
        + "\n"
    )


def main() -> None:
    """Print a table, or one object."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--ranks", type=int, default=0)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument(
        "--team", type=int, nargs=4, default=(1, 1, 1, 1), metavar=AXES, help="sizes of its axes"
    )
    parser.add_argument("--arms", type=int, default=0, help="of an adaptive curriculum; 0: static")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    team = ParallelSettings(**dict(zip(AXES, args.team, strict=True)))
    for ranks in (args.ranks,) if args.ranks else SIZES:
        figures = measure(ranks, args.steps, args.kills, team, args.arms)
        text = f"{json.dumps(asdict(figures))}\n" if args.json else _row(figures)
        sys.stdout.write(text)
        sys.stdout.flush()


if __name__ == "__main__":
    main()
