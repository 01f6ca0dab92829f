"""Float16, weights in bfloat16 and moments in eight bits in one real job, with a trainer killed."""

import json
from pathlib import Path

import pytest
from mpi.live_run import LiveRun, qmpi

pytestmark = pytest.mark.timeout(900)

SMALL = (
    *("--set", "train.precision=float16", "--set", "train.masters=bfloat16"),
    *("--set", "optimizer.kind=adamw8", "--set", "train.steps=12", "--set", "train.lanes=3"),
    *("--set", "model.layers=1", "--set", "model.width=32", "--set", "model.vocab_size=4096"),
    *("--set", "train.sequences=1", "--set", "train.sequence_tokens=32"),
    *("--set", "monitor.status_seconds=0.1", "--set", "train.digest_every=4"),
)


@pytest.mark.slow
def test_a_job_in_few_bits_is_exact_through_a_kill_and_audited(tmp_path: Path) -> None:
    with LiveRun(tmp_path, "-n", "1", *SMALL, name="one") as alone:
        expected = alone.finish()
    assert expected["state"] == "finished", alone.logs()
    with LiveRun(tmp_path, *SMALL, name="two") as run:
        run.wait_for_step(4)
        run.kill("trainer")
        status = run.finish()
    assert status["state"] == "finished", run.logs()
    assert status["digest"] == expected["digest"]
    assert status["digest_step"] == status["steps"]
    assert status["loss_scale"] == expected["loss_scale"] > 1.0
    audit = qmpi("audit", str(run.run), "--json")
    assert json.loads(audit.stdout)["audit"] == "ok", audit.stdout
    exported = qmpi("export", str(run.run), "--to", str(tmp_path / "model"))
    assert exported.returncode == 0, exported.stderr
    changed = ("--set", "optimizer.kind=adamw", "--set", "train.steps=14")
    other = qmpi("train", "--resume", str(run.run), *changed)
    assert other.returncode == 2, other.stderr + other.stdout
    assert "kind" in other.stderr
    assert "Traceback" not in other.stderr
