"""Real jobs with levels below a small cache: the same weights, and nothing left behind."""

from pathlib import Path

import pytest
from mpi.live_run import TINY_JOB, LiveRun

pytestmark = pytest.mark.timeout(900)

JOB = (
    TINY_JOB.replace("steps = 30", "steps = 60")
    .replace("spare = 1", "spare = 0")
    .replace("memory = 1", "memory = 2")
    + '\n[[data.sources]]\nkind = "corpus"\nname = "python"\npath = "builtin:python"\n'
)


@pytest.mark.slow
def test_levels_change_no_weight_and_are_gone_after_a_crash_and_at_the_end(tmp_path: Path) -> None:
    places = {kind: tmp_path / kind for kind in ("host", "disk")}
    levels = []
    for kind, budget in (("host", 500_000), ("disk", 10_000_000)):
        places[kind].mkdir()
        levels.append(f'{{kind="{kind}",budget={budget},directory="{places[kind]}"}}')
    small = ("--set", "memory.budget=262144", "--set", f"memory.levels=[{','.join(levels)}]")
    with LiveRun(tmp_path, job=JOB, name="without") as run:
        without = run.finish()
    assert without["exit_code"] == 0, run.logs()
    with LiveRun(tmp_path, *small, job=JOB, name="with") as run:
        run.wait_for_step(6)
        (tree,) = places["disk"].iterdir()
        before = {folder.name for folder in tree.iterdir()}
        assert any(path.is_file() for path in tree.rglob("*"))
        # Rank 0 takes all others along; what any of them leaves the next start clears.
        run.kill("coordinator")
        status = run.wait_for_step(12, start=2)
        assert (status["incarnation"], status["state"]) == (2, "running")
        assert not before & {folder.name for folder in tree.iterdir()}
        end = run.finish()
    assert (end["state"], end["exit_code"]) == ("finished", 0), run.logs()
    assert end["digest"] == without["digest"]
    told = {level["level"]: level for level in end["levels"]}
    assert list(told) == ["memory", "host", "disk", "shards", "anew"]
    assert told["shards"]["hits"] > 0
    assert told["memory"]["hits"] + told["memory"]["misses"] > 0
    said = [line for line in run.logs(10**6).splitlines() if "chunks: memory" in line]
    assert [line for line in said if "; host " in line and "; disk " in line], said
    assert not [path for place in places.values() for path in place.iterdir()]
