"""A real job is given a corpus that its job file does not have: the weights of one that had it."""

import os
from pathlib import Path

import pytest
from mpi.live_run import LiveRun, qmpi
from mpi.mixed_job import mixed_job, told

from qmpi.corpora.builtin import resolve
from qmpi.storage.cache import default_cache

pytestmark = pytest.mark.timeout(1800)

STEPS, AT = 70, 48
JOB = mixed_job(STEPS)
FROM_THE_START = """
[[data.sources]]
kind = "corpus"
name = "law"
path = "{law}"
weight = 0
[[data.recipes]]
at = {at}
weights = {{law = 2.0, python = 0.5}}
"""


def law_corpus(folder: Path) -> Path:
    text, out = folder / "law.txt", folder / "law"
    text.write_text("".join(f"Article {n}: nobody shall add {n} twice.\n" for n in range(3000)))
    tokenizer = resolve("builtin:python", default_cache(os.environ)) / "tokenizer.json"
    made = qmpi("ingest", str(text), "--out", str(out), "--tokenizer", str(tokenizer))
    assert made.returncode == 0, made.stderr
    return out


@pytest.mark.slow
def test_a_corpus_is_added_to_a_run_that_is_killed_before_and_behind(tmp_path: Path) -> None:
    law = law_corpus(tmp_path)
    with LiveRun(tmp_path, job=JOB, name="given") as given:
        given.wait_for_step(3)
        run, add = str(given.run), f"law={law}"
        weights = ("--set", "law=2", "--set", "python=0.5")
        answer = told("recipe", run, "--add", add, *weights, "--at", str(AT))
        assert answer.get("at") == AT, answer
        given.kill("memory")  # who takes it on opens the corpus too
        refused = told("recipe", run, "--add", "gone=/nowhere", "--set", "gone=1")
        assert "/nowhere is not a corpus" in refused["error"]
        given.wait_for_step(AT + 3)
        given.kill("coordinator")  # the next start has it from the journal
        end = given.finish(900.0)
    assert (end["state"], end["exit_code"]) == ("finished", 0), given.logs()
    assert set(end["recipe"]["weights"]) == {"python", "mathematics", "law"}
    audit = told("audit", run)
    assert (audit["audit"], audit["steps"]) == ("ok", STEPS)
    table = told("recipe", run)
    assert [line["state"] for line in table["lines"]] == ["trained", "in force"]
    assert table["added"][0]["source"]["path"] == str(law)
    planned = JOB + FROM_THE_START.format(law=law, at=AT)
    with LiveRun(tmp_path, "-n", "1", job=planned, name="planned") as whole:
        assert whole.finish(900.0)["digest"] == end["digest"]
