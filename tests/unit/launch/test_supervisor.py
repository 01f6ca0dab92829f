"""The relaunch loop, over a stand-in for mpirun that dies, hangs and leaves processes behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from qmpi.config.settings import FailureSettings
from qmpi.errors import LaunchError, UserError
from qmpi.launch import mpirun_process, start_watch, supervisor
from qmpi.launch.mpirun import SHIELD, LaunchPlan
from qmpi.launch.supervisor import Supervision, supervise
from qmpi.protocol.status import EndMarker
from qmpi.runtime import ownership
from qmpi.runtime.clock import Clock
from qmpi.runtime.leftovers import end_leftovers
from qmpi.runtime.ownership import beating
from qmpi.storage.rank_files import RankProcess, start_ticks
from qmpi.storage.run_directory import RunDirectory, RunLock
from qmpi.storage.status_file import write_end

MARKER = EndMarker(state="finished", exit_code=0, step=7, digest="", reason="", time=1.0)
FAKE = Path(__file__).parent / "fake_mpirun.py"
REPOSITORY = Path(__file__).parents[3]


class Job:
    """One supervised run of the stand-in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run = folder / "run"
        self.said: list[str] = []
        self.stop: Callable[[], bool] = lambda: False
        self.tick: Callable[[], None] = lambda: None
        self.claimed: Callable[[], None] = lambda: None
        self.check: Callable[[], None] = lambda: None
        self.mpirun = folder / "mpirun"
        self.mpirun.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{FAKE}" "$@"\n')
        self.mpirun.chmod(0o755)

    def play(
        self,
        *lines: str,
        max_relaunches: int = 5,
        limits: FailureSettings | None = None,
        adopt: bool = False,
        follow: bool = False,
        once: tuple[str, ...] = (),
    ) -> EndMarker:
        plan_file = self.folder / "plan"
        plan_file.write_text("\n".join(lines))
        environment = {**os.environ, "FAKE_PLAN": str(plan_file), "PYTHONPATH": str(REPOSITORY)}
        plan = LaunchPlan(
            self.mpirun, 3, self.run / "job.toml", self.run, environment, ("--work",), once
        )
        supervision = Supervision(
            limits or FailureSettings(max_relaunches=max_relaunches),
            lambda event: self.said.append(event.what),
            lambda: self.tick(),
            lambda: self.stop(),
            adopt=adopt,
            follow=follow,
            status_seconds=0.05,
            claimed=lambda: self.claimed(),
            check=lambda: self.check(),
        )
        return supervise(plan, supervision, Clock())

    def has_come_up(self) -> bool:
        return (self.run / "status.json").exists()

    def living(self) -> list[int]:
        """Ranks that are not gone; one that was just killed gets a moment to go."""
        end = time.monotonic() + 2.0
        while (found := self._look()) and time.monotonic() < end:
            time.sleep(0.01)
        return found

    def _look(self) -> list[int]:
        pids = [int(line) for line in (self.folder / "pids").read_text().split()]
        return [pid for pid in pids if Path(f"/proc/{pid}").exists() and not zombie(pid)]


def zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    monkeypatch.setattr(supervisor, "END_SECONDS", 0.5)
    monkeypatch.setattr(mpirun_process, "TERM_SECONDS", 0.3)
    return Job(tmp_path)


def test_the_end_marker_is_the_result(job: Job):
    marker = job.play("end:finished:0")
    assert (marker.state, marker.exit_code, marker.step) == ("finished", 0, 5)
    assert job.said == ["starting 3 ranks"]


def test_a_job_that_dies_is_started_again_until_it_ends(job: Job):
    marker = job.play("up say:first-cause die", "up say:second-cause", "end:finished:0")
    assert marker.state == "finished"
    assert sum(what.startswith("starting") for what in job.said) == 3
    # Each death is told with what the job last said.
    assert sum("first-cause" in what for what in job.said) == 1
    assert sum("second-cause" in what for what in job.said) == 1


def test_a_run_that_goes_back_is_started_again_and_no_death_is_counted(job: Job):
    lines = ["up args end:stopped:75:goes_back"] * 3 + ["up args end:finished:0"]
    marker = job.play(*lines, max_relaunches=0, once=("--from-scratch",))
    assert marker.state == "finished"
    assert sum(what.startswith("starting") for what in job.said) == 4
    assert job.said.count("started again, to go back before the spike of step 4") == 3
    # What the user insisted on was for the first start.
    told = (job.folder / "args").read_text().splitlines()
    assert ["--from-scratch" in line for line in told] == [True, False, False, False]


def test_a_run_that_was_stopped_goes_back_when_it_is_resumed(job: Job):
    job.stop = lambda: (job.run / "end.json").exists()
    marker = job.play("up end:stopped:75:goes_back", "up end:finished:0")
    assert (marker.state, marker.exit_code, marker.goes_back) == ("stopped", 75, True)
    assert sum(what.startswith("starting") for what in job.said) == 1


def test_an_old_end_marker_does_not_count(job: Job):
    job.play("end:finished:0")
    assert job.play("end:failed:4").state == "failed"
    # The log of the earlier start is still there.
    assert len(list((job.run / "logs").glob("job-*.log"))) == 2


def test_giving_up_tells_the_cause(job: Job):
    with pytest.raises(LaunchError, match=r"(?s)died 2 times.*max_relaunches.*ModuleNotFound"):
        job.play("up say:a", "up say:ModuleNotFoundError", max_relaunches=1)


def test_a_job_that_never_begins_is_given_up_soon(job: Job):
    with pytest.raises(LaunchError, match=r"(?s)ended 2 times before it began.*ModuleNotFound"):
        job.play("say:a", "say:ModuleNotFoundError", "end:finished:0")


def test_a_launcher_that_cannot_start_is_named(job: Job):
    job.mpirun.chmod(0o644)
    with pytest.raises(LaunchError, match="mpirun cannot be started: Permission denied"):
        job.play("end:finished:0")


@pytest.mark.parametrize("line", ["rank die", "rank file die", "rank", "rank end:finished:0 stay"])
def test_no_rank_outlives_its_job(job: Job, line: str):
    assert job.play(line, "end:finished:0").state == "finished"
    assert job.living() == []


def test_mpirun_that_hangs_after_the_end_is_ended(job: Job):
    begin = time.monotonic()
    assert job.play("deaf rank end:finished:0 stay").state == "finished"
    assert job.living() == []
    assert time.monotonic() - begin < 10


def test_a_stop_is_asked_for_by_file_and_ends_as_the_job_says(job: Job):
    job.stop = job.has_come_up
    assert job.play("up wait end:stopped:75").exit_code == 75
    assert any(what.startswith("stopping") for what in job.said)


def test_a_request_that_a_starting_job_took_for_a_leftover_is_made_again(job: Job):
    job.stop = job.has_come_up
    assert job.play("up deny wait end:stopped:75").exit_code == 75
    assert not (job.run / "stop").exists(), "it was obeyed"


def test_what_a_command_writes_it_writes_when_the_run_is_its_own(job: Job):
    directory = RunDirectory(job.run)
    directory.create()
    claims: list[bool] = []

    def claim() -> None:
        with pytest.raises(UserError, match="in use"):
            RunLock(directory.supervisor_lock)
        claims.append(True)

    job.claimed = claim
    with RunLock(directory.supervisor_lock), pytest.raises(UserError, match="in use"):
        job.play("end:finished:0")
    assert not claims
    job.play("end:finished:0")
    assert claims == [True]


def test_some_arguments_are_for_the_first_start_that_comes_up(job: Job):
    job.play("args die", "args up die", "args end:finished:0", once=("--from-scratch",))
    lines = (job.folder / "args").read_text().splitlines()
    assert ["--from-scratch" in line for line in lines] == [True, True, False]
    assert all("--work" in line for line in lines)


@pytest.mark.timeout(40)
@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("rank rank rank pause lose stay", "1 rank died before the ranks had met"),
        ("rank rank stay", "2 of 3 ranks came up"),
    ],
)
def test_a_job_that_cannot_come_up_is_started_again_in_seconds(
    job: Job, line: str, why: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(start_watch, "GONE_SECONDS", 1.0)
    monkeypatch.setattr(start_watch, "FEWER_SECONDS", 2.0)
    begin = time.monotonic()
    assert job.play(line, "end:finished:0").state == "finished"
    assert time.monotonic() - begin < 10
    assert any(why in said for said in job.said), job.said
    assert why in (job.run / "logs" / "job-1.log").read_text()
    assert job.living() == []


def test_who_starts_a_daemon_is_no_rank():
    rank = [sys.executable, "-m", "qmpi.main", "job.toml"]
    daemon = [sys.executable, "-I", "-S", str(SHIELD), "prted"]
    told = [start_watch.runs_rank([os.fsencode(w) for w in words]) for words in (rank, daemon)]
    assert told == [True, False]
    assert not start_watch.runs_rank([b""])


def test_ranks_that_take_their_time_are_let_be(job: Job, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(start_watch, "GONE_SECONDS", 0.3)
    monkeypatch.setattr(start_watch, "FEWER_SECONDS", 0.3)
    # All there, then the status; what becomes of them afterwards is the coordinator's to tell.
    job.play("rank rank rank pause pause up lose pause pause end:finished:0")
    assert job.said == ["starting 3 ranks"]


def test_a_job_that_dies_while_it_stops_is_not_started_again(job: Job):
    job.stop = job.has_come_up
    marker = job.play("up wait die", "end:finished:0")
    assert (marker.state, marker.exit_code) == ("stopped", 75)
    assert (job.run / "end.json").exists()


def test_a_job_that_is_stopped_before_its_ranks_have_met_is_ended_at_once(job: Job):
    job.stop = (job.folder / "staying").exists
    marker = job.play("rank stay", "end:finished:0")
    assert (marker.state, marker.exit_code) == ("stopped", 75)
    assert job.living() == []
    assert job.said[-1] == "stopped before the ranks had met; ending the job"


def test_a_job_that_does_not_stop_in_time_is_ended(job: Job, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(supervisor, "STOP_SECONDS", 0.3)
    job.stop = (job.folder / "staying").exists
    marker = job.play("rank up stay", "end:finished:0")
    assert (marker.state, marker.exit_code) == ("stopped", 75)
    assert job.living() == []


@pytest.mark.timeout(30)
@pytest.mark.parametrize("line", ["rank stay", "rank deaf up stay"])
def test_a_job_that_hangs_is_started_again(job: Job, line: str):
    limits = FailureSettings(start_seconds=2.0, heartbeat_seconds=0.1, dead_seconds=0.4)
    marker = job.play(line, "end:finished:0", limits=limits)
    assert marker.state == "finished"
    assert any("hangs" in said for said in job.said)
    assert job.living() == []


def test_a_second_signal_leaves_nothing_running(job: Job):
    def tick():
        if (job.folder / "staying").exists():
            raise KeyboardInterrupt

    job.tick = tick
    with pytest.raises(KeyboardInterrupt):
        job.play("deaf rank stay")
    assert job.living() == []


def test_a_job_whose_command_was_killed_is_followed_to_its_end(
    job: Job, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(supervisor, "FREE_SECONDS", 0.1)
    directory = RunDirectory(job.run)
    directory.create()
    orphan = RunLock(directory.lock)

    def end_the_orphan() -> None:
        if any("following it to its end" in what for what in job.said):
            write_end(job.run, MARKER)
            orphan.release()

    job.tick = end_the_orphan
    with pytest.raises(UserError, match="in use"):
        job.play("end:failed:3")
    assert job.play("end:failed:3", adopt=True) == MARKER
    with RunLock(directory.supervisor_lock), pytest.raises(UserError, match="in use"):
        job.play("end:failed:3", adopt=True)


def test_a_stop_reaches_a_job_whose_command_was_killed(job: Job):
    directory = RunDirectory(job.run)
    directory.create()
    orphan = RunLock(directory.lock)

    def end_the_orphan() -> None:
        if directory.stop_request.exists():
            orphan.release()

    job.tick = end_the_orphan
    job.stop = lambda: True
    marker = job.play("end:failed:3", adopt=True)
    assert (marker.state, marker.exit_code) == ("stopped", 75)


def test_a_stranger_with_a_leftovers_pid_is_spared(tmp_path: Path):
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        folder = RunDirectory(tmp_path).ranks
        folder.mkdir()
        ticks = start_ticks(stranger.pid)
        host = os.uname().nodename
        for rank, (name, started) in enumerate(
            [(host, ticks - 1), (host, 0), ("elsewhere", ticks)]
        ):
            process = RankProcess(rank, stranger.pid, name, started)
            (folder / f"{rank}.json").write_bytes(msgspec.json.encode(process))
        assert end_leftovers(folder) == 0
        assert stranger.poll() is None
        # A copied run brings the files of its original, whose ranks may be alive.
        process = RankProcess(0, stranger.pid, host, ticks, str(tmp_path / "original"))
        (folder / "0.json").write_bytes(msgspec.json.encode(process))
        assert end_leftovers(folder) == 0
        assert stranger.poll() is None
        process = RankProcess(0, stranger.pid, host, ticks, str(tmp_path.resolve()))
        (folder / "0.json").write_bytes(msgspec.json.encode(process))
        assert end_leftovers(folder) == 1
        assert stranger.wait(5) == -signal.SIGKILL
        assert list(folder.iterdir()) == []
    finally:
        stranger.kill()
        stranger.wait()


@pytest.fixture
def elsewhere(job: Job, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[RunLock, RunLock]]:
    """Both locks of the run, as the file server still keeps them for another host."""
    monkeypatch.setattr(ownership, "DEAD_SECONDS", 0.5)
    monkeypatch.setattr(ownership, "BEAT_SECONDS", 0.1)
    directory = RunDirectory(job.run)
    directory.create()
    locks = RunLock(directory.supervisor_lock), RunLock(directory.lock)
    for path in (directory.supervisor_lock, directory.lock):
        path.write_text("pid 7 on elsewhere\n")
    yield locks
    for lock in locks:
        lock.release()


def test_a_run_whose_host_has_died_is_taken_over(job: Job, elsewhere: tuple[RunLock, RunLock]):
    assert job.play("end:finished:0").state == "finished"
    assert [lock.beat() for lock in elsewhere] == [False, False]


def test_a_run_whose_host_lives_is_not(job: Job, elsewhere: tuple[RunLock, RunLock]):
    with beating(elsewhere[0], lambda: None), pytest.raises(UserError, match="7 on elsewhere"):
        job.play("end:finished:0")
    assert elsewhere[0].beat()


def test_a_run_whose_coordinator_lives_elsewhere_is_not(
    job: Job, elsewhere: tuple[RunLock, RunLock]
):
    with beating(elsewhere[1], lambda: None), pytest.raises(UserError, match="7 on elsewhere"):
        job.play("end:finished:0")
    assert elsewhere[1].beat()
