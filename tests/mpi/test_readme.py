"""Every command that the README shows is run as it stands there.

The job that `qmpi init` writes is made smaller before the next command: what is shown is that the
commands work together, and a step of the laptop's size takes seconds on a busy core.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent

SMALLER = {
    **{"layers": 2, "width": 64, "lanes": 2, "sequences": 1, "sequence_tokens": 64},
    **{"trainer": 1, "spare": 0},
}
"""Each trainer and spare loads torch, which takes longer than its steps here."""

pytestmark = pytest.mark.timeout(1500)


def commands() -> list[str]:
    blocks = re.findall(r"^```\n(.*?)^```", (ROOT / "README.md").read_text(), re.S | re.M)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def make_smaller(job: Path) -> None:
    text = job.read_text()
    for name, value in SMALLER.items():
        text, count = re.subn(rf"^{name} = \d+$", f"{name} = {value}", text, flags=re.MULTILINE)
        assert count == 1, f"{name} stands {count} times in {job.name}"
    job.write_text(text)


def test_make_targets_exist() -> None:
    named = [shlex.split(line)[1] for line in commands() if line.startswith("make ")]
    named += re.findall(r"`make ([a-z-]+)`", (ROOT / "README.md").read_text())
    assert {"demo", "test", "venv"} <= set(named)
    for target in named:
        done = subprocess.run(
            ["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


def test_commands_run(tmp_path: Path) -> None:
    for name in ("README.md", "docs", "jobs"):
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy2
        copy(source, tmp_path / name)
    environment = {
        **os.environ,
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "OMP_NUM_THREADS": "1",
        "TORCH_GLOO_LAZY_INIT": "1",
    }
    ran = 0
    for line in commands():
        if line.startswith(("make ", ". ")):
            continue
        done = subprocess.run(
            shlex.split(line),
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        if line.startswith("qmpi init "):
            make_smaller(tmp_path / shlex.split(line)[-1])
        ran += 1
    assert ran >= 8
