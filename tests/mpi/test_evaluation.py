"""A live job measures itself: the same weights as one that does not, whatever dies meanwhile."""

import json
from pathlib import Path
from typing import Any

import pytest
from mpi.live_run import TINY_JOB, LiveRun, qmpi

pytestmark = pytest.mark.timeout(900)

MEASURED = (
    TINY_JOB
    + """
[evaluation]
held_out = 0.01
every_steps = 10
tokens = 4000
problems = 12

[data]
sources = [
    { kind = "corpus", name = "python", path = "builtin:python", weight = 2.0 },
    { kind = "content", name = "sums", type = "mathematics", weight = 1.0, max_level = 20 },
]
"""
)


def done(run: LiveRun) -> list[dict[str, Any]]:
    lines = (run.run / "journal.jsonl").read_text().splitlines()
    records = [json.loads(line)["record"] for line in lines]
    assert not [record for record in records if record["type"] == "evaluation_missed"]
    return [record for record in records if record["type"] == "evaluation_done"]


@pytest.mark.slow
def test_a_run_that_measures_itself_has_the_weights_of_one_that_does_not(tmp_path: Path) -> None:
    options = ("--set", "evaluation.every_steps=0")
    with LiveRun(tmp_path, *options, job=MEASURED, name="silent") as silent:
        wanted = silent.finish(400)["digest"]
    with LiveRun(tmp_path, job=MEASURED) as run:
        # While the first evaluation is due or under way.
        run.wait_for_step(10, 300)
        run.kill("trainer")
        status = run.finish(400)
    assert status["exit_code"] == 0, run.logs()
    assert status["digest"] == wanted
    measured = done(run)
    assert {record["step"] for record in measured} == {10, 20, 30}
    for record in measured:
        scores = record["result"]
        assert set(scores["loss"]["source"]) == {"python", "sums"}
        assert scores["tokens"]["overall"] >= 4000
        assert scores["problems"]["overall"] == 12
        assert record["seconds"] > 0
    check_told(run, status, measured[-1])
    check_from_outside(run, measured[-1]["result"], 12)


def check_told(run: LiveRun, status: dict[str, Any], newest: dict[str, Any]) -> None:
    assert status["evaluation"]["result"] == newest["result"]
    assert [step for step, *_ in status["evaluations"]] == [10, 20, 30]
    shown = qmpi("status", str(run.run)).stdout
    assert "before step 30 in" in shown
    assert "of 12 problems solved" in shown
    page = run.run / "report.html"
    assert qmpi("report", str(run.run), "--to", str(page)).returncode == 0
    assert "Held-out text and problems" in page.read_text()
    assert "source sums" in page.read_text()


def check_from_outside(run: LiveRun, inside: dict[str, Any], problems: int) -> None:
    """The command finds what the run has found: other batches, and other rounding."""
    asked = ("--tokens", "4000", "--problems", str(problems), "--json")
    told = qmpi("evaluate", str(run.run), *asked, timeout=400)
    outside = json.loads(told.stdout)
    for name, loss in inside["loss"]["source"].items():
        assert outside["loss"]["source"][name] == pytest.approx(loss, rel=1e-4)
    assert outside["tokens"] == inside["tokens"]
    assert outside["problems"] == inside["problems"]


TEAMED = (
    *("--set", "model.kv_heads=2", "--set", "train.microbatches=2", "--set", "train.lanes=4"),
    *("--set", "parallel.pipeline=2", "--set", "evaluation.problems=0"),
    *("--set", "failure.dead_seconds=60", "--set", "monitor.status_seconds=0.1"),
)


@pytest.mark.slow
def test_two_teams_measure_what_one_does_whoever_dies(tmp_path: Path) -> None:
    (tmp_path / "alone").mkdir()
    with LiveRun(tmp_path / "alone", "-n", "2", *TEAMED, job=MEASURED) as alone:
        wanted = alone.finish(400)
    counts = ("--set", "roles.trainer=4", "--set", "roles.spare=2")
    with LiveRun(tmp_path, "-n", "10", *TEAMED, *counts, job=MEASURED) as run:
        for step in (10, 20):
            # While an evaluation is due or under way.
            run.wait_for_step(step, 300)
            run.kill("trainer", step // 20)
        status = run.finish(400)
    assert (status["exit_code"], len(status["failures"])) == (0, 2), run.logs()
    assert status["digest"] == wanted["digest"]
    found = [(record["step"], record["result"]) for record in done(run)]
    assert found == [(record["step"], record["result"]) for record in done(alone)]
    assert [step for step, _ in found] == [10, 20, 30]
    check_from_outside(run, found[-1][1], 0)
