"""Kills in a real job: the run goes on, and ends in the weights of the undisturbed run."""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from mpi.live_run import LiveRun, qmpi

pytestmark = pytest.mark.timeout(900)

STEPS = ("--set", "train.steps=60", "--set", "monitor.status_seconds=0.1")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> str:
    # One rank is enough: the weights do not depend on the number.
    with LiveRun(tmp_path_factory.mktemp("undisturbed"), "-n", "1", *STEPS) as run:
        status = run.finish()
    assert status["state"] == "finished", run.logs()
    return str(status["digest"])


def check(run: LiveRun, status: dict[str, object], undisturbed: str) -> None:
    assert status["exit_code"] == 0, run.logs()
    assert status["state"] == "finished"
    assert status["digest"] == undisturbed
    audit = qmpi("audit", str(run.run), "--json")
    assert audit.returncode == 0, audit.stderr
    assert json.loads(audit.stdout)["audit"] == "ok"


def deaths_of_a_start(status: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in status["failures"] if "of the job died" in one["what"]]


@pytest.mark.slow
@pytest.mark.parametrize("role", ["trainer", "memory", "generator", "replica", "spare"])
def test_one_rank_killed(tmp_path: Path, undisturbed: str, role: str) -> None:
    """Slow: the next test does it in one job, in turns, and the demonstration to a trainer."""
    with LiveRun(tmp_path, *STEPS) as run:
        run.wait_for_step(10)
        victim = run.kill(role)
        status = run.finish()
    check(run, status, undisturbed)
    check_noted(status, victim)


def test_one_of_each_light_role_killed_in_turns(tmp_path: Path, undisturbed: str) -> None:
    victims: list[int] = []
    with LiveRun(tmp_path, *STEPS) as run:
        for step, role in ((6, "spare"), (16, "replica"), (26, "generator"), (36, "memory")):
            run.wait_for_step(step)
            victims.append(run.kill(role))
        status = run.finish()
    check(run, status, undisturbed)
    for victim in victims:
        check_noted(status, victim)


def check_noted(status: dict[str, Any], victim: int) -> None:
    seen = [f for f in status["failures"] if victim in f["ranks"]]
    assert seen, status["failures"]
    assert all(f["what"] and f["action"] and f["reason"] for f in seen)
    dead = [r for r in status["ranks"] if r["rank"] == victim]
    assert not any(r["alive"] for r in dead)


@pytest.mark.slow
def test_two_trainers_one_memory_one_generator(tmp_path: Path, undisturbed: str) -> None:
    with LiveRun(tmp_path, *STEPS, "--set", "roles.memory=2") as run:
        for step, role in ((8, "trainer"), (16, "memory"), (24, "generator"), (32, "trainer")):
            run.wait_for_step(step)
            run.kill(role)
        status = run.finish()
    check(run, status, undisturbed)


@pytest.mark.slow
def test_memory_ranks_killed_down_to_none(tmp_path: Path, undisturbed: str) -> None:
    """All three, one after the other, and then twice who has taken the role on."""
    victims: list[int] = []
    with LiveRun(tmp_path, *STEPS, "--set", "roles.memory=3") as run:
        for step in (6, 14, 22, 30, 38):
            run.wait_for_step(step)
            victims.append(run.kill("memory"))
        status = run.finish()
    check(run, status, undisturbed)
    assert status["incarnation"] == 1
    assert len(set(victims)) == len(victims)
    for victim in victims:
        check_noted(status, victim)


def test_coordinator_killed(tmp_path: Path, undisturbed: str) -> None:
    with LiveRun(tmp_path, *STEPS) as run:
        run.wait_for_step(15)
        run.kill("coordinator")
        status = run.finish()
    check(run, status, undisturbed)
    assert status["incarnation"] == 2
    (failure,) = deaths_of_a_start(status)
    assert "started again, as start 2" in failure["action"]
    assert "the coordinator is gone" in failure["reason"]
    assert failure["step"] >= 15
    # What was being done when the end came is nothing that is done now.
    assert {rank["activity"] for rank in status["ranks"] if rank["alive"]} == {"left"}


@pytest.mark.slow
def test_mpirun_killed(tmp_path: Path, undisturbed: str) -> None:
    with LiveRun(tmp_path, *STEPS) as run:
        run.wait_for_step(15)
        assert run.process is not None
        (child,) = children(run.process.pid)
        os.kill(child, signal.SIGKILL)
        status = run.finish()
    check(run, status, undisturbed)
    (failure,) = deaths_of_a_start(status)
    assert failure["reason"] == "mpirun was ended by SIGKILL"


def test_everything_killed_then_resumed(tmp_path: Path, undisturbed: str) -> None:
    with LiveRun(tmp_path, *STEPS) as run:
        run.wait_for_step(20)
        assert run.process is not None
        run.process.kill()
        for rank in run.status()["ranks"]:
            os.kill(rank["pid"], signal.SIGKILL)
        run.process.wait()
    time.sleep(0.5)
    resumed = qmpi("train", "--resume", str(run.run), "--json")
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    check(run, {**run.status(), "exit_code": 0}, undisturbed)


def test_stop_in_order_and_go_on(tmp_path: Path, undisturbed: str) -> None:
    with LiveRun(tmp_path, *STEPS) as run:
        run.wait_for_step(12)
        assert run.process is not None
        run.process.send_signal(signal.SIGTERM)
        assert run.finish()["exit_code"] == 75
    step = run.status()["step"]
    assert step < 60
    assert (run.run / "checkpoints" / f"step-{step:019d}.snap").exists()
    resumed = qmpi("train", "--resume", str(run.run), "--json")
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    check(run, {**run.status(), "exit_code": 0}, undisturbed)


def children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


@pytest.mark.slow
def test_resume_follows_a_run_that_goes_on(tmp_path: Path, undisturbed: str) -> None:
    with LiveRun(tmp_path, *STEPS) as run:
        run.wait_for_step(5)
        for rank in run.status()["ranks"]:
            os.kill(rank["pid"], signal.SIGKILL)
        resumed = qmpi("train", "--resume", str(run.run), "--json")
        assert resumed.returncode == 0, resumed.stdout + resumed.stderr
        assert json.loads(resumed.stdout)["digest"] == undisturbed
        status = run.finish()
    check(run, status, undisturbed)
