"""Models out of and into real runs: what docs/exchange.md shows, and equal bits after an import."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from mpi.live_run import LiveRun, qmpi

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "exchange.md"

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exchange")
    (folder / "runs").mkdir()
    with LiveRun(folder / "runs", "-n", "1", "--set", "train.steps=12", name="first") as run:
        assert run.finish()["exit_code"] == 0, run.logs()
    return folder


def blocks(kind: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```\n", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    return [text for name, text in found if name == kind]


def in_place(command: list[str], place: Path) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.run(
        command,
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.slow
def test_what_the_page_shows_runs(place):
    lines = [line for block in blocks("") for line in block.splitlines() if line.strip()]
    assert {line.split()[1] for line in lines} == {"export", "import", "check", "train", "sample"}
    for line in lines:
        done = in_place(shlex.split(line), place)
        assert done.returncode == 0, f"{line}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    (program,) = blocks("python")
    done = in_place([sys.executable, "-c", program], place)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith("<|endoftext|>def ")
    assert len(list((place / "models" / "half").glob("*.safetensors"))) > 2


@pytest.mark.slow
def test_an_imported_run_ends_in_the_same_bits_on_any_number_of_trainers(place):
    told = qmpi("export", str(place / "runs" / "first"), "--to", str(place / "bits"))
    assert told.returncode == 0, told.stderr
    job = place / "bits.toml"
    told = qmpi("import", str(place / "bits"), "-o", str(job))
    assert told.returncode == 0, told.stderr
    digests = set()
    for trainers in (1, 2):
        options = [f"roles.trainer={trainers}", "roles.spare=0", "train.steps=4", "train.lanes=2"]
        options += ["train.sequences=1"]
        options = [part for option in options for part in ("--set", option)]
        with LiveRun(place, *options, job=job.read_text(), name=f"t{trainers}") as run:
            status = run.finish()
        assert status["exit_code"] == 0, run.logs()
        digests.add((status["step"], status["digest"]))
        assert qmpi("audit", str(run.run)).returncode == 0
    assert len(digests) == 1


def test_weights_that_changed_end_the_job_as_the_users_mistake(place):
    told = qmpi("export", str(place / "runs" / "first"), "--to", str(place / "bad"))
    assert told.returncode == 0, told.stderr
    job = place / "bad.toml"
    assert qmpi("import", str(place / "bad"), "-o", str(job)).returncode == 0
    weights = place / "bad" / "model.safetensors"
    raw = bytearray(weights.read_bytes())
    raw[-5] ^= 1
    weights.write_bytes(raw)
    with LiveRun(place, job=job.read_text(), name="changed") as run:
        status = run.finish()
    assert status["exit_code"] == 2, run.logs()
    assert "are others" in run.output.read_text()
