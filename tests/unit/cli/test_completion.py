"""Completion, in a real bash that sources the real script."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from qmpi.cli.main import COMMANDS, run
from qmpi.protocol.status import StatusReport
from qmpi.storage.status_file import write_status

REPORT = StatusReport(
    state="finished",
    step=1,
    steps=1,
    tokens=1,
    tokens_per_second=0.0,
    loss=None,
    digest="",
    generation=1,
    failures=(),
    ranks=(),
)
HEAVY = ("torch", "mpi4py", "numpy", "h5py", "rich", "qmpi.launch", "qmpi.corpora")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working directory with runs, jobs, and the command on the path."""
    for name in ("first", "second", "deep/third"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        write_status(tmp_path / "runs" / name, replace(REPORT, name=name))
    (tmp_path / "jobs").mkdir()
    for name in ("mine.toml", "jobs/demo.toml", "jobs/notes.txt"):
        (tmp_path / name).touch()
    command = tmp_path / "bin" / "qmpi"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m qmpi.cli.main "$@"\n')
    command.chmod(0o755)
    return tmp_path


def completed(folder: Path, *words: str) -> list[str]:
    """Return what bash offers for the last of the words."""
    script = (
        'eval "$(qmpi completion bash)" || exit 9\n'
        'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))\n'
        "spec=$(complete -p qmpi) || exit 8\n"
        'function=${spec##*-F }; ${function%% *} qmpi "${COMP_WORDS[COMP_CWORD]}" 2>/dev/null\n'
        'printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", script, "bash", "qmpi", *words],
        cwd=folder,
        env={**os.environ, "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return [line for line in done.stdout.splitlines() if line]


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("st",), ["status"]),
        (("status", "--w"), ["--watch"]),
        (("status", "runs/f"), ["runs/first"]),
        (("logs", ""), ["runs/deep/third", "runs/first", "runs/second"]),
        (("logs", "runs/deep/"), ["runs/deep/third"]),
        (("train", "--resume", "runs/s"), ["runs/second"]),
        (("train", ""), ["jobs/demo.toml", "mine.toml"]),
        (("check", "jobs/"), ["jobs/demo.toml"]),
        (("plan", "jobs/"), ["jobs/demo.toml"]),
        (("doctor", "jobs/"), ["jobs/demo.toml"]),
        (("explain", "launch"), ["launch-error"]),
        (("completion", ""), ["bash", "fish", "zsh"]),
        (("init", "--preset", "l"), ["laptop"]),
        (("content", "v"), ["verify"]),
        (("nonsense", "x"), []),
    ],
)
def test_bash_is_offered(folder: Path, words: tuple[str, ...], offered: list[str]) -> None:
    assert sorted(completed(folder, *words)) == offered


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_bash_is_offered_every_command(folder: Path) -> None:
    assert sorted(completed(folder, "")) == sorted(COMMANDS)


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
@pytest.mark.parametrize("name", ["$(touch x)", "a b", "a;b", "a'b", "`x`", "a\nb", "*"])
def test_a_name_that_a_shell_would_obey_is_not_offered(folder: Path, name: str) -> None:
    (folder / "runs" / "first").rename(folder / "runs" / name)
    (folder / "mine.toml").rename(folder / f"{name}.toml")
    assert completed(folder, "status", "runs/") == ["runs/deep/third", "runs/second"]
    assert completed(folder, "train", "") == ["jobs/demo.toml"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_its_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert f"_QMPI_COMPLETE={shell}_complete" in script
    program = shutil.which(shell)
    if program is not None:
        done = subprocess.run(
            [program, "-n"], input=script, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("asked", ["bash_source", "tcsh_complete", "bash", ""])
def test_a_request_that_is_none_is_refused(asked: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "qmpi.cli.main", "status"],
        env={**os.environ, "_QMPI_COMPLETE": asked},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_completing_loads_nothing_heavy(folder: Path) -> None:
    program = (
        "import os, sys\n"
        "from qmpi.cli.complete import answer\n"
        "from qmpi.cli.main import cli\n"
        "answer(cli, os.environ)\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules])\n"
    )
    environment = {"_QMPI_COMPLETE": "bash_complete", "COMP_WORDS": "qmpi logs ", "COMP_CWORD": "2"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert "runs/first" in done.stdout
