"""Read records out of a slice of a text or JSON-lines file, plain or compressed.

Theory of operation: a text file is one document; one over the longest document is cut at the first
line break (else blank, else character) after each multiple of that length, so that memory does not
grow with the file nor with a line, and so that readers of different slices agree on the cuts. A
line of JSON is a record; a slice has the lines that begin in it. Whether bytes are text is decided
on the head of the file and again for each document, so a file with a bad byte gives no document
with a hole in it.
"""

import codecs
import gzip
import io
import json
import os
import stat
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, cast

import msgspec
import zstandard

from qmpi.storage.ingest_scan import Slice, SourceFile, packing, plain_suffix

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

LONGEST_DOCUMENT = 8 << 20
"""Bytes; longer texts are cut."""
_WINDOW = 1 << 20
_HEAD = 1 << 16
_LONGEST_LINE = 64 << 20
_JSON_LINES = (".jsonl", ".ndjson")
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF8, "utf-8"),
)


class Record(NamedTuple):
    """A document as it was found.

    Attributes:
        text: not blank.
        number: of the line or row, from 1, counted from the start of the slice; 0: a whole file or
            a part of one.
        offset: of its first byte in the decompressed file; of Parquet: 0.
        identity: what the record calls itself; "" if it does not.
        note: what was done to read it, as in "utf-16-le"; "" for nothing.
    """

    text: str
    number: int
    offset: int
    identity: str
    note: str


class Refusal(NamedTuple):
    """Something that is no document; number and offset as in `Record`."""

    number: int
    offset: int
    reason: str
    size: int


class Fields(NamedTuple):
    """Names of the parts of a record."""

    text: str
    identity: str


class _Refused(Exception):  # noqa: N818 - never leaves this module
    pass


FAULTS = (OSError, EOFError, zlib.error, zstandard.ZstdError)
"""What reading a file may raise."""


def reason_of(error: Exception) -> str:
    """Why a file cannot be read, in the fixed words of a report.

    Args:
        error: one of `FAULTS`.

    Returns:
        "unreadable", "damaged" or "changed while it was read".
    """
    if isinstance(error, FileNotFoundError):
        return "changed while it was read"
    return "unreadable" if isinstance(error, PermissionError) else "damaged"


def open_file(file: SourceFile) -> BinaryIO:
    """Open a file that a scan has found, unless it is another by now.

    Args:
        file: the file.

    Returns:
        Its bytes as they lie on disk.

    Raises:
        FileNotFoundError: it is gone, or has changed.
    """
    # Not blocking: should a pipe have taken the file's place, opening it must not wait.
    descriptor = os.open(file.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    raw = os.fdopen(descriptor, "rb")
    facts = os.fstat(descriptor)
    same = (facts.st_size, facts.st_mtime_ns) == (file.size, file.mtime_ns)
    if not stat.S_ISREG(facts.st_mode) or not same:
        raw.close()
        raise FileNotFoundError(file.path)
    return raw


def unpacked(file: SourceFile) -> BinaryIO:
    """Open a file through its compression.

    Args:
        file: the file.

    Returns:
        Its decompressed bytes.

    Raises:
        FileNotFoundError: it is gone, or has changed.
    """
    raw = open_file(file)
    kind = packing(file.path)
    if kind == ".gz":
        return cast("BinaryIO", _OwnedGzip(raw))
    if kind == ".zst":
        reader = _Frames(raw)
        return cast("BinaryIO", io.BufferedReader(reader, _WINDOW))
    return raw


class _OwnedGzip(gzip.GzipFile):
    def __init__(self, raw: BinaryIO) -> None:
        super().__init__(fileobj=raw, mode="rb")
        cast("Any", self).myfileobj = raw  # closed with this


class _Frames(io.RawIOBase):
    """Zstandard frames; unlike the library's reader, it tells when the last one is cut short."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._begun = False
        self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        room = memoryview(buffer).cast("B")
        while not self._ready:
            data = self._frame.unused_data if self._frame.eof else b""
            if self._frame.eof:
                self._frame = zstandard.ZstdDecompressor().decompressobj()
                self._begun = False
            data = data or self._raw.read(_HEAD)
            if not data:
                if self._begun:
                    raise EOFError("the last frame is cut short")
                return 0
            self._begun = True
            self._ready = self._frame.decompress(data)
        count = min(len(room), len(self._ready))
        room[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


def records(
    file: SourceFile, piece: Slice, fields: Fields, encoding: str
) -> Iterator[Record | Refusal]:
    """Read one slice of a text or JSON-lines file.

    Args:
        file: the file.
        piece: which part of it.
        fields: keys of JSON records.
        encoding: of files that are neither UTF-8 nor marked otherwise; "": they are refused.

    Yields:
        Records, and what is none, in order.

    Raises:
        OSError, EOFError, zlib.error, zstandard.ZstdError: `FAULTS`: the file cannot be read.
    """
    with unpacked(file) as stream:
        if plain_suffix(file.path) in _JSON_LINES:
            yield from _json_records(stream, piece, fields)
        else:
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
    if piece.begin:
        stream.seek(piece.begin)
        head = b""
    whole = piece.begin == 0 and piece.end == -1
    note = "" if codec == "utf-8" else codec
    for offset, data in _parts(stream, head, piece, codec):
        start = skipped if offset == 0 else 0
        try:
            text = _decoded(data[start:], codec)
        except _Refused as refusal:
            yield Refusal(0, offset, str(refusal), len(data))
            continue
        if text.strip():
            yield Record(text, 0, offset, "", note)
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
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError as error:
        if not encoding:
            raise _Refused("not UTF-8") from error
        return encoding, 0
    return "utf-8", 0


def _decoded(data: bytes, codec: str) -> str:
    if codec == "utf-8" and b"\0" in data:
        raise _Refused("binary")
    try:
        return data.decode(codec)
    except UnicodeDecodeError as error:
        raise _Refused("not UTF-8" if codec == "utf-8" else f"not {codec}") from error


def _parts(stream: BinaryIO, head: bytes, piece: Slice, codec: str) -> Iterator[tuple[int, bytes]]:
    # Cuts lie at the border after each multiple of LONGEST_DOCUMENT, whoever looks for them.
    begin = piece.begin
    held = head + stream.read(_WINDOW - len(head))
    if begin:
        cut = _border(held, codec)
        begin, held = begin + cut, held[cut:]
    target = piece.begin + LONGEST_DOCUMENT
    while held:
        held += stream.read(target + _WINDOW - begin - len(held))
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


def _json_records(stream: BinaryIO, piece: Slice, fields: Fields) -> Iterator[Record | Refusal]:
    offset = piece.begin
    if piece.begin:
        # The line that begins before the slice belongs to the one before.
        stream.seek(piece.begin - 1)
        offset += sum(map(len, _line(stream))) - 1
    decoder = _decoder(fields)
    number = 0
    while piece.end == -1 or offset < piece.end:
        parts = _line(stream)
        line = next(parts, b"")
        rest = sum(map(len, parts))
        if not line:
            return
        number += 1
        if rest:
            yield Refusal(number, offset, "JSON line over 64 MiB", len(line) + rest)
        elif not line.isspace():
            yield _json_record(line, number, offset, decoder, fields)
        offset += len(line) + rest


def _line(stream: BinaryIO) -> Iterator[bytes]:
    # A line in parts of bounded size.
    while part := stream.readline(_LONGEST_LINE):
        yield part
        if part.endswith(b"\n"):
            return


def _decoder(fields: Fields) -> msgspec.json.Decoder[Any]:
    # Only the two fields are built; the rest of a record is passed over several times faster.
    kind = msgspec.defstruct(
        "JsonRecord",
        [("text", str), ("identity", msgspec.Raw | None, None)],
        # A record cannot give one key to two fields.
        rename={
            "text": fields.text,
            "identity": "\0" if fields.identity == fields.text else fields.identity,
        },
    )
    return msgspec.json.Decoder(kind)


def _json_record(
    line: bytes, number: int, offset: int, decoder: msgspec.json.Decoder[Any], fields: Fields
) -> Record | Refusal:
    try:
        text, identity = _fields_of(line, decoder, fields)
    except _Refused as refusal:
        return Refusal(number, offset, str(refusal), len(line))
    if not text.strip():
        return Refusal(number, offset, "empty", len(line))
    return Record(text, number, offset, identity, "")


def _fields_of(line: bytes, decoder: msgspec.json.Decoder[Any], fields: Fields) -> tuple[str, str]:
    try:
        record = decoder.decode(line)
        return record.text, _identity(bytes(record.identity or b""))
    except msgspec.ValidationError as error:
        raise _Refused(f"no text field {fields.text!r}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _lenient_fields(line, fields)


def _lenient_fields(line: bytes, fields: Fields) -> tuple[str, str]:
    # NaN and Infinity are no JSON, but Python and others write them into dumps.
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _Refused("not JSON") from error
    text = record.get(fields.text) if isinstance(record, dict) else None
    if not isinstance(text, str):
        raise _Refused(f"no text field {fields.text!r}")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise _Refused("not UTF-8") from error
    return text, str(record.get(fields.identity, ""))


def _identity(raw: bytes) -> str:
    if raw in {b"", b"null"}:
        return ""
    return str(msgspec.json.decode(raw))[:200]
