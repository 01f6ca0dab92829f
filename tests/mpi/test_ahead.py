"""Ahead modules over real MPI: the same weights whoever computes, and what is told of them."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mpi.live_run import LiveRun

pytestmark = pytest.mark.timeout(900)

AHEAD = (
    *("--set", "model.predict_ahead=2", "--set", "train.steps=24"),
    *("--set", "monitor.status_seconds=0.1"),
)


def finished(run: LiveRun) -> str:
    status = run.finish()
    assert status["exit_code"] == 0, run.logs()
    assert status["state"] == "finished"
    return str(status["digest"])


def committed(run: Path) -> list[dict[str, Any]]:
    lines = (run / "journal.jsonl").read_text().splitlines()
    records = [line.get("record", line) for line in map(json.loads, lines)]
    return [one for one in records if one["type"] == "step_committed"]


@pytest.mark.slow
def test_a_trainer_is_killed_and_the_weights_are_those_of_one(tmp_path: Path) -> None:
    with LiveRun(tmp_path, "-n", "1", *AHEAD, name="one") as one:
        wanted = finished(one)
    with LiveRun(tmp_path, *AHEAD) as run:
        run.wait_for_step(6)
        run.kill("trainer")
        assert finished(run) == wanted
    alone = {record["step"]: record["ahead_losses"] for record in committed(one.run)}
    assert all(len(losses) == 2 for losses in alone.values())
    assert {record["step"]: record["ahead_losses"] for record in committed(run.run)} == alone


@pytest.mark.slow
def test_what_the_page_shows_runs(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "ahead.md").read_text()
    (block,) = re.findall(r"^```\n(.*?)^```\n", text, re.DOTALL | re.MULTILINE)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    told = {}
    for line in block.splitlines():
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
        told[line.split()[1]] = done.stdout
    assert "left out" in told["export"]
    page = (tmp_path / "runs" / "ahead" / "report.html").read_text()
    assert "loss of tokens beyond the next" in page
    assert [len(record["ahead_losses"]) for record in committed(tmp_path / "runs" / "ahead")] == [
        1
    ] * 4
    said = json.loads((tmp_path / "models" / "ahead" / "config.json").read_text())
    assert said["architectures"] == ["Qwen3ForCausalLM"]
