"""Batch scripts of PBS, LSF and Flux on three pretend hosts, with the variables that each sets.

The schedulers themselves are not there: their variables and files are, and commands that a script
calls stand in for theirs. `qmpi train`, mpirun and the ranks are real.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hosts.host_run import JOB, ROOT
from hosts.pretend import PretendHosts
from unit.launch.batch.sandbox import KINDS

from qmpi.launch.batch.submission import Asked, Given, prepare

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

RANKS, PER_HOST = 5, 2
STEPS = 30

RSH = """#!/bin/sh
# Not by exec: the watch over a start would take an agent written in Python for a rank.
AGENT "$@"
exit $?
"""

QSUB = """#!/bin/sh
echo "$*" >>CALLS
"""

FLUX = """#!/bin/sh
case "$*" in
  "getattr hostlist") echo "h[0-2]" ;;
  "getattr jobid") echo f77 ;;
  "job timeleft") echo 7200 ;;
  "hostlist --find="*) echo "${2#--find=h}" ;;
  "exec "*) host=h${4#--rank=}; shift 4; AGENT "$host" "$3"; exit $? ;;
  *) echo "$*" >>CALLS ;;
esac
"""
"""Stands in for flux on an instance of three hosts."""


def variables(kind: str, hosts: PretendHosts, folder: Path) -> dict[str, str]:
    """What a scheduler sets for a job on all hosts, and the files that it names."""
    names = [name for name in hosts.names for _ in range(PER_HOST)]
    (folder / "nodefile").write_text("".join(f"{name}\n" for name in names))
    return {
        "pbs": {
            "PBS_ENVIRONMENT": "PBS_BATCH",
            "PBS_JOBID": "12.server",
            "PBS_NODEFILE": str(folder / "nodefile"),
        },
        "lsf": {
            "LSB_JOBID": "12",
            "LSB_JOBINDEX": "0",
            "LSB_DJOB_HOSTFILE": str(folder / "nodefile"),
            "LSB_MCPU_HOSTS": " ".join(f"{name} {PER_HOST}" for name in hosts.names),
        },
        "flux": {"FLUX_URI": "local:///run/flux"},
    }[kind]


def tools(kind: str, hosts: PretendHosts, folder: Path) -> None:
    """Commands of a scheduler that a script calls."""
    calls = folder / "calls"
    texts = {
        "pbs": {"pbs_tmrsh": RSH, "qsub": QSUB},
        "lsf": {"blaunch": RSH},
        "flux": {"flux": FLUX},
    }[kind]
    for name, text in texts.items():
        path = folder / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text.replace("AGENT", str(hosts.agent)).replace("CALLS", str(calls)))
        path.chmod(0o755)


class BatchJob:
    """A script that is kept, and run on the first host as a scheduler would."""

    def __init__(self, kind: str, hosts: PretendHosts, folder: Path, *overrides: str) -> None:
        """Prepare it.

        Args:
            kind: scheduler.
            hosts: where it runs.
            folder: an empty folder that all hosts share.
            overrides: fields of the job.
        """
        job = folder / "it's a job.toml"
        job.write_text(JOB)
        self.run = folder / "run"
        given = Given(job, (f"train.steps={STEPS}", *overrides), str(self.run))
        asked = Asked(
            nodes=3,
            scheduler=kind,
            ranks=RANKS,
            ranks_per_host=PER_HOST,
            time="2h",
            qmpi=f"{sys.executable} -m qmpi.cli.main",
        )
        submission = prepare(given, asked, {})
        # No scheduler is here to hand it in to.
        submission.path.parent.mkdir(parents=True)
        submission.path.write_text(submission.script)
        self._script, self._hosts = submission.path, hosts
        tools(kind, hosts, folder)
        path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        own = {"PATH": path, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        # The agent of a user would come first; the scheduler's own is what is to be seen.
        inherited = {n: v for n, v in os.environ.items() if not n.endswith("_agent")}
        self._environ = {**inherited, **own, **variables(kind, hosts, folder)}

    def start(self) -> "subprocess.Popen[str]":
        """Run the script on the first host."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        return self._hosts.popen("h0", ["bash", self._script], self._environ, **pipes)

    def wait(self, process: "subprocess.Popen[str]", timeout: float = 150.0) -> int:
        """Wait for the end of the script; returns its exit code."""
        try:
            process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise AssertionError(self.story()) from None
        return process.returncode

    def read(self, name: str) -> dict[str, object]:
        """Return a JSON file of the run."""
        return json.loads((self.run / name).read_text())

    def story(self) -> str:
        """Return what was said."""
        paths = [*self.run.glob("batch/*.log"), *self.run.glob("logs/*")]
        bugs = self._hosts.run("h0", "sh", "-c", 'cat "$TMPDIR"/qmpi-bug*').stdout
        return bugs + "\n".join(
            f"--- {p.name}\n{p.read_text(errors='replace')[-3000:]}" for p in paths
        )


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "slurm"])
def test_five_ranks_on_three_hosts(
    kind: str, make_hosts: Callable[..., PretendHosts], tmp_path: Path
) -> None:
    hosts = make_hosts(3)
    job = BatchJob(kind, hosts, tmp_path)
    code = job.wait(job.start())
    assert code == 0, job.story()
    end = job.read("end.json")
    assert (end["state"], end["step"]) == ("finished", STEPS)
    found = job.read("hosts.json")
    assert found["scheduler"] == kind
    ranks = [path.name for path in (job.run / "ranks").glob("*.json")]
    assert len(ranks) in (0, RANKS)  # cleared away at the end, if there was time
    assert not (tmp_path / "calls").exists()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "slurm"])
def test_a_warning_queues_the_job_again_and_it_goes_on(
    kind: str, make_hosts: Callable[..., PretendHosts], tmp_path: Path
) -> None:
    hosts = make_hosts(3)
    job = BatchJob(kind, hosts, tmp_path, "train.steps=4000")
    process = job.start()
    _await_step(job, process, 3)
    process.send_signal(12 if kind == "lsf" else 10)  # SIGUSR2, SIGUSR1
    assert job.wait(process) == 75, job.story()
    stopped = job.read("end.json")
    assert stopped["state"] == "stopped", job.story()
    calls = (tmp_path / "calls").read_text() if kind != "lsf" else ""
    assert calls.count("QMPI_REQUEUES=1") == (0 if kind == "lsf" else 1)
    shutil.rmtree(job.run / "logs")
    process = job.start()
    _await_step(job, process, int(str(stopped["step"])) + 2)
    process.terminate()
    assert job.wait(process) == 143, job.story()
    assert int(str(job.read("end.json")["step"])) > int(str(stopped["step"]))


def _await_step(job: BatchJob, process: "subprocess.Popen[str]", step: int) -> None:
    end = time.monotonic() + 150.0
    while time.monotonic() < end and process.poll() is None:
        with suppress(OSError, ValueError):  # not written yet
            status = job.read("status.json")
            if status["state"] == "running" and int(str(status["step"])) >= step:
                return
        time.sleep(0.05)
    process.kill()
    raise AssertionError(f"step {step} was not reached\n{job.story()}")
