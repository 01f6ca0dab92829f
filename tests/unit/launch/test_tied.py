"""A job that is tied to its command ends with it, whatever ended that; another goes on."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"

COMMAND = """
import sys, time
from pathlib import Path
from qmpi.launch.mpirun import LaunchPlan
from qmpi.launch.mpirun_process import start_launcher

run, tied = Path(sys.argv[1]), sys.argv[2] == "True"
plan = LaunchPlan(run / "mpirun", 1, run / "job.toml", run, {}, is_tied=tied)
start_launcher(plan, sys.stdout.buffer, run)
time.sleep(60)
"""


@pytest.mark.parametrize("tied", [True, False])
def test_the_job_of_a_command_that_was_killed_ends_if_it_is_tied(tmp_path: Path, tied: bool):
    mpirun = tmp_path / "mpirun"
    mpirun.write_text(f"#!{sys.executable}\n{PROGRAM}")
    mpirun.chmod(0o755)
    arguments = [sys.executable, "-c", COMMAND, str(tmp_path), str(tied)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as command:
        assert command.stdout is not None
        job = int(command.stdout.readline())
        watched = os.pidfd_open(job)
        command.kill()
        if not tied:
            os.kill(job, signal.SIGTERM)  # blocked, as before
            with pytest.raises(TimeoutError):
                _wait(watched, 0.2)
            os.kill(job, signal.SIGKILL)
        _wait(watched, 30.0)
    os.close(watched)


def _wait(process: int, seconds: float) -> None:
    if not select.select([process], [], [], seconds)[0]:
        raise TimeoutError
