"""`qmpi simulate --cache`: a contract for scripts, a table for people."""

import json
import random
from pathlib import Path

import pytest
from click import BadParameter

from qmpi.cli import simulate
from qmpi.cli.main import run
from qmpi.cli.sizes import Size, binary
from qmpi.config.memory import CHUNK_TOKENS
from qmpi.ingest.corpus import IngestOptions, ingest_corpus
from qmpi.policy.eviction.choice import ORDERS

STEPS = 60


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder, draw = tmp_path_factory.mktemp("simulate"), random.Random(2)
    words = [f"{draw.choice('abcdefgh')}{draw.randrange(99)}" for _ in range(6000)]
    (folder / "text.txt").write_text("\n\n".join(" ".join(words[n::60]) for n in range(60)))
    options = IngestOptions(vocab_size=400, shard_tokens=1500)
    ingest_corpus([folder / "text.txt"], folder / "corpus", options, lambda _: None)
    path = folder / "job.toml"
    path.write_text(
        f"[train]\nsteps = {STEPS}\nlanes = 4\nsequences = 2\nsequence_tokens = 64\n"
        "[model]\nvocab_size = 400\n[roles]\nmemory = 2\n"
        f'[[data.sources]]\nkind = "corpus"\nname = "words"\npath = "{folder / "corpus"}"\n'
        '[[data.sources]]\nkind = "content"\nname = "sums"\ntype = "mathematics"\n'
    )
    return str(path)


def told(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert run(["simulate", "--cache", *arguments]) == 0
    return capsys.readouterr().out


def test_scripts_get_every_policy_side_by_side(
    job: str, capsys: pytest.CaptureFixture[str]
) -> None:
    size = 2 * CHUNK_TOKENS
    found = json.loads(told([job, "--capacity", "1M", "--json"], capsys))
    assert (found["steps"], found["memory_ranks"], found["capacity"]) == (STEPS, 2, 1 << 20)
    assert set(found["policies"]) == set(ORDERS)
    for each in found["policies"].values():
        assert each["hits"] + each["misses"] == found["reads"]
        assert each["hit_rate"] == pytest.approx(each["hits"] / found["reads"], abs=1e-6)
        levels = each["bytes_by_level"]
        assert (levels["host"], levels["disk"]) == (0, 0)
        assert (levels["memory"], levels["shards"]) == (each["hits"] * size, each["misses"] * size)
        assert levels["anew"] == (STEPS * 4 * 2 - found["rows"]) * 65 * 2
    best = found["policies"].pop("clairvoyant")["hits"]
    assert best > max(each["hits"] for each in found["policies"].values())


def test_people_read_a_table(job: str, capsys: pytest.CaptureFixture[str]) -> None:
    lines = told([job, "--steps", "5", "--set", "memory.policy=lru"], capsys).splitlines()
    assert lines[0].startswith("5 steps of qmpi: ")
    assert "2 memory ranks with 64 MiB each" in lines[0]
    assert [line.split()[0] for line in lines[2 : 2 + len(ORDERS)]] == list(ORDERS)
    assert [line for line in lines if line.startswith("lru *")]


LEVELS = 'memory.levels=[{kind="host",budget=300000},{kind="disk",budget=1000000,directory="/x"}]'


def test_levels_are_played_too(job: str, capsys: pytest.CaptureFixture[str]) -> None:
    small = ["--capacity", "512k", "--set", LEVELS]
    found = json.loads(told([job, *small, "--json"], capsys))
    assert [level["kind"] for level in found["levels"]] == ["host", "disk"]
    assert 0 < found["stored_bytes"] < found["chunk_bytes"]
    bare = json.loads(told([job, "--capacity", "512k", "--json"], capsys))
    for name, each in found["policies"].items():
        levels, without = each["bytes_by_level"], bare["policies"][name]["bytes_by_level"]
        assert levels["memory"] == without["memory"]
        assert levels["host"] + levels["disk"] + levels["shards"] == without["shards"]
        assert levels["host"] > 0
    lines = told([job, *small], capsys).splitlines()
    assert "from memory    from host    from disk  from shards" in "\n".join(lines)


def test_a_job_without_a_corpus_has_nothing_to_keep(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "job.toml"
    path.write_text('[[data.sources]]\nkind = "content"\nname = "sums"\ntype = "mathematics"\n')
    assert "nothing to keep" in told([str(path), "--steps", "2"], capsys)


def test_more_steps_than_the_job_has_are_not_passed_over_in_silence(
    job: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["simulate", "--cache", job, "--steps", str(STEPS + 1), "--json"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["steps"] == STEPS
    assert f"the job has {STEPS} steps" in shown.err
    assert run(["simulate", "--cache", job, "--steps", str(STEPS)]) == 0
    assert capsys.readouterr().err == ""


def test_what_takes_long_is_told_on_the_way(
    job: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulate, "MOST_ROWS", 7)
    monkeypatch.setattr(simulate, "TELL_SECONDS", 0.0)
    assert run(["simulate", "--cache", job]) == 0
    shown = capsys.readouterr().err
    assert shown.startswith("qmpi: 8 rows are followed")  # one step, however many rows it has
    assert "8 rows are followed to their chunks" in shown
    assert all(f"policy {name}" in shown for name in ORDERS)
    assert run(["simulate", "--cache", job, "--json"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--capacity", "much"], "no size"),
        (["--set", "memory.budget=1000"], "less than one chunk"),
        (["--set", "memory.policy=best"], "clairvoyant"),
    ],
)
def test_mistakes_are_told(
    job: str, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["simulate", "--cache", job, *arguments]) == 2
    assert said in capsys.readouterr().err


def test_what_to_simulate_must_be_said(job: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["simulate", job]) == 2
    assert "--cache" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("65536", 65536), ("4k", 4096), ("1.5M", 3 << 19), ("256MiB", 1 << 28)],
)
def test_sizes_are_read(text: str, size: int) -> None:
    assert Size().convert(text, None, None) == size


@pytest.mark.parametrize("text", ["", "-1", "1e9", "1 i", "4kk", "2000P"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(BadParameter):
        Size().convert(text, None, None)


def test_sizes_are_written() -> None:
    assert [binary(n) for n in (0, 1023, 1536, 64 << 20)] == ["0 B", "1023 B", "1.5 KiB", "64 MiB"]
