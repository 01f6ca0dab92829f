"""A second job on a run that another holds leaves without a trace: the run is not its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from mpi.live_run import TINY_JOB

from qmpi.launch.mpirun import FLAGS, find_mpirun
from qmpi.storage.run_directory import RunDirectory, RunLock

pytestmark = pytest.mark.timeout(120)


def test_a_second_job_says_so_and_writes_no_end(tmp_path: Path) -> None:
    run, job = RunDirectory(tmp_path / "run"), tmp_path / "tiny.toml"
    run.create()
    job.write_text(TINY_JOB)
    root = ["--allow-run-as-root"] if os.getuid() == 0 else []
    command = [str(find_mpirun(os.environ)), *root, *FLAGS, "-n", "2", sys.executable]
    command += ["-m", "qmpi.main", str(job), "--run-dir", str(run.root)]
    with RunLock(run.lock):
        done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    # Told once on the screen, not by every rank, and in none of the run's own files.
    assert (done.stdout + done.stderr).count("is in use by") == 1, done
    assert done.returncode == 2
    assert not list(run.log_dir.iterdir())
    assert not run.end.exists()
    assert not run.journal.exists()
    assert not run.ranks.exists()
