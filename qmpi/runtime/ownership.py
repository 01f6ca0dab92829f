"""Taking a run from a host that has died, and holding it so that no other host takes it.

Theory of operation. What a lock file says is in `qmpi.storage.run_lock`; here is the time that it
takes. Who holds a run beats from a thread of its own, so that a long write or a slow launch does
not look like death. Two hosts that find a dead holder at the same moment may both replace the file;
each finds after a moment whether the file that stays is its own, and the other one leaves.
"""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from qmpi.errors import ExitCode, RunInUse
from qmpi.runtime.clock import Clock
from qmpi.storage.run_lock import RunLock, holder_of, in_use, refusal_of

BEAT_SECONDS = 1.0

MOVES_SECONDS = 3.5
"""Within this a living holder beats, also as a network file system shows it, which may look at the
server's times every three seconds only."""

DEAD_SECONDS = 30.0
"""Silence after which a holder that the file server still knows is dead. Longer than a busy file
system stands still; whoever is seized by mistake has lost work, not data."""

LOOK_SECONDS = 0.1


def take_run(
    path: Path,
    clock: Clock,
    wait: Callable[[], None] = lambda: None,
    beside: tuple[Path, ...] = (),
) -> RunLock:
    """Take the lock of a run, if need be from a host that has died.

    Args:
        path: lock file.
        clock: the clock.
        wait: called while a holder of another host is looked at; what it raises ends the wait.
        beside: further locks of the run; what dead holders on other hosts left in those that are
            free is cleared in the same time.

    Returns:
        The lock; its owner beats (`beating`).

    Raises:
        RunInUse: its holder lives.
        StorageError: the lock file cannot be opened.
    """
    refused = refusal_by_living(path, clock, wait)
    if refused:
        raise RunInUse(refused)
    lock, others = RunLock(path), {other: holder_of(other) for other in beside}
    if not lock.former.elsewhere:
        return lock
    if _moves(path, clock, MOVES_SECONDS, wait):
        lock.yield_to_former()
        raise RunInUse(in_use(path, lock.former))
    for other, before in others.items():
        if not refusal_of(other) and before == holder_of(other):
            RunLock(other).release()
    return lock


def refusal_by_living(path: Path, clock: Clock, wait: Callable[[], None] = lambda: None) -> str:
    """Ask whether a lock is refused; one whose holder's host has died is freed.

    Args:
        path: lock file.
        clock: the clock.
        wait: called while a holder of another host is looked at.

    Returns:
        Why, in words, as soon as the holder beats, at once if it is of this host; "" if the lock
        can be taken.
    """
    refused = refusal_of(path)
    if not refused:
        return ""
    if not holder_of(path).elsewhere or _moves(path, clock, DEAD_SECONDS, wait):
        return refused
    with RunLock(path, seize=True) as lock:
        clock.sleep(BEAT_SECONDS)
        return "" if lock.beat() else in_use(path, holder_of(path))


def refusal_by_beating(path: Path, clock: Clock) -> str:
    """Ask whether a lock is refused by a holder that is seen to live; frees none.

    Args:
        path: lock file.
        clock: the clock.

    Returns:
        Why, in words, after a few seconds at most; "" if it is free, or a host that shows no sign
        of life holds it.
    """
    refused = refusal_of(path)
    is_far = bool(refused) and holder_of(path).elsewhere
    return "" if is_far and not _moves(path, clock, MOVES_SECONDS, lambda: None) else refused


def _moves(path: Path, clock: Clock, seconds: float, wait: Callable[[], None]) -> bool:
    first, deadline = holder_of(path), clock.now() + seconds
    while clock.now() < deadline:
        clock.sleep(LOOK_SECONDS)
        wait()
        if holder_of(path).stamp != first.stamp:
            return True
    return False


def own_run(path: Path, clock: Clock, taken: Callable[[], None]) -> RunLock:
    """Take the lock of a run and hold it to the end of this process.

    Args:
        path: lock file.
        clock: the clock.
        taken: called, on a thread of its own and once, if another process takes the run over.

    Returns:
        The lock.

    Raises:
        RunInUse: its holder lives.
        StorageError: the lock file cannot be opened.
    """
    lock = take_run(path, clock)
    begin_beating(lock, taken)
    return lock


@contextmanager
def beating(lock: RunLock, taken: Callable[[], None]) -> Iterator[None]:
    """Beat for a lock as long as the block runs.

    Args:
        lock: held by this process.
        taken: called, on a thread of its own and once, if another process has taken the run over.

    Yields:
        Nothing.
    """
    stop = begin_beating(lock, taken)
    try:
        yield
    finally:
        stop()


def begin_beating(lock: RunLock, taken: Callable[[], None]) -> Callable[[], None]:
    """Beat for a lock until told to stop, or to the end of the process.

    Args:
        lock: held by this process.
        taken: as in `beating`.

    Returns:
        What ends it.
    """
    over = threading.Event()

    def beat() -> None:
        while not over.wait(BEAT_SECONDS):
            if not lock.beat():
                taken()
                return

    thread = threading.Thread(target=beat, name="beats", daemon=True)
    thread.start()

    def stop() -> None:
        over.set()
        thread.join()

    return stop


def leave_at_once() -> None:
    """End a command whose run another host has taken over; does not return.

    Neither in order nor with an end marker: both would strike the job of the new owner. The ranks
    of this command notice by themselves.
    """
    sys.stderr.write("qmpi: another host took this one for dead and has taken the run over\n")
    sys.stderr.flush()
    os._exit(int(ExitCode.MACHINE))
