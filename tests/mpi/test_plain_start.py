"""A job under a launcher that bears no failures: it ends in order all the same, and says so."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from mpi.live_run import qmpi
from mpi.test_starting import JOB

from qmpi.launch.mpirun import find_mpirun

pytestmark = pytest.mark.timeout(200)


def test_without_the_flag_a_job_is_told_that_it_only_heals_by_a_relaunch(tmp_path: Path) -> None:
    job, run = tmp_path / "job.toml", tmp_path / "run"
    job.write_text(JOB.replace("steps = 400", "steps = 12"))
    root = ["--allow-run-as-root"] if os.getuid() == 0 else []
    command = [str(find_mpirun(os.environ)), *root, "--oversubscribe", "-n", "3"]
    command += [sys.executable, "-m", "qmpi.main", str(job), "--run-dir", str(run)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, timeout=150, check=False
    )
    # A rank that left without finalizing would make it 1, and might take the others along.
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads((run / "end.json").read_text())["state"] == "finished"
    shown = qmpi("status", str(run), "--json")
    assert "--with-ft ulfm" in json.loads(shown.stdout)["healing"]
    assert "relaunch only" in qmpi("status", str(run)).stdout
    log = (run / "logs" / "rank-00000.log").read_text()
    assert log.count("by a relaunch only") == 1
    assert "by a relaunch only" not in (run / "logs" / "rank-00001.log").read_text()
