"""What all books must do: order, nothing half written, no end over a hole."""

from collections.abc import Callable
from typing import Protocol

from qmpi.errors import ExitCode
from qmpi.ports.books import AppendJournal, Books, BooksBroken, Entry, WriteEnd, WriteStatus
from qmpi.protocol.journal import FailureSeen, JournalRecord
from qmpi.protocol.status import EndMarker, StatusReport
from qmpi.units import Digest, Step

LONG = "so long a text that a disk with a little room cannot take it; " * 200


class World(Protocol):
    """Books of a run, and its disk."""

    books: Books

    def fill(self) -> None:
        """Leave less room on the disk than any entry with a `LONG` text needs."""
        ...

    def free(self) -> None:
        """Give the disk room again."""
        ...

    def journal(self) -> list[JournalRecord]:
        """Read the journal as whoever comes later does; a broken one raises."""
        ...

    def status(self) -> StatusReport | None:
        """Read the status."""
        ...

    def end(self) -> EndMarker | None:
        """Read the end marker."""
        ...


def record(number: int) -> JournalRecord:
    return FailureSeen(float(number), Step(number), (), "a test", "none", LONG)


def append(*numbers: int) -> AppendJournal:
    return AppendJournal(tuple(map(record, numbers)))


def status(step: int) -> WriteStatus:
    report = StatusReport(
        state="running", step=step, steps=9, tokens=0, tokens_per_second=0.0, loss=None,
        digest="", generation=0, failures=(), ranks=(), reason=LONG,
    )  # fmt: skip
    return WriteStatus(report)


def end(state: str = "finished") -> WriteEnd:
    code = 0 if state == "finished" else 3
    marker = EndMarker(
        state=state, exit_code=code, step=9, digest=Digest("d"), reason=LONG, time=1.0
    )  # fmt: skip
    return WriteEnd(marker)


def write(world: World, *entries: Entry) -> None:
    for entry in entries:
        assert world.books.write(entry) is None, type(entry).__name__


def refused(world: World, entry: Entry) -> BooksBroken:
    broken = world.books.write(entry)
    assert isinstance(broken, BooksBroken), f"{type(entry).__name__} was taken"
    assert broken.entry == type(entry).__name__
    assert broken.reason
    return broken


def check_records_are_written_when_the_call_returns(world: World) -> None:
    write(world, append(0, 1))
    assert world.journal() == [record(0), record(1)]
    write(world, append(), append(2))
    assert world.journal() == [record(n) for n in range(3)]


def check_a_status_replaces_the_one_before(world: World) -> None:
    assert world.status() is None
    for step in (3, 4):
        write(world, status(step))
        assert world.status() == status(step).report


def check_the_end_comes_after_the_journal(world: World) -> None:
    write(world, append(0), append(1))
    assert world.end() is None
    write(world, end())
    assert world.journal() == [record(0), record(1)]
    assert world.end() == end().marker


def check_a_full_disk_is_told_and_leaves_the_journal_whole(world: World) -> None:
    write(world, append(0))
    world.fill()
    assert refused(world, append(1, 2)).exit_code == ExitCode.MACHINE
    assert world.journal() == [record(0)]
    world.free()
    assert world.journal() == [record(0)]


def check_a_hole_in_the_journal_is_never_written_over(world: World) -> None:
    write(world, append(0))
    world.fill()
    refused(world, append(1))
    world.free()
    # There is room again, yet what comes after record 1 must not stand in its place.
    assert refused(world, append(2)).exit_code == ExitCode.MACHINE
    assert world.journal() == [record(0)]
    write(world, append(1), append(2))
    assert world.journal() == [record(n) for n in range(3)]


def check_the_same_records_may_come_with_later_ones(world: World) -> None:
    world.fill()
    refused(world, append(0, 1))
    world.free()
    write(world, append(0, 1, 2))
    assert world.journal() == [record(n) for n in range(3)]


def check_no_end_stands_over_a_hole(world: World) -> None:
    for state in ("finished", "stopped"):
        world.fill()
        refused(world, append(0))
        world.free()
        refused(world, end(state))
        assert world.end() is None
    write(world, append(0), end())
    assert world.journal() == [record(0)]
    assert world.end() == end().marker


def check_a_run_that_failed_may_say_so_over_a_hole(world: World) -> None:
    world.fill()
    refused(world, append(0))
    world.free()
    write(world, end("failed"))
    assert world.end() == end("failed").marker
    assert world.journal() == []


def check_a_full_disk_keeps_the_old_status(world: World) -> None:
    write(world, status(3))
    world.fill()
    assert refused(world, status(4)).exit_code == ExitCode.MACHINE
    assert world.status() == status(3).report
    world.free()
    write(world, status(5))
    assert world.status() == status(5).report


def check_a_status_that_fails_makes_no_hole(world: World) -> None:
    world.fill()
    refused(world, status(1))
    world.free()
    write(world, append(0), end())
    assert world.end() == end().marker


def check_a_full_disk_writes_no_end(world: World) -> None:
    write(world, append(0))
    world.fill()
    assert refused(world, end()).exit_code == ExitCode.MACHINE
    assert world.end() is None
    world.free()
    write(world, end())
    assert world.end() == end().marker


Check = Callable[[World], None]
CHECKS: tuple[Check, ...] = (
    check_records_are_written_when_the_call_returns,
    check_a_status_replaces_the_one_before,
    check_the_end_comes_after_the_journal,
    check_a_full_disk_is_told_and_leaves_the_journal_whole,
    check_a_hole_in_the_journal_is_never_written_over,
    check_the_same_records_may_come_with_later_ones,
    check_no_end_stands_over_a_hole,
    check_a_run_that_failed_may_say_so_over_a_hole,
    check_a_full_disk_keeps_the_old_status,
    check_a_status_that_fails_makes_no_hole,
    check_a_full_disk_writes_no_end,
)
