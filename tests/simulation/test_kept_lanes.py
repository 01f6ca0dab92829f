"""Lanes that keep something, under random faults: the run ends as if nothing had happened.

The modelled engine refuses to join a group that does not hold what all lanes keep, and to compute a
lane whose part it lacks, so a living state that is chosen without it ends the run with a bug.
"""

from collections.abc import Sequence
from typing import Literal

import pytest
from msgspec.structs import replace
from simulation.test_random_faults import some_faults
from simulation.test_shared_moments import SPARES, dead_at, kills, opened
from simulation.test_shared_moments import played as played_with

from qmpi.config.parallel import ParallelSettings
from qmpi.protocol.journal import FailureSeen
from qmpi.simulator.faults import CutGroup, Fault, OnEvent
from qmpi.simulator.outcome import Outcome
from qmpi.simulator.scenario import USUAL
from qmpi.units import Rank


def played(
    seed: int,
    size: int,
    faults: Sequence[Fault],
    spares: int = SPARES,
    shard: Literal["none", "optimizer"] = "none",
) -> Outcome:
    train = replace(USUAL.train, reduction_bits=16)
    settings = replace(USUAL, train=train, parallel=ParallelSettings(shard=shard))
    return played_with(seed, size, faults, spares, settings)


@pytest.mark.parametrize(
    "seed", [*range(8), *(pytest.param(n, marks=pytest.mark.slow) for n in range(8, 60))]
)
def test_random_kills(seed: int) -> None:
    played(seed, (1, 1, 2)[seed % 3], kills(seed), shard="optimizer" if seed % 2 else "none")


@pytest.mark.parametrize(
    "seed", [*range(6), *(pytest.param(n, marks=pytest.mark.slow) for n in range(6, 24))]
)
def test_random_faults(seed: int) -> None:
    played(seed, (1, 1, 2, 4)[seed % 4], some_faults(seed))


def members(seed: int) -> tuple[Rank, ...]:
    """Ranks of the first group by team; no fault strikes."""
    return opened(played(seed, 1, [], spares=0))[0].members


def test_a_death_costs_the_steps_since_the_newest_copy() -> None:
    teams = members(3)
    # Of five members each comes to the point once a step: this is in step 7, the copy is of step 5.
    outcome = played(3, 1, dead_at("reducing", 5 * 7 + 3, [teams[2]]), spares=1)
    second = opened(outcome)[1]
    assert second.origin.startswith("/ram/")
    assert second.step == 5
    assert "nobody holds what lane" in second.reason
    assert "keep" in second.reason
    assert "are done again" in second.reason
    (death,) = [one for one in outcome.journal if isinstance(one, FailureSeen)]
    assert death.action.endswith("; steps since the newest copy are done again")


def test_a_group_that_breaks_while_all_live_costs_no_step() -> None:
    teams = members(3)
    outcome = played(3, 1, [Fault(OnEvent("reducing", None, 38), CutGroup(teams[2]))], spares=0)
    assert [record.origin for record in opened(outcome)] == ["initial", "live"]
    assert outcome.redone == 0
