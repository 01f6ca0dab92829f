"""Real jobs whose batch grows as noise says, under a guard: the same story on any trainers."""

import json
from pathlib import Path
from typing import Any

import pytest
from mpi.live_run import LiveRun, qmpi

from qmpi.protocol.journal import HyperparametersChanged, StepCommitted
from qmpi.storage.journal import read_journal

OPTIONS = (
    *("--set", "train.steps=20", "--set", "train.digest_every=1", "--set", "roles.spare=0"),
    *("--set", "batch.first_lanes=2", "--set", 'batch.grow="noise"'),
    *("--set", "batch.grow_steps=3", "--set", 'batch.rate="sqrt"'),
    *("--set", "guard.loss_spike=0.05", "--set", "guard.window_steps=3"),
    *("--set", "guard.warmup_steps=4"),
)

pytestmark = pytest.mark.timeout(900)


def story(run: Path) -> tuple[list[tuple[Any, ...]], list[tuple[int, ...]]]:
    """Return what each standing step came to, and when the batch grew."""
    steps: dict[int, tuple[Any, ...]] = {}
    grown: list[tuple[int, ...]] = []
    for record in read_journal(run / "journal.jsonl"):
        if isinstance(record, StepCommitted):
            told = (record.lane_losses, record.gradient_norm, record.lane_square, record.spike)
            steps[record.step] = (*told, record.block_digests, record.weight_digest)
        elif isinstance(record, HyperparametersChanged):
            batch = record.hyperparameters[-1].batch
            assert batch is not None
            grown.append((batch.since, batch.lanes, batch.block))
    return [steps[step] for step in sorted(steps)], grown


@pytest.mark.slow
def test_the_batch_grows_and_spikes_are_left_out_alike_through_a_kill(tmp_path: Path) -> None:
    with LiveRun(tmp_path, *OPTIONS, name="two") as two:
        two.wait_for_step(7)
        two.kill("trainer", 1)
        end = two.finish()
    assert (end["state"], end["exit_code"]) == ("finished", 0), two.logs()
    with LiveRun(tmp_path, *OPTIONS, "--set", "roles.trainer=1", name="one") as one:
        alone = one.finish()
    assert alone["digest"] == end["digest"]
    assert story(two.run) == story(one.run)
    steps, grown = story(one.run)
    assert grown, "noise is large where a model has hardly begun"
    assert {len(step[0]) for step in steps} >= {2, 4}
    assert end["spikes"] == alone["spikes"] == sum(bool(step[3]) for step in steps) > 0
    assert end["noise_lanes"] == alone["noise_lanes"]
    for run in (two.run, one.run):
        report = json.loads(qmpi("audit", str(run), "--json").stdout)
        assert (report["audit"], report["steps"], report["spikes"]) == ("ok", 20, end["spikes"])
