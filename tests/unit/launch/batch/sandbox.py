"""A folder in which a batch script runs: commands that only write down how they were called."""

import os
import signal
import subprocess
from pathlib import Path

from qmpi.launch.batch.directives import Request
from qmpi.launch.batch.layout import Layout
from qmpi.launch.batch.script import Content, render

KINDS = ("slurm", "pbs", "lsf", "flux")
LAYOUT = Layout(3, 2, 5, 2, 0, 1, ("5 ranks on 3 hosts",))

VARIABLES = {
    "slurm": {"SLURM_JOB_ID": "77", "SLURM_JOB_NODELIST": "h[0-2]"},
    "pbs": {"PBS_JOBID": "77.server", "PBS_ENVIRONMENT": "PBS_BATCH"},
    "lsf": {"LSB_JOBID": "77", "LSB_JOBINDEX": "0"},
    "flux": {"FLUX_URI": "local:///x"},
}
"""What each scheduler sets for a job."""

TOOL = """#!/bin/bash
printf '%s\\0' $# "${0##*/}" "$@" >>"$CALLS"
"""

FLUX = (
    TOOL
    + """if [ "$1" = getattr ]; then echo f77; fi
"""
)

QMPI = """#!/bin/bash
printf '%s\\0' $# qmpi "$@" >>"$CALLS"
trap 'echo USR1 >>"$SIGNALS"; exit 75' USR1
trap 'echo TERM >>"$SIGNALS"; exit 75' TERM
read -r does <"$DOES"
sed -i 1d "$DOES"
case $does in
  kill) kill -KILL $$ ;;
  wait | slow)
    if [ "$does" = slow ]; then trap 'echo USR1 >>"$SIGNALS"' USR1; fi
    echo ready >>"$SIGNALS"
    for _ in $(seq 200); do sleep 0.05; done
    exit 1
    ;;
  *) exit "$does" ;;
esac
"""
"""Stands in for qmpi: each start takes one line of the file DOES, an exit code, `kill`,
`wait` for a signal, or `slow` to stop when it is warned."""


class Sandbox:
    """Where scripts run, and what they called.

    Attributes:
        root: the folder.
        bin: holds the commands.
    """

    def __init__(self, root: Path, does: str = "0") -> None:
        """Fill the folder.

        Args:
            root: an empty folder.
            does: what the starts of qmpi do, separated by spaces.
        """
        self.root, self.bin = root, root / "bin"
        self.bin.mkdir()
        for name in ("scontrol", "qsub", "blaunch", "pbs_tmrsh"):
            self._tool(name, TOOL)
        self._tool("flux", FLUX)
        self._tool("qmpi", QMPI)
        (root / "does").write_text("\n".join(does.split()) + "\n")
        self.signals = root / "signals"

    def _tool(self, name: str, text: str) -> None:
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def environ(self, kind: str, **more: str) -> dict[str, str]:
        """Return the environment of a job.

        Args:
            kind: scheduler.
            more: further variables.
        """
        own = {name: str(self.root / name.lower()) for name in ("CALLS", "DOES", "SIGNALS")}
        path = f"{self.bin}{os.pathsep}{os.defpath}"
        return {"PATH": path, "HOME": str(self.root), **own, **VARIABLES[kind], **more}

    def script(self, kind: str, *, run: Path, name: str = "job", **more: object) -> str:
        """Return a script whose qmpi is that of the sandbox.

        Args:
            kind: scheduler.
            run: directory of the run.
            name: of the run.
            more: fields of Request and Content that are not as usual.
        """
        of_request = {field: more.pop(field) for field in tuple(more) if field in _REQUEST}
        request = Request(scheduler=kind, name=name, layout=LAYOUT, **of_request)  # type: ignore[arg-type]
        content = {"job": self.root / "job.toml", "run": run, "workdir": self.root, **more}
        return render(request, Content(qmpi=("qmpi",), **content))  # type: ignore[arg-type]

    def start(self, kind: str, script: str, **environ: str) -> "subprocess.Popen[bytes]":
        """Start a script as the scheduler does.

        Args:
            kind: scheduler.
            script: its text.
            environ: further variables.
        """
        path = self.root / "script.sh"
        path.write_text(script, encoding="utf-8")
        return subprocess.Popen(
            ["bash", str(path)],
            env=self.environ(kind, **environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def run(self, kind: str, script: str, **environ: str) -> int:
        """Run a script to its end.

        Args:
            kind: scheduler.
            script: its text.
            environ: further variables.

        Returns:
            Its exit code.
        """
        with self.start(kind, script, **environ) as process:
            try:
                process.communicate(timeout=30)
            finally:
                end(process)
        return process.returncode

    def calls(self, name: str) -> list[list[bytes]]:
        """Return the arguments of each call of a command.

        Args:
            name: of the command.
        """
        file = self.root / "calls"
        text = file.read_bytes() if file.exists() else b""
        words, found = text.split(b"\0"), []
        while len(words) > 1:
            size = int(words[0]) + 2
            found.append(words[1:size])
            words = words[size:]
        return [call[1:] for call in found if call[0] == name.encode()]


_REQUEST = {"seconds", "warn_seconds", "queue", "account", "values"}


def end(process: "subprocess.Popen[bytes]") -> None:
    """End what is left of a script and all that it started.

    Args:
        process: of `start`, which leads a session of its own.
    """
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
