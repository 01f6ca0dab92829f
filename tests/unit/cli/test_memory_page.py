"""Each command of docs/memory.md runs as it stands."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from qmpi.cli.main import cli

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "memory.md").read_text(encoding="utf-8")
JOB = str(ROOT / "jobs" / "laptop.toml")
COMMANDS = [
    line
    for block in re.findall(r"^```\n(.*?)^```", PAGE, re.S | re.M)
    for line in block.splitlines()
]


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_run_and_offloading_is_told(line: str) -> None:
    words = shlex.split(line.replace("JOB", JOB))
    assert words[:2] == ["qmpi", "check"]
    done = CliRunner().invoke(cli, words[1:])
    assert done.exit_code == 0, done.output
    assert ("no effect on a CPU" in done.output) is ("offload" in line)
