"""The curriculum's path is the same whatever dies on the way, and on any number of trainers."""

from functools import cache
from pathlib import Path

import pytest
from msgspec.structs import replace

from qmpi.config.settings import RoleSettings
from qmpi.corpora.standing import replay
from qmpi.policy.curriculum.proof import curriculum_fault
from qmpi.policy.curriculum.windows import arms_of
from qmpi.policy.recipe_requests import CURRICULUM
from qmpi.policy.recipes import recipes_of
from qmpi.simulator.faults import parse_fault
from qmpi.simulator.outcome import Outcome
from qmpi.simulator.scenario import Scenario, parse_scenario, play

SCENARIO = Path(__file__).parent / "scenarios" / "curriculum.txt"
UNDISTURBED = parse_scenario(SCENARIO.read_text())


@cache
def path_of(scenario: Scenario) -> tuple[object, ...]:
    outcome, _ = play(scenario)
    assert not outcome.violation
    return recipes_of(outcome.journal, scenario.settings), digest(outcome)


def digest(outcome: Outcome) -> str:
    assert outcome.end is not None
    assert outcome.state == "finished"
    return outcome.end.digest


def with_trainers(scenario: Scenario, trainers: int) -> Scenario:
    roles = RoleSettings(generator=2, memory=2, trainer=trainers, replica=2, spare=2)
    settings = replace(scenario.settings, roles=roles)
    return replace(scenario, settings=settings, ranks=trainers + 9)


@pytest.mark.parametrize("trainers", [1, 2, 5])
def test_five_deaths_change_nothing_of_the_path_on_any_number_of_trainers(trainers: int) -> None:
    disturbed = parse_scenario(SCENARIO.read_text())
    assert len(disturbed.faults) == 5
    calm = replace(with_trainers(UNDISTURBED, 3), faults=())
    struck = with_trainers(disturbed, trainers) if trainers > 1 else calm
    recipes, weights = path_of(calm)
    assert path_of(replace(struck, seed=trainers)) == (recipes, weights)
    assert len({recipe.weights for recipe in recipes}) > 4


def test_nobody_else_sets_weights_where_the_curriculum_does() -> None:
    asked = (parse_fault("when step 14 weigh python = 0"),)
    scenario = replace(UNDISTURBED, faults=asked)
    outcome, _ = play(scenario)
    assert outcome.status is not None
    (answer,) = outcome.status.recipe_answers
    assert answer.refused == CURRICULUM
    python = {recipe.weights[0] for recipe in recipes_of(outcome.journal, scenario.settings)}
    assert python == {arms_of(scenario.settings)[0].share * 4096}


def test_weights_that_do_not_follow_from_the_losses_are_found() -> None:
    outcome, _ = play(UNDISTURBED)
    standing = replay(outcome.journal)
    recipes = recipes_of(outcome.journal, UNDISTURBED.settings)
    assert curriculum_fault(standing.steps, recipes, UNDISTURBED.settings) == ""
    other = dict(standing.steps)
    told = other[3].sources
    other[3] = replace(other[3], sources=(*told[:-1], replace(told[-1], loss=told[-1].loss * 3)))
    fault = curriculum_fault(other, recipes, UNDISTURBED.settings)
    assert fault == (
        "the weights from step 22 on are not what follows from the losses of the 11 steps before"
    )
