"""A real job that does not fit the memory it may have: one clear error, and at once."""

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from mpi.live_run import TINY_JOB

pytestmark = pytest.mark.timeout(300)

LIMIT = 4 << 30
"""Address space of a process: torch and MPI take 1.5 GiB of it."""

HUGE = ("train.sequences=65536", "train.sequence_tokens=256", "train.lanes=1")
"""The features of its microbatch alone take 4 GiB."""


def test_a_job_that_does_not_fit_ends_as_the_machines_fault_and_says_what_helps(
    tmp_path: Path,
) -> None:
    job = tmp_path / "job.toml"
    job.write_text(TINY_JOB)
    command = [sys.executable, "-m", "qmpi.cli.main", "train", str(job), "-n", "3", "--json"]
    command += ["--run-dir", str(tmp_path / "run")]
    done = subprocess.run(
        [*command, *(part for field in HUGE for part in ("--set", field))],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT)),
    )
    assert done.returncode == 3, done.stderr
    end = json.loads((tmp_path / "run" / "end.json").read_text())
    assert (end["state"], end["exit_code"]) == ("failed", 3)
    assert "OutOfMemory: a microbatch: there is no memory for 4 GiB more" in end["reason"]
    assert "halve train.sequences" in end["reason"]
    assert len(list((tmp_path / "run" / "logs").glob("job-*.log"))) == 1
