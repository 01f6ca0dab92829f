"""Starts a script on several real ranks, in a subprocess with a time limit.

MPI is never imported by pytest itself. Ranks report by writing OUT/RANK.json, since mpirun's exit
code and its mixed output prove nothing.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from qmpi.launch.mpirun import FLAGS, find_mpirun

REPOSITORY = Path(__file__).parents[2]


class RankRun(NamedTuple):
    """How a run ended; `reports` by rank, of those that wrote one."""

    returncode: int
    output: str
    reports: dict[int, Any]


def run_ranks(
    ranks: int, script: Path, out: Path, *arguments: object, timeout: float = 30.0
) -> RankRun:
    """Run `python SCRIPT OUT ARGUMENTS` on `ranks` ranks.

    Args:
        ranks: processes.
        script: what each of them runs.
        out: existing directory for reports.
        arguments: further arguments.
        timeout: seconds; the whole session is killed after that.

    Returns:
        How it ended.

    Raises:
        AssertionError: it took longer; with the output so far.
    """
    root = ["--allow-run-as-root"] if os.getuid() == 0 else []
    command = [str(find_mpirun(os.environ)), *root, *FLAGS, "-n", str(ranks)]
    command += [sys.executable, str(script), str(out), *map(str, arguments)]
    paths = [str(REPOSITORY), str(REPOSITORY / "tests")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        _end_session(process.pid)
        output, _ = process.communicate()
        raise AssertionError(f"{script.name} on {ranks} ranks hangs:\n{output}") from None
    finally:
        _end_session(process.pid)
    reports = {int(path.stem): json.loads(path.read_text()) for path in out.glob("*.json")}
    return RankRun(process.returncode, output, reports)


def _end_session(session: int) -> None:
    """Kill what is left of mpirun's session; ranks keep it, though each has a group of its own."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if os.getsid(int(entry.name)) == session:
                os.kill(int(entry.name), signal.SIGKILL)
        except ProcessLookupError:
            continue
