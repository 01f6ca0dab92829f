"""What memory this process takes, and what processes here may have, as the kernel tells it."""

import os
from pathlib import Path

from qmpi.storage.cgroups import limits_of
from qmpi.units import Bytes

ROOT = Path("/")


def memory_limit(root: Path = ROOT) -> Bytes:
    """Return what all processes of this one's control group may have together.

    Args:
        root: where files of the kernel lie.

    Returns:
        Bytes: the machine's memory, or the limit of the group if that is less.
    """

    def read(name: str) -> str:
        try:
            return (root / name).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    allowed = limits_of(read).memory
    return Bytes(machine if allowed is None else min(machine, allowed))


def resident_bytes(root: Path = ROOT) -> Bytes:
    """Return the memory that this process holds.

    Args:
        root: where files of the kernel lie.

    Returns:
        Bytes; 0 where the kernel does not tell.
    """
    try:
        pages = int((root / "proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return Bytes(0)
    return Bytes(pages * os.sysconf("SC_PAGE_SIZE"))
