"""The command line's contract: exit codes, one message, one JSON object, nothing heavy loaded."""

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from qmpi.cli.error_pages import ERRORS
from qmpi.cli.main import COMMANDS, cli, run
from qmpi.errors import LaunchError, PeerLost, UserError

HEAVY = ("torch", "mpi4py", "h5py", "blosc2", "tokenizers", "rich")


def fail_with(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    @click.command()
    @click.option("--json", "as_json", is_flag=True)
    def command(*, as_json: bool) -> None:
        del as_json
        raise error

    monkeypatch.setattr(cli, "get_command", lambda _context, _name: command)


FAULTS = {
    "user": (UserError("x is wrong; write y"), 2, "user"),
    "peer": (PeerLost("rank 3 is gone"), 3, "peer"),
    "machine": (LaunchError("the job kept dying"), 3, "machine"),
    "disk": (OSError(28, "No space left on device", "runs/a"), 3, "machine"),
    "memory": (MemoryError(), 3, "machine"),
    "bug": (ZeroDivisionError("secret detail"), 4, "bug"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_error_is_one_message_and_its_exit_code(
    fault: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error, code, word = FAULTS[fault]
    fail_with(monkeypatch, error)
    assert run(["status"]) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith(f"qmpi: error ({word}): ")
    page = shown.err.splitlines()[-1].removeprefix("  more: qmpi explain ")
    assert page in ERRORS
    assert "Traceback" not in shown.err


@pytest.mark.parametrize("fault", FAULTS)
def test_error_is_one_json_object(
    fault: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error, code, word = FAULTS[fault]
    fail_with(monkeypatch, error)
    assert run(["status", "--json"]) == code
    shown = capsys.readouterr()
    assert shown.err == ""
    answer = json.loads(shown.out)
    page = answer["page"]
    assert answer == {"error": answer["error"], "fault": word, "exit_code": code, "page": page}
    assert answer["error"]
    assert page in ERRORS


def test_a_bug_leaves_its_traceback_in_a_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    fail_with(monkeypatch, ZeroDivisionError("secret detail"))
    assert run(["status"]) == 4
    message = capsys.readouterr().err
    (report,) = tmp_path.iterdir()
    assert "this is a bug in qmpi" in message
    assert str(report) in message
    assert "secret detail" not in message
    assert "ZeroDivisionError: secret detail" in report.read_text()


def test_ctrl_c_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(monkeypatch, KeyboardInterrupt())
    assert run(["status"]) == 130


@pytest.mark.parametrize(
    "arguments", [["--bogus"], ["check"], ["check", "a", "b"], ["check", "a", "-n", "x"], ["chekc"]]
)
def test_wrong_usage_is_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    assert "Traceback" not in capsys.readouterr().err
    assert run([*arguments, "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["fault"] == "user"


def test_nearest_command_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    run(["chekc"])
    assert "Did you mean 'check'?" in capsys.readouterr().err


def words_of_commands() -> list[str]:
    """Return every command, and each command of a group."""
    words: list[str] = []
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        below = list(command.commands) if isinstance(command, click.Group) else []
        words += [f"{name} {inner}" for inner in below] or [name]
    return words


@pytest.mark.parametrize("name", words_of_commands())
def test_every_command_has_help_with_examples(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*name.split(), "--help"]) == 0
    shown = capsys.readouterr().out
    assert "Example" in shown
    assert f"qmpi {name}" in shown
    assert "--json" in shown


def test_help_loads_nothing_heavy() -> None:
    program = (
        "import sys; from qmpi.cli.main import run; run(['--help']); "
        f"print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert "Commands:" in done.stdout
    heavy = [m for m in HEAVY if f"'{m}'" in done.stderr]
    assert heavy == []


def test_an_argument_that_is_not_utf8_is_told_in_json(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["check", "a\udcff", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["fault"] == "user"


def in_shell(line: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run a line of bash in which `$QMPI` is the command line."""
    start = f"{sys.executable} -c 'from qmpi.cli.main import main; main()'"
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line.replace('$QMPI', start)}"],
        capture_output=True, timeout=60, check=False, env={**os.environ, **environment},
    )  # fmt: skip


def test_output_is_the_same_bytes_in_every_locale() -> None:
    line = "$QMPI content show --type multilingual --language zh --level 3 --json"
    plain = in_shell(line)
    assert "\u3002".encode() in plain.stdout
    for encoding in ("ascii", "latin-1", "utf-16"):
        assert in_shell(line, PYTHONIOENCODING=encoding).stdout == plain.stdout
    bare = in_shell(line, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert (bare.returncode, bare.stdout) == (0, plain.stdout)


@pytest.mark.parametrize("sink", [">/dev/full", "2>/dev/full", ">/dev/full 2>/dev/full"])
@pytest.mark.parametrize("option", ["", "--json"])
def test_a_full_disk_under_the_output_changes_no_exit_code(option: str, sink: str) -> None:
    done = in_shell(f"$QMPI check /nowhere.toml {option} {sink}")
    assert done.returncode == 2
    assert b"Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize("option", ["", "--json"])
def test_closed_streams_are_no_bug(option: str) -> None:
    done = in_shell(f"$QMPI content show --type code --level 3 {option} >&- 2>&- <&-")
    assert done.returncode == 0


def test_a_reader_that_has_gone_is_told_by_141() -> None:
    assert in_shell("$QMPI content show --type code --level 3 | true").returncode == 141
    assert in_shell("$QMPI content show --type code --level 3 | cat").returncode == 0
