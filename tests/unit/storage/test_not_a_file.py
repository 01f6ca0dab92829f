"""A pipe where a run's file should be is told at once: nothing waits for a writer."""

import os
import signal
from pathlib import Path

import pytest

from qmpi.config.load import load_job
from qmpi.errors import ConfigError, StorageError
from qmpi.storage.journal import JournalWriter, read_journal
from qmpi.storage.rank_files import read_rank_files, write_rank_file
from qmpi.storage.snapshot_file import read_header, read_part, read_payload, verify_snapshot
from qmpi.storage.snapshot_store import PLACE_NAME, find_snapshots, ram_directory, snapshot_path
from qmpi.storage.status_file import read_end, read_status
from qmpi.storage.work_file import RESULT_NAME, read_result, read_work

ALARM_SECONDS = 5


@pytest.fixture(autouse=True)
def alarm():
    def ring(*_):
        raise AssertionError("it waits for a writer")

    handler = signal.signal(signal.SIGALRM, ring)
    signal.alarm(ALARM_SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, handler)


READERS = {
    "status.json": [lambda path: read_status(path.parent)],
    "end.json": [lambda path: read_end(path.parent)],
    "journal.jsonl": [lambda path: list(read_journal(path)), JournalWriter.open],
    "work.json": [read_work],
    RESULT_NAME: [lambda path: read_result(path.parent)],
    "step-1.snap": [
        read_header,
        verify_snapshot,
        read_payload,
        lambda path: read_part(path, 0, 1),
    ],
}


@pytest.mark.parametrize(
    ("name", "read"), [(name, read) for name, readers in READERS.items() for read in readers]
)
def test_a_pipe_and_a_device_are_refused(tmp_path, name, read):
    path = tmp_path / name
    os.mkfifo(path)
    with pytest.raises(StorageError, match=f"{name} is a pipe, a socket or a device, not a file"):
        read(path)
    path.unlink()
    path.symlink_to("/dev/zero")
    with pytest.raises(StorageError, match=f"{name} is a pipe, a socket or a device, not a file"):
        read(path)


@pytest.mark.parametrize("name", ["job.toml", "begun.toml"])
def test_a_named_pipe_is_no_job_file(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(ConfigError, match=f"{name} is a pipe"):
        load_job(tmp_path / name)


def test_a_job_may_come_through_a_pipe_of_the_shell():
    source, sink = os.pipe()
    os.write(sink, b"[train]\nsteps = 7\n[optimizer]\nwarmup_steps = 1\n")
    os.close(sink)
    try:
        assert load_job(Path(f"/dev/fd/{source}")).train.steps == 7
    finally:
        os.close(source)


def test_among_snapshots_it_is_passed_over_with_a_reason(tmp_path):
    path = snapshot_path(tmp_path, 3)
    os.mkfifo(path)
    facts, reasons = find_snapshots([("disk", tmp_path)], "run")
    assert facts == []
    assert reasons == [f"{path} is a pipe, a socket or a device, not a file"]


def test_among_the_places_in_memory_it_is_passed_over(tmp_path):
    other = tmp_path / "qmpi-run" / f"{os.getuid()}-other"
    other.mkdir(parents=True)
    os.mkfifo(other / PLACE_NAME)
    assert ram_directory(str(tmp_path), "run", tmp_path) != other
    assert other.exists()


def test_among_the_ranks_it_is_passed_over_and_replaced(tmp_path):
    write_rank_file(tmp_path, 1, "here")
    os.mkfifo(tmp_path / "0.json")
    assert [process.rank for process in read_rank_files(tmp_path)] == [1]
    write_rank_file(tmp_path, 0, "here")
    assert [process.rank for process in read_rank_files(tmp_path)] == [0, 1]
