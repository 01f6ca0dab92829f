"""`qmpi submit`: what is handed in, what is printed, and what is refused."""

import json
import re
import shlex
from pathlib import Path

import pytest

from qmpi.cli.main import run

ROOT = Path(__file__).parents[3]

TOOL = """#!/bin/sh
printf '%s\\0' "$@" >"$0.arguments"
cat >"$0.stdin"
echo "SAYS"
exit CODE
"""


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """A small job."""
    path = tmp_path / "a job.toml"
    path.write_text("[train]\nsteps = 5\nlanes = 4\n")
    return path


@pytest.fixture
def bin_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is all of PATH, but for the shell's own tools."""
    path = tmp_path / "bin"
    path.mkdir()
    monkeypatch.setenv("PATH", f"{path}:/usr/bin:/bin")
    return path


def tool(folder: Path, name: str, says: str = "", code: int = 0) -> Path:
    path = folder / name
    path.write_text(TOOL.replace("SAYS", says).replace("CODE", str(code)))
    path.chmod(0o755)
    return path


def submit(job: Path, run_dir: Path, *more: str) -> int:
    return run(["submit", str(job), "--nodes", "1", "--run-dir", str(run_dir), *more])


@pytest.mark.parametrize(
    "case",
    [
        ("slurm", "sbatch", "4242;cluster", "4242"),
        ("pbs", "qsub", "12.server", "12.server"),
        ("lsf", "bsub", "Job <77> is submitted to queue <normal>.", "77"),
        ("flux", "flux", "f2SbmFg3", "f2SbmFg3"),
    ],
)
def test_the_schedulers_own_command_gets_the_script(
    case: tuple[str, str, str, str],
    job: Path,
    bin_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    kind, name, says, number = case
    program = tool(bin_path, name, says)
    run_dir = tmp_path / "it's; a run"
    assert submit(job, run_dir, "--scheduler", kind, "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    script = run_dir / "batch" / f"{kind}.sh"
    assert answer["job_id"] == number
    assert answer["path"] == str(script)
    assert answer["run"] == str(run_dir)
    given = Path(f"{program}.arguments").read_bytes().decode().split("\0")[:-1]
    before = {"sbatch": ["--parsable"], "flux": ["batch"]}.get(name, [])
    draft = str(script.with_name(f"{kind}.draft.sh"))
    assert given == ([""] if kind == "lsf" else [*before, draft])
    assert not Path(draft).exists()
    assert (Path(f"{program}.stdin").read_text() == script.read_text()) == (kind == "lsf")
    assert shlex.quote(str(job)) in script.read_text()


def test_what_to_do_next_is_told(
    job: Path, bin_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tool(bin_path, "sbatch", "4242")
    assert submit(job, tmp_path / "run") == 0
    told = capsys.readouterr().out
    assert "slurm: job 4242" in told
    assert f"qmpi status {tmp_path / 'run'}" in told
    assert "scancel 4242" in told


def test_a_dry_run_prints_the_script_and_changes_nothing(
    job: Path, bin_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = tool(bin_path, "sbatch", "1")
    before = sorted(tmp_path.rglob("*"))
    assert submit(job, tmp_path / "run", "--scheduler", "slurm", "--dry-run") == 0
    assert capsys.readouterr().out.startswith("#!/bin/bash\n#SBATCH ")
    assert sorted(tmp_path.rglob("*")) == before
    assert not Path(f"{program}.arguments").exists()


def test_a_script_is_written_where_it_is_wanted(
    job: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.sh"
    assert submit(job, tmp_path / "run", "--scheduler", "pbs", "-o", str(file)) == 0
    assert "nothing is handed in" in capsys.readouterr().out
    assert file.read_text().startswith("#!/bin/bash\n#PBS ")
    assert not (tmp_path / "run").exists()


def test_a_machine_file_says_what_is_not_given(
    job: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = tmp_path / "mine.toml"
    machine.write_text(
        '[node]\ncores = 16\n[scheduler]\nkind = "flux"\nqueue = "pbatch"\naccount = "lab"\n'
        'options = ["--setattr=a=b"]\nsetup = ["module load x"]\n'
    )
    more = ("--machine", str(machine), "--account", "mine", "--option=--begin-time=+1h")
    assert submit(job, tmp_path / "run", *more, "--setup", "umask 077", "--dry-run") == 0
    shown = capsys.readouterr().out
    assert "#flux: --queue=pbatch\n#flux: --bank=mine\n#flux: --setattr=a=b\n" in shown
    assert "#flux: --begin-time=+1h" in shown
    assert "module load x\numask 077\n" in shown


def test_overrides_reach_the_run(
    job: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "job.name=a'b; touch x"
    assert submit(job, tmp_path / "r", "--set", name, "--scheduler", "lsf", "--dry-run") == 0
    assert f"OPTIONS=(--set {shlex.quote(name)})" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--queue", "a b"), "--queue"),
        (("--account", "$(x)"), "--account"),
        (("--option", "gpu"), "begins with a dash"),
        (("--setup", "a\nb"), "one line"),
        (("--time", "12"), "12:00:00"),
        (("--time", "12:61:00"), "12:00:00"),
        (("--time", "1h", "--warn", "3600"), "--warn"),
        (("--machine", "nowhere"), "known are"),
        (("--vary", "job.seed"), "section.key"),
        (("--vary", "job.seed=1"), "two values"),
        (("--vary", "job.sead=1,2"), "job.seed"),
        (("--vary", "job.run_dir=a,b"), "RUN/0"),
        (("--setup", "echo 'open"), "whole commands"),
        (("--setup", "cat <<EOF"), "whole commands"),
        (("--setup", "if true; then"), "whole commands"),
        (("-n", "1000000"), "65,536 at most"),
        (("--scheduler", "pbs", "--vary", "job.seed=1,2"), "slurm and lsf"),
        (("--set", "train.device=cuda"), "GPU"),
        (("--nodes", "500"), "take --nodes"),
        (("--qmpi", "'"), "--qmpi"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    more: tuple[str, ...],
    words: str,
    job: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run_dir = tmp_path / "run"
    arguments = [] if "--scheduler" in more else ["--scheduler", "slurm"]
    assert submit(job, run_dir, *arguments, *more, "--dry-run") == 2
    assert words in capsys.readouterr().err
    assert not run_dir.exists()


def test_no_scheduler_is_told(
    job: Path,
    bin_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", str(bin_path))
    assert submit(job, tmp_path / "run") == 2
    assert "--scheduler slurm|" in capsys.readouterr().err
    assert submit(job, tmp_path / "run", "--scheduler", "slurm") == 3
    told = capsys.readouterr().err
    assert "no sbatch" in told
    assert str(tmp_path / "run" / "batch" / "slurm.draft.sh") in told


def test_a_scheduler_that_refuses_is_quoted(
    job: Path, bin_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tool(bin_path, "sbatch", "invalid partition specified: x", code=1)
    assert submit(job, tmp_path / "run", "--scheduler", "slurm") == 3
    assert "invalid partition specified: x" in capsys.readouterr().err
    tool(bin_path, "bsub", "Request aborted by esub")
    assert submit(job, tmp_path / "run", "--scheduler", "lsf") == 3
    assert "told no number" in capsys.readouterr().err


def test_a_script_that_is_refused_does_not_replace_that_of_an_earlier_job(
    job: Path, bin_path: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "run" / "batch" / "pbs.sh"
    tool(bin_path, "qsub", "1.server")
    assert submit(job, tmp_path / "run", "--scheduler", "pbs", "--queue", "first") == 0
    before = kept.read_bytes()
    tool(bin_path, "qsub", "no such queue", code=1)
    assert submit(job, tmp_path / "run", "--scheduler", "pbs", "--queue", "second") == 3
    assert kept.read_bytes() == before
    tool(bin_path, "qsub", "2.server")
    assert submit(job, tmp_path / "run", "--scheduler", "pbs", "--queue", "third") == 0
    assert b"third" in kept.read_bytes()
    assert [path.name for path in kept.parent.iterdir()] == ["pbs.sh"]


def test_a_place_that_takes_no_script_is_told(
    job: Path, bin_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tool(bin_path, "sbatch", "1")
    assert submit(job, job, "--scheduler", "slurm") == 2
    assert "--run-dir" in capsys.readouterr().err
    nowhere = str(tmp_path / "absent" / "s.sh")
    assert submit(job, tmp_path / "run", "--scheduler", "slurm", "--output", nowhere) == 3
    assert "check the path" in capsys.readouterr().err


def test_lines_of_setup_may_belong_together(job: Path, tmp_path: Path) -> None:
    lines = ("if true; then", "echo \"it's\"  # don't", "fi")
    setup = [word for line in lines for word in ("--setup", line)]
    assert submit(job, tmp_path / "run", "--scheduler", "slurm", *setup, "--dry-run") == 0


@pytest.mark.parametrize(
    ("given", "seconds", "warning"),
    [("12:00:00", 43_200, 180), ("1-00:00:01", 86_401, 180), ("90m", 5400, 180), ("60s", 60, 15)],
)
def test_times_and_their_warnings(
    given: str,
    seconds: int,
    warning: int,
    job: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert submit(job, tmp_path / "run", "--scheduler", "flux", "--time", given, "--dry-run") == 0
    shown = capsys.readouterr().out
    assert f"--time-limit={seconds}s" in shown
    assert f"--signal=SIGUSR1@{warning}s" in shown


def test_the_commands_of_the_page_on_batch_systems(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    (block,) = re.findall(r"^```\n(.*?)^```", (ROOT / "hpc" / "README.md").read_text(), re.S | re.M)
    commands = [shlex.split(line) for line in block.splitlines()]
    assert len(commands) >= 4
    for words in commands:
        assert words[:2] == ["qmpi", "submit"]
        assert words[-1] == "--dry-run"
        assert run(words[1:]) == 0, capsys.readouterr().err
        assert capsys.readouterr().out.startswith("#!/bin/bash\n")


NO_SPARE = ("--set", "roles.spare=0")
TIGHT = (
    *NO_SPARE,
    "--set",
    "train.sequences=24",
    "--set",
    "train.lanes=16",
    "--set",
    "parallel=auto",
)


def test_a_layout_that_is_left_open_is_chosen_for_the_nodes_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = ROOT / "jobs" / "node.toml"
    there = ("--scheduler", "slurm", "--machine", "h100", "--dry-run", "--json")
    assert submit(job, tmp_path / "run", *there, *TIGHT) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["layout"][0].startswith("pipeline 2 (1f1b): ")
    assert any("in 4 teams of 2" in words for words in told["layout"])
    # Where the job starts nothing is chosen again.
    places = [told["script"].index(f"parallel{one}") for one in ("=auto", ".tensor=1")]
    assert places == sorted(places)
    assert "parallel.pipeline=2" in told["script"]


def test_the_memory_that_is_checked_is_that_of_a_position(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wide = ("layers=16", "width=8192", "heads=64", "kv_heads=8")
    sizes = [word for one in wide for word in ("--set", f"model.{one}")]
    there = ("--scheduler", "slurm", "--machine", "h100", "--dry-run", *NO_SPARE)
    job, run_dir = ROOT / "jobs" / "node.toml", tmp_path / "run"
    assert submit(job, run_dir, *there, *sizes) == 2
    assert "GiB a trainer, and a GPU has" in capsys.readouterr().err
    assert submit(job, run_dir, *there, *sizes, "--set", "parallel.tensor=8") == 0
