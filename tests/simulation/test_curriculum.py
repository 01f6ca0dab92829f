"""The curriculum's path is the same whatever dies on the way, and on any number of trainers."""

from functools import cache
from pathlib import Path

import pytest
from msgspec.structs import replace

from qmpi.config.settings import RoleSettings
from qmpi.corpora.standing import replay
from qmpi.policy.curriculum.proof import curriculum_fault
from qmpi.policy.curriculum.windows import arms_of
from qmpi.policy.hyperparameters import with_staged
from qmpi.policy.recipe_requests import CURRICULUM
from qmpi.policy.recipes import recipes_of
from qmpi.protocol.journal import HyperparametersChanged
from qmpi.protocol.staged import Staged
from qmpi.simulator.faults import parse_fault
from qmpi.simulator.outcome import Outcome
from qmpi.simulator.scenario import Scenario, parse_scenario, play

SCENARIO = Path(__file__).parent / "scenarios" / "curriculum.txt"
UNDISTURBED = parse_scenario(SCENARIO.read_text())
STAGED = parse_scenario(SCENARIO.with_stem("curriculum_stages").read_text())
ROLLED_BACK = SCENARIO.with_stem("curriculum_stages_rolled_back")


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


@pytest.mark.parametrize("trainers", [1, 2, 5])
def test_what_stages_set_is_the_same_whoever_dies_on_any_number_of_trainers(trainers: int) -> None:
    struck = with_trainers(STAGED, trainers)
    # One trainer has nobody to go on without it.
    struck = replace(struck, faults=() if trainers == 1 else STAGED.faults, seed=trainers)
    calm = replace(with_trainers(STAGED, 3), faults=())
    assert path_of(struck) == path_of(calm)
    logs = [replay(play(scenario)[0].journal).log for scenario in (struck, calm)]
    assert logs[0] == logs[1]
    assert [held.staged for held in logs[0]] == [
        Staged(0.5, 2, 4),
        Staged(1.0, 3),
        Staged(0.8, 6),
    ]


@pytest.mark.parametrize("back_steps", [17, 30])
def test_stages_are_decided_anew_behind_a_roll_back(back_steps: int) -> None:
    """Behind the first step of a stage, and behind the steps that it follows from."""
    scenario = parse_scenario(ROLLED_BACK.read_text())
    guard = replace(scenario.settings.guard, back_steps=back_steps)
    outcome, missed = play(replace(scenario, settings=replace(scenario.settings, guard=guard)))
    assert not missed
    decided = [r for r in outcome.journal if isinstance(r, HyperparametersChanged)]
    assert [record.hyperparameters[-1].first_step for record in decided] == [44, 66, 66]


def test_settings_that_are_not_those_of_the_stage_are_found() -> None:
    outcome, _ = play(replace(STAGED, faults=()))
    standing, settings = replay(outcome.journal), STAGED.settings
    recipes, log = recipes_of(outcome.journal, settings), standing.log
    assert curriculum_fault(standing.steps, recipes, log, settings) == ""
    assert "step 50 was trained with other settings than those of stage 37" in curriculum_fault(
        standing.steps, recipes, with_staged(log[:2], Staged(0.7, 3), 50), settings
    )
    assert "step 44 was trained" in curriculum_fault(standing.steps, recipes, log[:1], settings)


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
    recipes, log = recipes_of(outcome.journal, UNDISTURBED.settings), standing.log
    assert curriculum_fault(standing.steps, recipes, log, UNDISTURBED.settings) == ""
    other = dict(standing.steps)
    told = other[3].sources
    other[3] = replace(other[3], sources=(*told[:-1], replace(told[-1], loss=told[-1].loss * 3)))
    fault = curriculum_fault(other, recipes, log, UNDISTURBED.settings)
    assert fault == (
        "the weights from step 22 on are not what follows from the losses of the 11 steps before"
    )
