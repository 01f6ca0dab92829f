"""Compiled layers in a real job: a promoted spare computes what the others do."""

from pathlib import Path

import pytest
from mpi.live_run import LiveRun

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

OPTIONS = (
    "--set", "train.steps=40", "--set", 'train.compile="on"', "--set", "monitor.status_seconds=0.1",
    "--set", "failure.start_seconds=1500", "--set", "failure.dead_seconds=60",
)  # fmt: skip
PATIENCE = 1500.0


def test_a_promoted_spare_gives_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QMPI_CACHE", str(tmp_path / "cache"))
    with LiveRun(tmp_path, *OPTIONS, "--set", "roles.spare=0", name="undisturbed") as run:
        undisturbed = run.finish(PATIENCE)
    assert undisturbed["state"] == "finished", run.logs()
    with LiveRun(tmp_path, *OPTIONS, name="disturbed") as run:
        run.wait_for_step(10, PATIENCE)
        victim = run.kill("trainer")
        status = run.finish(PATIENCE)
    assert status["state"] == "finished", run.logs()
    assert [f for f in status["failures"] if victim in f["ranks"]]
    assert status["digest"] == undisturbed["digest"]
    assert "compiled by" in (run.run / "journal.jsonl").read_text()
    # One rank of each cold start compiled; the warm start of the second run found everything.
    assert len(list((tmp_path / "cache" / "compiled").glob("*/*.made"))) == 1
