"""Experts that two ranks share out, over real MPI: the same weights whoever dies."""

from pathlib import Path

import pytest
from mpi.live_run import LiveRun

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SET = {
    "model.experts": 4,
    "model.shared_experts": 1,
    "model.dense_layers": 1,
    "model.balance_rate": 0.01,
    "parallel.expert": 2,
    "evaluation.every_steps": 0,
    "train.steps": 24,
    "monitor.status_seconds": 0.1,
    "roles.spare": 0,
}
FEW = tuple(word for name, value in SET.items() for word in ("--set", f"{name}={value}"))


def finished(run: LiveRun) -> str:
    status = run.finish()
    assert status["exit_code"] == 0, run.logs()
    assert status["state"] == "finished"
    return str(status["digest"])


def test_a_rank_of_one_of_two_teams_is_killed(tmp_path: Path) -> None:
    with LiveRun(tmp_path, *FEW, "--set", "roles.trainer=2", name="one") as run:
        undisturbed = finished(run)
    with LiveRun(tmp_path, *FEW, "--set", "roles.trainer=4", name="two") as run:
        run.wait_for_step(6)
        victim = run.kill("trainer", 1)
        assert finished(run) == undisturbed
        assert any(victim in failure["ranks"] for failure in run.status()["failures"])
