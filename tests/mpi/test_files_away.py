"""A real job whose corpus is away for a while: it waits, and ends in the same weights."""

import random
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mpi.live_run import TINY_JOB, LiveRun

from qmpi.ingest.corpus import IngestOptions, ingest_corpus

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

DEAD_SECONDS, AWAY_SECONDS = 10.0, 15.0
SHARDS, FILES = 120, 256
"""Far more shards than stay open where a process may have so many files: a handle would outlive the
name."""


def job(corpus: Path) -> str:
    source = f'[[data.sources]]\nkind = "corpus"\nname = "words"\npath = "{corpus}"\n'
    memory = "[memory]\nbudget = 262144\n"
    failure = f"[failure]\ndead_seconds = {DEAD_SECONDS}\n"
    return TINY_JOB.replace("vocab_size = 4096", "vocab_size = 512") + memory + failure + source


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    draw, texts = random.Random(3), tmp_path / "texts"
    texts.mkdir()
    for number in range(SHARDS):
        words = [f"{draw.choice('abcdefgh')}{draw.randrange(99)}" for _ in range(1500)]
        (texts / f"{number:03}.txt").write_text(" ".join(words))
    options = IngestOptions(vocab_size=512, shard_tokens=2000)
    ingest_corpus([texts], tmp_path / "corpus", options, lambda _: None)
    assert len(list((tmp_path / "corpus").glob("shard-*"))) >= SHARDS
    return tmp_path / "corpus"


@pytest.fixture
def few_files() -> Iterator[None]:
    usual = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, usual[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, usual)


def waits(status: dict[str, Any]) -> bool:
    told = [r["activity"] for r in status.get("ranks", ()) if r["role"] == "memory"]
    return any("waiting for files" in activity for activity in told)


@pytest.mark.usefixtures("few_files")
def test_the_corpus_is_away_for_longer_than_a_rank_may_be_silent(corpus: Path) -> None:
    folder, options = corpus.parent, ("--set", "monitor.status_seconds=0.1")
    with LiveRun(folder, "-n", "1", *options, job=job(corpus), name="whole") as run:
        right = run.finish()
    assert right["state"] == "finished", run.logs()
    with LiveRun(folder, *options, job=job(corpus), name="away") as run:
        run.wait_for_step(8)
        corpus.rename(folder / "elsewhere")
        end = time.monotonic() + 120
        while not waits(run.status()):
            assert time.monotonic() < end, run.logs()
            time.sleep(0.1)
        stood = run.status()["step"]
        time.sleep(AWAY_SECONDS)
        assert run.status()["step"] <= stood + 2
        (folder / "elsewhere").rename(corpus)
        status = run.finish()
    assert status["exit_code"] == 0, run.logs()
    assert (status["state"], status["digest"]) == ("finished", right["digest"])
    assert (status["failures"], status["incarnation"]) == ([], 1)
