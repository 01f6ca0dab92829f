"""A real job whose stages set rate, lanes and lengths: the same through kills and replay."""

from pathlib import Path

import pytest
from mpi.live_run import LiveRun
from mpi.mixed_job import mixed_job, told
from mpi.test_replay import changes_of, replayed

pytestmark = pytest.mark.timeout(1500)

# So small a model learns nothing in so few steps: the first stages ask for nothing but that
# their answers were seen, the others for more than there is.
STAGES = """
[curriculum]
kind = "adaptive"
every_steps = 12
sets = ["rate", "batch", "gate", "length"]

[[curriculum.stages]]
max_level = 14
loss = 9.0
rate_factor = 0.5
batch_factor = 0.67
sequence_tokens = 24

[[curriculum.stages]]
max_level = 28
loss = 2.0
rate_factor = 0.8
batch_factor = 1.0
sequence_tokens = 64
"""

JOB = (
    mixed_job(52)
    .replace("weight = 3\n", "")
    .replace('type = "mathematics"', 'type = "mathematics"\nmax_level = 28\nweight = 3')
    .replace("sequences = 2", "sequences = 4")
    + STAGES
)


@pytest.mark.slow
def test_what_stages_set_is_the_same_whoever_dies_and_is_replayed(tmp_path: Path) -> None:
    with LiveRun(tmp_path, job=JOB, name="struck") as struck:
        struck.wait_for_step(14)
        struck.kill("trainer", 1)
        struck.wait_for_step(26)
        struck.kill("coordinator", 0)
        struck.wait_for_step(38)
        struck.kill("memory", 0)
        end = struck.finish()
    assert (end["state"], end["exit_code"]) == ("finished", 0), struck.logs()
    with LiveRun(tmp_path, "-n", "1", job=JOB, name="calm") as calm:
        assert calm.finish()["digest"] == end["digest"]
    paths = [told("curriculum", "--run", str(one)) for one in (struck.run, calm.run)]
    assert paths[0] == paths[1]
    assert paths[0]["stage"] == 51
    first, *later = paths[0]["staged"]
    assert first == {"first_step": 0, "rate": 0.5, "lanes": 4, "tokens": 24}
    (second,) = later
    assert second["first_step"] in (24, 36, 48)
    assert {**second, "first_step": 0} == {"first_step": 0, "rate": 0.8, "lanes": 6, "tokens": 64}
    assert [len(change.hyperparameters) for change in changes_of(struck.run)] == [2]
    audit = told("audit", str(struck.run))
    assert (audit["audit"], audit["steps"]) == ("ok", 52)
    assert any("lanes 4 -> 6, as the stage says" in change for change in audit["changes"])
    report = replayed(struck.run, 3)
    assert (report["replay"], report["steps"]) == ("same", 52), report
    assert report["digest"] == end["digest"]
