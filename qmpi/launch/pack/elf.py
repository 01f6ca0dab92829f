"""Lets a program find the libraries that lie beside it, wherever that is.

Theory of operation. An interpreter that was built with a shared library looks for it where it was
built: an absolute path in its dynamic section (RUNPATH, or RPATH in old ones), 64-bit little-endian
ELF. The text is overwritten in place by `$ORIGIN`, "the folder of this program". It is shorter than
any absolute path that leads to a library, so nothing moves; `patchelf`, which can make room, would
be one more thing to install.
"""

import struct
from collections.abc import Iterator

ORIGIN = b"$ORIGIN"

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_ENTRY = struct.Struct("<qQ")
_LOAD, _DYNAMIC = 1, 2
_END, _NEEDED, _STRINGS, _RPATH, _RUNPATH = 0, 1, 5, 15, 29
_LITTLE_64 = b"\x7fELF\x02\x01"


def needed(program: bytes) -> list[str]:
    """Return the libraries that a program names, without their folders.

    Args:
        program: content of the file; one that is not 64-bit ELF names none.
    """
    return [text.decode() for tag, _, text in _texts(program) if tag == _NEEDED]


def found_beside(program: bytes) -> bytes | None:
    """Make a program look for libraries in its own folder.

    Args:
        program: content of the file.

    Returns:
        The changed content, or None if it does not say where to look, or says it too shortly.
    """
    for tag, offset, text in _texts(program):
        if tag in {_RPATH, _RUNPATH}:
            if text.split(b":")[0] == ORIGIN:
                return program
            if len(text) < len(ORIGIN):
                return None
            end = offset + len(text)
            return program[:offset] + ORIGIN.ljust(len(text), b"\0") + program[end:]
    return None


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
