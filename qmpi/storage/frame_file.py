"""One compressed chunk as a file: what a level of the cache is made of.

Theory of operation. A fixed head of 16 bytes (eight of mark, CRC-32, length), then the chunk as it
lies in its shard. The checksum covers the file's name too, so that a chunk under the name of
another is found as one that is torn or flipped. Files appear whole, by renaming, and are not
flushed to a device: after a power cut they may be torn, and are read anew from their shards.
"""

import os
import stat
import struct
import zlib
from pathlib import Path

from qmpi.errors import CorruptData
from qmpi.memory.levels import FrameKey
from qmpi.storage.atomic_file import write_atomic
from qmpi.storage.os_errors import explained
from qmpi.units import Bytes

_MARK = b"qmpiFRM1"
_HEAD = struct.Struct("<8sII")
_PAGE = 4096
"""What memory and disks are dealt out in."""

MOST_BYTES = 1 << 28
"""More than any chunk takes: what is longer was not written here."""


def frame_name(key: FrameKey) -> str:
    """Return the name of a chunk's file.

    Args:
        key: of the chunk.
    """
    return f"{key.shard}-{key.chunk}"


def room_of(frame: bytes) -> Bytes:
    """Return what the file of a chunk takes of its file system.

    Args:
        frame: the chunk.

    Returns:
        Bytes, in whole pages.
    """
    return Bytes(-(-(_HEAD.size + len(frame)) // _PAGE) * _PAGE)


def write_frame(folder: Path, key: FrameKey, frame: bytes) -> None:
    """Write a chunk; it appears whole.

    Args:
        folder: where.
        key: of the chunk.
        frame: its bytes as they lie in the shard.

    Raises:
        StorageError: no space, no permission, no such folder.
    """
    name = frame_name(key)
    head = _HEAD.pack(_MARK, _checksum(name, frame), len(frame))
    write_atomic(folder / name, [head, frame], durable=False)


def read_frame(folder: Path, key: FrameKey) -> bytes | None:
    """Read a chunk.

    Args:
        folder: where.
        key: of the chunk.

    Returns:
        Its bytes as they lie in the shard; None if the folder has no such file.

    Raises:
        CorruptData: the file is torn or flipped, or no file of a chunk.
        StorageError: it cannot be read.
    """
    path = folder / frame_name(key)
    with explained("read", path):
        data = _bytes_of(path)
    if data is None:
        return None
    if len(data) < _HEAD.size:
        raise CorruptData(f"{path} is torn")
    mark, checksum, length = _HEAD.unpack_from(data)
    frame = data[_HEAD.size :]
    if mark != _MARK or length != len(frame) or checksum != _checksum(path.name, frame):
        raise CorruptData(f"{path} is torn, flipped, or no chunk of that name")
    return frame


def _bytes_of(path: Path) -> bytes | None:
    try:
        # No link is followed, and no writer of a pipe waited for.
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    found = os.fstat(number)
    if not stat.S_ISREG(found.st_mode):
        os.close(number)
        return b""
    with os.fdopen(number, "rb") as file:
        return file.read(min(MOST_BYTES, found.st_size))


def _checksum(name: str, frame: bytes) -> int:
    return zlib.crc32(frame, zlib.crc32(name.encode()))
