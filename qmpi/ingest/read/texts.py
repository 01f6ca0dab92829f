"""Read documents out of a slice of a text file.

Theory of operation: a text file is one document; one over the longest document is cut at the first
line break (else blank, else character) after each multiple of that length, so that memory does not
grow with the file nor with a line, and so that readers of different slices agree on the cuts.
Whether bytes are text is decided on the head of the file and again for each document, so a file
with a bad byte gives no document with a hole in it.
"""

import codecs
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from qmpi.ingest.read.files import Record, Refusal, unpacked
from qmpi.ingest.scan import Slice, SourceFile

LONGEST_DOCUMENT = 8 << 20
"""Bytes; longer texts are cut."""
_WINDOW = 1 << 20
_HEAD = 1 << 16
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF8, "utf-8"),
)


class _Refused(Exception):  # noqa: N818 - never leaves this module
    pass


def text_records(file: SourceFile, piece: Slice, encoding: str) -> Iterator[Record | Refusal]:
    """Read one slice of a text file.

    Args:
        file: the file.
        piece: which part of it.
        encoding: of files that are neither UTF-8 nor marked otherwise; "": they are refused.

    Yields:
        Records, and what is none, in order. It may raise `FAULTS`.
    """
    with unpacked(file) as stream:
        yield from _text_records(stream, file, piece, encoding)


def _text_records(
    stream: BinaryIO, file: SourceFile, piece: Slice, encoding: str
) -> Iterator[Record | Refusal]:
    head = stream.read(_HEAD)
    try:
        codec, skipped = _codec(head, encoding)
    except _Refused as refusal:
        # One file, one refusal: the other slices of the file say nothing.
        if piece.begin == 0:
            yield Refusal(0, 0, str(refusal), file.size)
        return
    tried = (codec,)
    # A head without accents says nothing of what comes later.
    if codec == "utf-8" and encoding and head[skipped:].isascii():
        tried = (codec, encoding)
    if piece.begin:
        stream.seek(piece.begin)
        head = b""
    whole = piece.begin == 0 and piece.end == -1
    for offset, data in _parts(stream, head, piece, codec):
        start = skipped if offset == 0 else 0
        try:
            text, found = _decoded(data[start:], tried)
        except _Refused as refusal:
            yield Refusal(0, offset, str(refusal), len(data))
            continue
        if text.strip():
            yield Record(text, 0, offset, "", "" if found == "utf-8" else found)
        elif whole:
            yield Refusal(0, offset, "empty", len(data))
    if whole and not head:
        yield Refusal(0, 0, "empty", 0)


def _codec(head: bytes, encoding: str) -> tuple[str, int]:
    for mark, codec in _MARKS:
        if head.startswith(mark):
            try:
                codecs.getincrementaldecoder(codec)().decode(head[len(mark) :])
            except UnicodeDecodeError:
                continue
            return codec, len(mark)
    if b"\0" in head:
        raise _Refused("binary")
    try:
        # Only a head that is all of the file ends with a whole character.
        codecs.getincrementaldecoder("utf-8")().decode(head, final=len(head) < _HEAD)
    except UnicodeDecodeError as error:
        if not encoding:
            raise _Refused("not UTF-8") from error
        return encoding, 0
    return "utf-8", 0


def _decoded(data: bytes, codecs_tried: Sequence[str]) -> tuple[str, str]:
    # The text, and the codec that it was found with.
    if codecs_tried[0] == "utf-8" and b"\0" in data:
        raise _Refused("binary")
    for codec in codecs_tried:
        try:
            text = data.decode(codec)
            # Codecs that read escapes give halves of surrogate pairs.
            text.encode()
        except (ValueError, LookupError, ArithmeticError, Warning):
            # Not all codecs keep to UnicodeDecodeError.
            continue
        return text, codec
    raise _Refused("not UTF-8" if codecs_tried[-1] == "utf-8" else "wrong encoding")


def _parts(stream: BinaryIO, head: bytes, piece: Slice, codec: str) -> Iterator[tuple[int, bytes]]:
    # Cuts lie at the border after each multiple of LONGEST_DOCUMENT, whoever looks for them.
    begin = piece.begin
    held = head + stream.read(_WINDOW - len(head))
    if begin:
        cut = _border(held, codec)
        begin, held = begin + cut, held[cut:]
    target = piece.begin + LONGEST_DOCUMENT
    while True:
        # A cut may have taken all that is held, and yet there is more.
        held += stream.read(target + _WINDOW - begin - len(held))
        if not held:
            return
        if begin + len(held) <= target:
            yield begin, held
            return
        inside = max(0, target - begin)
        cut = inside + _border(held[inside:], codec)
        yield begin, held[:cut]
        begin, held = begin + cut, held[cut:]
        if piece.end != -1 and target >= piece.end:
            return
        target += LONGEST_DOCUMENT


def _border(window: bytes, codec: str) -> int:
    # Offset of the first line, else word, else character that begins in the window.
    little = codec.endswith("-le")
    unit = {"utf-16": 2, "utf-32": 4}.get(codec[:6], 1)
    for mark in (b"\n", b" "):
        wide = mark.ljust(unit, b"\0") if little else mark.rjust(unit, b"\0")
        at = window.find(wide)
        while at != -1 and at % unit:
            at = window.find(wide, at + 1)
        if at != -1:
            return at + unit
    if unit == 1:
        # Continuation bytes of UTF-8; in other encodings of one byte, up to three bytes more.
        return next((n for n in range(min(3, len(window))) if window[n] & 0xC0 != 0x80), 0)
    second_of_pair = unit == 2 and len(window) > 1 and window[int(little)] & 0xFC == 0xDC
    return 2 if second_of_pair else 0
