"""The file format: a tar of zstd frames, the manifest in a frame of its own.

Theory of operation. Whoever unpacks has to know first what is inside, so the manifest is the first
member, and the only one of the first frame: it can be read, with its checksum, without the rest.
The frames one after the other are one tar, which `tar --zstd -xf` reads as well as we do.

A pack is written and read from front to end: one `open`, large reads, nothing sought, as parallel
file systems and broadcasts like it. Times, owners and order are fixed, so equal environments make
equal files.
"""

import hashlib
import io
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

import zstandard

from qmpi.errors import CorruptData, InputError, StorageError
from qmpi.launch.pack.item import Item
from qmpi.launch.pack.manifest import (
    LARGEST_MANIFEST,
    MANIFEST_NAME,
    MODES,
    Manifest,
    PackedFile,
    decode_manifest,
)
from qmpi.storage.os_errors import explained

BLOCK = tarfile.BLOCKSIZE
PIECE = 1 << 20

_MAGIC = b"\x28\xb5\x2f\xfd"


class Readable(Protocol):
    """A stream that is read to its end."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes; b"" at the end."""
        ...


def digested(items: Iterable[Item]) -> Iterator[PackedFile]:
    """Compute size and digest of each file.

    Args:
        items: files of the environment.

    Yields:
        The same as the manifest names them.

    Raises:
        StorageError: a file cannot be read.
    """
    for item in items:
        mode = MODES[item.program]
        if item.link:
            yield PackedFile(item.path, 0, mode, "", item.link)
            continue
        digest, size = hashlib.sha256(), 0
        with _opened(item) as file:
            while piece := file.read(PIECE):
                digest.update(piece)
                size += len(piece)
        yield PackedFile(item.path, size, mode, digest.hexdigest())


def write_pack(out: BinaryIO, manifest: Manifest, items: Iterable[Item], level: int) -> None:
    """Write a pack.

    Args:
        out: empty file.
        manifest: its files in the order of `items`.
        items: the files.
        level: of zstd, 1 to 19.

    Raises:
        StorageError: a file cannot be read, or is not what it was when the manifest was made.
    """
    encoded = manifest.encoded()
    header = tarfile.TarInfo(MANIFEST_NAME)
    header.size, header.mode = len(encoded), MODES[0]
    first = header.tobuf(tarfile.PAX_FORMAT) + encoded + _padding(len(encoded))
    out.write(zstandard.ZstdCompressor(level, write_checksum=True).compress(first))
    compressor = zstandard.ZstdCompressor(level, write_checksum=True, threads=-1)
    with compressor.stream_writer(out, closefd=False) as stream:
        for packed, item in zip(manifest.files, items, strict=True):
            stream.write(_header(packed))
            _copy(item, packed, stream)
        stream.write(bytes(2 * BLOCK))


def _header(packed: PackedFile) -> bytes:
    header = tarfile.TarInfo(packed.path)
    header.size, header.mode = packed.size, packed.mode
    if packed.link:
        header.type, header.linkname = tarfile.SYMTYPE, packed.link
    return header.tobuf(tarfile.PAX_FORMAT)


def _copy(item: Item, packed: PackedFile, stream: zstandard.ZstdCompressionWriter) -> None:
    if item.link:
        return
    digest, size = hashlib.sha256(), 0
    with _opened(item) as file:
        while piece := file.read(min(PIECE, packed.size - size)):
            digest.update(piece)
            stream.write(piece)
            size += len(piece)
    if digest.hexdigest() != packed.sha256:
        raise StorageError(f"{item.source} changed while it was packed: let it rest and try again")
    stream.write(_padding(size))


def _padding(size: int) -> bytes:
    return bytes(-size % BLOCK)


@contextmanager
def _opened(item: Item) -> Iterator[Readable]:
    if isinstance(item.source, bytes):
        yield io.BytesIO(item.source)
        return
    with explained("read", item.source), item.source.open("rb") as file:
        yield file


def read_manifest(archive: BinaryIO, name: Path) -> tuple[Manifest, bytes]:
    """Read the first frame of a pack.

    Args:
        archive: at its start; afterwards somewhere behind the frame.
        name: of the file, for messages.

    Returns:
        The manifest, and the bytes that it was read from.

    Raises:
        InputError: it is no pack.
        CorruptData: it is damaged.
    """
    start = archive.read(len(_MAGIC))
    if start != _MAGIC:
        raise InputError(
            f"{name} is not a pack of `qmpi pack`: it is empty, or another kind of file"
        )
    archive.seek(0)
    frame = zstandard.ZstdDecompressor().stream_reader(archive, closefd=False)
    with damage_told(name):
        with tarfile.open(fileobj=frame, mode="r|") as tar:
            first = tar.next()
            if first is None or first.name != MANIFEST_NAME or not first.isreg():
                raise InputError(f"{name} is not a pack of `qmpi pack`: it has no {MANIFEST_NAME}")
            if first.size > LARGEST_MANIFEST:
                raise CorruptData(f"{name}: its manifest claims {first.size} bytes")
            content = tar.extractfile(first)
            encoded = content.read() if content is not None else b""
        while frame.read(PIECE):
            pass  # to the end of the frame, where its checksum is
    return decode_manifest(encoded), encoded


def members(archive: BinaryIO, name: Path) -> Iterator[tuple[tarfile.TarInfo, Readable]]:
    """Read what follows the manifest.

    Args:
        archive: at its start.
        name: of the file, for messages.

    Yields:
        Each member, and its content, which is to be read before the next one.

    Raises:
        CorruptData: it is damaged, or ends early.
    """
    stream = zstandard.ZstdDecompressor().stream_reader(
        archive, read_size=PIECE, read_across_frames=True, closefd=False
    )
    with damage_told(name), tarfile.open(fileobj=stream, mode="r|", bufsize=PIECE) as tar:
        for member in tar:
            if member.name != MANIFEST_NAME:
                content = tar.extractfile(member) if member.isreg() else None
                yield member, content or io.BytesIO()
        while stream.read(PIECE):
            pass  # to the end, where the checksum is


@contextmanager
def damage_told(name: Path) -> Iterator[None]:
    """Raise what the libraries say of a damaged archive as an error of ours.

    Args:
        name: of the file.

    Yields:
        Nothing.

    Raises:
        CorruptData: they said so.
    """
    try:
        yield
    except (zstandard.ZstdError, tarfile.TarError, EOFError) as error:
        raise CorruptData(
            f"{name} is damaged or was cut short ({error}): copy it again, or pack it again"
        ) from error
