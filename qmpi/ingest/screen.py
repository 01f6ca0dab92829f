"""Keep evaluation sets out of a corpus: documents that hold a run of words of one are left out.

Theory of operation: every run of n words (13 unless told otherwise, as for GPT-3) of the files to
screen against is hashed into one sorted table, each entry with the number of its item; a document
is looked up run by run. Case, punctuation and spacing do not count. An item shorter than n words
cannot be found so and is counted: the user is told that it was not screened.
"""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from qmpi.errors import CorruptData, InputError
from qmpi.ingest.read.files import FAULTS, Fields, reason_of, unpacked
from qmpi.ingest.read.json_lines import with_lines_marked
from qmpi.ingest.scan import Scan, SourceFile, changed_at, plain_suffix, shown
from qmpi.ingest.word_hashes import Hashes, WordHasher, ngrams, words_of
from qmpi.storage.atomic_file import write_atomic
from qmpi.storage.os_errors import explained

_JSON = (".jsonl", ".ndjson")


class ScreenTable(NamedTuple):
    """What must not occur.

    Attributes:
        runs: numbers of runs of words, sorted.
        items: for each, the number of its item.
        names: of items: file and line.
        short: items that are too short to be looked for.
        length: words of a run.
    """

    runs: Hashes
    items: "np.ndarray[Any, np.dtype[np.int32]]"
    names: list[str]
    short: int
    length: int

    @property
    def digest(self) -> str:
        """Identity of what is looked for."""
        return hashlib.sha256(self.runs.tobytes() + bytes([self.length])).hexdigest()

    def find(self, hashes: Hashes) -> str:
        """Look for the first run of a document that is in the table.

        Args:
            hashes: numbers of the document's words.

        Returns:
            Name of the item that it belongs to; "" if there is none.
        """
        runs = ngrams(hashes, self.length)
        if not runs.size or not self.runs.size:
            return ""
        at = np.minimum(np.searchsorted(self.runs, runs), self.runs.size - 1)
        hits = np.flatnonzero(self.runs[at] == runs)
        return self.names[int(self.items[at[hits[0]]])] if hits.size else ""


def make_screen(paths: Sequence[Path], length: int) -> ScreenTable:
    """Read the files to screen against.

    Args:
        paths: JSON or JSON lines, of which every text of an item counts, or text, whose paragraphs
            do; plain, .gz or .zst.
        length: words of a run, >= 4.

    Returns:
        The table.

    Raises:
        InputError: a file cannot be read, or nothing of it can be looked for: a corpus that was
            not screened must not pass for one.
    """
    if length < 4:
        raise InputError(f"runs of {length} words are in every text; screen with 4 or more")
    hasher = WordHasher()
    runs: list[Any] = [np.zeros(0, np.uint64)]
    items: list[Any] = [np.zeros(0, np.int32)]
    names: list[str] = []
    short = 0
    for path in paths:
        before = len(names), short
        for name, texts in _items(path):
            found = [ngrams(hasher.hashes(words_of(text)), length) for text in texts]
            count = sum(item.size for item in found)
            short += not count
            runs += found
            items.append(np.full(count, len(names), np.int32))
            names.append(name)
        if len(names) - before[0] == short - before[1]:
            raise InputError(
                f"cannot screen against {path}: nothing in it has {length} words in a row; name "
                "another file, or fewer words with --screen-words"
            )
    unique, first = np.unique(np.concatenate(runs), return_index=True)
    return ScreenTable(unique, np.concatenate(items)[first], names, short, length)


def save_screen(table: ScreenTable, path: Path) -> None:
    """Write a table, for other ranks.

    Args:
        table: the table.
        path: target.

    Raises:
        StorageError: it cannot be written.
    """
    data = (table.runs.astype("<u8").tobytes(), table.items.astype("<i4").tobytes())
    write_atomic(path, msgspec.msgpack.encode((*data, table.names, table.short, table.length)))


def load_screen(path: Path) -> ScreenTable:
    """Read a table back.

    Args:
        path: where it was saved.

    Returns:
        The table.

    Raises:
        StorageError: it cannot be read.
        CorruptData: it is damaged.
    """
    with explained("read", path):
        data = path.read_bytes()
    try:
        runs, items, names, short, length = msgspec.msgpack.decode(
            data, type=tuple[bytes, bytes, list[str], int, int]
        )
    except (msgspec.DecodeError, RecursionError) as error:
        raise CorruptData(f"{path} is damaged; remove it and ingest again") from error
    return ScreenTable(
        np.frombuffer(runs, "<u8"), np.frombuffer(items, "<i4"), names, short, length
    )


def _items(path: Path) -> Iterator[tuple[str, list[str]]]:
    if not path.is_file():
        raise InputError(f"cannot screen against {path}: it is not a file")
    try:
        facts = path.stat()
        name = str(path).encode("utf-8", "surrogateescape")
        file = SourceFile(name, "", facts.st_size, changed_at(facts))
        with unpacked(file) as stream:
            data = stream.read()
        text = data.decode()
    except FAULTS as error:
        why = reason_of(error)
        raise InputError(f"cannot screen against {path}: it is {why} ({error})") from error
    except UnicodeDecodeError as error:
        raise InputError(f"cannot screen against {path}: it is not UTF-8 ({error})") from error
    return _items_in(file, text)


def _items_in(file: SourceFile, text: str) -> Iterator[tuple[str, list[str]]]:
    name, suffix = shown(file.path), plain_suffix(file.path)
    whole = _document(text) if suffix == ".json" else None
    if whole is not None:
        for number, item in enumerate(whole, 1):
            yield f"{name}, item {number}", list(_texts(item))
    elif suffix in _JSON or _are_lines(file):
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                where = f"{name}:{number}"
                yield where, list(_texts_of_line(line, where))
    else:
        for number, part in enumerate(text.split("\n\n"), 1):
            if part.strip():
                yield f"{name}, paragraph {number}", [part]


def _document(text: str) -> list[Any] | None:
    # The parts of one JSON value; None: it is none, but maybe a value a line.
    try:
        value: Any = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None
    return value if isinstance(value, list) else [value]


def _are_lines(file: SourceFile) -> bool:
    return with_lines_marked(Scan([file], []), Fields("", "")).files[0].lines


def _texts_of_line(line: str, where: str) -> Iterator[str]:
    try:
        record: Any = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InputError(f"cannot screen against {where}: it is not JSON") from error
    yield from _texts(record)


def _texts(record: object) -> Iterator[str]:
    waiting: list[Any] = [record]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            waiting += list(value.values())[::-1]
        elif isinstance(value, list):
            waiting += value[::-1]
