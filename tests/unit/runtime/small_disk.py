"""File systems with little room, for snapshots: what is written counts, what is removed is free."""

import errno
import os
from pathlib import Path
from types import SimpleNamespace

from qmpi.storage import snapshot_folder
from qmpi.storage.os_errors import storage_error
from qmpi.storage.snapshot_file import write_snapshot


class SmallDisk:
    """Snapshots below `root` may take `room` bytes in all."""

    def __init__(self, root: Path, room: int) -> None:
        self.root, self.room = root, room

    @property
    def used(self) -> int:
        """Bytes of the snapshots that stand."""
        return sum(path.stat().st_size for path in self.root.rglob("*.snap"))


def install(monkeypatch, *disks: SmallDisk) -> None:
    """Make these directories small for snapshot folders; others stay as they are."""
    plain = os.statvfs

    def disk_of(path):
        return next((disk for disk in disks if Path(path).is_relative_to(disk.root)), None)

    def write(path, header, parts, *, durable):
        disk = disk_of(path)
        if disk is not None and disk.used + header.size > disk.room:
            full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            raise storage_error(full, "write", path) from full
        return write_snapshot(path, header, parts, durable=durable)

    def statvfs(path):
        disk = disk_of(path)
        if disk is None:
            return plain(path)
        return SimpleNamespace(f_bavail=max(0, disk.room - disk.used), f_frsize=1)

    monkeypatch.setattr(snapshot_folder, "write_snapshot", write)
    monkeypatch.setattr(os, "statvfs", statvfs)
