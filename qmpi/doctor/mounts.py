"""Which file system a folder lies on, from /proc/self/mountinfo; nothing is touched."""

import re
from pathlib import PurePath

from msgspec import Struct

NETWORK = frozenset(
    {
        *("nfs", "nfs4", "lustre", "gpfs", "beegfs", "cifs", "smb3", "ceph", "pvfs2", "orangefs"),
        *("afs", "9p", "panfs", "wekafs", "daos", "glusterfs", "quobyte", "virtiofs"),
    }
)
"""File systems of other machines; also what is mounted by a user's program (`fuse.*`)."""

RAM = frozenset({"tmpfs", "ramfs", "hugetlbfs"})

_OCTAL = re.compile(r"\\([0-7]{3})")


class Mount(Struct, frozen=True):
    """A mounted file system.

    Attributes:
        point: where it is mounted.
        kind: as "ext4".
        read_only: whether it is mounted so.
    """

    point: str
    kind: str
    read_only: bool

    @property
    def is_network(self) -> bool:
        """Whether another machine serves it."""
        return self.kind in NETWORK or self.kind.startswith("fuse.")

    @property
    def in_ram(self) -> bool:
        """Whether its files lie in memory."""
        return self.kind in RAM


def mount_of(folder: PurePath, mountinfo: str) -> Mount | None:
    """Find the file system of a folder.

    Args:
        folder: absolute, links resolved.
        mountinfo: text of /proc/self/mountinfo.

    Returns:
        The mount that holds it, the last of several at one point; None if none does.
    """
    best: Mount | None = None
    for line in mountinfo.splitlines():
        mount = _mount(line)
        if mount is None or not folder.is_relative_to(mount.point):
            continue
        if best is None or len(PurePath(mount.point).parts) >= len(PurePath(best.point).parts):
            best = mount
    return best


def _mount(line: str) -> Mount | None:
    before, _, after = line.partition(" - ")
    fields, kinds = before.split(), after.split()
    if len(fields) < 6 or not kinds:
        return None
    point = _OCTAL.sub(lambda match: chr(int(match[1], 8)), fields[4])
    return Mount(point, kinds[0], "ro" in fields[5].split(","))
