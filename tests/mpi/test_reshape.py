"""A run of teams on real ranks: exported, sampled, reshaped, and gone on with in another layout."""

import json

import pytest
from mpi.live_run import TINY_JOB, LiveRun, qmpi

from qmpi.storage.run_directory import RunDirectory

pytestmark = pytest.mark.timeout(900)

ROLES = ("-n", "3", "--set", "roles.trainer=2", "--set", "roles.spare=0")
JOB = (
    TINY_JOB.replace("heads = 2\nkv_heads = 1", "heads = 2\nkv_heads = 2")
    .replace("steps = 30", "steps = 8")
    .replace("digest_every = 10", 'digest_every = 10\nprecision = "float32"')
    .replace("every_steps = 5\ndisk_every_steps = 20", "every_steps = 4\ndisk_every_steps = 4")
)


def told(*arguments):
    done = qmpi(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def listed(run):
    return json.loads(told("checkpoints", str(run), "--json"))["checkpoints"]


@pytest.mark.slow
def test_a_run_of_teams_is_read_reshaped_and_gone_on_with(tmp_path):
    with LiveRun(tmp_path, *ROLES, "--set", "parallel.tensor=2", job=JOB) as live:
        assert live.finish()["exit_code"] == 0, live.logs()
    run, new = live.run, tmp_path / "staged"
    end = json.loads(RunDirectory(run).end.read_text())
    lines = listed(run)
    assert [(line["step"], line["parts"], line["fault"]) for line in lines] == [
        (4, 2, ""),
        (8, 2, ""),
    ]
    assert lines[-1]["weights"] == end["digest"]
    model = json.loads(told("export", str(run), "--to", str(tmp_path / "model"), "--json"))
    assert (model["step"], model["digest"]) == (8, end["digest"])
    assert told("sample", str(run), "--tokens", "4", "--seed", "1")
    changed = ("--set", "parallel.tensor=1", "--set", "parallel.pipeline=2")
    cut = ("reshape", str(run), "--to", str(new), "--step", "4", *changed)
    made = json.loads(told(*cut, "--json"))
    assert (made["step"], made["given_up"], made["state"]) == (4, 4, lines[0]["state"])
    assert listed(new)[0]["state"] == lines[0]["state"]
    told("train", "--resume", str(new), "-n", "3", "--quiet")
    audit = json.loads(told("audit", str(new), "--json"))
    assert (audit["audit"], audit["steps"], audit["blocks"]) == ("ok", 8, 48)
    assert audit["went_back"] == [4]
    assert audit["reshaped"][0]["state"] == lines[0]["state"]
    assert told("audit", str(run))
    before, after = (steps_of(directory) for directory in (run, new))
    assert after[:4] == before[:4]
    assert after[4] == pytest.approx(before[4], abs=1e-5)
    assert after[5:] == pytest.approx(before[5:], abs=1e-3)
    refused = qmpi("replay", str(new))
    assert refused.returncode == 2
    assert "was reshaped at step 4" in refused.stderr
    told("report", str(new), "--to", str(tmp_path / "report.html"))
    assert (tmp_path / "report.html").exists()


def steps_of(run):
    text = RunDirectory(run).journal.read_text()
    records = [json.loads(line)["record"] for line in text.splitlines()]
    losses = {r["step"]: r["loss"] for r in records if r["type"] == "step_committed"}
    return [losses[step] for step in sorted(losses)]
