"""Lets programs and libraries find what lies beside them, wherever that is.

Theory of operation. An interpreter that was built with a shared library looks for it where it was
built, and so do its extension modules: an absolute path in the dynamic section (RUNPATH, or RPATH
in old ones) of 64-bit little-endian ELF. In a pack that path would lead back to the shared file
system. What lies there is put beside the file, and the path is overwritten in place: by `$ORIGIN`,
"the folder of this file", or by nothing where nothing is beside it. Both are shorter than what they
replace, so nothing moves; `patchelf`, which can make room, would be one more thing to install.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ORIGIN = b"$ORIGIN"

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_ENTRY = struct.Struct("<qQ")
_LOAD, _DYNAMIC = 1, 2
_END, _NEEDED, _STRINGS, _RPATH, _RUNPATH = 0, 1, 5, 15, 29
_LITTLE_64 = b"\x7fELF\x02\x01"


class Search(NamedTuple):
    """Where a program or a library looks for others.

    Attributes:
        needed: names of the libraries, or their paths.
        folders: where they are looked for first, as it is written, with `$ORIGIN`.
        offset: where the text of the folders is in the file; -1: nowhere.
        size: of that text, bytes.
    """

    needed: tuple[str, ...]
    folders: tuple[str, ...]
    offset: int
    size: int

    @property
    def is_fixed(self) -> bool:
        """A folder is named that does not move with the file."""
        return any(folder.startswith("/") for folder in self.folders)

    def libraries(self, file: Path) -> "Iterator[tuple[str, Path]]":
        """Find the libraries that lie in these folders.

        Args:
            file: whose libraries they are.

        Yields:
            Each library as it is written (`$ORIGIN/../lib/libx.so`), and where that is.
        """
        for name in self.needed:
            for folder in ("",) if "/" in name else self.folders:
                written = f"{folder}/{name}" if folder else name
                path = Path(written.replace(ORIGIN.decode(), str(file.parent)))
                if path.is_absolute() and path.is_file():
                    yield written, path
                    break


def search(content: bytes) -> Search:
    """Read where a file looks for libraries.

    Args:
        content: of the file; one that is not 64-bit ELF looks for none.

    Returns:
        What its dynamic section says.
    """
    texts = list(_texts(content))
    needed = tuple(text.decode() for tag, _, text in texts if tag == _NEEDED)
    for tag, offset, text in texts:
        if tag in {_RPATH, _RUNPATH}:
            folders = tuple(one.replace("${ORIGIN}", "$ORIGIN") for one in _split(text))
            return Search(needed, folders, offset, len(text))
    return Search(needed, (), -1, 0)


def _split(text: bytes) -> list[str]:
    return [one for one in text.decode().split(":") if one]


def redirected(content: bytes, found: Search, folders: bytes) -> bytes:
    """Return the content with other folders to look in.

    Args:
        content: of a file.
        found: what `search` said of it.
        folders: `$ORIGIN`, or nothing.
    """
    end = found.offset + found.size
    return content[: found.offset] + folders.ljust(found.size, b"\0") + content[end:]


def _texts(program: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield (tag, offset in the file, text) of what the dynamic section names."""
    if not program.startswith(_LITTLE_64):
        return
    try:
        segments = list(_segments(program))
        entries = list(_entries(program, segments))
    except struct.error:
        return
    address = next((value for tag, value in entries if tag == _STRINGS), None)
    start = _offset(segments, address) if address is not None else None
    if start is None:
        return
    for tag, value in entries:
        if tag in {_NEEDED, _RPATH, _RUNPATH}:
            offset = start + value
            yield tag, offset, program[offset : program.index(b"\0", offset)]


def _segments(program: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Yield (type, offset, address, size in the file)."""
    header = _HEADER.unpack_from(program)
    start, size, count = header[5], header[9], header[10]
    for number in range(count):
        kind, _, offset, address, _, length, _, _ = _SEGMENT.unpack_from(
            program, start + number * size
        )
        yield kind, offset, address, length


def _entries(
    program: bytes, segments: list[tuple[int, int, int, int]]
) -> Iterator[tuple[int, int]]:
    for kind, offset, _, length in segments:
        if kind != _DYNAMIC:
            continue
        for place in range(offset, offset + length, _ENTRY.size):
            tag, value = _ENTRY.unpack_from(program, place)
            if tag == _END:
                return
            yield tag, value


def _offset(segments: list[tuple[int, int, int, int]], address: int) -> int | None:
    for kind, offset, start, length in segments:
        if kind == _LOAD and start <= address < start + length:
            return offset + address - start
    return None
