"""Every scenario under farm_scenarios/ plays as it says; random deaths lose no unit."""

import random
from pathlib import Path

import pytest

from qmpi.errors import InputError
from qmpi.simulator.farm_simulation import FarmSimulation, parse_farm_scenario, play_farm
from qmpi.simulator.faults import AtTime, Fault, Hang, Kill, KillAll, OnEvent, WhenStep
from qmpi.simulator.ports.units import FarmModel
from qmpi.units import Rank, Seconds, Step

SCENARIOS = sorted((Path(__file__).parent / "farm_scenarios").glob("*.txt"))
NAMES = ["Hello", "WorkGrant", "RunUnit", "UnitDone", "WorkReport", "StageOpened", "FinishWork"]


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_scenario(path: Path) -> None:
    _, missed = play_farm(parse_farm_scenario(path.read_text()))
    assert not missed, "\n".join(missed)


@pytest.mark.parametrize("text", ["ranks 6", "expect miracles", "expect end finished\nat 3 dance"])
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_farm_scenario(text)


def some_faults(chance: random.Random) -> list[Fault]:
    faults: list[Fault] = []
    for _ in range(chance.randint(1, 5)):
        trigger = chance.choice(
            [
                AtTime(Seconds(chance.uniform(0, 12))),
                WhenStep(Step(chance.randint(0, 30))),
                OnEvent(chance.choice(NAMES), None, chance.randint(1, 12)),
            ]
        )
        rank = Rank(chance.randint(0, 5))
        deed = chance.choice([Kill(rank), Kill(rank), Hang(rank, Seconds(30.0)), KillAll()])
        faults.append(Fault(trigger, deed))
    return faults


@pytest.mark.parametrize("seed", range(40))
def test_whatever_dies_every_unit_is_done(seed: int) -> None:
    chance = random.Random(seed)
    ranks = chance.choice([1, 2, 3, 6])
    model = FarmModel(units=chance.choice([(30,), (5, 20), (0, 7)]))
    outcome = FarmSimulation(model, ranks, seed, some_faults(chance)).play()
    assert not outcome.violation
    assert (outcome.state, outcome.missing) == ("finished", 0), outcome


def test_equal_seeds_give_equal_traces() -> None:
    def digest() -> str:
        faults = some_faults(random.Random(3))
        return FarmSimulation(FarmModel(), 6, 3, faults).play().trace_digest

    assert digest() == digest()


def test_hundreds_of_ranks() -> None:
    model = FarmModel(units=(500,), unit_seconds=5.0)
    outcome = FarmSimulation(model, 200, 1, [Fault(AtTime(Seconds(9.0)), Kill(Rank(7)))]).play()
    assert (outcome.state, outcome.missing, outcome.incarnations) == ("finished", 0, 1)
