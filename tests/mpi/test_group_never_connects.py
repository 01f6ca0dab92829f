"""A rank that has no room for gloo's threads: outlived, given up, or the end of the job."""

import json
import os
import shlex
from pathlib import Path
from typing import Any

import pytest
from mpi.live_run import TINY_JOB, LiveRun, qmpi

from qmpi.launch.mpirun import find_mpirun

pytestmark = pytest.mark.timeout(300)

FOLDER = Path(__file__).parent / "no_threads"
OPTIONS = ("-n", "3", "--set", "roles.spare=0", "--set", "train.steps=6")
"""Rank 0 coordinates, ranks 1 and 2 train."""

NO_ROOM = "Resource temporarily unavailable"


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> str:
    with LiveRun(tmp_path_factory.mktemp("undisturbed"), *OPTIONS, "-n", "1") as run:
        status = run.finish()
    assert status["state"] == "finished", run.logs()
    return str(status["digest"])


def limited(folder: Path, patch: pytest.MonkeyPatch, **environ: str) -> LiveRun:
    paths = [str(FOLDER), *filter(None, [os.environ.get("PYTHONPATH")])]
    patch.setenv("PYTHONPATH", os.pathsep.join(paths))
    for name, value in environ.items():
        patch.setenv(name, value)
    return LiveRun(folder, *OPTIONS, job=TINY_JOB)


def groups(run: LiveRun) -> list[Any]:
    lines = (run.run / "journal.jsonl").read_text().splitlines()
    records = [json.loads(line)["record"] for line in lines]
    return [record["members"] for record in records if record["type"] == "generation_opened"]


def test_a_rank_that_cannot_connect_is_given_up_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undisturbed: str
) -> None:
    with limited(tmp_path, monkeypatch, NO_THREADS="2") as run:
        status = run.finish()
    assert (status["exit_code"], status["digest"]) == (0, undisturbed), run.logs()
    assert groups(run) == [[1, 2]] * 8 + [[1]]
    (failure,) = status["failures"]
    assert failure["ranks"] == [2]
    assert "cannot connect to its group: 8 tries" in failure["reason"]
    assert NO_ROOM in failure["reason"]


@pytest.mark.slow
def test_a_shortage_of_seconds_is_outlived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undisturbed: str
) -> None:
    """Slow: the simulator shows the same."""
    with limited(tmp_path, monkeypatch, NO_THREADS="2", NO_THREADS_FOR="4") as run:
        status = run.finish()
    assert (status["exit_code"], status["digest"]) == (0, undisturbed), run.logs()
    assert status["failures"] == []
    assert 3 <= len(groups(run)) <= 7


@pytest.mark.slow
def test_where_nobody_can_be_spared_the_job_ends_with_the_reason_and_can_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undisturbed: str
) -> None:
    """Slow: it waits for half a minute. Without `--with-ft ulfm` a death would end the job."""
    mpirun, real = tmp_path / "mpirun", shlex.quote(str(find_mpirun(os.environ)))
    mpirun.write_text(
        "#!/bin/bash\nwords=()\nwhile (( $# )); do\n"
        '  if [[ $1 == --with-ft ]]; then shift 2; else words+=("$1"); shift; fi\n'
        f'done\nexec {real} "${{words[@]}}"\n'
    )
    mpirun.chmod(0o755)
    host = os.uname().nodename
    with limited(tmp_path, monkeypatch, NO_THREADS="1,2", QMPI_MPIRUN=str(mpirun)) as run:
        status = run.finish()
    assert status["exit_code"] == 3, run.logs()
    end = json.loads((run.run / "end.json").read_text())
    assert (end["state"], end["exit_code"]) == ("failed", 3)
    assert "the trainers' group broke 10 times" in end["reason"]
    assert NO_ROOM in end["reason"]
    assert any(f"rank {rank} on host {host}, " in end["reason"] for rank in (1, 2))
    assert f"`qmpi train --resume {run.run}` goes on from step 0" in end["reason"]
    assert len(list((run.run / "logs").glob("job-*.log"))) == 1
    monkeypatch.setenv("NO_THREADS", "")
    resumed = qmpi("train", "--resume", str(run.run), "--json")
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert run.status()["digest"] == undisturbed
    assert qmpi("audit", str(run.run)).returncode == 0
