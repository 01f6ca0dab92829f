"""A small run under the cluster's Slurm, and the same run on this machine to compare with."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from slurm.cluster import HEAD, Cluster
from slurm.text import job_id

ROOT = Path(__file__).parents[2]

QMPI = (sys.executable, "-m", "qmpi.cli.main")

SMALL = {
    "model.layers": 2,
    "model.width": 64,
    "model.heads": 2,
    "model.kv_heads": 1,
    "train.sequences": 2,
    "train.sequence_tokens": 64,
    "optimizer.warmup_steps": 5,
    "monitor.status_seconds": 0.2,
    "roles.memory": 1,
    "roles.trainer": 2,
}
"""What makes jobs/demo.toml quick: 7 ranks, of which 3 load torch."""

RANKS_PER_HOST = 3


def settings(**more: object) -> list[str]:
    """Return the options that make the demo small.

    Args:
        more: further fields, `train_steps` for `train.steps`.

    Returns:
        Arguments of `qmpi train` and `qmpi submit`.
    """
    fields = {**SMALL, **{name.replace("_", ".", 1): value for name, value in more.items()}}
    return [word for name, value in fields.items() for word in ("--set", f"{name}={value}")]


def undisturbed(folder: Path, options: Sequence[str], timeout: float = 400.0) -> str:
    """Run the job on this machine, without Slurm.

    Args:
        folder: for the run.
        options: from `settings`.
        timeout: seconds.

    Returns:
        Digest of its weights.
    """
    command = [*QMPI, "train", str(ROOT / "jobs" / "demo.toml"), "--run-dir", str(folder / "run")]
    done = subprocess.run(
        [*command, *options, "--json"], capture_output=True, text=True, timeout=timeout, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return str(json.loads(done.stdout)["digest"])


class Submitted:
    """A run that was handed to Slurm by `qmpi submit`."""

    def __init__(self, cluster: Cluster, folder: Path, options: Sequence[str], limit: str) -> None:
        """Submit it.

        Args:
            cluster: where.
            folder: for the run.
            options: from `settings`.
            limit: time limit of the job, as Slurm takes it.
        """
        self.cluster = cluster
        self.run = folder / "run"
        command = [*QMPI, "submit", str(ROOT / "jobs" / "demo.toml"), "--scheduler", "slurm"]
        command += ["--nodes", str(len(cluster.nodes)), "--time", limit]
        command += ["--ranks-per-host", str(RANKS_PER_HOST), "--run-dir", str(self.run)]
        self.job = job_id(cluster.run(*command, *options))
