"""The scheduler's own command: found, run, and asked for the number of the job.

Sources: sbatch(1) `--parsable`, qsub(1B), bsub(1) which reads the script from its standard input,
flux-batch(1).
"""

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from qmpi.errors import ConfigError, LaunchError

COMMAND_SECONDS = 120.0
"""How long a busy scheduler may take to answer."""

SHOWN = 2000
"""Characters of what it says that are told."""


class Tool(Struct, frozen=True):
    """How a scheduler takes jobs.

    Attributes:
        words: command and options before the script.
        cancel: command that ends a job.
        stdin: it reads the script from its standard input.
        number: finds the number of the job in what it prints; its first group.
    """

    words: tuple[str, ...]
    cancel: str
    stdin: bool = False
    number: str = r"^\s*(\S+)"


TOOLS = {
    "slurm": Tool(("sbatch", "--parsable"), "scancel", number=r"^\s*(\d+)"),
    "lsf": Tool(("bsub",), "bkill", stdin=True, number=r"<(\d+)>"),
    "flux": Tool(("flux", "batch"), "flux cancel"),
    "pbs": Tool(("qsub",), "qdel"),
}
"""In the order in which they are looked for: `qsub` is also that of other schedulers."""


def find_scheduler(environ: Mapping[str, str]) -> str:
    """Return the scheduler whose command is on PATH.

    Args:
        environ: environment of the process.

    Returns:
        Its kind.

    Raises:
        ConfigError: there is none.
    """
    for kind, tool in TOOLS.items():
        if shutil.which(tool.words[0], path=environ.get("PATH")):
            return kind
    commands = ", ".join(tool.words[0] for tool in TOOLS.values())
    raise ConfigError(
        f"none of {commands} is on PATH, so say which scheduler is meant: --scheduler "
        f"{'|'.join(TOOLS)}, or --machine"
    )


def hand_in(scheduler: str, script: Path, environ: Mapping[str, str]) -> str:
    """Give a script to the scheduler.

    Args:
        scheduler: kind.
        script: file; what may be read in it later is up to the scheduler, all copy it.
        environ: environment of the process.

    Returns:
        Number of the job, as the scheduler writes it.

    Raises:
        LaunchError: its command is not there, or refuses the job.
    """
    tool = TOOLS[scheduler]
    program = shutil.which(tool.words[0], path=environ.get("PATH"))
    if program is None:
        raise LaunchError(
            f"there is no {tool.words[0]} on PATH: hand jobs in where {scheduler} is, often on a "
            f"login node. The script is in {script}; --dry-run prints it"
        )
    done = _run([program, *tool.words[1:]], tool, script, environ)
    said = "\n".join(text.strip() for text in (done.stdout, done.stderr) if text.strip())
    if done.returncode != 0:
        raise LaunchError(
            f"{tool.words[0]} refused the job (exit code {done.returncode}): {said[:SHOWN]}\n"
            f"  the script is in {script}"
        )
    found = re.search(tool.number, done.stdout, re.MULTILINE)
    if found is None:
        raise LaunchError(f"{tool.words[0]} took {script} but told no number: {said[:SHOWN]}")
    return found[1]


def _run(
    words: list[str], tool: Tool, script: Path, environ: Mapping[str, str]
) -> "subprocess.CompletedProcess[str]":
    argument = [] if tool.stdin else [str(script)]
    try:
        with script.open("rb") as text:
            return subprocess.run(
                [*words, *argument],
                stdin=text if tool.stdin else subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                env=dict(environ),
                timeout=COMMAND_SECONDS,
                check=False,
            )
    except subprocess.TimeoutExpired as error:
        raise LaunchError(
            f"{tool.words[0]} did not answer within {COMMAND_SECONDS:.0f} s; look whether the job "
            "is queued before you hand it in again"
        ) from error
    except OSError as error:
        raise LaunchError(f"{words[0]} cannot be run: {error.strerror}") from error
