"""Machine files: those that come along are whole, and a user's own is read or refused in words."""

from pathlib import Path

import pytest

from qmpi.config.load import parse_job
from qmpi.config.machine import known_machines, load_machine
from qmpi.errors import ConfigError


@pytest.mark.parametrize("name", known_machines())
def test_each_machine_that_comes_along_is_legal(name: str) -> None:
    machine = load_machine(name)
    assert machine.node.cores >= 1
    assert (machine.node.gpus > 0) == (machine.gpu.bf16_tflops > 0) == bool(machine.gpu.name)


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[node]\ncores = 8\n[scheduler]\nkind = "slurm"\noptions = ["--qos=high"]\n')
    machine = load_machine(str(file))
    assert machine.node.cores == 8
    assert machine.scheduler.options == ("--qos=high",)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[node]\ncores = 0\n", "node.cores"),
        ("[node]\nkores = 2\n", "cores"),
        ("[nodes]\n", "node"),
        ('[scheduler]\nkind = "cron"\n', "slurm"),
        ("[prices]\noverhead = 0.5\n", "prices.overhead"),
        ("[node\n", "not TOML"),
    ],
)
def test_a_bad_file_is_refused_in_words(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=words):
        load_machine(str(file))


def test_an_unknown_machine_names_those_that_are_known() -> None:
    with pytest.raises(ConfigError, match="h100"):
        load_machine("h1000")


@pytest.mark.parametrize("pattern", ["(", "rack[0-9]+"])
def test_a_domain_without_a_group_is_refused(pattern: str) -> None:
    with pytest.raises(ConfigError, match=r"hosts\.domain"):
        parse_job(f"[hosts]\ndomain = '{pattern}'\n")
