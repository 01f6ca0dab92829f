"""A small run under the cluster's Slurm, and the same run on this machine to compare with."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from slurm.cluster import Cluster

ROOT = Path(__file__).parents[2]

DEMO = ROOT / "jobs" / "demo.toml"

QMPI = (sys.executable, "-m", "qmpi.cli.main")

SMALL = {
    "model.layers": 2,
    "model.width": 64,
    "model.heads": 2,
    "model.kv_heads": 1,
    "train.lanes": 2,
    "train.sequences": 2,
    "train.sequence_tokens": 64,
    "optimizer.warmup_steps": 5,
    "monitor.status_seconds": 0.2,
    "roles.memory": 1,
    "roles.trainer": 2,
    "roles.spare": 0,
}
"""What makes jobs/demo.toml quick: 6 ranks, of which 2 train."""

RANKS_PER_HOST = 2

PATIENCE = 600.0
"""Seconds that a busy machine may take for whatever is waited for."""


def settings(**more: object) -> list[str]:
    """Return the options that make the demo small.

    Args:
        more: further fields, `train_steps` for `train.steps`.

    Returns:
        Arguments of `qmpi train` and `qmpi submit`.
    """
    fields = {**SMALL, **{name.replace("_", ".", 1): value for name, value in more.items()}}
    return [word for name, value in fields.items() for word in ("--set", f"{name}={value}")]


def undisturbed(folder: Path, options: Sequence[str], timeout: float = 600.0) -> str:
    """Run the job on one rank of this machine, without Slurm; weights do not depend on ranks.

    Args:
        folder: for the run.
        options: from `settings`.
        timeout: seconds.

    Returns:
        Digest of its weights.
    """
    command = [*QMPI, "train", str(DEMO), "--run-dir", str(folder / "run"), "-n", "1"]
    done = subprocess.run(
        [*command, *options, "--json"], capture_output=True, text=True, timeout=timeout, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return str(json.loads(done.stdout)["digest"])


class Submitted:
    """A run that was handed to Slurm by `qmpi submit`."""

    def __init__(self, cluster: Cluster, folder: Path, options: Sequence[str]) -> None:
        """Submit it.

        Args:
            cluster: where.
            folder: for the run.
            options: from `settings`.
        """
        self._cluster = cluster
        self._options = options
        self.run = folder / "run"
        self.job = self._submit()

    def again(self) -> None:
        """Submit the same run once more, as a user does after a job that was cancelled."""
        self.job = self._submit()

    def status(self) -> dict[str, Any]:
        """Return status.json, or {} while there is none."""
        return _read_json(self.run / "status.json")

    def wait_for_step(self, step: int, incarnation: int = 1) -> None:
        """Wait until steps are committed.

        Args:
            step: number of steps.
            incarnation: that has done the last of them, or a later one.
        """

        def reached(_: dict[str, str]) -> bool:
            status = self.status()
            return status.get("step", -1) >= step and status["incarnation"] >= incarnation

        self.wait(reached)

    def wait(self, until: Callable[[dict[str, str]], bool]) -> dict[str, str]:
        """Wait until the job is as wanted; told with the run's logs if it never is.

        Args:
            until: whether it is, by Slurm's fields of it.

        Returns:
            Its fields then.
        """
        try:
            return self._cluster.wait_for_job(self.job, until, PATIENCE)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.status()}\n{self.logs()}") from None

    def finish(self) -> dict[str, str]:
        """Wait until the job has ended by itself with exit code 0.

        Returns:
            Slurm's fields of it.
        """
        return self.wait(lambda job: job["JobState"] == "COMPLETED")

    def begin_now(self, *changes: str) -> None:
        """Do without the two minutes that Slurm waits before it begins a job again.

        Args:
            changes: further fields of `scontrol update`.
        """
        self.wait(lambda job: (job["JobState"], job["Reason"]) == ("PENDING", "BeginTime"))
        job = f"JobId={self.job}"
        # Within a second of its end a node would still refuse it: "Job credential revoked".
        self._cluster.run("scontrol", "update", job, "StartTime=now+5", *changes)

    def audited(self) -> str:
        """Return the digest of the weights, once `qmpi audit` has found the run sound."""
        audit = subprocess.run(
            [*QMPI, "audit", str(self.run), "--json"], capture_output=True, text=True, check=False
        )
        assert audit.returncode == 0, audit.stdout + audit.stderr + self.logs()
        assert self.status()["state"] == "finished", self.status()
        return str(self.status()["digest"])

    def said(self) -> str:
        """Return what the batch scripts of this run have told."""
        logs = sorted((self.run / "batch").glob("*.log"))
        return "\n".join(log.read_text(errors="replace") for log in logs)

    def logs(self, lines: int = 20) -> str:
        """Return the ends of all logs of the run, for messages."""
        parts = [self.said()]
        for path in sorted((self.run / "logs").glob("*")):
            tail = path.read_text(errors="replace").splitlines()[-lines:]
            parts.append(f"--- {path.name}\n" + "\n".join(tail))
        return "\n".join(parts)

    def _submit(self) -> int:
        command = [*QMPI, "submit", str(DEMO), "--scheduler", "slurm", *self._options]
        command += ["--nodes", str(len(self._cluster.nodes)), "--time", "60m", "--warn", "60"]
        command += ["--ranks-per-host", str(RANKS_PER_HOST), "--run-dir", str(self.run)]
        return int(json.loads(self._cluster.run(*command, "--json", timeout=300))["job_id"])


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
