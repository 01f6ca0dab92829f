"""A real job on pretend hosts under `qmpi train --hostfile`, watched over the shared file system."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from hosts.pretend import PretendHosts
from mpi.live_run import TINY_JOB

ROOT = Path(__file__).parents[2]
RANKS_PER_HOST = 2
JOB = TINY_JOB.replace("spare = 1", "spare = 0")
"""Six ranks: coordinator and trainer, memory and generator, replica and trainer."""


class HostRun:
    """A run that commands on several hosts may begin and go on with.

    Attributes:
        run: directory of the run.
    """

    def __init__(self, hosts: PretendHosts, folder: Path, *options: str) -> None:
        self.hosts = hosts
        self.run = folder / "run"
        self._job = folder / "job.toml"
        self._job.write_text(JOB)
        self._options = options
        self._commands: list[subprocess.Popen[str]] = []
        self._output = folder / "commands"

    def start(self, host: str) -> "subprocess.Popen[str]":
        """Give the command of the run on a host; always the same one."""
        command = [sys.executable, "-m", "qmpi.cli.main", "train", str(self._job)]
        command += ["--run-dir", str(self.run), "--json", *self._options]
        command += ["--hostfile", str(self.hosts.host_file(RANKS_PER_HOST))]
        command += ["--ranks-per-host", str(RANKS_PER_HOST)]
        agent = {"PRTE_MCA_plm_ssh_agent": str(self.hosts.agent)}
        environment = {**os.environ, **agent, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        with self._output.open("ab") as output:
            process = self.hosts.popen(
                host, command, environment, stdout=output, stderr=output, cwd=str(ROOT)
            )
        self._commands.append(process)
        return process

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in self._commands:
            if process.poll() is None:
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

    def records(self, kind: str) -> list[dict[str, Any]]:
        """Return the journal's records of a kind."""
        found: list[dict[str, Any]] = []
        for line in (self.run / "journal.jsonl").read_text().splitlines():
            start = line.find("{")
            try:
                record = json.loads(line[start : line.rfind("}") + 1])
            except ValueError:
                continue  # just being written
            record = record.get("record", record)
            if record.get("type") == kind:
                found.append(record)
        return found

    def wait_for_step(self, step: int, timeout: float = 120.0) -> None:
        """Wait until so many steps are committed."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            status = self.status()
            if status.get("step", -1) >= step or status.get("state") in ("finished", "failed"):
                return
            if self._commands[-1].poll() is not None:
                break
            time.sleep(0.02)
        raise AssertionError(f"step {step} was not reached: {self.story()}")

    def wait_for_commit_after(self, moment: float, timeout: float = 120.0) -> float:
        """Return the seconds from a moment (since the epoch) to the next step of a later group."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            groups = [r["time"] for r in self.records("generation_opened") if r["time"] > moment]
            steps = [r["time"] for r in self.records("step_committed")]
            later = [t for t in steps if groups and t > min(groups)]
            if later:
                return min(later) - moment
            if self._commands[-1].poll() not in (None, 0, 255):
                break
            time.sleep(0.05)
        raise AssertionError(f"nothing was committed any more: {self.story()}")

    def finish(self, timeout: float = 150.0) -> dict[str, Any]:
        """Wait for the end of the newest command; returns the last status."""
        try:
            code = self._commands[-1].wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the run hangs: {self.story()}") from None
        assert code == 0, self.story()
        return self.status()

    def story(self, lines: int = 25) -> str:
        """Return the tails of all logs."""
        paths = [self._output, *sorted((self.run / "logs").glob("*"))]
        parts = [json.dumps(self.status().get("failures", []), indent=1)]
        for path in paths:
            if path.exists():
                tail = path.read_text(errors="replace").splitlines()[-lines:]
                parts.append(f"--- {path.name}\n" + "\n".join(tail))
        return "\n".join(parts)

    def left_behind(self) -> dict[str, list[str]]:
        """Return what lies in the RAM of each host that lives."""
        found = {}
        for host in self.hosts.names:
            listed = self.hosts.run(host, "ls", "/dev/shm").stdout.split()
            if listed:
                found[host] = listed
        return found
