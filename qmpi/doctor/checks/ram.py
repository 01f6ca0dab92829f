"""File systems in memory: room for copies of the state, and for MPI's own segments."""

import re
from pathlib import Path

from qmpi.config.settings import Settings
from qmpi.doctor.amounts import plural, size
from qmpi.doctor.finding import Verdict, error, ok, warning
from qmpi.doctor.mounts import mount_of
from qmpi.doctor.needs import Needs, needs_of
from qmpi.doctor.probes import Probes
from qmpi.doctor.programs.files import space, takes_files

SHARED_MEMORY = "/dev/shm"


def check_ram_directory(probes: Probes) -> Verdict:
    """Whether copies of the state fit into this host's memory, where they outlive a job.

    Args:
        probes: of the machine.

    Returns:
        The verdict.
    """
    around, needs = probes.around, needs_here(probes)
    named = around.job.snapshot.ram_dir
    folder = around.root / named.lstrip("/")
    other = "name a RAM file system of this host in [snapshot] ram_dir"
    if not folder.is_dir():
        return error(f"{named} is not there", other)
    if fault := takes_files(folder):
        return error(f"{named} takes no files: {fault}", other)
    room = space(folder)
    mount = mount_of(Path(room.where), around.text("proc/self/mountinfo"))
    beside = needs.chunks if named in _host_levels(around.job) else 0
    wants = f"copies of {size(needs.snapshot)} need {size(needs.ram)}"
    wants += f", compressed chunks {size(beside)}" if beside else ""
    found = f"{named}: {size(room.free)} of {size(room.total)} free; {wants}"
    if needs.ram + beside > room.total:
        larger = _bigger(named, needs.ram + beside) + "; or lower [snapshot] keep"
        beyond = "take hosts with more memory, a smaller model, or a disk of the host as ram_dir"
        return error(
            f"{found}: they do not fit, and a relaunch would go on from disk",
            larger if needs.ram + beside < memory_of(around.text("proc/meminfo"))[0] else beyond,
        )
    if needs.ram + beside > room.free:
        return warning(
            f"{found}: they do not fit beside what lies there",
            f"remove what no run needs any more: ls -d {named}/qmpi-*",
        )
    if mount is not None and not mount.in_ram:
        return warning(f"{found}; but it is {mount.kind}, no RAM file system", other)
    return ok(found)


def check_shared_memory(probes: Probes) -> Verdict:
    """Whether MPI's shared memory has room.

    Open MPI makes a segment only where all of it is free, and else tells ranks to do without; some
    with, some without have been seen to abort.

    Args:
        probes: of the machine.

    Returns:
        The verdict.
    """
    around, needs = probes.around, needs_here(probes)
    folder = around.root / SHARED_MEMORY.lstrip("/")
    if not folder.is_dir() or takes_files(folder):
        return warning(
            f"{SHARED_MEMORY} takes no files, so MPI's shared memory lies in the temporary folder",
            f"mount one: mount -t tmpfs -o size={megabytes(needs.segments)}m tmpfs {SHARED_MEMORY}",
        )
    room = space(folder)
    found = (
        f"{SHARED_MEMORY}: {size(room.free)} free; {plural(needs.host_ranks, 'rank')} map "
        f"{size(needs.segments)} for MPI"
    )
    mend = _bigger(SHARED_MEMORY, needs.segments + needs.ram + needs.chunks)
    if needs.least_segments > room.free:
        return error(f"{found}: too small, Open MPI refuses the last of them and may abort", mend)
    if needs.segments > room.free:
        return warning(f"{found}: if messages fill that, ranks die of SIGBUS", mend)
    return ok(found)


def needs_here(probes: Probes) -> Needs:
    """Return what the job needs of a host.

    Args:
        probes: of the machine.
    """
    around = probes.around
    return needs_of(around.job, around.ranks, max(1, len(around.hosts)))


def memory_of(meminfo: str) -> tuple[int, int]:
    """Return the memory of a host.

    Args:
        meminfo: text of /proc/meminfo.

    Returns:
        All of it and what is available, bytes; 0 if unknown.
    """
    values = dict(re.findall(r"^(\w+): +(\d+) kB", meminfo, re.MULTILINE))
    return int(values.get("MemTotal", 0)) << 10, int(values.get("MemAvailable", 0)) << 10


def megabytes(number: int) -> int:
    """Return as many megabytes as hold some bytes, with a little to spare.

    Args:
        number: bytes.
    """
    return -(-number * 5 // (4 << 20))


def _bigger(folder: str, number: int) -> str:
    return (
        f"make it larger: mount -o remount,size={megabytes(number)}m {folder} "
        f"(a container: --shm-size={megabytes(number)}m)"
    )


def _host_levels(job: Settings) -> list[str]:
    return [level.place for level in job.memory.levels if level.kind == "host"]
