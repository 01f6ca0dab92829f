import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from qmpi.launch.strike import Strike, Striker, recovery_seconds
from qmpi.protocol.journal import GenerationOpened, StepCommitted
from qmpi.protocol.status import RankReport, StatusReport
from qmpi.storage.rank_files import RankProcess, start_ticks
from qmpi.storage.run_directory import RunDirectory
from qmpi.units import Digest, Generation, Rank, Step


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


def report(pid: int, step: int = 4, *, alive: bool = True, role: str = "trainer") -> StatusReport:
    return StatusReport(
        state="running",
        step=step,
        steps=12,
        tokens=0,
        tokens_per_second=0.0,
        loss=None,
        digest="",
        generation=1,
        failures=(),
        ranks=(RankReport(5, role, "here", pid, alive=alive),),
    )


def write_rank(run: Path, process: RankProcess) -> None:
    folder = RunDirectory(run).ranks
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{process.rank}.json").write_bytes(msgspec.json.encode(process))


def known(pid: int) -> RankProcess:
    return RankProcess(5, pid, os.uname().nodename, start_ticks(pid))


def test_kills_a_verified_rank_once(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    write_rank(tmp_path, known(sleeper.pid))
    striker = Striker(tmp_path, "trainer", 4)
    assert "SIGKILL to rank 5" in striker.look(report(sleeper.pid), now=100.0)
    assert sleeper.wait(10) == -signal.SIGKILL
    assert striker.strikes == (Strike(5, "trainer", 4, 100.0),)
    assert striker.look(report(sleeper.pid), now=101.0) == ""
    assert len(striker.strikes) == 1


def test_spares_a_stranger_who_has_the_pid_now(
    tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    process = known(sleeper.pid)
    write_rank(tmp_path, msgspec.structs.replace(process, started=process.started + 1))
    striker = Striker(tmp_path, "trainer", 4)
    assert striker.look(report(sleeper.pid), now=100.0) == ""
    write_rank(tmp_path, msgspec.structs.replace(process, host="elsewhere"))
    assert striker.look(report(sleeper.pid), now=100.0) == ""
    assert sleeper.poll() is None
    assert striker.strikes == ()


def test_waits_for_its_step_and_its_role(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    write_rank(tmp_path, known(sleeper.pid))
    striker = Striker(tmp_path, "trainer", 4)
    for early in (
        report(sleeper.pid, step=3),
        report(sleeper.pid, alive=False),
        report(sleeper.pid, role="memory"),
        report(0),
    ):
        assert striker.look(early, now=100.0) == ""
    assert sleeper.poll() is None


def test_recovery_ends_with_a_step_of_the_new_group() -> None:
    def step(time: float) -> StepCommitted:
        return StepCommitted(time, Step(0), Generation(1), 0, (), (), 1.0, Digest(""))

    def group(time: float) -> GenerationOpened:
        return GenerationOpened(time, Generation(1), (Rank(1),), (), Step(0), "live", "why")

    records = [group(1.0), step(2.0), step(10.1), group(10.5), step(11.25), step(12.0)]
    assert recovery_seconds(records, 10.0) == 1.25
    assert recovery_seconds(records, 11.0) is None
