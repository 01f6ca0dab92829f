"""A real job is asked for other shares: the weights of one whose job file said so at once."""

import json
from pathlib import Path
from typing import Any

import pytest
from mpi.live_run import TINY_JOB, LiveRun, qmpi

pytestmark = pytest.mark.timeout(1200)

JOB = (
    TINY_JOB.replace("steps = 30", "steps = 60").replace("spare = 1", "spare = 0")
    + """
[[data.sources]]
kind = "corpus"
name = "python"
path = "builtin:python"
weight = 3
[[data.sources]]
kind = "content"
name = "mathematics"
type = "mathematics"
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


def told(*arguments: str) -> dict[str, Any]:
    return json.loads(qmpi(*arguments, "--json").stdout)


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
