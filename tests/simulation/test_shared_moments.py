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
from qmpi.config.settings import Settings
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


SHARED = replace(USUAL, parallel=ParallelSettings(shard="optimizer"))


def played(
    seed: int,
    size: int,
    faults: Sequence[Fault],
    spares: int = SPARES,
    settings: Settings = SHARED,
) -> Outcome:
    roles = replace(USUAL.roles, trainer=TRAINERS, spare=spares)
    settings = replace(settings, roles=roles)
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


@pytest.mark.parametrize(
    "seed", [*range(18), *(pytest.param(n, marks=pytest.mark.slow) for n in range(18, 90))]
)
def test_random_kills(seed: int) -> None:
    played(seed, (1, 1, 2)[seed % 3], kills(seed))


@pytest.mark.parametrize("seed", range(12))
def test_random_faults(seed: int) -> None:
    more = some_refusals(seed) if seed % 2 else []
    played(seed, (1, 1, 2, 4)[seed % 4], [*some_faults(seed), *more])


def members(seed: int) -> tuple[Rank, ...]:
    """Ranks of the first group by team; no fault strikes."""
    return opened(played(seed, 1, [], spares=0))[0].members


def dead_at(event: str, count: int, ranks: Sequence[Rank]) -> list[Fault]:
    return [Fault(OnEvent(event, None, count), Kill(rank)) for rank in ranks]


@pytest.mark.parametrize("event", ["reducing", "voting", "exchanging"])
def test_a_single_death_costs_no_step(event: str) -> None:
    teams = members(3)
    # Of five members each comes to the point once a step: this is in the tenth.
    outcome = played(3, 1, dead_at(event, 5 * 9 + 3, [teams[2]]), spares=0)
    first, second = opened(outcome)
    assert (first.origin, second.origin) == ("initial", "live")
    assert second.members == tuple(rank for rank in teams if rank != teams[2])
    finished = "hold the reduced gradient of step 9: it is finished" in second.reason
    assert finished or event == "reducing"
    assert f"go on at step {10 if finished else 9}" in second.reason
    assert outcome.redone == 0


def test_two_neighbours_at_once_cost_the_steps_since_the_newest_copy() -> None:
    teams = members(3)
    # Faults that wait for one event count it together: this is in step 6, the copy is of step 5.
    outcome = played(3, 1, dead_at("exchanging", 5 * 13 + 3, [teams[1], teams[2]]), spares=0)
    second = opened(outcome)[1]
    assert second.origin.startswith("/ram/")
    assert second.step == 5
    assert "nobody holds a part of the moments of step" in second.reason


def test_two_that_are_no_neighbours_cost_nothing() -> None:
    teams = members(3)
    outcome = played(3, 1, dead_at("exchanging", 5 * 13 + 3, [teams[0], teams[2]]), spares=0)
    assert {record.origin for record in opened(outcome)[1:]} == {"live"}
    assert outcome.redone == 0


def test_a_second_death_within_the_exchange_of_a_join_costs_nothing() -> None:
    teams = members(3)
    faults = [
        *dead_at("exchanging", 5 * 8 + 3, [teams[2]]),
        # Each of the five has come there once in the first group.
        *dead_at("dealing", 5 + 2, [teams[4]]),
    ]
    outcome = played(3, 1, faults, spares=0)
    assert [record.origin for record in opened(outcome)] == ["initial", "live", "live"]
    assert outcome.redone == 0
