"""Real jobs are extended, diverge and are rescued: skips are said, changes recorded."""

import json
from pathlib import Path
from typing import Any

import pytest
from mpi.live_run import TINY_JOB, LiveRun, qmpi

LEVEL = TINY_JOB.replace(
    "warmup_steps = 5", 'warmup_steps = 0\nschedule = "wsd"\ndecay_share = 0.0'
)
SHORT = (
    *("--set", "train.lanes=2", "--set", "snapshot.every_steps=3"),
    *("--set", "snapshot.disk_every_steps=3", "--set", "roles.spare=0"),
)
ABSURD, SANE = "optimizer.learning_rate=1e6", "optimizer.learning_rate=0.001"

pytestmark = pytest.mark.timeout(900)


def resumed(run: Path, *options: str) -> dict[str, Any]:
    done = qmpi("train", "--resume", str(run), "--json", *options, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def audited(run: Path) -> dict[str, Any]:
    return json.loads(qmpi("audit", str(run), "--json", timeout=300).stdout)


def trained(folder: Path, *options: str, name: str) -> tuple[Path, dict[str, Any]]:
    with LiveRun(folder, *SHORT, *options, job=LEVEL, name=name) as live:
        return live.run, live.finish(300)


@pytest.mark.slow
def test_a_run_that_diverged_from_the_start_is_rescued(tmp_path: Path) -> None:
    run, status = trained(tmp_path, "--set", "train.steps=12", "--set", ABSURD, name="absurd")
    # How many updates it takes until nothing is finite depends on the kernels.
    updates, skipped = status["updates"], status["skipped"]
    assert (status["state"], updates + skipped) == ("finished", 12)
    assert 1 <= updates <= 5
    assert all(loss >= 0.0 for _, loss in status["losses"])
    # The newest checkpoint before what was skipped; nobody can tell that it is of no use either.
    assert f"--resume {run} --back-to " in status["reason"]
    assert "--set optimizer.learning_rate=5e+05" in status["reason"]
    said = qmpi("status", str(run)).stdout
    assert f"{skipped} of 12 updates skipped, most of them: the gradient was not finite" in said
    report = audited(run)
    assert (report["updates"], report["skipped"]) == (updates, skipped)
    assert report["audit"].startswith(f"most updates were skipped: {skipped} of 12 steps")
    assert qmpi("audit", str(run)).returncode == 3
    end = resumed(run, "--back-to", "0", "--set", SANE)
    assert end["state"] == "finished"
    report = audited(run)
    assert (report["audit"], report["updates"], report["skipped"]) == ("ok", 12, 0)
    assert report["went_back"] == [0]
    one = ("--set", "roles.trainer=1", "--set", "train.steps=12", "--set", SANE)
    _, alone = trained(tmp_path, *one, name="alone")
    assert alone["digest"] == end["digest"]


@pytest.mark.slow
def test_a_run_is_extended_and_rescued_at_recorded_steps(tmp_path: Path) -> None:
    run, status = trained(tmp_path, "--set", "train.steps=6", "--set", SANE, name="extended")
    assert (status["state"], status["skipped"]) == ("finished", 0)
    resumed(run, "--set", "train.steps=12", "--set", ABSURD)
    report = audited(run)
    updates, skipped = report["updates"], report["skipped"]
    assert (report["audit"], updates + skipped) == ("ok", 12)
    assert 7 <= updates <= 11
    assert f"ok: 12 steps, {updates} updates, {skipped} skipped" in qmpi("audit", str(run)).stdout
    changed = ["train.steps 6 -> 12", "optimizer.learning_rate 0.001 -> 1000000.0"]
    assert report["changes"] == [f"from step 6 on: {', '.join(changed)}"]
    end = resumed(run, "--back-to", "6", "--set", SANE, "--set", "train.steps=14")
    report = audited(run)
    assert (report["audit"], report["updates"], report["skipped"]) == ("ok", 14, 0)
    assert (report["changes"], report["went_back"]) == (
        ["from step 6 on: train.steps 6 -> 14"],
        [6],
    )
    one = ("--set", "roles.trainer=1", "--set", "train.steps=14", "--set", SANE)
    _, alone = trained(tmp_path, *one, name="alone")
    assert alone["digest"] == end["digest"]
