"""What a run came to under faults, its replay comes to without: on one trainer, and on more."""

from functools import cache
from pathlib import Path

import pytest
from msgspec.structs import replace

from qmpi.config.settings import RoleSettings
from qmpi.corpora.standing import replay
from qmpi.launch.replay import goes_by
from qmpi.policy.replay import Likeness, likeness
from qmpi.protocol.journal import HyperparametersChanged, JournalRecord, RunOpened, StepCommitted
from qmpi.simulator.faults import parse_fault
from qmpi.simulator.outcome import Outcome
from qmpi.simulator.replaying import ReplaySimulation
from qmpi.simulator.scenario import Scenario, parse_scenario, play

FOLDER = Path(__file__).parent / "scenarios"

STORIES = (
    "added_and_all_killed",
    "batch_changed_by_user",
    "batch_grows_by_noise",
    "changed_while_state_is_lost",
    "curriculum_stages",
    "curriculum_stages_and_noise",
    "curriculum_stages_rolled_back",
    "extended",
    "given_up_copies",
    "kill_all_thrice",
    "microbatches_halved",
    "microbatches_halved_again",
    "rescued",
    "spike_stops",
    "spikes_skipped",
)
"""Scenarios in which something changes on the way, or steps are given up or done again."""


@cache
def played(name: str) -> tuple[Scenario, Outcome]:
    scenario = parse_scenario((FOLDER / f"{name}.txt").read_text())
    return scenario, play(scenario)[0]


def replayed(
    scenario: Scenario,
    journal: tuple[JournalRecord, ...],
    *faults: str,
    trainers: int = 1,
    to: int | None = None,
) -> tuple[Outcome, Likeness]:
    """Replay what a journal tells on other ranks, and compare."""
    standing = replay(journal)
    wanted = goes_by("RUN", standing, to)
    roles = RoleSettings(generator=1, memory=1, trainer=trainers, replica=1)
    settings = replace(scenario.settings, roles=roles)
    struck = tuple(map(parse_fault, faults))
    outcome = ReplaySimulation(wanted, settings, trainers + 4, 11, struck).run()
    return outcome, likeness(standing.steps, replay(outcome.journal).steps, wanted.steps)


@pytest.mark.parametrize("name", STORIES)
def test_a_story_is_replayed_to_the_same_bits(name: str) -> None:
    scenario, outcome = played(name)
    again, found = replayed(scenario, outcome.journal)
    assert (again.state, again.violation) == ("finished", "")
    assert found.difference is None
    assert found.steps == again.committed == outcome.committed


@pytest.mark.parametrize("name", ["batch_grows_by_noise", "microbatches_halved_again"])
def test_a_replay_that_dies_itself_goes_on_as_one(name: str) -> None:
    scenario, outcome = played(name)
    kills = ("when step 7 kill trainer 1", "when step 12 kill all", "when step 20 kill all")
    again, found = replayed(scenario, outcome.journal, *kills, trainers=3)
    assert (again.state, again.violation, again.incarnations) == ("finished", "", 3)
    assert (found.steps, found.difference) == (outcome.committed, None)


def test_a_replay_decides_nothing_again() -> None:
    scenario, outcome = played("batch_grows_by_noise")
    again, _ = replayed(scenario, outcome.journal)
    assert outcome.changes >= 2
    assert again.changes == 0
    scenario, outcome = played("spike_stops")
    assert any(isinstance(r, StepCommitted) and r.halts for r in outcome.journal)
    again, _ = replayed(scenario, outcome.journal)
    assert (again.incarnations, again.spikes) == (1, outcome.spikes)


def test_a_decision_that_a_relaunch_has_dropped_is_not_taken_by_a_replay() -> None:
    """The batch would grow 8 steps after it was decided; the run ended otherwise before that."""
    scenario, outcome = played("batch_grows_by_noise")
    grown = next(r for r in outcome.journal if isinstance(r, HyperparametersChanged))
    opened = next(r for r in outcome.journal if isinstance(r, RunOpened))
    steps = grown.hyperparameters[-1].first_step
    before = [r for r in replay(outcome.journal).steps.values() if r.step < steps]
    again, found = replayed(scenario, (opened, *before))
    assert again.changes == 0
    assert (found.steps, found.difference) == (steps, None)


def test_where_memory_is_short_a_replay_does_not_halve() -> None:
    scenario, outcome = played("microbatches_halved")
    short = ("on computing of rank 5 #3 exhaust memory of rank 5",)  # its second trainer
    again, found = replayed(scenario, outcome.journal, *short, trainers=2)
    assert again.changes == 0
    assert (again.state, found.difference) == ("finished", None)
    assert again.failures >= 1


def test_the_first_part_of_a_run_is_replayed() -> None:
    scenario, outcome = played("rescued")
    again, found = replayed(scenario, outcome.journal, to=17)
    assert (again.committed, found.steps, found.difference) == (17, 17, None)


def test_another_log_is_found_where_it_begins() -> None:
    scenario, outcome = played("microbatches_halved")
    changed = next(r for r in outcome.journal if isinstance(r, HyperparametersChanged))
    log = changed.hyperparameters
    dropped = tuple(
        replace(r, hyperparameters=log[:1])
        if isinstance(r, HyperparametersChanged | RunOpened)
        else r
        for r in outcome.journal
    )
    _, found = replayed(scenario, dropped)
    assert found.difference is not None
    assert found.difference.what == "digest of the weights"
    # Losses of the model of arithmetic tell of data alone, and digests are due every three steps.
    assert log[1].first_step <= found.difference.step < log[1].first_step + 3
