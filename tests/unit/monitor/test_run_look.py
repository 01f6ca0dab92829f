"""In which state a run is, told from its files, its locks and its processes."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from qmpi.errors import InputError
from qmpi.monitor.run_look import Observer, find_runs, newest_run
from qmpi.monitor.status_text import render
from qmpi.protocol.status import EndMarker, RankReport, StatusReport
from qmpi.storage.lock_table import held_locks, held_since
from qmpi.storage.rank_files import RankProcess, start_ticks
from qmpi.storage.run_directory import RunDirectory, RunLock
from qmpi.storage.status_file import read_status, write_end, write_status

HERE = os.uname().nodename
COORDINATOR = RankReport(
    rank=0, role="coordinator", host=HERE, pid=10, alive=True, activity="running"
)
REPORT = StatusReport(
    state="running",
    step=12,
    steps=60,
    tokens=36864,
    tokens_per_second=1000.0,
    loss=5.25,
    digest="",
    generation=2,
    failures=(),
    ranks=(COORDINATOR,),
    name="demo",
)


def report(directory: RunDirectory) -> StatusReport:
    return Observer(time.time()).report(directory.root)


def written(directory: RunDirectory, state: str, age: float = 0.0, host: str = HERE) -> None:
    ranks = (replace(COORDINATOR, host=host),)
    old = replace(REPORT, state=state, updated=time.time() - age, ranks=ranks)
    write_status(directory.root, old)


def ended(directory: RunDirectory, state: str, age: float = 0.0) -> None:
    marker = EndMarker(
        state=state, exit_code=0, step=60, digest="", reason="why so", time=time.time() - age
    )
    write_end(directory.root, marker)


def noted(directory: RunDirectory, pid: int, host: str = HERE, run: str = "") -> None:
    directory.ranks.mkdir(exist_ok=True)
    process = RankProcess(0, pid, host, start_ticks(pid) or 1, run)
    (directory.ranks / "0.json").write_bytes(msgspec.json.encode(process))


@pytest.fixture
def directory(tmp_path: Path) -> RunDirectory:
    made = RunDirectory(tmp_path / "run")
    made.create()
    return made


@pytest.fixture
def rank() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


@pytest.mark.parametrize("state", ["starting", "running"])
def test_a_young_status_holds(directory: RunDirectory, state: str) -> None:
    written(directory, state)
    assert report(directory).state == state


@pytest.mark.parametrize("state", ["stopped", "finished", "failed"])
def test_an_end_holds_however_old_and_nobody_is_busy_after_it(
    directory: RunDirectory, state: str
) -> None:
    written(directory, state, age=1e6)
    told = report(directory)
    assert (told.state, told.ranks[0].activity) == (state, "left")
    # The coordinator was killed between the marker and the status.
    written(directory, "running")
    ended(directory, state)
    told = report(directory)
    assert (told.state, told.reason, told.ranks[0].activity) == (state, "why so", "left")


def test_a_job_without_a_command_is_told_as_such(
    directory: RunDirectory, rank: subprocess.Popen[bytes]
) -> None:
    """Started by mpirun alone, or left by a command that was killed."""
    written(directory, "running")
    assert not report(directory).unsupervised, "no rank is known"
    noted(directory, rank.pid)
    told = report(directory)
    assert told.unsupervised
    assert "supervisor" in render(told)
    with RunLock(directory.supervisor_lock):
        assert not report(directory).unsupervised
        assert "supervisor" not in render(report(directory))
    assert report(directory).unsupervised
    # A command of another host may live, its beats unseen.
    directory.supervisor_lock.write_text("pid 7 on node17\n")
    os.utime(directory.supervisor_lock, (1.0, 1.0))
    assert not report(directory).unsupervised
    written(directory, "finished")
    directory.supervisor_lock.write_text("")
    assert not report(directory).unsupervised


def test_silence_is_stale_and_names_another_machine(directory: RunDirectory) -> None:
    written(directory, "running", age=120.0)
    here = report(directory)
    assert (here.state, here.ranks[0].alive) == ("stale", False)
    assert "120 s" in here.reason
    assert "it ran on" not in here.reason
    written(directory, "running", age=120.0, host="node17")
    assert "it ran on node17: look there" in report(directory).reason


def test_ranks_that_are_seen_to_be_gone_are_not_waited_for(
    directory: RunDirectory, rank: subprocess.Popen[bytes]
) -> None:
    written(directory, "running", age=5.0)
    noted(directory, rank.pid)
    assert report(directory).state == "running"
    rank.kill()
    rank.wait()
    told = report(directory)
    assert told.state == "stale"
    assert "gone" in told.reason
    assert "--resume" in told.reason


def test_what_cannot_be_seen_from_here_is_waited_for(directory: RunDirectory) -> None:
    written(directory, "running", age=5.0, host="node17")
    noted(directory, 999_999_999, host="node17")
    assert report(directory).state == "running"
    # A copied run brings the files of the original's ranks.
    noted(directory, 999_999_999, run="/elsewhere")
    assert report(directory).state == "running"


@pytest.mark.parametrize("before", ["running", "stopped", "failed"])
def test_a_command_that_starts_the_job_again_is_starting(
    directory: RunDirectory, before: str
) -> None:
    written(directory, before, age=1e6)
    if before != "running":
        ended(directory, before, age=1e6)
    with RunLock(directory.supervisor_lock):
        told = report(directory)
        assert told.state == "starting"
        assert not any(rank.alive for rank in told.ranks)
    assert report(directory).state == ("stale" if before == "running" else before)


def test_a_run_that_just_ended_under_its_command_has_ended(directory: RunDirectory) -> None:
    with RunLock(directory.supervisor_lock):
        written(directory, "finished", age=-1.0)
        assert report(directory).state == "finished"


def test_a_run_without_a_status_is_starting_while_its_command_lives(
    directory: RunDirectory,
) -> None:
    with pytest.raises(InputError):
        report(directory)
    with RunLock(directory.supervisor_lock):
        assert report(directory).state == "starting"
    assert report(directory).state == "stale"
    ended(directory, "failed")
    assert (report(directory).state, report(directory).reason) == ("failed", "why so")


def test_looking_takes_no_lock_and_writes_nothing(directory: RunDirectory) -> None:
    written(directory, "running")
    with RunLock(directory.supervisor_lock):
        pass
    before = {path: path.stat().st_mtime_ns for path in directory.root.rglob("*")}
    observer = Observer(time.time())
    with RunLock(directory.supervisor_lock):
        pass
    observer.report(directory.root)
    after = {path: path.stat().st_mtime_ns for path in directory.root.rglob("*")}
    assert before.keys() == after.keys()
    assert read_status(directory.root).state == "running"


def test_a_lock_is_seen_without_being_touched(directory: RunDirectory, tmp_path: Path) -> None:
    path, now = directory.supervisor_lock, time.time()
    assert held_since(path, held_locks(), now) is None
    with RunLock(path):
        before = path.stat().st_mtime_ns
        since = held_since(path, held_locks(), now)
        assert since is not None
        assert 0 < now - since < 1e5
        assert path.stat().st_mtime_ns == before
        other = tmp_path / "other"
        other.write_text(f"pid {os.getpid()} on {HERE}\n")
        assert held_since(other, held_locks(), now) is None
        assert held_since(path, held_locks(tmp_path / "absent"), now) is None
    assert held_since(path, held_locks(), now) is None


def test_a_command_on_another_host_is_believed_while_it_beats(directory: RunDirectory) -> None:
    path, now = directory.supervisor_lock, time.time()
    path.write_text("pid 7 on node17\n")
    written(directory, "running", age=60.0, host="node17")
    assert report(directory).state == "starting"
    written(directory, "stopped", age=60.0, host="node17")
    assert report(directory).state == "starting"
    written(directory, "stopped", age=5.0, host="node17")  # just ended, and not let go yet
    assert report(directory).state == "stopped"
    os.utime(path, (now - 30, now - 30))
    written(directory, "running", age=60.0, host="node17")
    assert report(directory).state == "stale"
    path.write_text("")  # given back
    assert held_since(path, held_locks(), now) is None


def test_runs_are_found_at_any_depth_and_once(tmp_path: Path) -> None:
    for name in ("a", "p/b", "p/q/c"):
        directory = RunDirectory(tmp_path / "runs" / name)
        directory.create()
        written(directory, "running")
        # Not looked into: a run is no folder of runs.
        inner = RunDirectory(directory.checkpoints / "inner")
        inner.create()
        written(inner, "running")
    (tmp_path / "runs" / "loop").symlink_to(tmp_path / "runs")
    (tmp_path / "runs" / "again").symlink_to(tmp_path / "runs" / "a")
    found = sorted(path.resolve().name for path in find_runs(tmp_path / "runs"))
    assert found == ["a", "b", "c"]
    os.utime(tmp_path / "runs" / "p" / "b" / "status.json", (4e9, 4e9))
    assert newest_run(tmp_path / "runs").name == "b"
    with pytest.raises(InputError):
        newest_run(tmp_path / "absent")


@pytest.mark.parametrize("content", [b"", b"{", b'{"state": "odd"}'])
def test_damage_is_told_not_raised(directory: RunDirectory, content: bytes) -> None:
    directory.status.write_bytes(content)
    line = Observer(time.time()).line(directory.root)
    assert line.state == "damaged"
    assert "status.json" in line.reason
    directory.status.unlink()
    os.mkfifo(directory.status)
    assert Observer(time.time()).line(directory.root).state == "damaged"
