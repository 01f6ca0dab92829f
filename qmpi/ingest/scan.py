"""Find the files of an ingestion, safely, and cut them into units of work.

Theory of operation: a walk in sorted order looks at entries without opening any. Only regular files
count; pipes, sockets and devices are never opened, and links to directories are not followed, so no
loop can trap the walk. Directories that qmpi itself made (corpora, runs) are passed over. Files are
laid end to end and cut into units of about equal size; uncompressed files that are much larger than
a unit are cut by byte ranges, whose readers find the record borders themselves.
"""

import os
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from qmpi.errors import InputError
from qmpi.ingest.settings import LeftOut
from qmpi.storage.corpus_directory import PLAN_NAME
from qmpi.storage.corpus_index import INDEX_NAME, TOKENIZER_NAME

PLAN_MARK = b'{"qmpi_ingest":'
"""How the description of an ingestion under way begins."""
UNIT_BYTES = 32 << 20
"""Most of a unit. Units are multiples of the longest document, whose parts thus end with them."""
_LEAST_UNIT = 8 << 20
_ENOUGH_UNITS = 128
"""A small corpus is cut finer, down to the least unit, so that many ranks have work."""
_UNIT_FILES = 20_000
_PACKED_FACTOR = 4
"""How much larger compressed text gets, roughly; it is only used to even out units."""

_OWN_MARKS = (
    frozenset({INDEX_NAME, TOKENIZER_NAME}),  # a corpus
    frozenset({"manifest.json", TOKENIZER_NAME}),  # generated shards
    frozenset({"job.toml", "journal.jsonl"}),  # a run
)
_SHARD = re.compile(r"shard-\d{6,}\.h5")


class SourceFile(msgspec.Struct, frozen=True, array_like=True):
    """A file to read.

    Attributes:
        path: as the system spells it: names need not be UTF-8.
        source: the path the user named, under which it was found.
        size: bytes.
        mtime_ns: when it was last changed; see `changed_at`.
        lines: whether it holds JSON lines although its name does not say so.
    """

    path: bytes
    source: str
    size: int
    mtime_ns: int
    lines: bool = False


class Slice(msgspec.Struct, frozen=True, array_like=True):
    """A range of a file: records that begin at `begin` <= offset < `end`; `end` -1: all."""

    file: int
    begin: int
    end: int


class Scan(msgspec.Struct, frozen=True):
    """What a walk found, in order."""

    files: list[SourceFile]
    left_out: list[LeftOut]


def shown(path: bytes | str) -> str:
    """Return a path as text that can be printed and stored."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def changed_at(facts: os.stat_result) -> int:
    """When a file was last changed, in nanoseconds.

    Args:
        facts: about the file.

    Returns:
        At most 63 bits: a time that was set by hand may have more, and is only compared.
    """
    return facts.st_mtime_ns & (1 << 63) - 1


def scan(root: Path, out: Path) -> Scan:
    """Walk one path.

    Args:
        root: a file or a directory; hidden entries of directories are skipped.
        out: corpus to be made; neither it nor its files under way are input.

    Returns:
        Files and what was left out.

    Raises:
        InputError: the path does not exist, or is a pipe or a device.
    """
    try:
        facts = root.stat()
    except OSError as error:
        raise InputError(f"{root} does not exist or cannot be looked at; check the path") from error
    result = Scan([], [])
    if stat.S_ISDIR(facts.st_mode):
        skipped = {str(out.absolute()), str(out.absolute()) + ".partial"}
        for entry, reason in _walk(os.fsencode(root), skipped):
            if reason:
                result.left_out.append(LeftOut(shown(entry), reason))
            else:
                _take(result, entry, shown(str(root)))
    elif stat.S_ISREG(facts.st_mode):
        _take(result, os.fsencode(root), shown(str(root)))
    else:
        # A pipe without a writer waits for ever.
        raise InputError(f"{root} is not a file or a directory; write its text to a file")
    return result


def _take(result: Scan, path: bytes, source: str) -> None:
    try:
        facts = os.stat(path)  # noqa: PTH116 - Path holds no names that are not UTF-8
    except OSError as error:
        reason = "unreadable" if isinstance(error, PermissionError) else "not a file"
        result.left_out.append(LeftOut(shown(path), reason))
        return
    if not stat.S_ISREG(facts.st_mode):
        result.left_out.append(LeftOut(shown(path), "not a file"))
        return
    result.files.append(SourceFile(path, source, facts.st_size, changed_at(facts)))


def _walk(top: bytes, skipped: set[str]) -> Iterator[tuple[bytes, str]]:
    # A stack instead of recursion: trees may be deeper than Python's limit.
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError:
            yield folder, "unreadable"
            continue
        if _is_own({os.fsdecode(entry.name) for entry in entries}, folder):
            yield folder, "made by qmpi"
            continue
        entries = [entry for entry in entries if not entry.name.startswith(b".")]
        folders: list[bytes] = []
        for entry in entries:
            reason = _folder(entry)
            if reason is None:
                yield entry.path, ""
            elif reason:
                yield entry.path, reason
            elif os.path.abspath(os.fsdecode(entry.path)) not in skipped:  # noqa: PTH100
                folders.append(entry.path)
        waiting.extend(reversed(folders))


def _folder(entry: os.DirEntry[bytes]) -> str | None:
    # None: no directory; "": one to walk; else why not to.
    try:
        if not entry.is_dir():
            return None
        return "linked directory" if entry.is_symlink() else ""
    except OSError:
        return None


def _is_own(names: set[str], folder: bytes) -> bool:
    if any(marks <= names for marks in _OWN_MARKS) or any(map(_SHARD.fullmatch, names)):
        return True
    if PLAN_NAME not in names:
        return False
    try:
        with Path(os.fsdecode(folder), PLAN_NAME).open("rb") as file:
            return file.read(len(PLAN_MARK)) == PLAN_MARK
    except OSError:
        return False


def unit_bytes(files: Sequence[SourceFile]) -> int:
    """Size of a unit of work.

    Args:
        files: of the whole ingestion.

    Returns:
        Bytes: the same for the same files.
    """
    total = sum(file.size for file in files)
    wanted = total // _ENOUGH_UNITS // _LEAST_UNIT * _LEAST_UNIT
    return min(UNIT_BYTES, max(_LEAST_UNIT, wanted))


def cut_units(files: Sequence[SourceFile]) -> Iterator[list[Slice]]:
    """Deal files to units of work; a pure function of their sizes and names.

    Args:
        files: in input order.

    Yields:
        Slices of one unit, in input order.
    """
    unit: list[Slice] = []
    weight, room = 0, unit_bytes(files)
    for number, file in enumerate(files):
        for piece, size in _slices(number, file, room):
            if unit and (weight + size > room or len(unit) >= _UNIT_FILES):
                yield unit
                unit, weight = [], 0
            unit.append(piece)
            weight += size
    if unit:
        yield unit


def _slices(number: int, file: SourceFile, room: int) -> Iterator[tuple[Slice, int]]:
    if packing(file.path):
        yield Slice(number, 0, -1), file.size * _PACKED_FACTOR
        return
    for begin in range(0, max(1, file.size), room):
        end = begin + room
        last = end >= file.size
        yield Slice(number, begin, -1 if last else end), min(end, file.size) - begin


def packing(path: bytes) -> str:
    """How a file is compressed, by its name.

    Args:
        path: of the file.

    Returns:
        ".gz", ".zst" or "".
    """
    name = path.lower()
    return ".gz" if name.endswith(b".gz") else ".zst" if name.endswith(b".zst") else ""


def plain_suffix(path: bytes) -> str:
    """Ending of a file's name below its compression.

    Args:
        path: of the file.

    Returns:
        Such as ".jsonl", in lower case; "" if there is none.
    """
    name = os.path.basename(path).lower()  # noqa: PTH119 - as above
    name = name.removesuffix(packing(path).encode())
    return os.fsdecode(os.path.splitext(name)[1])  # noqa: PTH122 - as above
