"""Random faults at random times: the run always ends with the weights of an undisturbed one."""

import random

import pytest

from qmpi.corpora.audit import replay
from qmpi.errors import ExitCode
from qmpi.protocol.envelope import RoleName
from qmpi.simulator.engine import Simulation
from qmpi.simulator.faults import (
    AtTime,
    Break,
    Corrupt,
    CrashEngine,
    CutGroup,
    Deed,
    Fault,
    Fill,
    Free,
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
from qmpi.simulator.troubles import FOR_EVER
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


def data_were_damaged(drawn: Scenario, outcome: Outcome) -> bool:
    """No memory rank that lives could build a block: the run says so and ends."""
    broken = any(isinstance(fault.deed, Break) for fault in drawn.faults)
    end = outcome.end
    return broken and end is not None and end.state == "failed" and "bad data" in end.reason


def survives(seed: int, size: int = 1) -> None:
    drawn = Scenario(USUAL, RANKS, seed, 4, tuple(some_faults(seed)), ())
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


@pytest.mark.parametrize("seed", range(60))
def test_random_faults(seed: int) -> None:
    survives(seed, (1, 1, 2, 4)[seed % 4])


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("block", range(10))
def test_many_random_faults(block: int) -> None:
    for seed in range(1000 + 100 * block, 1100 + 100 * block):
        survives(seed, (1, 1, 2, 4)[seed % 4])
