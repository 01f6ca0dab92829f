"""What the shell, the kernel and a control group allow: files, processes, memory, cores."""

import re
from pathlib import Path

from qmpi.doctor.amounts import figures, plural, size
from qmpi.doctor.checks.ram import memory_of, needs_here
from qmpi.doctor.finding import Verdict, error, ok, warning
from qmpi.doctor.probes import Probes
from qmpi.doctor.programs.lines import RankStart
from qmpi.storage.cgroups import Limits, limits_of

ROW = re.compile(r"^(Max [a-z ]+?)\s{2,}(\S+)\s+(\S+)", re.MULTILINE)
FILES, PROCESSES = "Max open files", "Max processes"
LOCKED, SPACE, STACK = "Max locked memory", "Max address space", "Max stack size"

THREADS_OF_RANK = 16
"""Threads of a rank, MPI's and torch's own counted in."""

USUAL_SPACE = 8 << 30
"""Libraries map more than they use; torch for CPUs and MPI came up in 0.7 GiB."""

CUDA_SPACE = 256 << 30
"""CUDA reserves addresses for all memory of host and GPUs."""

LARGE_STACK = 256 << 20
LOCKED_BYTES = 1 << 30
FABRICS = ("sys/class/infiniband", "sys/class/cxi")


def limit_of(probes: Probes, name: str) -> tuple[int | None, int | None]:
    """Return a limit of this process.

    Args:
        probes: of the machine.
        name: as the kernel writes it.

    Returns:
        Soft and hard limit; None for none.
    """
    for found, soft, hard in ROW.findall(probes.around.text("proc/self/limits")):
        if found == name:
            return _count(soft), _count(hard)
    return None, None


def check_open_files(probes: Probes) -> Verdict:
    """Whether mpirun and the coordinator may open what they need.

    Args:
        probes: of the machine.

    Returns:
        The verdict.
    """
    needs = needs_here(probes)
    soft, hard = limit_of(probes, FILES)
    elsewhere = probes.trial.all(RankStart) if probes.around.trial_ranks else []
    lowest = min((one for one in elsewhere if one.open_files >= 0), key=_files, default=None)
    where = ""
    if lowest is not None and (soft is None or lowest.open_files < soft):
        soft, where = lowest.open_files, f" on {lowest.host}"
    found = f"ulimit -n is {_said(soft)}{where}; {plural(probes.around.ranks, 'rank')} need "
    found += f"{needs.open_files:,}"
    if soft is None or soft >= needs.open_files:
        return ok(found)
    can = hard is None or hard >= needs.open_files
    mend = f"ulimit -n {needs.open_files if hard is None or not can else hard}"
    return error(
        found,
        f"{mend} before the start"
        if can
        else f"raise the hard limit ({_said(hard)}) in /etc/security/limits.conf, then {mend}",
    )


def check_processes(probes: Probes) -> Verdict:
    """Whether all ranks and their threads may be started.

    Args:
        probes: of the machine.

    Returns:
        The verdict.
    """
    needs = needs_here(probes)
    soft, _ = limit_of(probes, PROCESSES)
    group = _group(probes).processes
    wanted = needs.host_ranks * THREADS_OF_RANK
    found = f"ulimit -u is {_said(soft)}"
    found += f", the control group allows {group:,}" if group is not None else ""
    found += f"; {plural(needs.host_ranks, 'rank')} start {wanted:,} threads"
    lowest = min((one for one in (soft, group) if one is not None), default=None)
    if lowest is None or lowest >= wanted:
        return ok(found)
    return error(found, f"ulimit -u {wanted}, or a container with a larger --pids-limit")


def check_locked_memory(probes: Probes) -> Verdict:
    """Whether a fast network may pin memory.

    Args:
        probes: of the machine.

    Returns:
        The verdict.
    """
    soft, _ = limit_of(probes, LOCKED)
    root = probes.around.root
    fabric = next((path for path in FABRICS if any((root / path).glob("*"))), "")
    found = f"ulimit -l is {_said(soft, in_bytes=True)}"
    if fabric and soft is not None and soft < LOCKED_BYTES:
        return warning(
            f"{found}, but there is a fast network ({Path(fabric).name})",
            "ulimit -l unlimited; in a batch system that is set for its daemon",
        )
    return ok(f"{found}; {'enough' if fabric else 'no network here pins memory'}")


def check_address_space(probes: Probes) -> Verdict:
    """Whether a process may map as much as torch does.

    Args:
        probes: of the machine.

    Returns:
        The verdict.
    """
    soft, _ = limit_of(probes, SPACE)
    found = f"ulimit -v is {_said(soft, in_bytes=True)}"
    if soft is None:
        return ok(found)
    mend = "ulimit -v unlimited"
    if soft < CUDA_SPACE and (probes.around.root / "dev/nvidiactl").exists():
        return warning(f"{found}; CUDA reserves far more addresses than it uses", mend)
    wanted = needs_here(probes).trainer
    if soft < wanted:
        return error(f"{found}: a trainer of this job takes {size(wanted)}", mend)
    return warning(f"{found}: a trainer may map more", mend) if soft < USUAL_SPACE else ok(found)


def check_stack(probes: Probes) -> Verdict:
    """Whether threads get a stack of a usual size.

    Args:
        probes: of the machine.

    Returns:
        The verdict.
    """
    soft, _ = limit_of(probes, STACK)
    found = f"ulimit -s is {_said(soft, in_bytes=True)}"
    if soft is not None and soft > LARGE_STACK:
        return warning(f"{found}, reserved for each thread", "ulimit -s 8192")
    if soft is not None and soft < 1 << 20:
        return error(f"{found}: threads would crash", "ulimit -s 8192")
    return ok(found)


def check_cores(probes: Probes) -> Verdict:
    """Whether trainers have a core for each of their threads.

    Args:
        probes: of the machine.

    Returns:
        The verdict.
    """
    needs, allowed = needs_here(probes), _cores(probes.around.text("proc/self/status"))
    group = _group(probes).cores
    usable = allowed if group is None else min(float(allowed), group)
    found = f"{plural(allowed, 'core')} may be used"
    found += f", the control group allows the time of {figures(group)}" if group else ""
    trainers = plural(needs.trainers, "trainer")
    found += f"; {trainers} with {plural(needs.threads, 'thread')}"
    if needs.threads > usable:
        return warning(
            f"{found}: they wait for each other",
            "start fewer trainers or threads ([roles] trainer, [train] threads), or ask for more "
            "cores",
        )
    return ok(found)


def check_memory(probes: Probes) -> Verdict:
    """Whether ranks and copies fit into memory.

    Args:
        probes: of the machine.

    Returns:
        The verdict.
    """
    needs, group = needs_here(probes), _group(probes).memory
    total, free = memory_of(probes.around.text("proc/meminfo"))
    if not total:
        return warning("cannot be told: no /proc/meminfo", "mount /proc")
    wanted = needs.memory + needs.ram + needs.chunks
    found = f"{size(free)} of {size(total)} free"
    found += f", the control group allows {size(group)}" if group is not None else ""
    found += f"; {plural(needs.host_ranks, 'rank')} and their copies need {size(wanted)}"
    mend = "start fewer ranks on a host, take a smaller model, or ask for more memory"
    if wanted > min(total, group if group is not None else total):
        return error(found, mend)
    return warning(found, f"end what uses the rest; or {mend}") if wanted > free else ok(found)


def _files(rank: RankStart) -> int:
    return rank.open_files


def _group(probes: Probes) -> Limits:
    return limits_of(probes.around.text)


def _cores(status: str) -> int:
    match = re.search(r"^Cpus_allowed_list:\s*(\S+)", status, re.MULTILINE)
    spans = [one.split("-") for one in match[1].split(",")] if match else [["0"]]
    return sum(int(span[-1]) - int(span[0]) + 1 for span in spans)


def _count(text: str) -> int | None:
    return int(text) if text.isdecimal() else None


def _said(number: int | None, *, in_bytes: bool = False) -> str:
    if number is None:
        return "unlimited"
    return size(number) if in_bytes else f"{number:,}"
