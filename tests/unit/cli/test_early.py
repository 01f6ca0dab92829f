"""A command that was asked to stop while it was still loading has stopped in order."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from qmpi.cli.early import listen


def while_loading(folder: Path, command: str, number: signal.Signals) -> int:
    """Return how a command leaves that is signalled while it loads its first library."""
    loading = folder / "loading"
    slow = folder / "click"
    slow.mkdir()
    (slow / "__init__.py").write_text(
        f"import pathlib, time\npathlib.Path({str(loading)!r}).touch()\ntime.sleep(30)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "qmpi.cli.main", command, "job.toml"],
        env={**os.environ, "PYTHONPATH": str(folder)},
        cwd=folder,
        stderr=subprocess.PIPE,
    )
    try:
        end = time.monotonic() + 30
        while not loading.exists() and time.monotonic() < end:
            time.sleep(0.01)
        process.send_signal(number)
        _, said = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert b"Traceback" not in said
    return process.returncode


@pytest.mark.parametrize("command", ["train", "generate", "ingest"])
def test_a_signal_while_loading_is_a_stop_in_order(tmp_path: Path, command: str) -> None:
    assert while_loading(tmp_path, command, signal.SIGTERM) == 75


def test_a_warning_while_loading_is_too(tmp_path: Path) -> None:
    assert while_loading(tmp_path, "train", signal.SIGUSR1) == 75


def test_a_command_that_cannot_go_on_later_dies_of_a_signal(tmp_path: Path) -> None:
    assert while_loading(tmp_path, "status", signal.SIGTERM) == -signal.SIGTERM


@pytest.mark.parametrize(
    "arguments", [[], ["pytest", "train"], ["qmpi"], ["qmpi", "status"], ["qmpi", "--help"]]
)
def test_other_programs_are_left_alone(arguments: list[str]) -> None:
    before = signal.getsignal(signal.SIGTERM)
    listen(arguments)
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_signal_that_is_ignored_stays_so(tmp_path: Path) -> None:
    program = (
        "import signal\n"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "from qmpi.cli.early import listen, leave\n"
        "listen(['/usr/bin/qmpi', 'train'])\n"
        "assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN\n"
        "assert signal.getsignal(signal.SIGTERM) is leave\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60, cwd=tmp_path)
