"""Processes: only this job's are fenced, leaving is final, a stop is told once."""

import os
import signal
import subprocess
import sys

import msgspec
import pytest

from qmpi.errors import LaunchError
from qmpi.ports.processes import ProfileRequested, StopRequested
from qmpi.protocol.profiles import ProfileRequest
from qmpi.runtime.processes import LOOK_SECONDS, STOPPING, HostProcesses
from qmpi.storage.profile_request import write_request
from qmpi.storage.rank_files import RankProcess, start_ticks

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]


@pytest.fixture
def sleeper():
    """A process that this one did launch, so that it has another launcher."""
    process = subprocess.Popen(SLEEPER)
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def stop(tmp_path):
    return tmp_path / "stop"


@pytest.fixture
def host(tmp_path, stop):
    (tmp_path / "ranks").mkdir()
    processes = HostProcesses(
        tmp_path / "ranks", stop, tmp_path / "profile.json", tmp_path / "recipe.json"
    )
    processes.is_coordinator = True
    return processes


def write_down(folder, pid, started, host=None):
    entry = RankProcess(3, pid, host or os.uname().nodename, started)
    (folder / "ranks" / "3.json").write_bytes(msgspec.json.encode(entry))


def lives(process):
    try:
        process.wait(0.5)
    except subprocess.TimeoutExpired:
        return True
    return False


def test_a_rank_that_is_written_down_is_fenced(tmp_path, host, sleeper):
    write_down(tmp_path, sleeper.pid, start_ticks(sleeper.pid))
    host.fence(sleeper.pid, "silent")
    assert sleeper.wait(5) == -signal.SIGKILL


def test_a_child_of_the_same_launcher_is_fenced_before_it_is_written_down(host, sleeper):
    host._launcher = os.getpid()
    host.fence(sleeper.pid, "silent")
    assert sleeper.wait(5) == -signal.SIGKILL


@pytest.mark.parametrize("kind", ["stranger", "pid given anew", "other host", "unknown start"])
def test_no_stranger_is_fenced(tmp_path, host, sleeper, kind):
    started = start_ticks(sleeper.pid)
    match kind:
        case "pid given anew":
            write_down(tmp_path, sleeper.pid, started - 1)
        case "other host":
            write_down(tmp_path, sleeper.pid, started, "elsewhere")
        case "unknown start":
            write_down(tmp_path, sleeper.pid, 0)
    host.fence(sleeper.pid, "silent")
    assert lives(sleeper)


@pytest.mark.parametrize("pid", [-1, 0, 1])
def test_no_group_and_no_first_process_is_fenced(host, pid):
    host.fence(pid, "silent")


def test_this_process_is_not_fenced(tmp_path, host):
    write_down(tmp_path, os.getpid(), start_ticks(os.getpid()))
    host.fence(os.getpid(), "silent")


def test_one_that_is_gone_is_no_error(tmp_path, host):
    process = subprocess.Popen([sys.executable, "-c", ""])
    started = start_ticks(process.pid)
    process.wait()
    write_down(tmp_path, process.pid, started)
    host.fence(process.pid, "silent")


def test_leaving_is_final(host):
    assert not host.leaving
    host.leave(3, "the disk is full", together=False)
    host.leave(0, "all is well", together=False)
    assert (host.leaving, host.exit_code, host.reason) == (True, 3, "the disk is full")


def test_a_stop_file_is_told_once(host, stop):
    assert list(host.notices(100.0)) == []
    stop.touch()
    assert list(host.notices(101.0)) == [StopRequested("a stop was requested")]
    assert list(host.notices(102.0)) == []
    host.on_signal(signal.SIGTERM, None)
    assert list(host.notices(103.0)) == []


def test_what_is_no_request_for_a_profile_is_passed_over(tmp_path, host, caplog):
    path = tmp_path / "profile.json"
    path.write_text('{"name": "../x", "steps": 1, "ranks": []}')
    assert list(host.notices(100.0)) == []
    assert not path.exists()
    assert "no request for a profile" in caplog.text


def test_a_rank_that_does_not_coordinate_leaves_a_request_alone(tmp_path, stop):
    path = tmp_path / "profile.json"
    write_request(path, ProfileRequest("p", 1, ()))
    host = HostProcesses(tmp_path, stop, path, tmp_path / "recipe.json")
    assert list(host.notices(100.0)) == []
    assert path.exists()
    host.is_coordinator = True
    assert list(host.notices(101.0)) == [ProfileRequested(ProfileRequest("p", 1, ()))]


def test_a_signal_is_told_once_by_its_name(host):
    host.on_signal(signal.SIGTERM, None)
    assert list(host.notices(100.0)) == [StopRequested("signal SIGTERM")]
    assert list(host.notices(101.0)) == []


def test_looks_are_rare(host, stop):
    host.notices(100.0)
    stop.touch()
    assert list(host.notices(100.0 + LOOK_SECONDS / 2)) == []
    assert list(host.notices(100.0 + LOOK_SECONDS)) != []


@pytest.mark.parametrize("number", [*STOPPING, signal.SIGINT])
def test_a_signal_that_asks_to_stop_ends_nobody(number, tmp_path):
    before = {n: signal.getsignal(n) for n in (*STOPPING, signal.SIGINT)}
    host = HostProcesses(
        tmp_path, tmp_path / "stop", tmp_path / "profile.json", tmp_path / "r.json"
    )
    try:
        host.listen()
        os.kill(os.getpid(), number)
    finally:
        for n, handler in before.items():
            signal.signal(n, handler)
    host.is_coordinator = True  # known late: the signal may strike before MPI has started
    told = [StopRequested(f"signal {number.name}")] if number in STOPPING else []
    assert list(host.notices(100.0)) == told


def test_a_rank_that_nobody_asks_is_told_nothing(tmp_path, stop):
    stop.touch()
    host = HostProcesses(tmp_path, stop, tmp_path / "profile.json", tmp_path / "recipe.json")
    host.on_signal(signal.SIGTERM, None)
    assert list(host.notices(100.0)) == []


def test_a_rank_whose_launcher_is_gone_leaves(host):
    host._launcher = 999_999_999
    with pytest.raises(LaunchError, match="mpirun is gone"):
        host.notices(100.0)
