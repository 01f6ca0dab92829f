"""What a batch system does to a job that must end: a signal to all its processes, a time limit."""

import json
import os
import signal
import time
from pathlib import Path

import pytest
from mpi.live_run import LiveRun

from qmpi.storage.rank_files import parent_of

pytestmark = pytest.mark.timeout(900)

LONG = ("--set", "train.steps=4000")


def family(root: int) -> list[int]:
    """Return a process and all that descend from it, as a batch system finds them in a cgroup."""
    parents = {
        int(entry.name): parent_of(int(entry.name))
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit()
    }
    found = [root]
    for member in found:
        found += [pid for pid, parent in parents.items() if parent == member]
    return found


def test_signals_to_every_process_at_once_stop_in_order(tmp_path: Path) -> None:
    with LiveRun(tmp_path, *LONG) as run:
        run.wait_for_step(2, 200.0)
        assert run.process is not None
        members = family(run.process.pid)
        assert len(members) >= 8  # the command, mpirun, six ranks
        for number in (signal.SIGXCPU, signal.SIGTERM):
            for pid in members:
                os.kill(pid, number)
        status = run.finish()
    assert status["exit_code"] == 75, run.logs()
    end = json.loads((run.run / "end.json").read_text())
    assert (end["state"], end["exit_code"]) == ("stopped", 75)
    assert (run.run / "checkpoints" / f"step-{end['step']:019d}.snap").exists()
    assert not status["failures"], "mpirun must not have ended its ranks"


@pytest.mark.slow
def test_the_end_of_the_allocation_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QMPI_END_TIME", str(int(time.time()) + 60))
    with LiveRun(tmp_path, *LONG, "--stop-before", "45") as run:
        status = run.finish()
    assert status["exit_code"] == 75, run.logs()
    assert json.loads((run.run / "end.json").read_text())["state"] == "stopped"
