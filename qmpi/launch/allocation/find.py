"""Find the hosts that a job may use: named by the user, else by the batch system, else this one."""

import os
import re
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from qmpi.errors import InputError
from qmpi.launch.allocation.hostfile import parse_hostfile
from qmpi.launch.allocation.hosts import Allocation, Around, HostSlots, name_here
from qmpi.launch.allocation.nodelist import compress
from qmpi.launch.allocation.schedulers import (
    end_time,
    find_flux,
    find_gridengine,
    find_lsf,
    find_pbs,
    find_slurm,
)
from qmpi.units import Seconds

FINDERS: tuple[Callable[[Around], Allocation | None], ...] = (
    find_slurm,
    find_pbs,
    find_lsf,
    find_flux,
    find_gridengine,
)

COMMAND_SECONDS = 20.0
"""How long a batch system may take to answer a question."""

_SANE = re.compile(r"[A-Za-z0-9_.:%-]+")


def find_allocation(around: Around, hostfile: Path | None = None) -> Allocation:
    """Find the hosts.

    Args:
        around: where to look.
        hostfile: named by the user; what it says comes first.

    Returns:
        The allocation; this machine alone if nobody names hosts.

    Raises:
        InputError: what names the hosts cannot be read or understood.
    """
    if hostfile is not None:
        return _checked(_from_file(around, hostfile))
    for find in FINDERS:
        found = find(around)
        if found is not None:
            return _checked(found)
    return Allocation(
        scheduler="",
        hosts=(HostSlots(around.here, 0),),
        why="no batch system and no --hostfile names hosts: this machine alone",
        here=around.here,
        end=end_time(around),
    )


def look_around(environ: Mapping[str, str], now: Seconds) -> Around:
    """Return what can be looked at from this process.

    Args:
        environ: environment of the process.
        now: seconds since the epoch.

    Returns:
        Files, commands and name of this machine.
    """
    return Around(environ, _read, lambda words: _run(words, environ), socket.gethostname(), now)


def _from_file(around: Around, path: Path) -> Allocation:
    try:
        text = around.read(os.fspath(path))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--hostfile {path} cannot be read: {error}") from error
    hosts = parse_hostfile(text, os.fspath(path))
    names = [host.name for host in hosts]
    # Within a job the batch system still says when it ends, and starts daemons in its own way.
    job = next((found for find in FINDERS if (found := find(around)) is not None), None)
    return Allocation(
        scheduler="hostfile" if job is None else job.scheduler,
        hosts=hosts,
        why=f"{path} names {compress(names)}",
        job="" if job is None else job.job,
        here=name_here(names, around.here, () if job is None else (job.here,)),
        end=end_time(around) if job is None else job.end,
    )


def _checked(found: Allocation) -> Allocation:
    # Names go to ssh and mpirun as arguments: one that begins with a dash would be an option.
    for host in found.hosts:
        if not _SANE.fullmatch(host.name) or host.name.startswith("-"):
            raise InputError(f"{host.name[:80]!r} cannot be the name of a host; {found.why}")
    return found


def _read(path: str) -> str:
    return Path(path).read_text(encoding="utf-8")


def _run(words: Sequence[str], environ: Mapping[str, str]) -> str:
    try:
        done = subprocess.run(
            words,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
            start_new_session=True,
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return ""  # not known then; whoever asks has another way, or does without
    return done.stdout if done.returncode == 0 else ""
