"""Random faults at random times: the run always ends with the weights of an undisturbed one."""

import random

import pytest

from qmpi.corpora.audit import replay
from qmpi.protocol.envelope import RoleName
from qmpi.simulator.engine import Simulation
from qmpi.simulator.faults import (
    AtTime,
    Corrupt,
    Deed,
    Fault,
    Hang,
    Kill,
    KillAll,
    KillRole,
    OnEvent,
    Partition,
    Trigger,
    WhenStep,
)
from qmpi.simulator.scenario import USUAL
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
    "BecomeRole",
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
    if draw < 0.70:
        first = 0 if chance.random() < 0.2 else 1
        return Kill(Rank(chance.randint(first, RANKS - 1)))
    if draw < 0.80:
        return Hang(Rank(chance.randint(1, RANKS - 1)), Seconds(chance.choice((2, 15, 40))))
    if draw < 0.85:
        return KillAll()
    if draw < 0.92:
        return KillRole(chance.choice(list(RoleName)), 0)
    if draw < 0.96:
        return Corrupt(chance.choice(("ram", "disk")))
    cut = chance.sample(range(1, RANKS), chance.randint(1, 4))
    return Partition(tuple(map(Rank, cut)), Seconds(chance.choice((1, 5, 20))))


def some_faults(seed: int) -> list[Fault]:
    chance = random.Random(seed)
    return [Fault(some_trigger(chance), some_deed(chance)) for _ in range(chance.randint(1, 5))]


def survives(seed: int) -> None:
    faults = some_faults(seed)
    outcome = Simulation(USUAL, RANKS, seed, faults).run(until=Seconds(3000.0))
    assert not outcome.violation, f"seed {seed}, {faults}: {outcome.violation}"
    assert outcome.state == "finished", f"seed {seed}, {faults}: {outcome.end}"
    assert outcome.same_weights, f"seed {seed}: other weights"
    standing = replay(outcome.journal)
    assert standing.fault == ""
    assert len(standing.steps) == USUAL.train.steps


@pytest.mark.parametrize("seed", range(60))
def test_random_faults(seed: int) -> None:
    survives(seed)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(10))
def test_many_random_faults(block: int) -> None:
    for seed in range(1000 + 100 * block, 1100 + 100 * block):
        survives(seed)
