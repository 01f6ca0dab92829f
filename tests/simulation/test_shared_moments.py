"""Teams that share out moments, under random faults: the run ends as if nothing had happened.

The modelled engine refuses to join a group that does not hold all moments between its members, so a
living state that is chosen without cover ends the run with a bug.
"""

import random
from collections.abc import Sequence

import pytest
from msgspec.structs import replace
from simulation.test_random_faults import some_faults, some_refusals

from qmpi.config.parallel import ParallelSettings
from qmpi.protocol.journal import GenerationOpened
from qmpi.simulator.engine import Simulation
from qmpi.simulator.faults import Break, Fault, Kill, OnEvent, WhenStep
from qmpi.simulator.hardware import Hardware
from qmpi.simulator.outcome import Outcome
from qmpi.simulator.scenario import USUAL, Scenario
from qmpi.simulator.widen import widen
from qmpi.units import Rank, Seconds, Step

TRAINERS, SPARES = 5, 1
RANKS = 1 + 2 + 2 + 2 + TRAINERS + SPARES


def played(seed: int, size: int, faults: Sequence[Fault], spares: int = SPARES) -> Outcome:
    roles = replace(USUAL.roles, trainer=TRAINERS, spare=spares)
    settings = replace(USUAL, roles=roles, parallel=ParallelSettings(shard="optimizer"))
    drawn = Scenario(settings, RANKS - SPARES + spares, seed, 4, tuple(faults), ())
    wide = widen(drawn, size)
    hardware = Hardware(ranks_per_host=wide.ranks_per_host)
    simulation = Simulation(wide.settings, wide.ranks, seed, wide.faults, hardware)
    outcome = simulation.run(until=Seconds(3000.0))
    story = f"seed {seed}, teams of {size}, {faults}"
    assert not outcome.violation, f"{story}: {outcome.violation}"
    if any(isinstance(fault.deed, Break) for fault in faults) and outcome.state == "failed":
        assert outcome.end is not None
        assert "bad data" in outcome.end.reason, f"{story}: {outcome.end}"
        return outcome
    assert outcome.state == "finished", f"{story}: {outcome.end}"
    assert outcome.same_weights, f"{story}: other weights"
    return outcome


def kills(seed: int) -> list[Fault]:
    """Trainers that die one after the other, at any point of the work."""
    chance = random.Random(f"shared {seed}")
    points = ["computing", "voting", "exchanging", "dealing", "syncing", "copying", "JoinGroup"]
    triggers = [
        WhenStep(Step(chance.randint(0, 29)))
        if chance.random() < 0.4
        else OnEvent(chance.choice(points), None, chance.randint(1, 60))
        for _ in range(chance.randint(1, 4))
    ]
    return [Fault(when, Kill(Rank(chance.randint(1, RANKS - 1)))) for when in triggers]


def opened(outcome: Outcome) -> list[GenerationOpened]:
    return [record for record in outcome.journal if isinstance(record, GenerationOpened)]


@pytest.mark.parametrize("seed", range(40))
def test_random_kills(seed: int) -> None:
    played(seed, (1, 1, 2)[seed % 3], kills(seed))


@pytest.mark.parametrize("seed", range(16))
def test_random_faults(seed: int) -> None:
    more = some_refusals(seed) if seed % 2 else []
    played(seed, (1, 1, 2, 4)[seed % 4], [*some_faults(seed), *more])
