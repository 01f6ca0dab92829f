"""Real jobs that a spike takes back: the same story on two trainers with a kill and on one."""

import json
from pathlib import Path
from typing import Any

import pytest
from mpi.live_run import LiveRun, qmpi

from qmpi.protocol.journal import RunOpened, StepCommitted
from qmpi.protocol.roll_back import RollBack
from qmpi.storage.journal import read_journal

STEPS = 13

OPTIONS = (
    *("--set", f"train.steps={STEPS}", "--set", "train.digest_every=1", "--set", "roles.spare=0"),
    *("--set", "guard.loss_spike=1.0", "--set", "guard.window_steps=2"),
    *("--set", "guard.warmup_steps=4", "--set", 'guard.action="roll_back"'),
    *("--set", "guard.back_steps=2", "--set", "guard.most_roll_backs=9"),
    *("--set", "snapshot.every_steps=1", "--set", "snapshot.disk_every_steps=1"),
    *("--set", "snapshot.keep=9"),
)

pytestmark = pytest.mark.timeout(900)


def story(run: Path) -> tuple[list[tuple[Any, ...]], list[RollBack]]:
    """Return what each standing step came to, and where the run went by itself."""
    steps: dict[int, tuple[Any, ...]] = {}
    backs: list[RollBack] = []
    for record in read_journal(run / "journal.jsonl"):
        if isinstance(record, StepCommitted):
            told = (record.lane_losses, record.gradient_norm, record.spike)
            steps[record.step] = (*told, record.block_digests, record.weight_digest)
        elif isinstance(record, RunOpened) and record.roll_back is not None:
            backs.append(record.roll_back)
            steps = {s: told for s, told in steps.items() if s < record.roll_back.back_to}
    return [steps[step] for step in sorted(steps)], backs


@pytest.mark.slow
def test_a_spike_takes_the_run_back_alike_through_a_kill(tmp_path: Path) -> None:
    with LiveRun(tmp_path, *OPTIONS, name="two") as two:
        two.wait_for_step(5)
        two.kill("trainer", 1)
        end = two.finish()
    assert (end["state"], end["exit_code"]) == ("finished", 0), two.logs()
    with LiveRun(tmp_path, *OPTIONS, "--set", "roles.trainer=1", name="one") as one:
        alone = one.finish()
    assert story(two.run) == story(one.run)
    assert alone["digest"] == end["digest"]
    steps, backs = story(one.run)
    assert len(steps) == STEPS
    assert backs, "the loss of step 9 stands out"
    assert [back["spike"] for back in end["roll_backs"]] == [back.spike for back in backs]
    assert alone["roll_backs"] == end["roll_backs"]
    assert (alone["incarnation"], len(alone["failures"])) == (1 + len(backs), 0)
    assert end["spikes"] == alone["spikes"] == 0
    for run in (two.run, one.run):
        report = json.loads(qmpi("audit", str(run), "--json").stdout)
        assert (report["audit"], report["steps"], report["spikes"]) == ("ok", STEPS, 0)
        assert report["roll_backs"] == end["roll_backs"]
