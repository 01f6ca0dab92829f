"""Snapshots of the training state: node-local RAM files and checkpoints on disk, in one format.

Theory of operation: a file is written under a temporary name, payload first and head last, so a
torn file never carries the final name; digest and copy are one pass over memory. The layout is told
in `qmpi.storage.snapshot_format`, directories of snapshots are `qmpi.storage.snapshot_store`.
"""

import hashlib
import mmap
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

import msgspec

from qmpi.errors import CorruptData, InputError, InvariantError
from qmpi.storage.atomic_file import write_atomic_with
from qmpi.storage.os_errors import explained, require_file
from qmpi.storage.snapshot_format import (
    SnapshotHeader,
    build_head,
    parse_head,
)
from qmpi.units import Digest

_HASH_BYTES = 8 << 20
NO_DIGEST = Digest("")

SnapshotBuffer = bytes | bytearray | memoryview
"""A contiguous part of a payload; a view of an array is passed as `memoryview(array)`."""


def write_snapshot(
    path: Path, header: SnapshotHeader, parts: Iterable[SnapshotBuffer], *, durable: bool
) -> SnapshotHeader:
    """Write a snapshot, whole or not at all.

    Args:
        path: target; replaced if it exists.
        header: with `digest` "" it is computed here, in the same pass as the copy.
        parts: payload in order; contiguous buffers, walked through once.
        durable: wait until the device has it (disk); False for RAM files.

    Returns:
        The header as written.

    Raises:
        StorageError: the operating system refused.
        CorruptData: the parts do not have the digest that the header promises.
        InvariantError: the parts do not have the size that the header promises.
    """
    written = header

    def fill(file: BinaryIO) -> None:
        nonlocal written
        head_size = len(build_head(msgspec.structs.replace(header, digest=Digest("0" * 64))))
        file.seek(head_size)
        digest = _write_hashed(file, parts)
        if file.tell() != head_size + header.size:
            raise InvariantError(f"snapshot of {header.size} bytes given in parts of another total")
        if header.digest not in {"", digest}:
            raise CorruptData(
                f"the parts of snapshot {path} do not match their digest; pull them again"
            )
        written = msgspec.structs.replace(header, digest=digest)
        file.seek(0)
        file.write(build_head(written))

    write_atomic_with(path, fill, durable=durable)
    return written


def digest_of(parts: Sequence[SnapshotBuffer]) -> Digest:
    """Return the SHA-256 of a payload.

    Args:
        parts: payload in order.
    """
    sha = hashlib.sha256()
    for part in parts:
        sha.update(part)
    return Digest(sha.hexdigest())


def _write_hashed(file: BinaryIO, parts: Iterable[SnapshotBuffer]) -> Digest:
    sha = hashlib.sha256()
    for part in parts:
        view = memoryview(part).cast("B")
        # In pieces that stay in the processor's cache between hashing and copying.
        for start in range(0, view.nbytes, _HASH_BYTES):
            piece = view[start : start + _HASH_BYTES]
            sha.update(piece)
            file.write(piece)
    return Digest(sha.hexdigest())


@contextmanager
def _opened(path: Path) -> Iterator[BufferedReader]:
    with explained("read the snapshot", path):
        require_file(path)
        with path.open("rb") as file:
            yield file


def read_header(path: Path) -> SnapshotHeader:
    """The header, and that the file has the length it promises; the payload is not read.

    Args:
        path: snapshot.

    Returns:
        The header.

    Raises:
        StorageError: it cannot be read.
        CorruptData: header damaged, or file cut short.
    """
    with _opened(path) as file:
        return parse_head(file, path)[0]


def verify_snapshot(path: Path) -> SnapshotHeader:
    """Check every byte.

    Args:
        path: snapshot.

    Returns:
        The header.

    Raises:
        StorageError: it cannot be read.
        CorruptData: any byte differs from what was written.
    """
    with _opened(path) as file:
        header, _ = parse_head(file, path)
        _check_digest(header, hashlib.file_digest(file, "sha256").hexdigest(), path)
    return header


def read_payload(path: Path, digest: Digest = NO_DIGEST) -> memoryview:
    """The payload, checked, mapped into memory; pages are shared with the file, not copied.

    Args:
        path: snapshot; on the same host it may be replaced meanwhile, the view keeps the old
            content.
        digest: of the payload that is meant; "" if any will do.

    Returns:
        Read-only bytes.

    Raises:
        StorageError: it cannot be read.
        CorruptData: any byte differs from what was written, or another payload was meant.
    """
    with _opened(path) as file:
        header, offset = parse_head(file, path)
        if digest not in {NO_DIGEST, header.digest}:
            raise CorruptData(f"snapshot {path} is no longer the one that was chosen")
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    payload = memoryview(mapped)[offset:]
    _check_digest(header, hashlib.sha256(payload).hexdigest(), path)
    return payload


def read_part(path: Path, offset: int, size: int) -> bytes:
    """A part of the payload, unchecked: whoever joins the parts checks the whole.

    Args:
        path: snapshot.
        offset: first byte, counted from the payload's start.
        size: bytes; the result is shorter only at the payload's end.

    Returns:
        The bytes.

    Raises:
        StorageError: it cannot be read.
        CorruptData: header damaged, or file cut short.
        InputError: the range starts outside the payload.
    """
    with _opened(path) as file:
        header, start = parse_head(file, path)
        if not 0 <= offset <= header.size or size < 0:
            raise InputError(f"part at {offset} lies outside the {header.size} bytes of {path}")
        return os.pread(file.fileno(), min(size, header.size - offset), start + offset)


def _check_digest(header: SnapshotHeader, digest: str, path: Path) -> None:
    if digest != header.digest:
        raise CorruptData(f"snapshot {path} does not match its digest; it is not used")
