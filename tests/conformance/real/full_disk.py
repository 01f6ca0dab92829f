"""File systems that are full, in some folders only: the operating system's calls refuse there.

Theory of operation. A file that is written below a full folder takes the bytes there is room for
and then fails as the kernel does, with ENOSPC: whatever is written through `Path.open`, and what
goes to a descriptor by `os.write`. `os.statvfs` says that nothing is free. Reading, renaming and
removing work, as on a full disk.
"""

import errno
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_OPEN, _WRITE, _STATVFS = Path.open, os.write, os.statvfs


def _refusal() -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class _FullFile(io.FileIO):
    """A file on a file system that has little room."""

    def __init__(self, path: Path, mode: str, room: int) -> None:
        super().__init__(path, mode.replace("b", ""))
        self._room = room

    def write(self, data: object) -> int:
        view = memoryview(data).cast("B")
        taken = super().write(view[: self._room])
        self._room -= taken
        if view.nbytes and not taken:
            raise _refusal()
        return taken


class FullDisks:
    """Which folders are full, and for how many bytes more they have room."""

    def __init__(self) -> None:
        self.room: dict[Path, int] = {}

    def fill(self, folder: Path, room: int = 0) -> None:
        self.room[folder.resolve()] = room

    def free(self) -> None:
        self.room.clear()

    def room_for(self, path: Path) -> int | None:
        """Return the room for one more file; None: as much as it likes."""
        if not self.room:
            return None
        place = path.resolve()
        found = [room for folder, room in self.room.items() if place.is_relative_to(folder)]
        return min(found, default=None)

    def open(self, path: Path, mode: str = "r", *arguments: object, **named: object) -> object:
        room = self.room_for(path) if set(mode) & set("wax") else None
        if room is None:
            return _OPEN(path, mode, *arguments, **named)
        return io.BufferedWriter(_FullFile(path, mode, room))

    def write(self, descriptor: int, data: bytes) -> int:
        room = self.room_for(Path(f"/proc/self/fd/{descriptor}")) if self.room else None
        if room is None:
            return _WRITE(descriptor, data)
        if len(data) > room:
            # What there is room for is taken first: a torn line, which the writer must cut off.
            taken = _WRITE(descriptor, data[:room]) if room else 0
            self.fill(Path(f"/proc/self/fd/{descriptor}").resolve().parent, 0)
            if not taken:
                raise _refusal()
            return taken
        return _WRITE(descriptor, data)

    def statvfs(self, path: object) -> os.statvfs_result:
        found = _STATVFS(path)
        if not isinstance(path, str | Path) or self.room_for(Path(path)) is None:
            return found
        values = list(found)
        values[3] = values[4] = 0  # free blocks, and those that are free for a user
        return os.statvfs_result(values)


@contextmanager
def full_disks() -> Iterator[FullDisks]:
    """Put file systems that can be filled under everything that this process writes."""
    disks = FullDisks()
    Path.open = lambda *a, **n: disks.open(*a, **n)  # type: ignore[method-assign]
    os.write, os.statvfs = disks.write, disks.statvfs
    try:
        yield disks
    finally:
        Path.open = _OPEN  # type: ignore[method-assign]
        os.write, os.statvfs = _WRITE, _STATVFS
