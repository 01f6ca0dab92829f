"""`qmpi doctor`: say what this machine lacks for a job, and what to do about it."""

import os
import shutil
import socket
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from qmpi.cli.options import HomePath, JobPath
from qmpi.cli.output import show_json

if TYPE_CHECKING:
    from qmpi.config.settings import Settings
    from qmpi.doctor.finding import Finding
    from qmpi.doctor.probes import Probes
    from qmpi.doctor.surroundings import Launcher, Surroundings
    from qmpi.launch.allocation.hosts import Allocation, HostSlots

EPILOG = """\b
Examples:
  qmpi doctor
  qmpi doctor job.toml --dir runs/first
  qmpi doctor --mpi -n 4
  qmpi doctor job.toml --mpi -n 16 --hostfile hosts.txt
  qmpi doctor --check "disk speed" --check locks --dir runs
  qmpi doctor --json

Exit code: 3 if anything is an error, else 0.
"""

TRIAL_RANKS = 4
MANY_RANKS = 100


@click.command("doctor", epilog=EPILOG)
@click.argument("job", required=False, type=JobPath())
@click.option("--mpi", is_flag=True, help="Start ranks, and kill one of them.")
@click.option(
    "-n",
    "ranks",
    type=click.IntRange(1, 1_000_000),
    metavar="N",
    help="Ranks of the job, and to start with --mpi (default: the job's own; 4 to start).",
)
@click.option("--hosts", metavar="A,B,...", help="Hosts of the job.")
@click.option(
    "--hostfile", type=HomePath(exists=True), metavar="FILE", help="The same, a line a host."
)
@click.option(
    "--dir",
    "folder",
    type=HomePath(),
    metavar="DIR",
    help="A run, or where runs are to lie (default: that of JOB, else the working directory).",
)
@click.option(
    "--check", "names", multiple=True, metavar="NAME", help="Make this check alone; repeatable."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON list.")
def command(
    *,
    job: Path | None,
    mpi: bool,
    ranks: int | None,
    hosts: str | None,
    hostfile: Path | None,
    folder: Path | None,
    names: tuple[str, ...],
    as_json: bool,
) -> int:
    """Say what this machine lacks for JOB (default: a small one), and what to do about it.

    Nothing is changed. Files are written in a hidden folder where the run is to lie, and removed.
    """
    from qmpi.config.load import load_job
    from qmpi.config.settings import Settings
    from qmpi.doctor.examine import CHECKS
    from qmpi.doctor.finding import has_error
    from qmpi.doctor.probes import Probes

    if hosts is not None and hostfile is not None:
        raise click.UsageError("--hosts and --hostfile name the same: give one of them")
    for name in set(names) - set(CHECKS):
        raise click.UsageError(f"no check is called {name!r}; there are: {', '.join(CHECKS)}")
    settings = load_job(job) if job is not None else Settings()
    around = surroundings(settings, job_given=job is not None, folder=folder)
    around = _extended(around, ranks, mpi=mpi, hosts=hosts, hostfile=hostfile)
    findings = _told(Probes(around), names or tuple(CHECKS), as_json=as_json)
    return 3 if has_error(findings) else 0


def surroundings(settings: "Settings", *, job_given: bool, folder: Path | None) -> "Surroundings":
    """Return this machine as it is.

    Args:
        settings: the job.
        job_given: whether the user named it.
        folder: where a run is to lie; None: as the job says, else the working directory.

    Returns:
        What the checks look at.
    """
    from qmpi.doctor.running import run_program
    from qmpi.doctor.surroundings import Surroundings
    from qmpi.errors import ConfigError
    from qmpi.launch.mpirun import rank_environment
    from qmpi.launch.train import default_ranks
    from qmpi.runtime.clock import Clock
    from qmpi.runtime.same_run import run_path
    from qmpi.storage.cache import default_cache
    from qmpi.storage.home import home_directory

    clock = Clock()
    try:
        ranks = default_ranks(settings)
    except ConfigError:
        ranks = MANY_RANKS  # given by shares, which hold for any number
    where = folder or (run_path(settings) if job_given else Path())
    return Surroundings(
        environ=dict(os.environ),
        rank_environ=rank_environment(settings, os.environ),
        run=lambda command, environ, limit: run_program(command, environ, limit, clock.now),
        python=Path(sys.executable),
        launcher=_launcher(),
        job=settings,
        ranks=ranks,
        folder=where.absolute(),
        cache=default_cache(os.environ),
        home=home_directory(os.environ),
        host=socket.gethostname(),
        find=shutil.which,
    )


def _launcher() -> "Launcher":
    from qmpi.doctor.surroundings import Launcher
    from qmpi.errors import LaunchError
    from qmpi.launch.mpirun import find_mpirun

    try:
        return Launcher(find_mpirun(os.environ))
    except LaunchError as error:
        return Launcher(None, str(error))


def _extended(
    around: "Surroundings",
    ranks: int | None,
    *,
    mpi: bool,
    hosts: str | None,
    hostfile: Path | None,
) -> "Surroundings":
    from msgspec.structs import replace

    from qmpi.launch.allocation.deal import Wanted, deal_ranks

    found = _allocation(hosts, hostfile)
    names = tuple(dict.fromkeys(host.name for host in found.hosts))
    is_alone = not found.scheduler and hosts is None
    number = (ranks or TRIAL_RANKS) if mpi else 0
    dealt = () if is_alone or not mpi else deal_ranks(found, names, Wanted(ranks=number))
    return replace(
        around,
        ranks=ranks or around.ranks,
        trial_ranks=number,
        hosts=() if is_alone else names,
        launcher=_with_flags(around, dealt),
        rank_environ={"TMPDIR": tempfile.gettempdir(), **around.rank_environ},
    )


def _allocation(hosts: str | None, hostfile: Path | None) -> "Allocation":
    from qmpi.launch.allocation.find import find_allocation, look_around
    from qmpi.launch.allocation.hosts import Allocation, HostSlots
    from qmpi.runtime.clock import Clock
    from qmpi.storage.os_errors import require_file

    if hosts is None:
        if hostfile is not None:
            require_file(hostfile)
        return find_allocation(look_around(os.environ, Clock().now()), hostfile)
    names = [one.strip() for one in hosts.split(",") if one.strip()]
    if not names or any(name.startswith("-") for name in names):
        raise click.UsageError(f"--hosts {hosts!r} is no list of hosts")
    named = tuple(HostSlots(name, 0) for name in names)
    return Allocation(scheduler="", hosts=named, why="--hosts", here=socket.gethostname())


def _with_flags(around: "Surroundings", dealt: "tuple[HostSlots, ...]") -> "Launcher":
    """The flags with which `qmpi train` would start ranks on these hosts."""
    from msgspec.structs import replace

    from qmpi.launch.mpirun import LaunchPlan

    path = around.launcher.path
    if path is None:
        return around.launcher
    where, environ = around.folder, dict(around.rank_environ)
    plan = LaunchPlan(path, around.trial_ranks, where, where, environ, hosts=dealt)
    command = plan.command()
    return replace(around.launcher, flags=tuple(command[1 : command.index("-n")]))


def _told(probes: "Probes", names: tuple[str, ...], *, as_json: bool) -> "list[Finding]":
    from rich.console import Console

    from qmpi.doctor.examine import examine
    from qmpi.doctor.report import line_of, summary_of

    if as_json:
        findings = list(examine(probes, names))
        show_json(findings)
        return findings
    console, findings = Console(highlight=False), []
    for finding in examine(probes, names):
        findings.append(finding)
        console.print(line_of(finding, max(map(len, names))), soft_wrap=True)
    console.print(summary_of(findings), soft_wrap=True)
    return findings
