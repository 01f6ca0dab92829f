"""Run locks among hosts: who beats is alive, whoever the kernel believes; who does not is dead."""

import os
import socket

import pytest

from qmpi.errors import RunInUse
from qmpi.runtime import ownership
from qmpi.runtime.clock import Clock
from qmpi.runtime.ownership import begin_beating, beating, refusal_by_living, take_run
from qmpi.storage.run_lock import RunLock, holder_of, refusal_of

ELSEWHERE = "pid 7 on elsewhere\n"


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    monkeypatch.setattr(ownership, "BEAT_SECONDS", 0.05)
    monkeypatch.setattr(ownership, "MOVES_SECONDS", 0.4)
    monkeypatch.setattr(ownership, "DEAD_SECONDS", 0.6)
    monkeypatch.setattr(ownership, "LOOK_SECONDS", 0.02)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "lock"


def held_elsewhere(path):
    """A lock that the file server still keeps for another host."""
    lock = RunLock(path)
    path.write_text(ELSEWHERE)
    return lock


def test_a_lock_says_who_holds_it_and_forgets_who_gave_it_back(path):
    with RunLock(path):
        assert holder_of(path).said == f"pid {os.getpid()} on {socket.gethostname()}"
        assert not holder_of(path).elsewhere
    assert holder_of(path).said == ""
    assert refusal_of(path) is None
    assert path.read_bytes() == b""


def test_asking_leaves_no_trace(path):
    assert refusal_of(path) is None
    assert not path.exists()
    path.write_text(ELSEWHERE)
    stamp = path.stat().st_mtime_ns
    assert refusal_of(path) is None
    assert (path.read_text(), path.stat().st_mtime_ns) == (ELSEWHERE, stamp)
    with RunLock(path):
        assert "in use" in str(refusal_of(path))


def test_a_holder_of_this_host_is_alive_as_the_kernel_says(path):
    with RunLock(path):
        assert refusal_by_living(path, Clock()) is not None
        with pytest.raises(RunInUse):
            take_run(path, Clock())
    take_run(path, Clock()).release()


def test_a_holder_elsewhere_that_beats_is_alive(path):
    with held_elsewhere(path) as lock, beating(lock, lambda: None):
        with pytest.raises(RunInUse, match="pid 7 on elsewhere"):
            take_run(path, Clock())
        assert lock.beat()


def test_a_holder_elsewhere_that_does_not_beat_is_dead(path):
    dead = held_elsewhere(path)
    with take_run(path, Clock()) as lock:
        assert not dead.beat()
        assert lock.beat()
        with pytest.raises(RunInUse, match=f"pid {os.getpid()} on"):
            RunLock(path)
    assert [entry.name for entry in path.parent.iterdir()] == ["lock"]
    dead.release()


def test_who_was_taken_for_dead_is_told_once_and_clears_nothing(path):
    told = []
    slow = held_elsewhere(path)
    with take_run(path, Clock()):
        stop = begin_beating(slow, lambda: told.append("taken"))
        Clock.sleep(0.3)
        stop()
        slow.release()
        assert told == ["taken"]
        assert holder_of(path).said.startswith(f"pid {os.getpid()} on")


def test_where_locks_are_kept_to_one_host_beats_alone_protect_the_run(path):
    path.write_text(ELSEWHERE)  # no lock of it is seen here

    def beat():
        os.utime(path)

    with pytest.raises(RunInUse, match="pid 7 on elsewhere"):
        take_run(path, Clock(), beat)
    assert path.read_text() == ELSEWHERE
    with take_run(path, Clock()) as lock:
        assert lock.beat()


def test_locks_beside_are_cleared_in_the_same_time(path):
    other, moving, held = (path.with_name(name) for name in ("other", "moving", "held"))
    for file in (path, other, moving):
        file.write_text(ELSEWHERE)
    with RunLock(held):
        lock = take_run(path, Clock(), lambda: os.utime(moving), (other, moving, held))
        assert holder_of(held).said.startswith("pid")
    lock.release()
    assert (other.read_text(), moving.read_text()) == ("", ELSEWHERE)


def test_a_wait_can_be_ended(path):
    def end():
        raise KeyboardInterrupt

    with held_elsewhere(path), pytest.raises(KeyboardInterrupt):
        take_run(path, Clock(), end)


def test_beats_move_the_time_of_the_file(path):
    with RunLock(path) as lock, beating(lock, lambda: None):
        first = holder_of(path).stamp
        Clock.sleep(0.3)
        assert holder_of(path).stamp > first
