"""Large jobs in one process, through kills of every role; and what a step of them costs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from bench_scale import job, measure
from msgspec.structs import replace

from qmpi.config.settings import RoleSettings, Settings
from qmpi.config.train import TrainSettings
from qmpi.simulator.engine import NO_CARE, Care, Simulation
from qmpi.simulator.faults import parse_fault
from qmpi.simulator.hardware import Hardware
from qmpi.simulator.outcome import Outcome
from qmpi.simulator.scenario import USUAL

BENCH = Path(__file__).parents[1] / "benchmarks" / "bench_scale.py"


def struck(ranks: int, trainers: int, steps: int, care: Care) -> Outcome:
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
    return Simulation(settings, ranks, 5, faults, Hardware(ranks_per_host=8), care=care).run()


@pytest.mark.parametrize(
    ("ranks", "trainers", "steps", "care"),
    [
        (64, 40, 16, Care()),
        (256, 160, 8, NO_CARE),
        pytest.param(8000, 5200, 20, NO_CARE, marks=[pytest.mark.slow, pytest.mark.timeout(900)]),
    ],
)
def test_kills_at_scale(ranks: int, trainers: int, steps: int, care: Care) -> None:
    outcome = struck(ranks, trainers, steps, care)
    assert not outcome.violation
    assert outcome.state == "finished"
    assert outcome.same_weights
    assert outcome.incarnations == 1
    assert outcome.redone == 0
    assert outcome.failures == 6


def test_following_a_run_less_closely_changes_nothing() -> None:
    ends = {struck(24, 12, 8, care).end for care in (Care(), NO_CARE)}
    assert len(ends) == 1


def test_the_coordinator_hears_hosts_and_not_ranks() -> None:
    small, large = measure(64, 6, 0), measure(512, 6, 0)
    assert small.same_weights
    assert large.same_weights
    # 8 and 64 hosts beat once a second, and one member reports a step of about a second.
    assert 4 < small.messages_per_step < 16
    assert 32 < large.messages_per_step < 128
    assert large.coordinator_share < 0.1


def test_a_step_of_the_benchmark_takes_about_a_virtual_second() -> None:
    figures = measure(64, 6, 1)
    seconds = figures.bytes_per_step / figures.bytes_per_second
    assert 0.8 < seconds < 1.25
    assert figures.trainers == job(64, 6).train.lanes


def test_the_benchmark_ends_with_one_object() -> None:
    done = subprocess.run(
        [sys.executable, BENCH, "--ranks", "64", "--steps", "4", "--kills", "1", "--json"],
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    figures = json.loads(done.stdout.splitlines()[-1])
    assert set(figures) == {
        "ranks",
        "trainers",
        "steps",
        "wall_seconds",
        "events",
        "coordinator_us_per_event",
        "coordinator_share",
        "messages_per_step",
        "bytes_per_step",
        "bytes_per_second",
        "same_weights",
        "arms",
        "curriculum_us_per_step",
    }
    assert figures["same_weights"] is True
    assert figures["ranks"] == 64
