"""Large jobs in one process, through kills of every role."""

import pytest
from msgspec.structs import replace

from qmpi.config.settings import RoleSettings, Settings, TrainSettings
from qmpi.simulator.engine import Simulation
from qmpi.simulator.faults import parse_fault
from qmpi.simulator.hardware import Hardware
from qmpi.simulator.outcome import Outcome
from qmpi.simulator.scenario import USUAL


def struck(ranks: int, trainers: int, steps: int) -> Outcome:
    light = max(1, (ranks - trainers) // 6)
    roles = RoleSettings(
        generator=light, memory=light, trainer=trainers, replica=light, spare=2 * light
    )
    train = TrainSettings(steps=steps, lanes=trainers, sequences=1, sequence_tokens=16)
    settings: Settings = replace(USUAL, roles=roles, train=train)
    lines = [
        f"when step {steps // 4} kill trainer 3",
        f"when step {steps // 4} kill trainer 7",
        f"when step {steps // 3} kill generator 0",
        f"when step {steps // 2} kill memory 0",
        f"when step {steps // 2} kill replica 0",
        f"when step {steps * 3 // 4} kill trainer 0",
    ]
    faults = [parse_fault(line) for line in lines]
    return Simulation(settings, ranks, 5, faults, Hardware(ranks_per_host=8)).run()


@pytest.mark.parametrize(
    ("ranks", "trainers", "steps"),
    [(64, 40, 16), pytest.param(1024, 700, 8, marks=[pytest.mark.slow, pytest.mark.timeout(600)])],
)
def test_kills_at_scale(ranks: int, trainers: int, steps: int) -> None:
    outcome = struck(ranks, trainers, steps)
    assert not outcome.violation
    assert outcome.state == "finished"
    assert outcome.same_weights
    assert outcome.incarnations == 1
    assert outcome.redone == 0
    assert outcome.failures == 6
