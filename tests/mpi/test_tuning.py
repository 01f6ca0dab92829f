"""A tuning of real small runs: two candidates, broken off and gone on with."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mpi.live_run import TINY_JOB, qmpi

pytestmark = pytest.mark.timeout(1500)

JOB = (
    TINY_JOB.replace("steps = 30", "steps = 40000").replace("lanes = 6", "lanes = 2")
    + """
[curriculum]
kind = "adaptive"
every_steps = 11
[[data.sources]]
kind = "content"
name = "drills"
type = "drills"
max_level = 20
"""
)


@pytest.mark.slow
def test_real_proxies_are_trained_scored_and_not_trained_again(tmp_path: Path) -> None:
    job, folder = tmp_path / "job.toml", tmp_path / "tuned"
    job.write_text(JOB)
    options = ["curriculum", str(job), "--tune", str(folder), "--candidates", "2"]
    options += ["--share", "0.5", "--proxy-width", "32", "--json"]
    command = [sys.executable, "-m", "qmpi.cli.main", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        ended, until = folder / "proxies" / "rung-1-static" / "status.json", time.time() + 300
        while not ended.exists() and process.poll() is None and time.time() < until:
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        stopped = json.loads(process.communicate(timeout=120)[0])
    assert (process.returncode, stopped["tuning"]) == (75, "stopped")
    first = folder / "proxies" / "rung-1-job" / "journal.jsonl"
    before = first.read_bytes()
    assert b"evaluation_done" in before
    finished = qmpi(*options, timeout=900)
    assert finished.returncode == 0, finished.stderr
    found = json.loads(finished.stdout)
    assert first.read_bytes() == before
    scores = [each["rungs"][0] for each in found["candidates"]]
    assert all(0.0 < score < 12.0 for score in scores)
    assert scores[0] != scores[1]
    assert found["best"] == ("job" if scores[0] <= scores[1] else "static")
    assert found["tuning"] in ("kept", "accepted")
    assert found["tokens"] < 0.5 * found["job_tokens"]
    # The weights of the job's own constants were moved by what was learned.
    path = json.loads(qmpi("curriculum", "--run", str(first.parent), "--json").stdout)["path"]
    assert len(path) > 1
    assert qmpi("audit", str(first.parent)).returncode == 0
