"""`parallel = "auto"` in real jobs: chosen once, by the command or by rank 0, and kept."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from mpi.live_run import qmpi

from qmpi.launch.mpirun import find_mpirun

pytestmark = [pytest.mark.timeout(600), pytest.mark.slow]

JOB = Path(__file__).parents[2] / "jobs" / "teams.toml"
FIELDS = ("roles.trainer=2", "roles.spare=0", "train.steps=4", "train.compile=off")
OPTIONS = ("--set", "parallel=auto", *(word for field in FIELDS for word in ("--set", field)))


def tight(folder: Path) -> tuple[str, ...]:
    """Return the option that names a machine on which one rank cannot hold the model."""
    machine = folder / "tight.toml"
    machine.write_text("[node]\ncores = 2\nmemory_gib = 64.0\n")
    named = ("--set", f"machine.name={machine}")
    listed = json.loads(qmpi("plan", str(JOB), *OPTIONS, *named, "--layouts", "--json").stdout)
    needs = {one["parallel"]["tensor"]: one["memory_bytes"] for one in listed["layouts"][::-1]}
    alone = next(one for one in listed["layouts"] if one["teams"] == 2)["memory_bytes"]
    least = min(needs.values())
    assert least < alone
    gib = 2 * (least + alone) / 2 / 0.9 / 2**30
    machine.write_text(f"[node]\ncores = 2\nmemory_gib = {gib}\n")
    return named


def layout(run: Path) -> dict[str, object]:
    return tomllib.loads((run / "job.toml").read_text(encoding="utf-8"))["parallel"]


def test_a_layout_is_chosen_by_the_command_and_by_rank_0_alike(tmp_path: Path) -> None:
    named, first, second = tight(tmp_path), tmp_path / "first", tmp_path / "second"
    told = qmpi("train", str(JOB), *OPTIONS, *named, "--run-dir", str(first), "--quiet")
    assert told.returncode == 0, told.stderr
    assert "qmpi: layout: not one rank:" in told.stderr
    sizes = layout(first)
    assert sizes["tensor"] == 2 or sizes["pipeline"] == 2
    mpirun = str(find_mpirun(os.environ))
    command = (mpirun, "--allow-run-as-root", "--oversubscribe", "-n", "6", sys.executable)
    job = ("-m", "qmpi.main", str(JOB), *OPTIONS, *named, "--run-dir", str(second))
    subprocess.run([*command, *job], check=False, timeout=300, capture_output=True)
    assert layout(second) == sizes
    ends = [json.loads((run / "end.json").read_text()) for run in (first, second)]
    assert [end["state"] for end in ends] == ["finished", "finished"]
    assert ends[0]["digest"] == ends[1]["digest"]
    roomy = ("--set", "machine.name=laptop", "--run-dir", str(first), "--json")
    again = json.loads(qmpi("check", str(JOB), *OPTIONS, *roomy).stdout)
    assert "as the run was begun" in again["layout"]
