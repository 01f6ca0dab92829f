"""A real job whose curriculum adapts: the same path and weights through kills, on any trainers."""

from pathlib import Path

import pytest
from mpi.live_run import LiveRun
from mpi.mixed_job import mixed_job, told

pytestmark = pytest.mark.timeout(1500)

JOB = (
    mixed_job(60)
    + """
[curriculum]
kind = "adaptive"
every_steps = 12
"""
)


@pytest.mark.slow
def test_the_path_and_the_weights_are_the_same_whoever_dies(tmp_path: Path) -> None:
    with LiveRun(tmp_path, job=JOB, name="struck") as struck:
        struck.wait_for_step(14)
        struck.kill("trainer", 1)
        struck.wait_for_step(26)
        struck.kill("coordinator", 0)
        struck.wait_for_step(38)
        struck.kill("memory", 0)
        end = struck.finish()
        run = str(struck.run)
    assert (end["state"], end["exit_code"]) == ("finished", 0), struck.logs()
    with LiveRun(tmp_path, "-n", "1", job=JOB, name="calm") as calm:
        assert calm.finish()["digest"] == end["digest"]
    paths = [told("curriculum", "--run", str(one)) for one in (struck.run, calm.run)]
    assert paths[0] == paths[1]
    windows = [line["window"] for line in paths[0]["path"]]
    assert windows[0] == -1
    assert len(windows) >= 3
    assert len({tuple(line["weights"].values()) for line in paths[0]["path"]}) == len(windows)
    costs = {arm["name"]: arm["loss"] for arm in paths[0]["arms"]}
    assert all(costs.values()), costs
    answers = [told["answer_loss"] for told in end["source_losses"].values()]
    assert any(answer is not None for answer in answers)
    assert end["source_losses"].keys() == costs.keys()
    audit = told("audit", run)
    assert (audit["audit"], audit["steps"]) == ("ok", 60)
    refused = told("recipe", run, "--set", "python=1")
    assert "the curriculum of this run sets the weights" in refused["error"]
