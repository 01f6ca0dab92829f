"""Limits that a control group sets on this process, of either version of the kernel's interface."""

from collections.abc import Callable

from msgspec import Struct

UNLIMITED_BYTES = 1 << 60
"""Version 1 writes "no limit" as about 2^63."""


class Limits(Struct, frozen=True):
    """What a control group allows; None: as much as there is.

    Attributes:
        cores: as many cores' worth of time.
        memory: bytes.
        processes: processes and threads.
    """

    cores: float | None = None
    memory: int | None = None
    processes: int | None = None


def limits_of(read: Callable[[str], str]) -> Limits:
    """Find the tightest limits on the way from this process's group to the root.

    Args:
        read: reads a file below "/"; "" where there is none.

    Returns:
        The limits.
    """
    cores: list[float] = []
    memory: list[int] = []
    processes: list[int] = []
    for line in read("proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        for folder in _upwards(path):
            if names:
                _named(names, folder, read, (cores, memory, processes))
            else:
                _unified(f"sys/fs/cgroup{folder}", read, (cores, memory, processes))
    return Limits(
        min(cores, default=None), min(memory, default=None), min(processes, default=None)
    )  # fmt: skip


Found = tuple[list[float], list[int], list[int]]


def _upwards(path: str) -> list[str]:
    parts = [part for part in path.split("/") if part and part != ".."]
    return ["".join(f"/{part}" for part in parts[:end]) for end in range(len(parts), -1, -1)]


def _unified(folder: str, read: Callable[[str], str], found: Found) -> None:
    cores, memory, processes = found
    quota = read(f"{folder}/cpu.max").split()
    if len(quota) == 2 and quota[0].isdecimal() and quota[1].isdecimal():
        cores.append(int(quota[0]) / int(quota[1]))
    _number(read(f"{folder}/memory.max"), memory)
    _number(read(f"{folder}/pids.max"), processes)


def _named(names: str, folder: str, read: Callable[[str], str], found: Found) -> None:
    cores, memory, processes = found
    controllers = names.split(",")
    if "cpu" in controllers:
        quota = read(f"sys/fs/cgroup/cpu{folder}/cpu.cfs_quota_us").strip()
        period = read(f"sys/fs/cgroup/cpu{folder}/cpu.cfs_period_us").strip()
        if quota.isdecimal() and period.isdecimal():
            cores.append(int(quota) / int(period))
    if "memory" in controllers:
        _number(read(f"sys/fs/cgroup/memory{folder}/memory.limit_in_bytes"), memory)
    if "pids" in controllers:
        _number(read(f"sys/fs/cgroup/pids{folder}/pids.max"), processes)


def _number(text: str, into: list[int]) -> None:
    if text.strip().isdecimal() and int(text) < UNLIMITED_BYTES:
        into.append(int(text))
