"""Books: entries in order, a full disk told, nothing that would hide a hole."""

import errno
import os
from pathlib import Path

import pytest

from qmpi.errors import ExitCode, InvariantError
from qmpi.ports.books import AppendJournal, BooksBroken, WriteEnd, WriteStatus
from qmpi.protocol.journal import RunEnded
from qmpi.protocol.status import EndMarker, StatusReport
from qmpi.runtime.books import DiskBooks
from qmpi.storage.journal import JournalWriter, read_journal
from qmpi.storage.run_directory import RunDirectory
from qmpi.storage.status_file import read_end, read_status


def record(number):
    return RunEnded(float(number), "stopped", number, "", "test")


def marker(state="finished"):
    return EndMarker(state=state, exit_code=0, step=1, digest="", reason="", time=1.0)


STATUS = StatusReport(
    state="running", step=1, steps=2, tokens=3, tokens_per_second=0.0, loss=None, digest="",
    generation=1, failures=(), ranks=(),
)  # fmt: skip


@pytest.fixture
def run(tmp_path):
    directory = RunDirectory(tmp_path / "run")
    directory.create()
    return directory


@pytest.fixture
def books(run):
    with JournalWriter.open(run.journal) as journal:
        yield DiskBooks(run.root, journal)


class Disk:
    """Takes so many bytes of the journal, then is full; freed when told."""

    def __init__(self, monkeypatch, room):
        self.room, self.write = room, os.write
        monkeypatch.setattr(os, "write", self)

    def __call__(self, descriptor, data):
        if not self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        done = self.write(descriptor, data[: self.room])
        self.room -= done
        return done


def journal_of(run):
    return list(read_journal(run.journal))


def test_entries_are_on_disk_when_the_call_returns(run, books):
    assert books.write(AppendJournal((record(1), record(2)))) is None
    assert journal_of(run) == [record(1), record(2)]
    assert books.write(WriteStatus(STATUS)) is None
    assert read_status(run.root) == STATUS
    assert books.write(WriteEnd(marker())) is None
    assert read_end(run.root) == marker()


def test_the_journal_reaches_the_device_before_the_end_marker(run, books, monkeypatch):
    order, sync = [], os.fsync

    def note(descriptor):
        order.append(Path(f"/proc/self/fd/{descriptor}").resolve())
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    books.write(AppendJournal((record(1),)))
    books.write(WriteEnd(marker()))
    assert order[0] == run.journal
    assert len(order) > 1


def test_a_full_disk_is_told_and_leaves_the_journal_whole(run, books, monkeypatch):
    books.write(AppendJournal((record(1),)))
    Disk(monkeypatch, 20)
    broken = books.write(AppendJournal((record(2),)))
    assert isinstance(broken, BooksBroken)
    assert (broken.entry, broken.exit_code) == ("AppendJournal", ExitCode.MACHINE)
    assert "full" in broken.reason
    assert run.journal.read_bytes().endswith(b"\n")
    assert journal_of(run) == [record(1)]


def test_nothing_hides_a_hole_in_the_journal(run, books, monkeypatch):
    disk = Disk(monkeypatch, 0)
    assert books.write(AppendJournal((record(1),)))
    disk.room = 1 << 20
    assert books.write(AppendJournal((record(2),))).entry == "AppendJournal"
    assert books.write(WriteEnd(marker("finished"))).entry == "WriteEnd"
    assert books.write(WriteEnd(marker("stopped"))).entry == "WriteEnd"
    assert journal_of(run) == []
    assert read_end(run.root) is None
    assert books.write(WriteStatus(STATUS)) is None
    # A run may say that it failed: that promises nothing of the journal.
    assert books.write(WriteEnd(marker("failed"))) is None
    assert read_end(run.root).state == "failed"


def test_records_given_again_close_the_hole(run, books, monkeypatch):
    disk = Disk(monkeypatch, 0)
    assert books.write(AppendJournal((record(1),)))
    disk.room = 1 << 20
    assert books.write(AppendJournal((record(1), record(2)))) is None
    assert books.write(WriteEnd(marker())) is None
    assert journal_of(run) == [record(1), record(2)]


def test_a_torn_line_that_could_not_be_cut_is_cut_before_the_next(run, books, monkeypatch):
    disk, cut = Disk(monkeypatch, 20), os.ftruncate

    def refuse(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "ftruncate", refuse)
    assert isinstance(books.write(AppendJournal((record(1),))), BooksBroken)
    monkeypatch.setattr(os, "ftruncate", cut)
    disk.room = 1 << 20
    assert books.write(AppendJournal((record(1),))) is None
    assert journal_of(run) == [record(1)]


def test_a_status_that_cannot_be_written_is_told(run, books):
    run.status.mkdir()
    broken = books.write(WriteStatus(STATUS))
    assert broken.entry == "WriteStatus"
    run.end.mkdir()
    assert books.write(WriteEnd(marker())).entry == "WriteEnd"


def test_a_farm_keeps_no_journal(run):
    farm = DiskBooks(run.root)
    assert farm.write(WriteEnd(marker())) is None
    with pytest.raises(InvariantError):
        farm.write(AppendJournal((record(1),)))
