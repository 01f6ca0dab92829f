"""Ranks that share a model, in real jobs: killed one after the other, and none the wiser."""

import json
import os
import random
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mpi.live_run import LiveRun, qmpi

pytestmark = pytest.mark.timeout(600)

SHARED = (
    *("--set", "model.kv_heads=2", "--set", "train.microbatches=2", "--set", "train.lanes=4"),
    *("--set", "train.sequence_tokens=32", "--set", "train.steps=24"),
    *("--set", "monitor.status_seconds=0.1", "--set", "failure.dead_seconds=60"),
)
LAYOUTS = {
    "pipeline": ("--set", "parallel.pipeline=2"),
    "tensor": ("--set", "parallel.tensor=2"),
}
BOTH = (*LAYOUTS["pipeline"], *LAYOUTS["tensor"])
LAYOUTS["zero_bubble"] = (*LAYOUTS["pipeline"], "--set", "parallel.schedule=zero_bubble")


def undisturbed(folder: Path, *options: str) -> str:
    """Return the digest of one team's run."""
    folder.mkdir()
    with LiveRun(folder, *SHARED, *options) as run:
        status = run.finish()
    assert status["state"] == "finished", run.logs()
    return str(status["digest"])


def check(run: LiveRun, status: dict[str, object], digest: str) -> None:
    assert (status["exit_code"], status["state"]) == (0, "finished"), run.logs()
    assert status["digest"] == digest
    audit = qmpi("audit", str(run.run), "--json")
    assert json.loads(audit.stdout)["audit"] == "ok", audit.stdout + audit.stderr


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    "layout",
    ["pipeline", pytest.param("tensor", marks=SLOW), pytest.param("zero_bubble", marks=SLOW)],
)
def test_a_rank_of_each_position_is_killed(tmp_path: Path, layout: str) -> None:
    """Two teams of two and a spare: the spare takes the first one's seat, then a team is broken."""
    options = LAYOUTS[layout]
    digest = undisturbed(tmp_path / "alone", "-n", "2", *options)
    counts = ("--set", "roles.trainer=4", "--set", "roles.spare=1")
    with LiveRun(tmp_path, "-n", "9", *SHARED, *options, *counts) as run:
        run.wait_for_step(6)
        seats = {
            (r["team"], r["position"]) for r in run.status()["ranks"] if r["role"] == "trainer"
        }
        assert seats == {(0, 0), (0, 1), (1, 0), (1, 1)}
        run.kill("trainer", 1)
        run.wait_for_step(14)
        run.kill("trainer", 2)
        status = run.finish()
    check(run, status, digest)
    assert len(status["failures"]) == 2


@pytest.mark.slow
def test_what_the_page_shows_runs(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "teams.md").read_text()
    fenced = re.findall(r"^```(\w*)\n(.*?)^```\n", text, re.DOTALL | re.MULTILINE)
    blocks = [block for language, block in fenced if not language]
    assert blocks
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for line in "".join(blocks).splitlines():
        done = subprocess.run(
            shlex.split(line),
            cwd=tmp_path,
            env={**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        if "check" in line:
            assert "of 4 ranks: pipeline 2 x tensor 2" in done.stdout


@pytest.mark.slow
def test_twenty_kills_of_two_teams_of_four(tmp_path: Path) -> None:
    """Ranks of 2 x (2 x 2) with two spares are killed at random moments until nobody is left over;
    then the job is started again, as often as it takes."""
    steps = ("--set", "train.steps=300")
    digest = undisturbed(tmp_path / "alone", "-n", "4", *BOTH, *steps)
    counts = ("--set", "roles.trainer=8", "--set", "roles.spare=2")
    chance = random.Random(1)
    with LiveRun(tmp_path, "-n", "14", *SHARED, *BOTH, *steps, *counts) as run:
        step = 3
        for _ in range(20):
            step += chance.randrange(2, 12)
            run.wait_for_step(step)
            time.sleep(chance.random() * 0.3)
            alive = [r for r in run.status()["ranks"] if r["role"] == "trainer" and r["alive"]]
            run.kill("trainer", chance.randrange(len(alive)))
        status = run.finish()
    check(run, status, digest)


@pytest.mark.slow
def test_without_spares_a_team_less_goes_on_until_the_next_start_has_its_rank_again(
    tmp_path: Path,
) -> None:
    """A team that lost a rank waits; the job's next start deals both teams anew."""
    steps = ("--set", "train.steps=80")
    digest = undisturbed(tmp_path / "alone", "-n", "4", *BOTH, *steps)
    counts = ("--set", "roles.trainer=8", "--set", "roles.spare=0")
    with LiveRun(tmp_path, "-n", "12", *SHARED, *BOTH, *steps, *counts) as run:
        run.wait_for_step(10)
        assert teams_of(run) == {0, 1}
        run.kill("trainer", 5)
        degraded = run.status()["step"] + 6
        run.wait_for_step(degraded)
        assert len(teams_of(run)) == 1
        run.kill("coordinator")
        run.wait_for_step(degraded + 10)
        assert teams_of(run) == {0, 1}
        status = run.finish()
    assert status["incarnation"] == 2
    check(run, status, digest)


def teams_of(run: LiveRun) -> set[int]:
    ranks = run.status()["ranks"]
    return {r["team"] for r in ranks if r["role"] == "trainer" and r["alive"] and r["team"] >= 0}
