"""Jobs that another command started, followed to their end and cleared away after."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from qmpi.config.settings import FailureSettings
from qmpi.errors import LaunchError
from qmpi.launch import supervisor
from qmpi.launch.mpirun import LaunchPlan
from qmpi.launch.scratch import make_scratch
from qmpi.launch.supervisor import Supervision, supervise
from qmpi.protocol.status import EndMarker
from qmpi.runtime.clock import Clock
from qmpi.storage.rank_files import RankProcess, run_of, start_ticks
from qmpi.storage.run_directory import RunDirectory, RunLock
from qmpi.storage.status_file import read_end, write_end

STOPPED = EndMarker(state="stopped", exit_code=75, step=7, digest="", reason="asked", time=1.0)
FINISHED = EndMarker(state="finished", exit_code=0, step=9, digest="", reason="", time=1.0)


class Following:
    """A command that follows; it has nothing that it could start."""

    def __init__(self, run: Path) -> None:
        self.directory = RunDirectory(run)
        self.directory.create()
        self.said: list[str] = []
        self.stop = False
        self.ticks = 0

    def tick(self) -> None:
        self.ticks += 1

    def play(self) -> EndMarker:
        run = self.directory.root
        plan = LaunchPlan(run / "no-mpirun", 3, self.directory.job, run, {})
        supervision = Supervision(
            FailureSettings(),
            lambda event: self.said.append(event.what),
            lambda: self.tick(),
            lambda: self.stop,
            follow=True,
        )
        return supervise(plan, supervision, Clock())


@pytest.fixture
def following(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Following:
    monkeypatch.setattr(supervisor, "FREE_SECONDS", 0.1)
    monkeypatch.setattr(supervisor, "END_SECONDS", 0.5)
    return Following(tmp_path / "run")


@pytest.fixture
def rank(following: Following) -> Iterator[subprocess.Popen[bytes]]:
    """A rank that outlived its command."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    folder = following.directory.ranks
    folder.mkdir()
    noted = RankProcess(
        0, process.pid, os.uname().nodename, start_ticks(process.pid), run_of(folder)
    )
    (folder / "0.json").write_bytes(msgspec.json.encode(noted))
    yield process
    process.kill()
    process.wait()


@pytest.mark.parametrize("early", [True, False])
def test_a_stop_reaches_the_ranks_that_are_followed(following: Following, early: bool):
    orphan = RunLock(following.directory.lock)
    following.stop = early

    def tick() -> None:
        following.stop |= any("following" in what for what in following.said)
        if following.directory.stop_request.exists():
            write_end(following.directory.root, STOPPED)
            orphan.release()

    following.tick = tick
    assert following.play() == STOPPED
    assert not following.directory.stop_request.exists(), "it was obeyed"


def test_ranks_that_do_not_stop_in_time_are_ended(
    following: Following, rank: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(supervisor, "STOP_SECONDS", 0.2)
    orphan = RunLock(following.directory.lock)
    following.stop = True

    def tick() -> None:
        if rank.poll() is not None:
            orphan.release()

    following.tick = tick
    assert (following.play().exit_code, rank.wait(5)) == (75, -9)


def test_who_insists_ends_the_ranks_that_are_followed(
    following: Following, rank: subprocess.Popen[bytes]
):
    def tick() -> None:
        raise KeyboardInterrupt

    following.tick = tick
    with RunLock(following.directory.lock), pytest.raises(KeyboardInterrupt):
        following.play()
    assert rank.wait(5) == -9


def test_a_stop_ends_the_following_of_a_command_that_lives(
    following: Following, rank: subprocess.Popen[bytes]
):
    def tick() -> None:
        following.stop = any("following" in what for what in following.said)

    following.tick = tick
    with RunLock(following.directory.supervisor_lock), RunLock(following.directory.lock):
        marker = following.play()
    assert (marker.state, marker.exit_code) == ("stopped", 75)
    assert f"the other goes on: the run {following.directory.root} is in use" in marker.reason
    assert not following.directory.stop_request.exists()
    assert not following.directory.end.exists(), "the run has not ended"
    assert rank.poll() is None


def test_what_a_killed_command_left_goes_with_the_end_of_its_job(
    following: Following, rank: subprocess.Popen[bytes]
):
    scratch = make_scratch(following.directory.root)
    (scratch / "torchinductor").mkdir()
    orphan = RunLock(following.directory.lock)

    def tick() -> None:
        if any("following" in what for what in following.said):
            write_end(following.directory.root, FINISHED)
            orphan.release()

    following.tick = tick
    assert following.play() == FINISHED
    assert not scratch.exists()
    # One that does not leave by itself is ended, as after an own start.
    assert rank.wait(5) == -9


def test_a_followed_command_that_was_refused_says_nothing_by_an_older_end(following: Following):
    write_end(following.directory.root, STOPPED)
    os.utime(following.directory.end, (1000, 1000))
    other = RunLock(following.directory.supervisor_lock)

    def tick() -> None:
        following.ticks += 1
        if following.ticks == 3:
            other.release()

    following.tick = tick
    # It goes on to start the job itself, and has nothing to start it with.
    with pytest.raises(LaunchError, match="cannot be started"):
        following.play()
    assert read_end(following.directory.root) == STOPPED


def test_a_job_that_had_ended_when_the_following_began_has_ended(following: Following):
    orphan = RunLock(following.directory.lock)
    write_end(following.directory.root, FINISHED)

    def tick() -> None:
        following.ticks += 1
        if following.ticks == 6:
            orphan.release()

    following.tick = tick
    assert following.play() == FINISHED
