"""How a rank that was let into a run leaves it when its run directory refuses."""

import logging
import os
import subprocess
import sys

import pytest

from qmpi import main
from qmpi.errors import ExitCode, StorageError
from qmpi.runtime.leftovers import end_leftovers
from qmpi.storage.rank_files import write_rank_file
from qmpi.storage.run_directory import RunDirectory
from qmpi.storage.status_file import read_end
from qmpi.transport import mpi


class Wire:
    """A transport of one rank."""

    def __init__(self, rank):
        self.rank, self.size = rank, 1

    def flush(self, deadline):
        return deadline > 0


class Idle:
    """Signals and processes of a host where nothing happens."""

    def __init__(self, ranks, *requests):
        self.paths = (ranks, *requests)
        self.is_coordinator = False

    def listen(self):
        pass


@pytest.fixture
def quiet_log():
    root = logging.getLogger()
    before, root.handlers = root.handlers, []
    yield
    for handler in root.handlers:
        handler.close()
    root.handlers = before


def enter(run, rank, monkeypatch):
    def build(world):
        world.entered()
        write_rank_file(run.ranks, rank, "here")
        raise AssertionError("the directory of the ranks is a file")

    monkeypatch.setattr(mpi, "start_mpi", lambda *_: Wire(rank))
    monkeypatch.setattr(main, "HostProcesses", Idle)
    return main.run_rank(build, run.root)


@pytest.mark.usefixtures("quiet_log")
@pytest.mark.parametrize("rank", [0, 1])
def test_ranks_that_is_a_file_ends_the_job_with_the_reason(tmp_path, monkeypatch, rank):
    run = RunDirectory(tmp_path)
    run.ranks.write_text("x")
    assert enter(run, rank, monkeypatch) == main.Exit(ExitCode.MACHINE, together=False)
    marker = read_end(tmp_path)
    if rank:
        assert marker is None
    else:
        assert (marker.state, marker.exit_code) == ("failed", ExitCode.MACHINE)
        assert f"cannot make the directory of the ranks {run.ranks}" in marker.reason


def test_a_rank_file_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "0.json").mkdir()
    with pytest.raises(StorageError, match=r"cannot write .*0\.json"):
        write_rank_file(tmp_path, 0, "here")


def test_leftovers_that_cannot_be_removed_are_told(tmp_path):
    write_rank_file(tmp_path, 0, "here")
    (tmp_path / "0.json").rename(tmp_path / "1.json")
    (tmp_path / "0.json").mkdir()
    with pytest.raises(StorageError, match=r"cannot remove .*0\.json"):
        end_leftovers(tmp_path)


def test_a_log_that_is_a_pipe_is_not_waited_for(tmp_path):
    run = RunDirectory(tmp_path)
    run.create()
    os.mkfifo(run.log_of(0))
    program = (
        "import sys, pathlib; from qmpi import main; from qmpi.storage.run_directory import"
        " RunDirectory\nmain._log_to(RunDirectory(pathlib.Path(sys.argv[1])), 0)\n"
        "main.logger.warning('heard')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert "heard" in done.stderr


def test_a_log_on_a_full_disk_prints_no_traces(tmp_path):
    run = RunDirectory(tmp_path)
    run.create()
    run.log_of(0).symlink_to("/dev/full")
    program = (
        "import sys, pathlib; from qmpi import main; from qmpi.storage.run_directory import"
        " RunDirectory\nrun = RunDirectory(pathlib.Path(sys.argv[1]))\n"
        "def train(options):\n"
        "    main._log_to(run, 0); main.logger.warning('lost'); return main.Exit(0, True)\n"
        "main.run_training = train; sys.argv[1:] = ['job.toml']; main.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert "Logging error" not in done.stderr
