"""Files that appear whole or not at all.

Theory of operation: the bytes go to a hidden temporary name in the same directory, are flushed to
the device, and the temporary is renamed over the target; rename within one directory is atomic on
every POSIX file system. A reader sees the old file or the new one. A process killed half-way leaves
only a temporary, which nobody reads. Its name holds host and process number: two ranks may write
the same file at the same time, and each renames a whole one.
"""

import os
import re
import socket
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

from qmpi.storage.os_errors import explained

TEMPORARY_SUFFIX = ".tmp"
"""Ending of temporary names; readers of a directory skip such files."""

_WRITER = re.compile(r"\.([A-Za-z0-9]{0,16})-(\d+)\.tmp$")


def temporary_name(path: Path) -> Path:
    """Return the name under which this process writes a file before it is whole.

    Args:
        path: target.

    Returns:
        A hidden name in the same directory.
    """
    return path.with_name(f".{path.name}.{short_host()}-{os.getpid()}{TEMPORARY_SUFFIX}")


def is_temporary_of(name: Path, path: Path) -> bool:
    """Return whether a name is one under which some process wrote a file before it was whole.

    Args:
        name: in the directory of the target.
        path: target.
    """
    own = f".{path.name}."
    match = _WRITER.fullmatch(name.name, len(own) - 1) if name.name.startswith(own) else None
    return match is not None


def written_by_nobody(temporary: Path) -> bool:
    """Return whether whoever was writing a temporary is known to be gone.

    Args:
        temporary: a name that `temporary_name` gave, here or on another host.

    Returns:
        True if its process ran on this host and is there no more, or if nobody named it so.
    """
    match = _WRITER.search(temporary.name)
    if match is None:
        return True
    return match[1] == short_host() and not Path(f"/proc/{match[2]}").exists()


def short_host() -> str:
    """Return the name of this host as it stands in names of files.

    Returns:
        At most 16 letters and digits.
    """
    return re.sub(r"[^A-Za-z0-9]", "", socket.gethostname())[:16]


def write_atomic(path: Path, data: bytes | Iterable[bytes], *, durable: bool = True) -> None:
    """Write `data` to `path` so that no reader ever sees a part of it.

    Args:
        path: target; replaced if it exists.
        data: the bytes, or pieces of them in order.
        durable: True waits until the device has the bytes; False only orders them for readers.

    Raises:
        StorageError: no space, no permission, no such directory; the target is untouched.
    """
    pieces = (data,) if isinstance(data, bytes) else data

    def fill(file: BinaryIO) -> None:
        for piece in pieces:
            file.write(piece)

    write_atomic_with(path, fill, durable=durable)


def write_atomic_with(path: Path, fill: Callable[[BinaryIO], None], *, durable: bool) -> None:
    """Like `write_atomic`, for a writer that seeks.

    Args:
        path: target; replaced if it exists.
        fill: writes the content into the file it is given.
        durable: True waits until the device has the bytes.

    Raises:
        StorageError: the operating system refused; the target is untouched, the temporary removed.
    """
    temporary = temporary_name(path)
    with explained("write", path):
        try:
            _write_and_rename(temporary, path, fill, durable=durable)
        finally:
            # After a successful rename there is nothing left under this name.
            temporary.unlink(missing_ok=True)


def _write_and_rename(
    temporary: Path, path: Path, fill: Callable[[BinaryIO], None], *, durable: bool
) -> None:
    with temporary.open("wb") as file:
        fill(file)
        file.flush()
        if durable:
            os.fsync(file.fileno())
    temporary.replace(path)
    if durable:
        sync_directory(path.parent)


def write_named(path: Path, data: bytes) -> None:
    """Write a file that the user names: whole or not at all, but into a pipe or a device as it is.

    Args:
        path: target, such as `/dev/stdout`; a file is replaced, what a link leads to as well.
        data: the bytes.

    Raises:
        StorageError: the operating system refused.
    """
    number = _own_descriptor(path)
    if number >= 0:
        with explained("write", path), os.fdopen(os.dup(number), "wb") as file:
            file.write(data)
    elif path.exists() and not path.is_file():
        # To rename a file over it would take the device away from the whole machine.
        with explained("write", path), path.open("wb") as file:
            file.write(data)
    else:
        write_atomic(path.resolve(), data)


def _own_descriptor(path: Path) -> int:
    # As of /dev/stdout: opened anew, a file would be written from its start.
    link = path.readlink() if path.is_symlink() else path
    folder, _, number = str(link).rpartition("/")
    return int(number) if folder == "/proc/self/fd" and number.isdecimal() else -1


def sync_directory(directory: Path) -> None:
    """Make renames in `directory` survive a power cut.

    Args:
        directory: an existing directory.

    Raises:
        StorageError: the directory cannot be opened.
    """
    with explained("synchronise", directory):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
