"""Starting, stopping and going on with real jobs, as people, shells and schedulers do it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from mpi.live_run import LiveRun, qmpi

from qmpi.launch.mpirun import find_mpirun

pytestmark = pytest.mark.timeout(900)

JOB = """
[job]
name = "tiny"
seed = 7

[model]
vocab_size = 4096
layers = 1
width = 32
heads = 2
kv_heads = 1

[train]
steps = 400
lanes = 2
sequences = 1
sequence_tokens = 32

[snapshot]
every_steps = 5
disk_every_steps = 10
"""
QUICK = ("-n", "3", "--set", "monitor.status_seconds=0.1")


def end_of(run: Path) -> dict[str, Any]:
    return json.loads((run / "end.json").read_text())


def by_hand(job: Path, run: Path, *options: str, **environment: str) -> subprocess.Popen[str]:
    root = ["--allow-run-as-root"] if os.getuid() == 0 else []
    command = [str(find_mpirun(os.environ)), *root, "--with-ft", "ulfm", "--oversubscribe"]
    command += ["-n", "3", sys.executable, "-m", "qmpi.main", str(job), "--run-dir", str(run)]
    return subprocess.Popen(
        [*command, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=job.parent,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        start_new_session=True,
    )


def test_whoever_is_refused_changes_nothing(tmp_path: Path) -> None:
    # It is stopped, not awaited: no machine is so slow that the run ends before it is asked for.
    job = JOB.replace("steps = 400", "steps = 1000000")
    with LiveRun(tmp_path, *QUICK, job=job) as run:
        run.wait_for_step(10)
        before = (run.run / "job.toml").read_bytes()
        other = qmpi("train", str(run.job), "--run-dir", str(run.run), "--set", "snapshot.keep=9")
        assert other.returncode == 2
        assert "in use" in other.stderr
        process = by_hand(run.job, run.run)
        said, _ = process.communicate(timeout=60)
        assert said.count("in use") == 1
        assert not (run.run / "end.json").exists()
        assert (run.run / "job.toml").read_bytes() == before
        assert run.process is not None
        run.process.send_signal(signal.SIGTERM)
        status = run.finish()
    assert (status["exit_code"], status["state"]) == (75, "stopped")
    end = (run.run / "end.json").read_bytes()
    process = by_hand(run.job, run.run, "--set", "train.steps=500")
    said, _ = process.communicate(timeout=60)
    assert "train.steps is 1000000, not 500" in said
    assert (run.run / "end.json").read_bytes() == end


OTHERS = [pytest.param(n, marks=pytest.mark.slow) for n in (signal.SIGUSR1, signal.SIGTERM)]


@pytest.mark.parametrize("number", [signal.SIGHUP, *OTHERS])
def test_a_signal_stops_in_order_and_the_job_goes_on_by_hand(
    tmp_path: Path, number: signal.Signals
) -> None:
    """Others than SIGHUP are slow: repetitions, and tests below stop jobs by both of them."""
    with LiveRun(tmp_path, *QUICK, job=JOB) as run:
        run.wait_for_step(10)
        assert run.process is not None
        run.process.send_signal(number)
        status = run.finish()
    assert (status["exit_code"], status["state"]) == (75, "stopped")
    shown = qmpi("status", str(run.run), "--json")
    assert json.loads(shown.stdout)["state"] == "stopped"
    (run.run / "stop").touch()
    process = by_hand(run.run / "job.toml", run.run)
    said, _ = process.communicate(timeout=120)
    assert end_of(run.run)["state"] == "finished", said
    assert not (run.run / "stop").exists()


def test_mpirun_passes_a_warning_on_and_the_job_stops_in_order(tmp_path: Path) -> None:
    job, run = tmp_path / "job.toml", tmp_path / "run"
    job.write_text(JOB)
    (tmp_path / "random.py").write_text("a name of the standard library\n")
    process = by_hand(job, run)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not list(run.glob("checkpoints/step-*")):
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.1)
    process.send_signal(signal.SIGUSR1)
    said, _ = process.communicate(timeout=60)
    end = end_of(run)
    assert (end["state"], end["exit_code"], end["reason"]) == ("stopped", 75, "signal SIGUSR1"), (
        said
    )


def test_whoever_starts_mpirun_by_hand_reads_its_exit_code(tmp_path: Path) -> None:
    job, run = tmp_path / "job.toml", tmp_path / "run"
    job.write_text(JOB)
    process = by_hand(job, run)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (run / "status.json").exists():
        time.sleep(0.1)
    pid = json.loads((run / "ranks" / "0.json").read_text())["pid"]
    os.kill(pid, signal.SIGKILL)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 3, said
    nowhere = by_hand(job, Path("/dev/null/run"))
    said, _ = nowhere.communicate(timeout=60)
    assert nowhere.returncode == 3, said


def test_the_working_directory_and_a_missing_home_do_not_matter(tmp_path: Path) -> None:
    (tmp_path / "random.py").write_text("a name of the standard library\n")
    (tmp_path / "job.toml").write_text(JOB)
    environment = {name: value for name, value in os.environ.items() if name != "HOME"}
    # As the script `qmpi` runs it: without the working directory on the module path.
    command = [sys.executable, "-P", "-m", "qmpi.cli.main", "train", "job.toml", "-n", "2"]
    done = subprocess.run(
        [*command, "--run-dir", "run", "--quiet", "--set", "train.steps=5"],
        cwd=tmp_path,
        env={**environment, "QMPI_CACHE": str(cache())},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert end_of(tmp_path / "run")["state"] == "finished"


def cache() -> Path:
    from qmpi.storage.cache import default_cache

    return default_cache(os.environ)


@pytest.mark.slow
def test_a_copy_and_its_original_go_on_side_by_side(tmp_path: Path) -> None:
    with LiveRun(tmp_path, *QUICK, "--set", "train.steps=600", job=JOB) as run:
        run.wait_for_step(20)
        assert run.process is not None
        run.process.send_signal(signal.SIGTERM)
        assert run.finish()["exit_code"] == 75
    copy = tmp_path / "copy"
    shutil.copytree(run.run, copy)
    command = [sys.executable, "-m", "qmpi.cli.main", "train", "--json", "-n", "3", "--resume"]
    processes = [
        subprocess.Popen([*command, str(where)], stdout=subprocess.DEVNULL)
        for where in (run.run, copy)
    ]
    assert [process.wait(120) for process in processes] == [0, 0]
    ends = [end_of(where) for where in (run.run, copy)]
    assert ends[0]["digest"] == ends[1]["digest"]
    for where in (run.run, copy):
        assert json.loads((where / "status.json").read_text())["failures"] == []


@pytest.mark.slow
def test_a_rank_that_dies_before_the_ranks_meet_costs_seconds(tmp_path: Path) -> None:
    shim, once = tmp_path / "shim", tmp_path / "once"
    shim.mkdir()
    (shim / "sitecustomize.py").write_text(
        "import os\n"
        "rank, once = os.environ.get('OMPI_COMM_WORLD_RANK'), os.environ['ONCE']\n"
        "if rank == '1' and not os.path.exists(once):\n"
        "    open(once, 'w').close()\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    (tmp_path / "job.toml").write_text(JOB)
    command = [sys.executable, "-m", "qmpi.cli.main", "train", str(tmp_path / "job.toml")]
    begin = time.monotonic()
    done = subprocess.run(
        [*command, "-n", "3", "--run-dir", str(tmp_path / "run"), "--set", "train.steps=5"],
        env={**os.environ, "ONCE": str(once), "PYTHONPATH": str(shim)},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert once.exists()
    assert time.monotonic() - begin < 100
    logs = sorted((tmp_path / "run" / "logs").glob("job-*.log"))
    assert len(logs) == 2
    assert "ranks" in logs[0].read_text()


@pytest.mark.slow
def test_damaged_checkpoints_stop_the_run_until_somebody_insists(tmp_path: Path) -> None:
    ram = tmp_path / "ram"
    ram.mkdir()
    options = (*QUICK, "--set", f"snapshot.ram_dir={ram}", "--set", "train.steps=120")
    with LiveRun(tmp_path, *options, job=JOB) as run:
        run.wait_for_step(30)
        assert run.process is not None
        run.process.send_signal(signal.SIGTERM)
        assert run.finish()["exit_code"] == 75
    shutil.rmtree(ram)
    ram.mkdir()
    files = list((run.run / "checkpoints").glob("step-*.snap"))
    for path in files:
        path.write_bytes(path.read_bytes()[:-1] + b"?")
    done = qmpi("train", "--resume", str(run.run), "-n", "3")
    assert done.returncode == 3
    assert all(f"{path.name} is damaged" in done.stderr for path in files)
    assert "more: qmpi explain run-failed" in done.stderr
    process = by_hand(run.run / "job.toml", run.run)
    said, _ = process.communicate(timeout=60)
    assert "--from-scratch" in said
    assert process.returncode == 3
    assert end_of(run.run)["state"] == "failed"
    journal = (run.run / "journal.jsonl").read_bytes()
    (run.run / "journal.jsonl").write_bytes(b"")
    done = qmpi("train", "--resume", str(run.run), "-n", "3")
    assert done.returncode == 3
    assert "is missing or empty, but there are checkpoints" in done.stderr
    (run.run / "journal.jsonl").write_bytes(journal)
    done = qmpi("train", "--resume", str(run.run), "-n", "3", "--from-scratch", "--json")
    assert done.returncode == 0, done.stderr
    failures = json.loads((run.run / "status.json").read_text())["failures"]
    assert [failure["action"] for failure in failures] == ["begin again at step 0"]
