"""Packed rows in a real job: the same weights on one trainer and two, and an audit that agrees."""

from pathlib import Path

import pytest
from mpi.live_run import LiveRun, qmpi

pytestmark = pytest.mark.timeout(900)

PACKED = (
    *("--set", "data.packing=best_fit", "--set", "train.steps=6", "--set", "roles.spare=0"),
    *("--set", "evaluation.held_out=0.02"),
)


@pytest.mark.slow
def test_packed_rows_are_the_same_on_one_trainer_and_two(tmp_path: Path) -> None:
    digests = {}
    for name, options in {"one": ("-n", "1"), "two": ()}.items():
        with LiveRun(tmp_path, *PACKED, *options, name=name) as run:
            status = run.finish()
        assert status["exit_code"] == 0, run.logs()
        digests[name] = status["digest"]
    assert digests["one"] == digests["two"]
    audit = qmpi("audit", str(tmp_path / "two"))
    assert audit.returncode == 0, audit.stdout + audit.stderr
    assert "ok" in audit.stdout
