"""The head of a snapshot file: magic, version, checked header.

Theory of operation: magic, version, header length, CRC-32 of the header, a msgpack header, zeros up
to a multiple of 64 bytes, then the payload to the end of the file. Every byte is covered: the first
part by constants, the header by its CRC, the padding by being zero, the payload by SHA-256 and
exact length. The version counts changes of the head and of what the payload means alike: a state
that lies otherwise in memory must not be taken for that of another model.
"""

import os
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import msgspec

from qmpi.errors import CorruptData, InvariantError
from qmpi.units import Bytes, Digest, Step

MAGIC = b"QMPISNAP"
VERSION = 2
"""2: an exponent for each chunk of the gradient; 1: one for each parameter."""

_PREFIX = struct.Struct("<8sIII")
_ALIGNMENT = 64
_HEADER_LIMIT = 1 << 20


class SnapshotHeader(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a snapshot holds.

    Attributes:
        step: weights are those before this step.
        size: bytes of the payload.
        digest: SHA-256 of the payload, 64 hex digits.
        run_id: identity of the run.
        meta: further facts, such as the digest of the settings.
    """

    step: Step
    size: Bytes
    digest: Digest
    run_id: str
    meta: dict[str, str] = {}


def build_head(header: SnapshotHeader) -> bytes:
    """Bytes before the payload; their number does not depend on the digest's value.

    Args:
        header: with a digest of 64 digits.

    Returns:
        A multiple of 64 bytes.

    Raises:
        InvariantError: the header is absurdly large.
    """
    body = msgspec.msgpack.encode(header)
    if len(body) > _HEADER_LIMIT:
        raise InvariantError(f"snapshot header of {len(body)} bytes; the limit is {_HEADER_LIMIT}")
    head = _PREFIX.pack(MAGIC, VERSION, len(body), zlib.crc32(body)) + body
    return head + bytes(-len(head) % _ALIGNMENT)


def parse_head(file: BinaryIO, path: Path) -> tuple[SnapshotHeader, int]:
    """Read and check what comes before the payload, and the file's length.

    Args:
        file: open at its start; left at the payload's start.
        path: name for messages.

    Returns:
        The header, and the offset of the payload in bytes.

    Raises:
        CorruptData: not a snapshot, of another format, damaged, or cut short.
    """
    prefix = file.read(_PREFIX.size)
    if len(prefix) < _PREFIX.size:
        raise CorruptData(f"snapshot {path} is cut short")
    magic, version, length, crc = _PREFIX.unpack(prefix)
    if magic != MAGIC:
        raise CorruptData(f"{path} is not a snapshot")
    if version != VERSION:
        raise CorruptData(_of_another_version(version, path))
    if length > _HEADER_LIMIT:
        raise CorruptData(f"snapshot {path} has a damaged header")
    body = file.read(length)
    if zlib.crc32(body) != crc or len(body) != length:
        raise CorruptData(f"snapshot {path} has a damaged header")
    offset = _PREFIX.size + length
    padding = file.read(-offset % _ALIGNMENT)
    header = _decode_header(body, path)
    offset += -offset % _ALIGNMENT
    if padding.strip(b"\0") or os.fstat(file.fileno()).st_size != offset + header.size:
        raise CorruptData(f"snapshot {path} is cut short or has bytes that do not belong to it")
    return header, offset


def _of_another_version(version: int, path: Path) -> str:
    age = "an older" if version < VERSION else "a newer"
    return (
        f"snapshot {path} was written by {age} qmpi (format {version}; this one reads format "
        f"{VERSION}): go on with that version"
    )


def _decode_header(body: bytes, path: Path) -> SnapshotHeader:
    try:
        return msgspec.msgpack.decode(body, type=SnapshotHeader)
    except (msgspec.DecodeError, RecursionError) as error:
        raise CorruptData(f"snapshot {path} has a damaged header ({error})") from error
