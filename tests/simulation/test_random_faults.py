"""Random faults at random times: the run always ends with the weights of an undisturbed one."""

import random
from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from qmpi.config.optimizer import OptimizerSettings
from qmpi.config.settings import Settings
from qmpi.corpora.standing import check_training, replay
from qmpi.errors import ExitCode
from qmpi.protocol.envelope import RoleName
from qmpi.simulator.engine import Simulation
from qmpi.simulator.faults import (
    AtTime,
    Break,
    Change,
    Corrupt,
    CrashEngine,
    CutGroup,
    Deed,
    Fault,
    Fill,
    Free,
    GoBack,
    Hang,
    Kill,
    KillAll,
    KillRole,
    OnEvent,
    Partition,
    Trigger,
    WhenStep,
)
from qmpi.simulator.hardware import Hardware
from qmpi.simulator.outcome import Outcome
from qmpi.simulator.ports.engine import STAGES
from qmpi.simulator.scenario import USUAL, Scenario
from qmpi.simulator.troubles import CONNECTION, FOR_EVER, RENDEZVOUS
from qmpi.simulator.widen import widen
from qmpi.units import Rank, Seconds, Step

RANKS = 12
NAMES = [
    "Hello",
    "Regroup",
    "Holding",
    "FormGroup",
    "JoinGroup",
    "GroupJoined",
    "GroupReady",
    "Grant",
    "RunStep",
    "StepApplied",
    "StepReport",
    "EngineAborted",
    "AbortEngine",
    "TakeSnapshot",
    "SnapshotTaken",
    "SnapshotOffer",
    "SnapshotPull",
    "StoreSnapshot",
    "SnapshotHeld",
    "Directory",
    "Leave",
    "BlockRequest",
    "RowsRequest",
    "Assign",
    "DirectoryChange",
    "Beat",
    "GroupBroken",
    "BlockFailed",
    "Evaluate",
    "Evaluated",
    "EvaluationPart",
    *STAGES,
]


def some_trigger(chance: random.Random) -> Trigger:
    match chance.choice(("time", "time", "step", "event", "event")):
        case "time":
            return AtTime(Seconds(chance.uniform(0, 12)))
        case "step":
            return WhenStep(Step(chance.randint(0, 30)))
        case _:
            return OnEvent(chance.choice(NAMES), None, chance.randint(1, 12))


def some_deed(chance: random.Random) -> Deed:
    draw = chance.random()
    if draw < 0.50:
        first = 0 if chance.random() < 0.2 else 1
        return Kill(Rank(chance.randint(first, RANKS - 1)))
    if draw < 0.60:
        return Hang(Rank(chance.randint(1, RANKS - 1)), Seconds(chance.choice((2, 15, 40))))
    if draw < 0.65:
        return KillAll()
    if draw < 0.70:
        return KillRole(chance.choice(list(RoleName)), 0)
    if draw < 0.74:
        return Corrupt(chance.choice(("ram", "disk")))
    if draw < 0.80:
        cut = chance.sample(range(1, RANKS), chance.randint(1, 4))
        return Partition(tuple(map(Rank, cut)), Seconds(chance.choice((1, 5, 20))))
    return some_trouble(chance)


def some_trouble(chance: random.Random) -> Deed:
    """A port that fails, on a rank that lives on."""
    rank = Rank(chance.randint(1, RANKS - 1))
    match chance.choice(("block", "rows", "full", "crash", "cut", "cut")):
        case "full":
            return chance.choice((Fill(rank), Free(rank)))
        case "crash":
            return CrashEngine(rank, ExitCode.MACHINE)
        case "cut":
            return CutGroup(rank)
        case work:
            return Break(work, rank, chance.choice((1, 2, 9, FOR_EVER)))


def some_faults(seed: int) -> list[Fault]:
    chance = random.Random(seed)
    return [Fault(some_trigger(chance), some_deed(chance)) for _ in range(chance.randint(1, 5))]


def some_refusals(seed: int) -> list[Fault]:
    """Ranks that cannot connect, a few times each, and groups that are cut; one of them never."""
    chance = random.Random(f"refusals {seed}")
    # Whose fault it is, is not known of few enough groups that the job never ends.
    most = {CONNECTION: 6, RENDEZVOUS: 2}
    refusals = [
        Fault(some_trigger(chance), Break(work, rank, chance.randint(1, most[work])))
        for rank in chance.sample([Rank(rank) for rank in range(1, RANKS)], 5)
        for work in [chance.choice(list(most))]
    ]
    cuts = [Fault(some_trigger(chance), CutGroup(Rank(chance.randint(1, 11)))) for _ in range(3)]
    if chance.random() < 0.3:
        never = Break(CONNECTION, Rank(chance.randint(1, RANKS - 1)), FOR_EVER)
        cuts.append(Fault(some_trigger(chance), never))
    return [*refusals, *cuts]


def data_were_damaged(drawn: Scenario, outcome: Outcome) -> bool:
    """No memory rank that lives could build a block: the run says so and ends."""
    broken = any(isinstance(fault.deed, Break) for fault in drawn.faults)
    end = outcome.end
    return broken and end is not None and end.state == "failed" and "bad data" in end.reason


def measured(settings: Settings, seed: int) -> Settings:
    """Half of the runs are evaluated, every few steps."""
    every = seed // 4 % 8 if seed // 32 % 2 == 0 else 0
    return replace(settings, evaluation=replace(settings.evaluation, every_steps=every))


def survives(seed: int, size: int = 1, more: Sequence[Fault] = ()) -> None:
    settings = measured(USUAL, seed)
    drawn = Scenario(settings, RANKS, seed, 4, (*some_faults(seed), *more), ())
    wide = widen(drawn, size)
    hardware = Hardware(ranks_per_host=wide.ranks_per_host)
    simulation = Simulation(wide.settings, wide.ranks, seed, wide.faults, hardware)
    outcome = simulation.run(until=Seconds(3000.0))
    story = f"seed {seed}, teams of {size}, {drawn.faults}"
    assert not outcome.violation, f"{story}: {outcome.violation}"
    if data_were_damaged(drawn, outcome):
        return
    assert outcome.state == "finished", f"{story}: {outcome.end}"
    assert outcome.same_weights, f"{story}: other weights"
    standing = replay(outcome.journal)
    assert standing.fault == ""
    assert len(standing.steps) == USUAL.train.steps


@pytest.mark.parametrize("seed", range(32))
def test_random_faults(seed: int) -> None:
    survives(seed, (1, 1, 2, 4)[seed % 4])


@pytest.mark.parametrize("seed", range(12))
def test_random_faults_among_groups_that_break(seed: int) -> None:
    survives(seed, (1, 1, 2, 4)[seed % 4], some_refusals(seed))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("block", range(4))
def test_many_random_faults_among_groups_that_break(block: int) -> None:
    for seed in range(3000 + 100 * block, 3100 + 100 * block):
        survives(seed, (1, 1, 2, 4)[seed % 4], some_refusals(seed))


def test_the_last_checkpoint_is_pulled_though_its_first_source_dies_unnoticed() -> None:
    survives(1517)


@pytest.mark.parametrize("seed", [2000, 2128])
def test_a_run_that_became_longer_is_evaluated_where_it_ends(seed: int) -> None:
    changed_and_taken_back(seed, 1)


def changed_and_taken_back(seed: int, size: int) -> None:
    """A rate that changes where the job happens to start again; then the user goes back, and on."""
    chance = random.Random(seed)
    optimizer = OptimizerSettings(schedule="wsd", decay_share=0.0, warmup_steps=0)
    faults = [f for f in some_faults(seed) if not isinstance(f.deed, Break | Corrupt)]
    back, end = chance.choice((0, 20, 23, 29)), OnEvent("end", None, 1)
    faults += [
        Fault(
            WhenStep(Step(chance.randint(1, 25))),
            Change("optimizer", "clip_norm", "0.5", replan=False),
        ),
        Fault(WhenStep(Step(chance.randint(1, 25))), Kill(Rank(0))),
        Fault(end, GoBack(Step(back))),
        Fault(end, Change("optimizer", "learning_rate", "0.001", replan=False)),
        Fault(end, Change("train", "steps", "45", replan=False)),
        Fault(WhenStep(Step(chance.randint(31, 40))), Kill(Rank(chance.randint(0, RANKS - 1)))),
    ]
    settings = measured(replace(USUAL, optimizer=optimizer), seed)
    wide = widen(Scenario(settings, RANKS, seed, 4, tuple(faults), ()), size)
    hardware = Hardware(ranks_per_host=wide.ranks_per_host)
    simulation = Simulation(wide.settings, wide.ranks, seed, wide.faults, hardware)
    outcome = simulation.run(until=Seconds(3000.0))
    story = f"seed {seed}, teams of {size}, {faults}"
    assert not outcome.violation, f"{story}: {outcome.violation}"
    standing = replay(outcome.journal)
    assert standing.fault == "", story
    assert outcome.state == "finished", f"{story}: {outcome.end}"
    assert outcome.same_weights, f"{story}: other weights"
    assert standing.opened is not None
    assert check_training(standing.steps, standing.opened.hyperparameters, is_logged=True) == ""
    assert (len(standing.steps), standing.went_back) == (45, (back,))


@pytest.mark.parametrize("seed", range(8))
def test_random_faults_around_changes(seed: int) -> None:
    changed_and_taken_back(seed, (1, 1, 2, 4)[seed % 4])


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("block", range(4))
def test_many_random_faults_around_changes(block: int) -> None:
    for seed in range(2000 + 100 * block, 2100 + 100 * block):
        changed_and_taken_back(seed, (1, 1, 2, 4)[seed % 4])


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("block", range(10))
def test_many_random_faults(block: int) -> None:
    for seed in range(1000 + 100 * block, 1100 + 100 * block):
        survives(seed, (1, 1, 2, 4)[seed % 4])
