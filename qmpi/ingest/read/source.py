"""Find texts in files, directories, JSON lines and compressed forms of them.

Theory of operation: a walk in sorted order gives files; each is read twice. The first reading
decodes the whole file piece by piece, so that a file with one bad byte is left out before any of it
was used, and hashes it, so that copies are left out. The second reading gives its documents as
pieces of at most about a million characters: memory does not grow with the file, nor with the
length of a line of plain text.
"""

import codecs
import gzip
import hashlib
import io
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, cast

import zstandard

from qmpi.errors import InputError
from qmpi.ingest.settings import LeftOut
from qmpi.storage.shard_encoder import Piece, cut_of

PIECE_CHARACTERS = 1 << 20
_READ_BYTES = 1 << 20
_LONGEST_JSON_LINE = 256 << 20
_JSON_LINES = (".jsonl", ".ndjson")


class _Refused(Exception):  # noqa: N818 - never leaves this module
    pass


class TextSource:
    """All documents below some paths.

    Attributes:
        left_out: what was not used so far in the latest reading.
        bytes_read: decompressed bytes of files used so far in the latest reading.
        files: files found.
    """

    def __init__(self, paths: Sequence[Path], field: str) -> None:
        """Find the files.

        Args:
            paths: files and directories; directories are walked, hidden entries skipped.
            field: key of the text in JSON lines.

        Raises:
            InputError: a path does not exist, or is a pipe or a device.
        """
        self._field = field
        self._unusable: list[LeftOut] = []
        self.files: list[Path] = []
        for path in paths:
            if not path.exists():
                raise InputError(f"{path} does not exist; check the path")
            if not path.is_file() and not path.is_dir():
                # It would be read twice, and a pipe without a writer waits for ever.
                raise InputError(f"{path} is not a file or a directory; write its text to a file")
            self.files.extend(self._walk(path))
        self.left_out: list[LeftOut] = []
        self.bytes_read = 0

    def _walk(self, root: Path) -> Iterator[Path]:
        if not root.is_dir():
            yield root
            return

        def refuse(error: OSError) -> None:
            self._unusable.append(LeftOut(str(error.filename), "unreadable"))

        # Links to directories are not followed, so that a loop cannot trap the walk.
        for folder, folders, names in os.walk(root, onerror=refuse):
            visible = sorted(name for name in folders if not name.startswith("."))
            folders[:] = [name for name in visible if not (Path(folder) / name).is_symlink()]
            for name in sorted(set(visible).difference(folders)):
                self._unusable.append(LeftOut(str(Path(folder) / name), "linked directory"))
            for name in sorted(name for name in names if not name.startswith(".")):
                path = Path(folder) / name
                if path.is_file():
                    yield path
                else:
                    self._unusable.append(LeftOut(str(path), "not a file"))

    def pieces(self) -> Iterator[Piece]:
        """Read everything, from the start.

        Yields:
            The pieces of all documents, in order.
        """
        self.left_out = list(self._unusable)
        self.bytes_read = 0
        seen: set[bytes] = set()
        for path in self.files:
            try:
                self.bytes_read += _check(path, seen)
                yield from self._documents(path, seen)
            except _Refused as refusal:
                self.left_out.append(LeftOut(str(path), str(refusal)))
            except (OSError, EOFError, zstandard.ZstdError) as error:
                reason = "unreadable" if isinstance(error, PermissionError) else "damaged"
                self.left_out.append(LeftOut(str(path), reason))

    def _documents(self, path: Path, seen: set[bytes]) -> Iterator[Piece]:
        if not _plain_name(path).endswith(_JSON_LINES):
            with _decoded(_open(path)) as stream:
                yield from _split(stream)
            return
        with _open(path) as file:
            for number, line in enumerate(_lines(file), 1):
                try:
                    text = self._text_of(line, seen)
                except _Refused as refusal:
                    self.left_out.append(LeftOut(f"{path}:{number}", str(refusal)))
                    continue
                yield from _split(io.StringIO(text))

    def _text_of(self, line: bytes, seen: set[bytes]) -> str:
        if len(line) > _LONGEST_JSON_LINE:
            raise _Refused("JSON line over 256 MiB")
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise _Refused("not JSON") from error
        text = record.get(self._field) if isinstance(record, dict) else None
        if not isinstance(text, str):
            raise _Refused(f"no text field {self._field!r}")
        if not text.strip():
            raise _Refused("empty")
        try:
            data = text.encode()
        except UnicodeEncodeError as error:
            raise _Refused("not UTF-8") from error
        _note(hashlib.blake2b(data, digest_size=16).digest(), seen)
        return text


def _plain_name(path: Path) -> str:
    return path.name.lower().removesuffix(".gz").removesuffix(".zst")


def _open(path: Path) -> BinaryIO:
    name = path.name.lower()
    if name.endswith(".gz"):
        return cast("BinaryIO", gzip.open(path, "rb"))
    if name.endswith(".zst"):
        reader = zstandard.ZstdDecompressor().stream_reader(
            path.open("rb"), read_across_frames=True, closefd=True
        )
        return cast("BinaryIO", io.BufferedReader(cast("io.RawIOBase", reader), _READ_BYTES))
    return path.open("rb")


def _check(path: Path, seen: set[bytes]) -> int:
    # The whole file is read before any of it is used; what is not text, or was seen before, is out.
    decoder = codecs.getincrementaldecoder("utf-8")()
    hasher = hashlib.blake2b(digest_size=16)
    size, blank = 0, True
    with _open(path) as file:
        while data := file.read(_READ_BYTES):
            if b"\0" in data:
                raise _Refused("binary")
            try:
                text = decoder.decode(data)
            except UnicodeDecodeError as error:
                raise _Refused("not UTF-8") from error
            blank = blank and not text.strip()
            hasher.update(data)
            size += len(data)
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise _Refused("not UTF-8") from error
    if blank:
        raise _Refused("empty")
    _note(hasher.digest(), seen)
    return size


def _note(digest: bytes, seen: set[bytes]) -> None:
    if digest in seen:
        raise _Refused("duplicate")
    seen.add(digest)


def _lines(file: BinaryIO) -> Iterator[bytes]:
    # Blank lines are passed over; of a line over the limit, only a part (over it, too) is given.
    while line := file.readline(_LONGEST_JSON_LINE + 1):
        tail = line
        while len(line) > _LONGEST_JSON_LINE and tail and not tail.endswith(b"\n"):
            tail = file.readline(_READ_BYTES)
        if line.strip():
            yield line


def _decoded(file: BinaryIO) -> io.TextIOBase:
    return io.TextIOWrapper(cast("io.BufferedReader", file), "utf-8", newline="")


def _split(stream: io.TextIOBase) -> Iterator[Piece]:
    held, first = stream.read(PIECE_CHARACTERS), True
    while held:
        more = stream.read(PIECE_CHARACTERS)
        if not more:
            yield Piece(held, first, last=True)
            return
        cut = cut_of(held)
        yield Piece(held[:cut], first, last=False)
        held, first = held[cut:] + more, False
