"""A real job that begins with drills: the same weights whoever dies, audited and replayed."""

import json
from pathlib import Path

import pytest
from mpi.live_run import LiveRun, qmpi
from mpi.mixed_job import mixed_job, told

from qmpi.protocol.journal import StepCommitted
from qmpi.storage.journal import read_journal

pytestmark = pytest.mark.timeout(900)

JOB = (
    mixed_job(36)
    + """
[curriculum]
warmup_steps = 14
"""
)


@pytest.mark.slow
def test_drills_come_first_and_then_the_mixture_whoever_dies(tmp_path: Path) -> None:
    with LiveRun(tmp_path, job=JOB, name="struck") as struck:
        struck.wait_for_step(6)
        struck.kill("trainer", 1)
        struck.wait_for_step(15)
        struck.kill("coordinator", 0)
        end = struck.finish()
    assert (end["state"], end["exit_code"]) == ("finished", 0), struck.logs()
    with LiveRun(tmp_path, "-n", "1", job=JOB, name="calm") as calm:
        assert calm.finish()["digest"] == end["digest"]
    run = str(struck.run)
    audit = told("audit", run)
    assert (audit["audit"], audit["steps"]) == ("ok", 36)
    path = told("curriculum", "--run", run)["path"]
    assert [line["first_step"] for line in path] == [0, 14]
    assert path[0]["weights"] == {"python": 0.0, "mathematics": 0.0, "warm-up": 1.0}
    assert path[1]["weights"] == {"python": 0.75, "mathematics": 0.25, "warm-up": 0.0}
    drawn = {
        record.step: {each.source for each in record.sources}
        for record in read_journal(struck.run / "journal.jsonl")
        if isinstance(record, StepCommitted)
    }
    assert {step for step, sources in drawn.items() if 2 in sources} == set(range(14))
    assert all(sources == {2} for step, sources in drawn.items() if step < 14)
    place = str(tmp_path / "replay")
    again = qmpi("replay", run, "--json", "--run-dir", place, "-n", "1", "--to", "20")
    assert json.loads(again.stdout)["replay"] == "same", again.stderr
