"""Ranks of a team that share out weights, over real MPI: one is killed, and no step is redone."""

import json
from pathlib import Path
from typing import Any

import pytest
from mpi.live_run import TINY_JOB, LiveRun, qmpi

from qmpi.protocol.journal import GenerationOpened
from qmpi.storage.journal import read_journal

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

JOB = (
    TINY_JOB.replace("[train]", "[parallel]\ncontext = 2\n\n[train]")
    .replace("steps = 30", "steps = 12")
    .replace("every_steps = 5\ndisk_every_steps = 20", "every_steps = 4\ndisk_every_steps = 4")
)
FEW = (
    *("--set", "train.lanes=2", "--set", "train.compile=off"),
    *("--set", "monitor.status_seconds=0.1"),
)
FULL = ("--set", "parallel.shard=full", "--set", "train.checkpointing=selective")


def finished(run: LiveRun) -> None:
    status = run.finish()
    assert (status["exit_code"], status["state"]) == (0, "finished"), run.logs()


def told(*arguments: str) -> Any:
    done = qmpi(*arguments, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def last_state(run: Path) -> str:
    """Return the digest of the unsharded state in the last checkpoint."""
    return str(told("checkpoints", str(run))["checkpoints"][-1]["state"])


def test_a_position_that_holds_some_weights_is_healed(tmp_path: Path) -> None:
    alone = ("--set", "roles.trainer=2", "--set", "roles.spare=0")
    with LiveRun(tmp_path, *FEW, *alone, job=JOB, name="whole") as whole:
        finished(whole)
    two = ("--set", "roles.trainer=4", "--set", "roles.spare=1")
    with LiveRun(tmp_path, *FEW, *FULL, *two, job=JOB, name="struck") as run:
        run.wait_for_step(4)
        run.kill("trainer", 1)
        finished(run)
    records = read_journal(run.run / "journal.jsonl")
    groups = [record for record in records if isinstance(record, GenerationOpened)]
    assert [group.origin for group in groups] == ["initial", "live"]
    assert told("audit", str(run.run))["audit"] == "ok"
    assert last_state(run.run) == last_state(whole.run)
    new = tmp_path / "reshaped"
    one = ("--set", "parallel.context=1", "--set", "parallel.shard=none")
    made = told("reshape", str(run.run), "--to", str(new), *one)
    assert made["state"] == last_state(new) == last_state(run.run)
