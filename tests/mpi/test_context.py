"""Ranks that share the tokens of sequences, over real MPI: one digest, whoever dies."""

from pathlib import Path

import pytest
from mpi.live_run import TINY_JOB, LiveRun

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

JOB = TINY_JOB.replace(
    "[train]",
    'window = 20\nsinks = 2\nwindow_pattern = "wf"\n\n'
    "[parallel]\ncontext = 2\n\n[data]\ndocument_mask = true\n\n[train]",
)
FEW = ("--set", "train.steps=16", "--set", "train.lanes=2", "--set", "monitor.status_seconds=0.1")


def finished(run: LiveRun) -> str:
    status = run.finish()
    assert status["exit_code"] == 0, run.logs()
    assert status["state"] == "finished"
    return str(status["digest"])


def test_one_team_gives_the_weights_of_two_of_which_a_rank_is_killed(tmp_path: Path) -> None:
    alone = ("--set", "roles.trainer=2", "--set", "roles.spare=0")
    with LiveRun(tmp_path, *FEW, *alone, job=JOB, name="alone") as run:
        undisturbed = finished(run)
    assert undisturbed
    two = ("--set", "roles.trainer=4", "--set", "roles.spare=1")
    with LiveRun(tmp_path, *FEW, *two, job=JOB, name="struck") as run:
        run.wait_for_step(4)
        run.kill("trainer", 1)
        assert finished(run) == undisturbed
