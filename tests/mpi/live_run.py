"""A real job under `qmpi train`, watched and struck from outside, as a user's machine would.

Only processes that the job itself listed in its status are ever signalled.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from qmpi.protocol.journal import SnapshotKept
from qmpi.storage.journal import read_journal

TINY_JOB = """
[job]
name = "tiny"
seed = 7

[roles]
coordinator = 1
generator = 1
memory = 1
trainer = 2
replica = 1
spare = 1

[model]
vocab_size = 4096
layers = 2
width = 64
heads = 2
kv_heads = 1

[train]
steps = 30
lanes = 6
sequences = 2
sequence_tokens = 64
digest_every = 10

[optimizer]
warmup_steps = 5

[snapshot]
every_steps = 5
disk_every_steps = 20
"""


def qmpi(*arguments: str, timeout: float = 400.0) -> subprocess.CompletedProcess[str]:
    """Run a qmpi command to its end.

    Args:
        arguments: of `qmpi`.
        timeout: seconds.

    Returns:
        The finished process.
    """
    command = [sys.executable, "-m", "qmpi.cli.main", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)


def copies_at(run: Path, step: int) -> set[str]:
    """Return the digests of the copies of a step that the journal tells of."""
    records = read_journal(run / "journal.jsonl")
    return {r.digest for r in records if isinstance(r, SnapshotKept) and r.step == step}


class LiveRun:
    """One `qmpi train`, started on entry and ended on exit."""

    def __init__(self, folder: Path, *options: str, job: str = TINY_JOB, name: str = "run") -> None:
        self.run = folder / name
        self.job = folder / f"{name}.toml"
        self.job.write_text(job)
        self.options = options
        self.output = folder / f"{name}.out"
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "qmpi.cli.main", "train", str(self.job)]
        command += ["--run-dir", str(self.run), "--json", *self.options]
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        process = self.process
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def status(self) -> dict[str, Any]:
        """Return status.json, or {} while there is none."""
        try:
            return json.loads((self.run / "status.json").read_text())
        except (OSError, ValueError):
            return {}

    def wait_for_step(self, step: int, timeout: float = 240.0, *, start: int = 1) -> dict[str, Any]:
        """Wait until `step` steps are committed.

        Args:
            step: number of steps.
            timeout: seconds.
            start: of the job; a later one than the first must be running.

        Returns:
            The status then.
        """
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            status = self.status()
            is_there = status.get("step", -1) >= step
            if start > 1:  # a start tells the steps before it while its ranks gather
                is_running = status.get("state") == "running"
                is_there = is_there and is_running and status["incarnation"] >= start
            if is_there or status.get("state") in ("finished", "failed"):
                return status
            if self.process is not None and self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise AssertionError(f"step {step} was not reached: {self.status()} {self.logs()}")

    def kill(self, role: str, index: int = 0) -> int:
        """SIGKILL a live instance of a role.

        Args:
            role: which role.
            index: which of its live instances.

        Returns:
            The rank that was killed.
        """
        ranks = [r for r in self.status()["ranks"] if r["role"] == role and r["alive"] and r["pid"]]
        victim = ranks[index]
        os.kill(victim["pid"], signal.SIGKILL)
        return int(victim["rank"])

    def finish(self, timeout: float = 400.0) -> dict[str, Any]:
        """Wait for the end.

        Args:
            timeout: seconds.

        Returns:
            The last status, with `exit_code` added.
        """
        assert self.process is not None
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the run hangs: {self.status()} {self.logs()}") from None
        return {**self.status(), "exit_code": self.process.returncode}

    def logs(self, lines: int = 15) -> str:
        """Return the tails of all logs, for failure messages."""
        parts = [self.output.read_text(errors="replace")]
        for path in sorted((self.run / "logs").glob("*")):
            tail = path.read_text(errors="replace").splitlines()[-lines:]
            parts.append(f"--- {path.name}\n" + "\n".join(tail))
        return "\n".join(parts)
