"""Whole jobs whose trainers share a CUDA device; without one they skip."""

from pathlib import Path

import pytest
from mpi.live_run import LiveRun
from unit.training.on_cuda import NEEDS_CUDA

pytestmark = [pytest.mark.timeout(600), *NEEDS_CUDA]

ON_CUDA = ("--set", "train.device=cuda", "--set", "monitor.status_seconds=0.1")


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> str:
    with LiveRun(tmp_path_factory.mktemp("one"), "-n", "1", *ON_CUDA) as run:
        status = run.finish(400)
    assert (status["exit_code"], status["state"]) == (0, "finished"), run.logs()
    return str(status["digest"])


@pytest.mark.parametrize("trainers", [2, 3])
def test_same_weights_on_any_number_of_trainers(tmp_path: Path, single: str, trainers: int) -> None:
    with LiveRun(tmp_path, "--set", f"roles.trainer={trainers}", *ON_CUDA) as run:
        status = run.finish(400)
    assert status["exit_code"] == 0, run.logs()
    assert status["digest"] == single


def test_a_killed_trainer_changes_no_bit(tmp_path: Path, single: str) -> None:
    with LiveRun(tmp_path, *ON_CUDA) as run:
        run.wait_for_step(5, 400)
        run.kill("trainer")
        status = run.finish(400)
    assert status["exit_code"] == 0, run.logs()
    assert status["failures"]
    assert status["digest"] == single
