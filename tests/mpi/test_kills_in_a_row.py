"""Twenty runs in a row, one rank each killed at a random moment; the coordinator among them."""

import random
import time
from pathlib import Path

import pytest
from mpi.live_run import LiveRun

STEPS = ("--set", "train.steps=80", "--set", "monitor.status_seconds=0.1")
ROLES = ("trainer", "trainer", "trainer", "memory", "generator", "replica", "spare", "coordinator")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> str:
    with LiveRun(tmp_path_factory.mktemp("undisturbed"), *STEPS) as run:
        status = run.finish()
    assert status["state"] == "finished", run.logs()
    return str(status["digest"])


@pytest.mark.parametrize("number", range(20))
def test_kill(tmp_path: Path, undisturbed: str, number: int) -> None:
    chance = random.Random(number)
    role, step = chance.choice(ROLES), chance.randrange(1, 76)
    with LiveRun(tmp_path, *STEPS) as run:
        run.wait_for_step(step)
        time.sleep(chance.random() * 0.1)
        victim = run.kill(role)
        status = run.finish()
    assert status["exit_code"] == 0, run.logs()
    assert status["digest"] == undisturbed
    if role != "coordinator":
        assert any(victim in failure["ranks"] for failure in status["failures"])
