"""Windows and masked documents in a real job: the same bits on one trainer and on two."""

from pathlib import Path

import pytest
from mpi.live_run import TINY_JOB, LiveRun

pytestmark = pytest.mark.timeout(900)

JOB = TINY_JOB.replace(
    "[train]",
    'window = 20\nsinks = 2\nwindow_pattern = "wf"\n\n[data]\ndocument_mask = true\n\n[train]',
)
FEW = ("--set", "train.steps=8", "--set", "roles.spare=0")


def digest_of(folder: Path, *options: str, job: str, name: str) -> str:
    with LiveRun(folder, *FEW, *options, job=job, name=name) as run:
        status = run.finish()
    assert status["exit_code"] == 0, run.logs()
    assert (status["state"], status["digest_step"]) == ("finished", status["steps"])
    journal = (run.run / "journal.jsonl").read_text()
    assert ("documents end with" in journal) == ("document_mask" in job)
    return str(status["digest"])


@pytest.mark.slow
def test_one_and_two_trainers_give_the_same_weights(tmp_path: Path) -> None:
    one = digest_of(tmp_path, "--set", "roles.trainer=1", job=JOB, name="one")
    two = digest_of(tmp_path, "--set", "roles.trainer=2", job=JOB, name="two")
    assert one == two
    unmasked = JOB.replace("document_mask = true", "")
    assert digest_of(tmp_path, "-n", "1", job=unmasked, name="plain") != one
