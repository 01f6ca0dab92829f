"""Trainers that share out moments, in a real job: one is killed, and no step is done again."""

import json
from pathlib import Path

import pytest
from mpi.live_run import LiveRun, copies_at, qmpi

from qmpi.protocol.journal import GenerationOpened
from qmpi.storage.journal import read_journal

pytestmark = [pytest.mark.timeout(600), pytest.mark.slow]

QUICK = (
    *("--set", "train.sequence_tokens=32", "--set", "monitor.status_seconds=0.1"),
    *("--set", "failure.dead_seconds=60"),
)


def test_a_trainer_dies_and_no_step_is_done_again(tmp_path: Path) -> None:
    with LiveRun(tmp_path, *QUICK, name="whole") as whole:
        wanted = whole.finish()
    counts = ("--set", "roles.trainer=4", "--set", "roles.spare=1")
    shared = ("--set", 'parallel.shard="optimizer"')
    with LiveRun(tmp_path, "-n", "9", *QUICK, *counts, *shared) as run:
        run.wait_for_step(8)
        run.kill("trainer", 2)
        run.wait_for_step(18)
        run.kill("trainer", 1)
        status = run.finish()
    assert (status["exit_code"], status["state"]) == (0, "finished"), run.logs()
    assert status["digest"] == wanted["digest"]
    records = read_journal(run.run / "journal.jsonl")
    groups = [record for record in records if isinstance(record, GenerationOpened)]
    assert [group.origin for group in groups] == ["initial", "live", "live"]
    assert not any("are done again" in group.reason for group in groups)
    # The file of the last copy is that of a state which one rank holds.
    assert len(copies_at(run.run, 30)) == 1
    assert copies_at(run.run, 30) == copies_at(whole.run, 30)
    audit = qmpi("audit", str(run.run), "--json")
    assert json.loads(audit.stdout)["audit"] == "ok", audit.stdout + audit.stderr
