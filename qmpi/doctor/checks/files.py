"""The file system that a run lies on: kind, room, speed, renames and locks."""

from pathlib import Path

from qmpi.doctor.amounts import duration, figures, plural, rate, size
from qmpi.doctor.checks.ram import needs_here
from qmpi.doctor.finding import Verdict, error, ok, warning
from qmpi.doctor.mounts import mount_of
from qmpi.doctor.probes import Probes
from qmpi.doctor.programs.files import FLOCK, READ, RECORD_LOCK, RENAME, WRITE
from qmpi.doctor.programs.lines import Small, Space

SLOW_WRITE = 30.0
DEAD_SLOW_WRITE = 2.0
"""MB/s. A laptop's disk writes hundreds, a shared file system a thousand."""

SLOW_READ = 50.0
CHECKPOINT_SECONDS = 60.0
SLOW_SMALL = 0.1
DEAD_SLOW_SMALL = 1.0
"""Seconds; a run writes a small file each second, and a line of its journal each step."""

FEW_FILES = 1000
FASTER = "put the run (--dir, job.run_dir) on a faster file system"


def check_run_directory(probes: Probes) -> Verdict:
    """Whether the run directory can be written, and what serves it.

    Args:
        probes: of the machine.

    Returns:
        The verdict.
    """
    around, told = probes.around, probes.files
    folder = around.folder
    if told.answer.seconds and told.answer.code is None and not told.all(Space):
        return error(
            f"{folder} does not answer: {told.answer.why}",
            "is it a file system of a machine that is down? Mount it again, or name another",
        )
    mount = mount_of(Path(told.pick(Space).where), around.text("proc/self/mountinfo"))
    kind = mount.kind if mount is not None else "a file system not listed"
    fault = probes.takes_files(folder).fault
    if fault:
        return error(
            f"{folder} ({kind}) cannot be written: {fault}",
            "name a folder that can be: --dir here, job.run_dir or --run-dir for a run",
        )
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not there.is_dir():
        return error(f"{there} is a file", "name a directory: --dir here, --run-dir for a run")
    if mount is not None and mount.in_ram:
        return warning(
            f"{folder} lies in memory ({kind}): its checkpoints are gone with the host",
            "name a folder on disk for runs that matter",
        )
    network = " of another machine" if mount is not None and mount.is_network else ""
    return ok(f"{folder}, {kind}{network}")


def check_space(probes: Probes) -> Verdict:
    """Whether checkpoints fit.

    Args:
        probes: of the machine.

    Returns:
        The verdict.
    """
    room, needs = probes.files.pick(Space), needs_here(probes)
    found = f"{size(room.free)} of {size(room.total)} free; checkpoints need "
    found += size(needs.checkpoints)
    if needs.checkpoints > room.free:
        return error(found, "make room, lower [snapshot] keep, or name another folder")
    if 0 <= room.files < FEW_FILES:
        return error(
            f"{found}; but only {plural(room.files, 'file')} more may be made",
            "remove files, or ask for more inodes",
        )
    return ok(found)


def check_speed(probes: Probes) -> Verdict:
    """How fast bytes reach the disk and come back.

    Args:
        probes: of the machine.

    Returns:
        The verdict.
    """
    needs = needs_here(probes)
    written, read = probes.moved(WRITE), probes.moved(READ)
    speed, back = rate(written.size, written.seconds), rate(read.size, read.seconds)
    lasts = needs.snapshot / 1e6 / speed
    found = (
        f"writes {figures(speed)} MB/s and reads {figures(back)} MB/s ({size(written.size)}); "
        f"a checkpoint of {size(needs.snapshot)} takes {duration(lasts)}"
    )
    if speed < DEAD_SLOW_WRITE:
        return error(f"slow disk: {found}", FASTER)
    if lasts > CHECKPOINT_SECONDS:
        return warning(f"slow disk: {found}", f"{FASTER}, or raise [snapshot] disk_every_steps")
    if speed < SLOW_WRITE or back < SLOW_READ:
        return warning(f"slow disk: {found}", FASTER)
    return ok(found)


def check_small_files(probes: Probes) -> Verdict:
    """How long a small file takes to be safe.

    Args:
        probes: of the machine.

    Returns:
        The verdict.
    """
    small = probes.files.pick(Small)
    found = (
        f"{duration(small.median)} to write, flush and rename one, worst {duration(small.worst)}"
    )
    if small.median > DEAD_SLOW_SMALL:
        return error(f"slow disk: {found}", f"{FASTER}: the journal is written at every step")
    if small.median > SLOW_SMALL:
        return warning(f"slow disk: {found}", f"{FASTER}: the journal is written at every step")
    return ok(found)


def check_rename(probes: Probes) -> Verdict:
    """Whether a file is replaced whole.

    Args:
        probes: of the machine.

    Returns:
        The verdict.
    """
    fault = probes.tried(RENAME).fault
    if fault:
        return error(fault, "do not keep a run there: a crash could leave it torn")
    return ok("replaces a file at once, for its readers too")


def check_locks(probes: Probes) -> Verdict:
    """Whether a lock keeps another process out.

    Args:
        probes: of the machine.

    Returns:
        The verdict.
    """
    whole, record = probes.tried(FLOCK).fault, probes.tried(RECORD_LOCK).fault
    if whole:
        also = "" if record else "; fcntl locks do"
        return warning(
            f"flock does not work: {whole}{also}",
            "start no two jobs on one run, for nothing would stop the second; Lustre: mount it "
            "with -o flock",
        )
    return ok("flock keeps others out" + (f"; fcntl locks do not: {record}" if record else ""))
