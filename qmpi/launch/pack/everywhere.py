"""Unpacks on every host of an allocation at once, by mpirun, which finds the hosts.

Theory of operation. mpirun starts `qmpi unpack` once on each host; it is no MPI program, mpirun
only starts it. It leaves with 0 whatever came of it, since mpirun would end the others, and tells
that in one line of JSON. Each host reads the pack once, from front to end. The process itself runs
from the shared environment: some hundred opens a host, once, and not as many a rank.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from qmpi.errors import LaunchError
from qmpi.launch.mpirun import find_mpirun
from qmpi.storage.home import home_directory
from qmpi.storage.os_errors import explained

PATIENCE_SECONDS = 1800.0
"""An hour of waiting for a file system that hangs would cost more than to fail."""

SHOWN = 1000
"""Characters of what mpirun says that are told."""


class HostResult(Struct, frozen=True):
    """What a host said.

    Attributes:
        host: its name; "?" of one that could not even start.
        done: the environment is there.
        reused: it was there already.
        told: in words.
    """

    host: str
    done: bool
    reused: bool
    told: str


class _Line(Struct):
    host: str = "?"
    directory: str = ""
    reused: bool = False
    error: str = ""


def everywhere_command(
    mpirun: Path, hostfile: Path | None, arguments: list[str], *, is_root: bool
) -> list[str]:
    """Return the command that unpacks once on each host.

    Args:
        mpirun: the launcher.
        hostfile: hosts; None: those of the allocation.
        arguments: of `qmpi unpack`.
        is_root: mpirun wants to be told that this is meant.
    """
    root = ["--allow-run-as-root"] if is_root else []
    hosts = ["--hostfile", str(hostfile)] if hostfile is not None else []
    unpack = [sys.executable, "-P", "-m", "qmpi.cli.main", "unpack", "--for-many"]
    return [
        str(mpirun),
        *root,
        *hosts,
        "--map-by",
        "ppr:1:node",
        "--bind-to",
        "none",
        *unpack,
        *arguments,
    ]


def unpack_everywhere(
    pack: Path,
    directory: Path,
    hostfile: Path | None,
    options: list[str],
    environ: Mapping[str, str],
) -> list[HostResult]:
    """Unpack on every host.

    Args:
        pack: the file, on a file system that all hosts see.
        directory: where to, on each of them.
        hostfile: hosts; None: those of the allocation, else this one.
        options: further options of `qmpi unpack`.
        environ: of this process.

    Returns:
        What each host said, sorted by its name.

    Raises:
        StorageError: the file of hosts cannot be read.
        LaunchError: there is no mpirun, it waits too long, or no host said anything.
    """
    if hostfile is not None:
        with explained("read", hostfile), hostfile.open("rb"):
            pass
    arguments = [*options, "--", str(pack), str(directory)]
    command = everywhere_command(
        find_mpirun(environ), hostfile, arguments, is_root=os.getuid() == 0
    )
    environment = {**environ, "HOME": str(home_directory(environ))}
    try:
        done = subprocess.run(
            command,
            env=environment,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise LaunchError(
            f"unpacking takes longer than {PATIENCE_SECONDS:.0f} s on some host: look at its file "
            "system, then try again; what is unpacked already is used"
        ) from error
    results = sorted(host_results(done.stdout), key=lambda result: result.host)
    if not results:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip(" \t-")]
        said = " ".join(lines)[:SHOWN] or f"exit code {done.returncode}"
        raise LaunchError(f"mpirun could not unpack on any host: {said}")
    return results


def host_results(output: str) -> Iterator[HostResult]:
    """Read what the hosts said.

    Args:
        output: of mpirun.

    Yields:
        One result for each line of JSON; other lines are of mpirun.
    """
    for line in output.splitlines():
        try:
            said = msgspec.json.decode(line, type=_Line)
        except (msgspec.DecodeError, RecursionError):
            continue
        state = "is there already" if said.reused else "unpacked"
        told = said.error or f"{state}: {said.directory}"
        yield HostResult(said.host, not said.error, said.reused, told)
