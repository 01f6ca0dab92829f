"""A mixture of experts over real MPI: the same weights and biases on any number of trainers."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from mpi.live_run import LiveRun, qmpi

pytestmark = pytest.mark.timeout(900)

EXPERTS = {"experts": 4, "dense_layers": 1, "balance_rate": 0.05, "capacity_factor": 1.5}
FEW = (
    *(word for name, value in EXPERTS.items() for word in ("--set", f"model.{name}={value}")),
    *("--set", "train.steps=24", "--set", "monitor.status_seconds=0.1"),
)


def finished(run: LiveRun) -> str:
    status = run.finish()
    assert status["exit_code"] == 0, run.logs()
    assert status["state"] == "finished"
    return str(status["digest"])


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> str:
    with LiveRun(tmp_path_factory.mktemp("one"), "-n", "1", *FEW) as run:
        return finished(run)


@pytest.mark.slow
@pytest.mark.parametrize("trainers", [2, 3])
def test_same_weights_on_any_number_of_trainers(
    tmp_path: Path, undisturbed: str, trainers: int
) -> None:
    """Two trainers are slow: a repetition of three, and of the test that kills one of two."""
    options = ("--set", f"roles.trainer={trainers}", "--set", "roles.spare=0")
    with LiveRun(tmp_path, *FEW, *options) as run:
        assert finished(run) == undisturbed


def test_a_trainer_is_killed_and_loads_are_told(tmp_path: Path, undisturbed: str) -> None:
    with LiveRun(tmp_path, *FEW) as run:
        run.wait_for_step(6)
        run.kill("trainer")
        assert finished(run) == undisturbed
    audit = qmpi("audit", str(run.run), "--json")
    assert audit.returncode == 0, audit.stderr
    lines = (run.run / "journal.jsonl").read_text().splitlines()
    records = [line.get("record", line) for line in map(json.loads, lines)]
    told = [one["experts"] for one in records if one["type"] == "step_committed"]
    assert len(told) >= 24
    assert all(one["layer"] == 1 and one["largest"] >= 1 >= one["smallest"] for one in told)
    assert any(one["dropped"] > 0 for one in told)
    # A finished run has no biases left, so it is a plain Qwen3-MoE.
    export = qmpi("export", str(run.run), "--to", str(tmp_path / "hf"), "--json")
    assert export.returncode == 0, export.stderr
    said = json.loads((tmp_path / "hf" / "config.json").read_text())
    assert (said["model_type"], said["num_experts"]) == ("qwen3_moe", 4)


@pytest.mark.slow
def test_what_the_page_shows_runs(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "experts.md").read_text()
    # What follows begins with the end of a block of another language.
    block, *_ = re.findall(r"^```\n(.*?)^```\n", text, re.DOTALL | re.MULTILINE)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
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
        if "check" in line:
            assert "active" in done.stdout
    said = json.loads((tmp_path / "models" / "moe" / "config.json").read_text())
    assert said["architectures"] == ["Qwen3MoeForCausalLM"]
