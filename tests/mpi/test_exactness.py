"""The same bits on any number of trainers, over real MPI; a float sum shows it could fail."""

from pathlib import Path

import pytest
from mpi.live_run import LiveRun

pytestmark = pytest.mark.timeout(900)

FEW = ("--set", "train.steps=10", "--set", "roles.spare=0")
"""Steps enough for a difference of one bit to reach every weight, and no rank that only waits."""


def digest_of(folder: Path, *options: str, name: str) -> str:
    with LiveRun(folder, *FEW, *options, name=name) as run:
        status = run.finish()
    assert status["exit_code"] == 0, run.logs()
    assert status["state"] == "finished"
    assert status["step"] == status["steps"]
    assert status["digest_step"] == status["steps"]
    return str(status["digest"])


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> str:
    return digest_of(tmp_path_factory.mktemp("one"), "-n", "1", name="one")


@pytest.mark.parametrize("trainers", [pytest.param(2, marks=pytest.mark.slow), 3])
def test_same_weights_on_any_number_of_trainers(tmp_path: Path, single: str, trainers: int) -> None:
    """Two trainers are slow: a repetition of three, and of every test that kills one of two."""
    # Blocks come to these compressed, and to the single trainer as they are.
    options = ("--set", f"roles.trainer={trainers}", "--set", "memory.codec=blosc2-zstd")
    assert digest_of(tmp_path, *options, name=f"t{trainers}") == single


@pytest.mark.slow
def test_float_sum_depends_on_the_deal(tmp_path: Path) -> None:
    fast = ("--set", "train.reduction=fast")
    one = digest_of(tmp_path, "-n", "1", *fast, name="one")
    three = digest_of(tmp_path, "--set", "roles.trainer=3", *fast, name="three")
    assert one != three
