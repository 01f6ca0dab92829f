"""What each batch system tells a job about its hosts. One function each, from text to values.

Theory of operation. Every batch system sets variables that name the job, and either its hosts or a
file of them:

    Slurm        SLURM_JOB_NODELIST in brackets, SLURM_TASKS_PER_NODE as 2(x3),1; the tasks count
                 only where some were asked for (SLURM_NTASKS), else they are the cores of a node
    PBS          PBS_NODEFILE, one line a rank: OpenPBS repeats a host `mpiprocs` times, Torque
                 `ppn` times. One line each says nothing: that is what both write if nobody asked
    LSF          LSB_DJOB_HOSTFILE, one line a slot; else LSB_MCPU_HOSTS, "host slots host slots"
    Flux         FLUX_URI names the instance; `flux getattr hostlist` lists its hosts, by broker
                 rank. Flux takes FLUX_JOB_ID and SLURM_* away from a batch script
    Grid Engine  PE_HOSTFILE, "host slots queue processors" a line

Slurm alone says in a variable when the job ends, and not in all versions; `squeue` knows it, as
`flux job timeleft` does for Flux. For the others a script may set QMPI_END_TIME.
"""

import re
from collections import Counter

from qmpi.errors import InputError
from qmpi.launch.allocation.hosts import Allocation, Around, HostSlots, name_here
from qmpi.launch.allocation.nodelist import compress, counts, expand
from qmpi.units import Seconds

END_VARIABLE = "QMPI_END_TIME"
_SLOTS = re.compile(r"[0-9]{1,6}")
"""Of a host, as in a file of hosts."""

_SECONDS = re.compile(r"[0-9]{1,12}")
_LEFT = re.compile(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)")


def find_slurm(around: Around) -> Allocation | None:
    """Return the hosts of a Slurm job.

    Args:
        around: where to look.

    Returns:
        The allocation; None outside of one.

    Raises:
        InputError: Slurm says what cannot be understood.
    """
    environ = around.environ
    listed = environ.get("SLURM_JOB_NODELIST", "")
    if not listed or "SLURM_JOB_ID" not in environ:
        return None
    names = expand(listed)
    tasks: tuple[int, ...] = ()
    if environ.get("SLURM_NTASKS") and environ.get("SLURM_TASKS_PER_NODE"):
        tasks = counts(environ["SLURM_TASKS_PER_NODE"])
    if len(tasks) != len(names):
        tasks = (0,) * len(names)
    return Allocation(
        scheduler="slurm",
        hosts=tuple(map(HostSlots, names, tasks)),
        why=f"Slurm job {environ['SLURM_JOB_ID']} has {listed}",
        job=environ["SLURM_JOB_ID"],
        here=name_here(names, around.here, (environ.get("SLURMD_NODENAME", ""),)),
        end=end_time(around)
        or _stamp(environ.get("SLURM_JOB_END_TIME", ""))
        or _slurm_left(around),
    )


def find_pbs(around: Around) -> Allocation | None:
    """Return the hosts of a PBS or Torque job.

    Args:
        around: where to look.

    Returns:
        The allocation; None outside of one.

    Raises:
        InputError: the file of its hosts cannot be read.
    """
    path = around.environ.get("PBS_NODEFILE", "")
    if not path:
        return None
    hosts = _repeated(_lines(around, path, "PBS_NODEFILE"))
    if all(host.slots == 1 for host in hosts):
        hosts = tuple(HostSlots(host.name, 0) for host in hosts)
    return _listed(around, "pbs", around.environ.get("PBS_JOBID", ""), hosts)


def find_lsf(around: Around) -> Allocation | None:
    """Return the hosts of an LSF job.

    Args:
        around: where to look.

    Returns:
        The allocation; None outside of one.

    Raises:
        InputError: LSF says what cannot be understood.
    """
    environ = around.environ
    path, told = environ.get("LSB_DJOB_HOSTFILE", ""), environ.get("LSB_MCPU_HOSTS", "").split()
    if "LSB_JOBID" not in environ or not (path or told):
        return None
    if path:
        hosts = _repeated(_lines(around, path, "LSB_DJOB_HOSTFILE"))
    else:
        hosts = _counted(told[::2], told[1::2], "LSB_MCPU_HOSTS")
    return _listed(around, "lsf", environ["LSB_JOBID"], hosts)


def find_flux(around: Around) -> Allocation | None:
    """Return the hosts of a Flux instance, such as a batch job is.

    Args:
        around: where to look.

    Returns:
        The allocation; None outside of one.

    Raises:
        InputError: Flux says what cannot be understood.
    """
    if not around.environ.get("FLUX_URI"):
        return None
    listed = around.run(["flux", "getattr", "hostlist"]).strip()
    if not listed:
        return None
    hosts = tuple(HostSlots(name, 0) for name in expand(listed))
    job = around.run(["flux", "getattr", "jobid"]).strip()
    found = _listed(around, "flux", job, hosts)
    if found.end is not None:
        return found
    left = around.run(["flux", "job", "timeleft"]).strip()
    end = Seconds(around.now + int(left)) if _SECONDS.fullmatch(left) else None
    return Allocation(
        scheduler="flux", hosts=hosts, why=found.why, job=job, here=found.here, end=end
    )


def find_gridengine(around: Around) -> Allocation | None:
    """Return the hosts of a Grid Engine job in a parallel environment.

    Args:
        around: where to look.

    Returns:
        The allocation; None outside of one.

    Raises:
        InputError: the file of its hosts cannot be read.
    """
    path = around.environ.get("PE_HOSTFILE", "")
    if not path:
        return None
    fields = [line.split() for line in _lines(around, path, "PE_HOSTFILE")]
    hosts = _counted([f[0] for f in fields], [f[1] if f[1:] else "" for f in fields], path)
    return _listed(around, "gridengine", around.environ.get("JOB_ID", ""), hosts)


def end_time(around: Around) -> Seconds | None:
    """Return when the job ends, as whoever wrote the batch script says it.

    Args:
        around: where to look.

    Returns:
        QMPI_END_TIME, seconds since the epoch; None if it is not set.

    Raises:
        InputError: it is no number.
    """
    text = around.environ.get(END_VARIABLE, "")
    found = _stamp(text)
    if text and found is None:
        raise InputError(f"{END_VARIABLE}={text[:40]} is no time in seconds since the epoch")
    return found


def _slurm_left(around: Around) -> Seconds | None:
    job = around.environ["SLURM_JOB_ID"]
    match = _LEFT.fullmatch(around.run(["squeue", "-h", "-j", job, "-o", "%L"]).strip())
    if match is None:
        return None  # UNLIMITED, or no squeue
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return Seconds(around.now + 86_400 * days + 3_600 * hours + 60 * minutes + seconds)


def _stamp(text: str) -> Seconds | None:
    # Nobody's clock has more digits, and Python refuses thousands of them.
    return Seconds(int(text)) if _SECONDS.fullmatch(text) and int(text) else None


def _lines(around: Around, path: str, variable: str) -> list[str]:
    try:
        lines = [line.strip() for line in around.read(path).splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise InputError(
            f"{variable} names {path}, which cannot be read ({why}); is this shell "
            "still in its job? Unset the variable if not, or name the hosts with --hostfile"
        ) from error
    if not lines:
        raise InputError(f"{variable} names {path}, which is empty; name the hosts by --hostfile")
    return lines


def _repeated(names: list[str]) -> tuple[HostSlots, ...]:
    return tuple(HostSlots(name, lines) for name, lines in Counter(names).items())


def _counted(names: list[str], slots: list[str], where: str) -> tuple[HostSlots, ...]:
    if len(names) != len(slots) or not all(map(_SLOTS.fullmatch, slots)):
        raise InputError(f"{where} does not say hosts and their slots in turn")
    found: dict[str, int] = {}
    for name, slot in zip(names, slots, strict=True):
        found[name] = found.get(name, 0) + int(slot)
    return tuple(HostSlots(name, number) for name, number in found.items())


def _listed(around: Around, scheduler: str, job: str, hosts: tuple[HostSlots, ...]) -> Allocation:
    names = [host.name for host in hosts]
    kind = {"pbs": "PBS", "lsf": "LSF", "flux": "Flux", "gridengine": "Grid Engine"}[scheduler]
    return Allocation(
        scheduler=scheduler,
        hosts=hosts,
        why=f"{kind} job {job or '?'} has {compress(names)}",
        job=job,
        here=name_here(names, around.here),
        end=end_time(around),
    )
