"""Each command of docs/precision.md runs as it stands, and its figures are those of the code."""

import json
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from qmpi.cli.main import cli
from qmpi.config.loss_scale import FIRST, GROWS_AFTER, HALVINGS, MOST
from qmpi.config.model import ModelSettings
from qmpi.model.shape import parameter_count, state_bytes

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "precision.md").read_text(encoding="utf-8")
JOB = str(ROOT / "jobs" / "laptop.toml")
COMMANDS = [
    line
    for block in re.findall(r"^```\n(.*?)^```", PAGE, re.S | re.M)
    for line in block.splitlines()
]
MEASURED = ModelSettings(vocab_size=4096, width=256, layers=4, heads=4, kv_heads=2)


def facts(*arguments: str) -> dict[str, object]:
    done = CliRunner().invoke(cli, [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_run_and_the_state_is_never_larger(line: str) -> None:
    words = shlex.split(line.replace("JOB", JOB))
    assert words[:2] == ["qmpi", "check"]
    told, plain = facts(*words[1:]), facts("check", JOB)
    assert told["snapshot_bytes"] <= plain["snapshot_bytes"]
    assert (told["snapshot_bytes"] < plain["snapshot_bytes"]) is (
        line.split("=")[-1] not in {"float16", "float8"}
    )


@pytest.mark.parametrize("kind", ["adamw", "muon", "adamw8"])
def test_bytes_of_a_parameter_are_those_of_the_table(kind: str) -> None:
    row = re.search(rf"^\| `{kind}` \| ([0-9.]+) \| ([0-9.]+) \|$", PAGE, re.M)
    assert row is not None
    for told, masters in zip(row.groups(), ("float32", "bfloat16"), strict=True):
        each = state_bytes(MEASURED, kind, masters) / parameter_count(MEASURED)
        assert told == f"{each:.1f}"


def test_the_rule_of_the_scale_is_told_as_it_is() -> None:
    for words in (
        f"begins at {2**FIRST:,}",
        f"at most {HALVINGS} times",
        f"{GROWS_AFTER:,} updates in a row",
        f"up to 2^{MOST}",
    ):
        assert words in PAGE
