"""What is known, kept and told around a start of the job that dies or is refused."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from unit.launch.test_supervisor import Job

from qmpi.errors import ConfigError, LaunchError, StorageError
from qmpi.launch import asking, supervisor
from qmpi.launch.asking import StopAsker
from qmpi.launch.death import SAID_BYTES, cause_of_death, how_launcher_ended
from qmpi.protocol.status import EndMarker
from qmpi.storage.rank_files import RankProcess, start_ticks
from qmpi.storage.run_directory import RunDirectory
from qmpi.storage.status_file import read_end, write_end
from qmpi.units import Seconds

OLD = EndMarker(state="finished", exit_code=0, step=7, digest="", reason="", time=1.0)
NOW = 1_700_000_000.0


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    monkeypatch.setattr(supervisor, "END_SECONDS", 0.5)
    RunDirectory(tmp_path / "run").create()
    return Job(tmp_path)


@pytest.fixture
def directory(job: Job) -> RunDirectory:
    return RunDirectory(job.run)


def stamp(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at)) + ",123"


def cause(directory: RunDirectory, said: str = "") -> str:
    log = directory.log_dir / "job-1.log"
    log.write_text(said)
    return cause_of_death(directory, log, Seconds(NOW))


def test_ranks_that_outlived_the_coordinator_tell_of_it(directory: RunDirectory) -> None:
    old = f"{stamp(NOW - 60)} rank 1 INFO qmpi.main: leaving: the coordinator is gone: long ago\n"
    directory.log_of(1).write_text(old)
    assert "silently" in cause(directory)
    later = f"{stamp(NOW + 9)} rank 2 WARNING qmpi.main: mpirun is gone; this rank leaves\n"
    directory.log_of(2).write_text(later)
    assert cause(directory) == "mpirun is gone"
    first = f"{stamp(NOW + 5)} rank 3 INFO qmpi.main: leaving: the coordinator is gone: killed\n"
    directory.log_of(3).write_text(first)
    assert cause(directory, "noise\n") == "the coordinator is gone: killed"


def test_who_heard_of_it_from_mpi_is_believed_over_who_lost_mpirun(directory: RunDirectory) -> None:
    lost = f"{stamp(NOW + 1)} rank 1 WARNING qmpi.main: mpirun is gone; this rank leaves\n"
    directory.log_of(1).write_text(lost)
    heard = f"{stamp(NOW + 1)} rank 2 INFO qmpi.main: leaving: the coordinator is gone: killed\n"
    directory.log_of(2).write_text(heard)
    assert cause(directory) == "the coordinator is gone: killed"


def test_what_the_supervisor_did_comes_first(directory: RunDirectory) -> None:
    said = "Traceback\nqmpi: the job hangs: no new status for 30 s; ending it\n"
    assert cause(directory, said).startswith("the job hangs")
    assert cause(directory, "qmpi: mpirun was ended by SIGKILL\n") == "mpirun was ended by SIGKILL"
    assert cause(directory, "a\nImportError: x\n---\n").endswith("last said: ImportError: x")
    assert len(cause(directory, "y" * 10_000)) == SAID_BYTES
    assert "\x1b" not in cause(directory, "\x1b[31mred\x00\n")


def test_a_cause_needs_no_log_that_can_be_read(directory: RunDirectory) -> None:
    os.mkfifo(directory.log_of(4))
    log = directory.log_dir / "job-9.log"
    assert cause_of_death(directory, log, Seconds(NOW)) == "the job ended silently"


def test_a_signal_of_the_launcher_is_named() -> None:
    assert how_launcher_ended(-signal.SIGKILL) == "mpirun was ended by SIGKILL"
    assert how_launcher_ended(-126) == "mpirun was ended by signal 126"
    assert how_launcher_ended(0) == how_launcher_ended(3) == how_launcher_ended(None) == ""


def test_the_next_start_is_told_why_the_last_one_died(job: Job) -> None:
    job.play("args up die", "args up say:ImportError", "args end:finished:0")
    first, second, third = (job.folder / "args").read_text().splitlines()
    assert "--died" not in first
    assert second.endswith("--died mpirun was ended by SIGKILL")
    assert third.endswith("--died the job ended, and last said: ImportError")


def test_a_start_that_is_refused_leaves_the_end_of_the_run_alone(job: Job) -> None:
    write_end(job.run, OLD)
    with pytest.raises(LaunchError):
        job.play("say:refused", "say:refused")
    assert read_end(job.run) == OLD
    job.mpirun.chmod(0o644)
    with pytest.raises(LaunchError):
        job.play("end:finished:0")
    assert read_end(job.run) == OLD
    job.stop = lambda: True
    assert job.play("end:finished:0").state == "stopped"
    assert read_end(job.run) == OLD


def test_an_old_end_does_not_end_a_new_start(job: Job) -> None:
    write_end(job.run, OLD)
    begin = time.monotonic()
    job.stop = lambda: time.monotonic() - begin > 0.5
    assert job.play("up wait end:stopped:75").state == "stopped"
    end = read_end(job.run)
    assert end is not None
    assert end.state == "stopped"


def test_a_job_file_that_was_broken_meanwhile_is_the_users_fault(job: Job) -> None:
    def check() -> None:
        raise ConfigError("job.toml is not TOML: line 3")

    job.check = check
    marker = job.play("up die", "end:finished:0")
    assert (marker.state, marker.exit_code) == ("failed", 2)
    assert "line 3" in marker.reason
    assert read_end(job.run) == marker


class Asked:
    """An asker on a disk that is full."""

    def __init__(self, directory: RunDirectory) -> None:
        self.said: list[str] = []
        self.asker = StopAsker(directory, self.said.append, lambda: False)


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, data: bytes, *, durable: bool) -> None:
        del data, durable
        raise StorageError(f"cannot write {path}: No space left on device")

    monkeypatch.setattr(asking, "write_atomic", refuse)


@pytest.fixture
def listener() -> Iterator[subprocess.Popen[str]]:
    """A process that prints the signals it gets."""
    program = (
        "import signal, sys, time\n"
        "def told(number, frame):\n"
        "    print(signal.Signals(number).name, flush=True)\n"
        "for number in (signal.SIGTERM, signal.SIGUSR1):\n"
        "    signal.signal(number, told)\n"
        "print('ready', flush=True)\n"
        "while True: time.sleep(1)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def heard(listener: "subprocess.Popen[str]") -> str:
    assert listener.stdout is not None
    return listener.stdout.readline().strip()


def note(directory: RunDirectory, pid: int, host: str) -> None:
    directory.ranks.mkdir(exist_ok=True)
    process = RankProcess(0, pid, host, start_ticks(pid))
    (directory.ranks / "0.json").write_bytes(msgspec.json.encode(process))


@pytest.mark.usefixtures("full")
def test_where_no_file_can_be_written_the_coordinator_is_signalled(
    directory: RunDirectory, listener: "subprocess.Popen[str]"
) -> None:
    asked = Asked(directory)
    asked.asker.ask()
    assert asked.said == []  # nobody listens yet
    note(directory, listener.pid, os.uname().nodename)
    for _ in range(5):
        asked.asker.ask()
    assert heard(listener) == "SIGTERM"
    assert len(asked.said) == 1
    assert "No space left" in asked.said[0]


@pytest.mark.usefixtures("full")
def test_where_the_coordinator_is_out_of_reach_the_reason_is_told_once(
    directory: RunDirectory, listener: "subprocess.Popen[str]"
) -> None:
    note(directory, listener.pid, "node17")
    asked = Asked(directory)
    for _ in range(100):
        asked.asker.ask()
    (said,) = asked.said
    assert "cannot ask the job to stop" in said
    assert "No space left" in said
    assert listener.poll() is None


def test_a_request_is_written_once_while_it_stands(directory: RunDirectory) -> None:
    asked = Asked(directory)
    asked.asker.ask()
    asked.asker.ask()
    assert len(asked.said) == 1
    directory.stop_request.unlink()
    asked.asker.ask()
    assert directory.stop_request.exists()
