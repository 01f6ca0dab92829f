"""Runs under a real Slurm end in the weights of the undisturbed run, whatever befalls them."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from slurm.cluster import Cluster
from slurm.proof import DEMO, RANKS_PER_HOST, Submitted, settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3000)]

STEPS = 40

ROUNDS = range(int(os.environ.get("QMPI_SLURM_ROUNDS", "1")))
"""How often the main chain is run; each round must hold."""

Reference = Callable[[int], str]


@pytest.mark.parametrize("turn", ROUNDS)
def test_time_limit_requeue_resume_done(
    cluster: Cluster, tmp_path: Path, reference: Reference, turn: int
) -> None:
    del turn  # only a number to tell rounds apart
    # Slurm looks for limits every 30 s: a machine that is done by then gets more to do.
    for steps in (4 * STEPS, 16 * STEPS, 64 * STEPS):
        folder = tmp_path / str(steps)
        folder.mkdir()
        run = Submitted(cluster, folder, settings(train_steps=steps))
        run.wait_for_step(10)
        # The warning comes a minute before the end, the end in one or two: a busy machine has time.
        shorten(cluster, run.job)
        job = run.wait(lambda job: job["Restarts"] != "0" or job["JobState"] == "COMPLETED")
        if run.status()["state"] == "stopped":
            break
        if job["Restarts"] != "0":
            # It was done when the warning came, and waits to be told so again.
            cluster.run("scancel", str(run.job))
    stopped = run.status()
    assert stopped["state"] == "stopped", stopped
    step = stopped["step"]
    assert 10 <= step < steps
    assert (run.run / "checkpoints" / f"step-{step:019d}.snap").exists()
    assert json.loads((run.run / "end.json").read_text())["exit_code"] == 75
    assert "queued again" in run.said()
    run.begin_now("TimeLimit=60")
    job = run.finish()
    assert job["Restarts"] == "1"
    assert run.status()["incarnation"] == 2
    assert run.audited() == reference(steps)


def shorten(cluster: Cluster, job: int) -> None:
    ran = cluster.job(job)["RunTime"]
    hours, minutes, _ = (int(part) for part in ran.split(":"))
    limit = 60 * hours + minutes + 2
    cluster.run("scontrol", "update", f"JobId={job}", f"TimeLimit={limit}")


@pytest.mark.parametrize(
    "how",
    [
        pytest.param((), id="scancel"),
        pytest.param(("--full", "--signal=TERM"), id="SIGTERM to all at once"),
    ],
)
def test_cancelled_and_handed_in_again(
    cluster: Cluster, tmp_path: Path, reference: Reference, how: tuple[str, ...]
) -> None:
    run = Submitted(cluster, tmp_path, settings(train_steps=STEPS))
    run.wait_for_step(10)
    cluster.run("scancel", *how, str(run.job))
    run.wait(lambda job: job["JobState"] in ("CANCELLED", "FAILED"))
    cluster.wait_for_nodes(timeout=60)
    for node in cluster.nodes:
        left = [line for line in cluster.hosts.processes(node) if "qmpi.main" in line]
        assert not left
    step = run.status()["step"]
    assert 10 <= step < STEPS
    run.again()
    run.finish()
    assert run.audited() == reference(STEPS)


@pytest.mark.parametrize("silently", [False, True], ids=["crash", "power cut"])
def test_node_lost_rest_goes_on(
    cluster: Cluster, tmp_path: Path, reference: Reference, *, silently: bool
) -> None:
    run = Submitted(cluster, tmp_path, settings(train_steps=STEPS))
    run.wait_for_step(10)
    assert "dead" not in states_of_hosts(run).values()
    lost = cluster.nodes[-1]
    cluster.crash_node(lost, silently=silently)
    job = run.finish()
    assert job["Restarts"] == "0", "the same allocation is used"
    if silently:
        assert run.status()["incarnation"] == 1, "no packet tells the launcher: healed inside"
        assert any("died" in failure["what"] for failure in run.status()["failures"])
    else:
        assert run.status()["incarnation"] == 2
        expected = {"node0": "here", "node1": "living", lost: "dead"}
        assert states_of_hosts(run) == expected, (run.run / "hosts.json").read_text()
    assert run.audited() == reference(STEPS)


def states_of_hosts(run: Submitted) -> dict[str, str]:
    hosts = json.loads((run.run / "hosts.json").read_text())["hosts"]
    return {host["name"]: host["state"] for host in hosts}


def test_batch_host_lost_job_queued_again_by_hand(
    cluster: Cluster, tmp_path: Path, reference: Reference
) -> None:
    run = Submitted(cluster, tmp_path, settings(train_steps=STEPS))
    run.wait_for_step(10)
    lost = cluster.job(run.job)["BatchHost"]
    cluster.crash_node(lost)
    # With --no-kill Slurm keeps such a job, on the nodes that are left and without its script.
    run.wait(lambda job: job["NumNodes"] == str(len(cluster.nodes) - 1))
    assert cluster.job(run.job)["JobState"] == "RUNNING"
    cluster.run("scontrol", "requeue", str(run.job))
    cluster.boot_node(lost)
    run.begin_now()
    run.finish()
    assert run.audited() == reference(STEPS)


def test_plain_start_by_srun(cluster: Cluster, tmp_path: Path, reference: Reference) -> None:
    command = ["srun", "--mpi=pmix", f"-N{len(cluster.nodes)}"]
    command += [f"--ntasks-per-node={RANKS_PER_HOST}", sys.executable, "-m", "qmpi.main", str(DEMO)]
    # Slurm's PMIx server is a version older than the client in the wheel.
    command = ["env", "PMIX_MCA_gds=hash", *command, "--run-dir", str(tmp_path / "run")]
    cluster.run(*command, *settings(train_steps=STEPS), timeout=600)
    end = json.loads((tmp_path / "run" / "end.json").read_text())
    assert end["state"] == "finished"
    assert end["digest"] == reference(STEPS)
