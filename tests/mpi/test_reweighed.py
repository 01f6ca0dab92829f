"""A real job is asked for other shares: the weights of one whose job file said so at once."""

from pathlib import Path

import pytest
from mpi.live_run import LiveRun
from mpi.mixed_job import mixed_job, told

pytestmark = pytest.mark.timeout(1200)

JOB = (
    mixed_job(60)
    + """
[[data.sources]]
kind = "content"
name = "code"
type = "code"
weight = 0
"""
)
PLANNED = """
[[data.recipes]]
at = 40
weights = {python = 0.5, code = 2.0}
"""


@pytest.mark.slow
def test_a_run_that_is_asked_comes_to_the_weights_of_one_that_was_planned(tmp_path: Path) -> None:
    with LiveRun(tmp_path, job=JOB, name="asked") as asked:
        asked.wait_for_step(3)
        run = str(asked.run)
        answer = told("recipe", run, "--set", "python=0.5", "--set", "code=2", "--at", "40")
        assert answer["at"] == 40, answer
        asked.kill("trainer", 1)
        refused = told("recipe", run, "--set", "python=1", "--at", "1")
        assert "the first step that can have other weights is" in refused["error"]
        end = asked.finish()
    assert (end["state"], end["exit_code"]) == ("finished", 0), asked.logs()
    assert end["recipe"]["first_step"] == 40
    with LiveRun(tmp_path, "-n", "1", job=JOB + PLANNED, name="planned") as planned:
        assert planned.finish()["digest"] == end["digest"]
    audit = told("audit", run)
    assert (audit["audit"], audit["steps"]) == ("ok", 60)
    assert [recipe["first_step"] for recipe in audit["recipes"]] == [0, 40]
    states = [line["state"] for line in told("recipe", run)["lines"]]
    assert states == ["trained", "in force"]
