"""Workers: in order, every error an event, and a wait for what was queued."""

import threading

import pytest

from qmpi.errors import ExitCode, InputError, MachineError, StorageError
from qmpi.ports.base import WorkCrashed
from qmpi.ports.clock import TimerFired
from qmpi.runtime.worker import Task, Worker
from qmpi.units import Seconds


def told(*runs):
    """Run pieces of work on one worker; return what was told, in order."""
    worker, events = Worker("test"), []
    for run in runs:
        worker.submit(Task(run, events.append))
    assert worker.settle(Seconds(10.0))
    return events


def raises(error):
    def run():
        raise error

    return run


def test_work_is_done_in_order_and_told_once():
    numbers = [lambda n=n: TimerFired(str(n)) for n in range(200)]
    assert told(*numbers) == [TimerFired(str(n)) for n in range(200)]


def test_work_without_a_result_is_told_nothing():
    assert told(lambda: None) == []


@pytest.mark.parametrize(
    ("error", "name", "code"),
    [
        (StorageError("the disk is full"), "StorageError", ExitCode.MACHINE),
        (InputError("no such source"), "InputError", ExitCode.USER),
        (MemoryError("4 GB"), "MemoryError", ExitCode.MACHINE),
        (PermissionError(13, "Permission denied"), "PermissionError", ExitCode.MACHINE),
        (ZeroDivisionError("division by zero"), "ZeroDivisionError", ExitCode.BUG),
    ],
)
def test_an_error_is_a_crash_and_the_next_work_still_runs(error, name, code):
    crashed, after = told(raises(error), lambda: TimerFired("after"))
    assert isinstance(crashed, WorkCrashed)
    assert (crashed.what, crashed.exit_code) == (name, code)
    assert crashed.reason
    assert after == TimerFired("after")


def test_waiting_ends_when_patience_does():
    worker, held = Worker("test"), threading.Event()
    worker.submit(Task(lambda: held.wait(10.0) and None, print))
    assert not worker.settle(Seconds(0.05))
    held.set()
    assert worker.settle(Seconds(10.0))


def test_who_closes_waits_for_what_was_queued_and_leaves_no_thread():
    worker, events, held = Worker("test"), [], threading.Event()
    assert worker.close(Seconds(0.0))
    for number in range(3):
        worker.submit(Task(lambda n=number: held.wait(10.0) and TimerFired(str(n)), events.append))
    assert not worker.close(Seconds(0.05))
    held.set()
    assert worker.close(Seconds(10.0))
    assert events == [TimerFired(str(number)) for number in range(3)]


def test_a_worker_without_work_has_nothing_to_wait_for():
    assert Worker("test").settle(Seconds(0.0))


def test_a_limit_on_threads_is_the_machines_and_said(monkeypatch):
    def refuse(_):
        raise RuntimeError("can't start new thread")

    worker = Worker("test")
    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(MachineError, match=r"ulimit -u"):
        worker.submit(Task(lambda: None, print))
    monkeypatch.undo()
    assert worker.settle(Seconds(10.0))  # nothing runs that could be waited for
