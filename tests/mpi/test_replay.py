"""Real jobs that were changed on the way, by memory, noise, spikes and kills, are replayed."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from mpi.live_run import LiveRun, qmpi
from mpi.test_growing import OPTIONS as GROWING

from qmpi.protocol.journal import HyperparametersChanged, StepCommitted
from qmpi.storage.journal import read_journal

SHORT_OF_MEMORY = Path(__file__).parent / "short_of_memory"

SHORT = (
    *("--set", "train.steps=8", "--set", "train.digest_every=2", "--set", "train.lanes=4"),
    *("--set", "train.sequences=4", "--set", "roles.spare=0"),
    *("--set", "batch.halve_microbatches=true"),
)

WATCHED = ("--set", "monitor.status_seconds=0.1")
"""So that a job of few milliseconds a step is struck where it shall be."""

pytestmark = pytest.mark.timeout(900)


def replayed(run: Path, trainers: int, *options: str) -> dict[str, Any]:
    """Replay a run on some trainers."""
    place = run.with_name(f"{run.name}-{trainers}")
    done = qmpi(
        *("replay", str(run), "--json", "--run-dir", str(place)),
        *("--set", f"roles.trainer={trainers}", *options),
    )
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    assert done.returncode == report["exit_code"], report
    return report


def changes_of(run: Path) -> list[HyperparametersChanged]:
    journal = read_journal(run / "journal.jsonl")
    return [record for record in journal if isinstance(record, HyperparametersChanged)]


@pytest.mark.slow
def test_microbatches_that_one_trainer_had_no_memory_for_are_replayed_without_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trainers are ranks 3 and 4; the second has room for one row alone, after a few steps."""
    path = [str(SHORT_OF_MEMORY), *filter(None, [os.environ.get("PYTHONPATH")])]
    with monkeypatch.context() as limited:
        limited.setenv("PYTHONPATH", os.pathsep.join(path))
        limited.setenv("SHORT_OF_MEMORY", "4:1:9")
        with LiveRun(tmp_path, *SHORT) as run:
            end = run.finish()
    assert (end["state"], end["exit_code"]) == ("finished", 0), run.logs()
    told = [record.hyperparameters[-1] for record in changes_of(run.run)]
    assert [held.halvings for held in told] == [1, 2], run.logs()
    assert 0 < told[-1].first_step < 8
    for trainers in (1, 3):
        report = replayed(run.run, trainers)
        assert (report["replay"], report["steps"], report["digests"]) == ("same", 8, 4), report
        assert (report["digest"], report["digest_step"]) == (end["digest"], 8)
        assert not changes_of(Path(report["run_dir"]))
        audit = json.loads(qmpi("audit", report["run_dir"], "--json").stdout)
        assert (audit["audit"], audit["steps"]) == ("ok", 8)


@pytest.mark.slow
def test_a_batch_that_grew_by_noise_through_kills_is_replayed(tmp_path: Path) -> None:
    """A guard leaves spikes out on the way; the whole job dies once, and is started again."""
    with LiveRun(tmp_path, *GROWING, "--set", "train.steps=28", *WATCHED) as run:
        run.wait_for_step(7)
        run.kill("trainer", 1)
        run.wait_for_step(14)
        run.kill("coordinator")
        end = run.finish()
    assert (end["state"], end["exit_code"]) == ("finished", 0), run.logs()
    assert end["incarnation"] >= 2
    assert end["spikes"] > 0
    steps = [r for r in read_journal(run.run / "journal.jsonl") if isinstance(r, StepCommitted)]
    assert {len(step.lane_losses) for step in steps} >= {2, 4}
    report = replayed(run.run, 3)
    assert (report["replay"], report["steps"], report["digests"]) == ("same", 28, 28), report
    assert report["digest"] == end["digest"]
    assert not changes_of(Path(report["run_dir"]))


@pytest.mark.slow
def test_a_run_resumed_with_layers_checkpointed_has_the_bits_of_one_without(
    tmp_path: Path,
) -> None:
    few = ("--set", "train.steps=40", "--set", "roles.spare=0", *WATCHED)
    with LiveRun(tmp_path, *few) as run:
        run.wait_for_step(6)
        (run.run / "stop").touch()
        stopped = run.finish()
    assert (stopped["state"], stopped["exit_code"]) == ("stopped", 75), run.logs()
    done = qmpi(
        *("train", "--resume", str(run.run), "--json"), *("--set", "train.checkpointing=full")
    )
    assert done.returncode == 0, done.stderr
    end = json.loads(done.stdout)
    assert (end["state"], end["step"]) == ("finished", 40)
    with LiveRun(tmp_path, *few, "--set", "roles.trainer=1", name="alone") as alone:
        assert alone.finish()["digest"] == end["digest"]
