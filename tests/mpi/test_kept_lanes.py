"""Lanes that keep something, in real jobs: one digest for 1 to 3 trainers, and after kills."""

import json
import signal
from pathlib import Path

import pytest
from mpi.live_run import LiveRun, copies_at, qmpi

from qmpi.errors import ExitCode
from qmpi.protocol.journal import GenerationOpened
from qmpi.storage.journal import read_journal

pytestmark = [pytest.mark.timeout(600), pytest.mark.slow]

QUICK = (
    *("--set", "train.sequence_tokens=32", "--set", "monitor.status_seconds=0.1"),
    *("--set", "failure.dead_seconds=60"),
)
KINDS = {
    "16 bits": ("--set", "train.reduction_bits=16"),
    "topk": ("--set", 'train.compression="topk"', "--set", "train.compression_share=0.05"),
    "powersgd": ("--set", 'train.compression="powersgd"'),
}


def groups_of(run: LiveRun) -> list[GenerationOpened]:
    records = read_journal(run.run / "journal.jsonl")
    return [record for record in records if isinstance(record, GenerationOpened)]


@pytest.mark.parametrize("kind", KINDS)
def test_kills_change_no_bit(tmp_path: Path, kind: str) -> None:
    alone = ("--set", "roles.trainer=1", "--set", "roles.spare=0")
    with LiveRun(tmp_path, "-n", "5", *QUICK, *KINDS[kind], *alone, name="alone") as one:
        wanted = one.finish()
    assert (wanted["exit_code"], wanted["state"]) == (0, "finished"), one.logs()
    counts = ("--set", "roles.trainer=3", "--set", "roles.spare=1")
    with LiveRun(tmp_path, "-n", "8", *QUICK, *KINDS[kind], *counts) as run:
        run.wait_for_step(8)
        run.kill("trainer", 2)
        run.wait_for_step(18)
        run.kill("trainer", 1)
        status = run.finish()
    assert (status["exit_code"], status["state"]) == (0, "finished"), run.logs()
    assert status["digest"] == wanted["digest"]
    first, *others = groups_of(run)
    assert first.origin == "initial"
    assert len(others) == 2
    # A copy is read, for nobody else holds what the dead's lanes keep.
    assert not {"initial", "live"} & {group.origin for group in others}
    assert all("nobody holds what lanes" in group.reason for group in others)
    assert len(copies_at(run.run, 30)) == 1
    assert copies_at(run.run, 30) == copies_at(one.run, 30)
    audit = qmpi("audit", str(run.run), "--json")
    assert json.loads(audit.stdout)["audit"] == "ok", audit.stdout + audit.stderr


def test_a_run_is_stopped_and_resumed_with_teams_of_two(tmp_path: Path) -> None:
    teams = ("--set", "model.kv_heads=2", "--set", "parallel.tensor=2", *KINDS["16 bits"])
    counts = ("--set", "roles.trainer=4", "--set", "roles.spare=0")
    with LiveRun(tmp_path, "-n", "8", *QUICK, *teams, *counts, name="whole") as whole:
        wanted = whole.finish()
    assert wanted["state"] == "finished", whole.logs()
    fewer = ("--set", "roles.trainer=2", "--set", "roles.spare=0")
    with LiveRun(tmp_path, "-n", "8", *QUICK, *teams, *counts) as run:
        run.wait_for_step(8)
        assert run.process is not None
        run.process.send_signal(signal.SIGTERM)
        assert run.finish()["exit_code"] == ExitCode.REQUEUE
    resumed = qmpi("train", "--resume", str(run.run), "--json", "-n", "6", *fewer, timeout=300.0)
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert run.status()["digest"] == wanted["digest"]
