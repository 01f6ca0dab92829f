r"""RUN/journal.jsonl: what was committed, one record a line, chained by hash.

Theory of operation: line k holds {"n": k, "prev": H(k-1), "record": {...}, "hash": H(k)} with
H(k) = SHA-256 over the text of H(k-1) and the record's bytes as they stand in the file, and H(-1) =
64 zeros. Changing, dropping or swapping any line breaks the chain at that line. Only an end cut off
cleanly is invisible, as in every append-only log; the end marker and the weight digests cover that
case.

A line counts once its newline is there. A process killed inside a write leaves a last line without
one: readers skip it, and the writer cuts it off before it appends. Nothing else is ever repaired.

Records are streamed, never collected: the coordinator's memory must not grow with the run's length.
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import msgspec

from qmpi.errors import CorruptData, InvariantError
from qmpi.protocol.journal import (
    GenerationOpened,
    HyperparametersChanged,
    JournalRecord,
    RecipesChanged,
    RunOpened,
    RunReshaped,
    StepCommitted,
)
from qmpi.storage.os_errors import explained, require_file, storage_error

_FIRST_HASH = "0" * 64


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    n: int
    prev: str
    record: msgspec.Raw
    hash: str


class _Chain:
    """Position in the chain, and the check of the next line."""

    def __init__(self, path: Path) -> None:
        self.count = 0
        self.size = 0
        self.last_hash = _FIRST_HASH
        self._path = path
        self._lines = msgspec.json.Decoder(_Line)
        self._records = msgspec.json.Decoder(JournalRecord)

    def follow(self, file: BinaryIO) -> Iterator[JournalRecord]:
        for raw in file:
            if not raw.endswith(b"\n"):
                return
            yield self._accept(raw)

    def _accept(self, raw: bytes) -> JournalRecord:
        try:
            line = self._lines.decode(raw)
            record = self._records.decode(line.record)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise self._broken(f"is not a journal line ({error})") from error
        if line.n != self.count or line.prev != self.last_hash:
            raise self._broken("does not follow the line before it")
        if line.hash != chain_hash(line.prev, bytes(line.record)):
            raise self._broken("was changed: its hash does not match")
        self.count += 1
        self.size += len(raw)
        self.last_hash = line.hash
        return record

    def _broken(self, what: str) -> CorruptData:
        return CorruptData(
            f"{self._path} line {self.count + 1} {what}; the journal proves nothing from there on:"
            " take it from a backup, or start a new run directory"
        )


def chain_hash(previous: str, record: bytes) -> str:
    """Hash of a line.

    Args:
        previous: hash of the line before, 64 hex digits; zeros for the first.
        record: JSON of the record.

    Returns:
        SHA-256, 64 hex digits.
    """
    return hashlib.sha256(previous.encode() + record).hexdigest()


def read_journal(path: Path) -> Iterator[JournalRecord]:
    """The records in order, each checked before it is given out.

    Args:
        path: journal; a torn last line is skipped.

    Yields:
        The records.

    Raises:
        StorageError: it cannot be read.
        CorruptData: a line does not fit the chain; names the line, counted from 1.
    """
    with explained("read the journal", path):
        require_file(path)
        with path.open("rb") as file:
            yield from _Chain(path).follow(file)


Telling = RunOpened | HyperparametersChanged | RecipesChanged | RunReshaped
"""Records that hold a log of what changes on the way."""


class Glance(msgspec.Struct, frozen=True):
    """What a look at a journal tells, its chain unchecked.

    Attributes:
        openings: of the starts, in order.
        committed: steps that stand.
        trained: times that a step was committed, those that were given up later among them.
        told: records that hold the hyperparameter log or the recipe log, in order.
    """

    openings: tuple[RunOpened, ...] = ()
    committed: int = 0
    trained: int = 0
    told: tuple[Telling, ...] = ()


def glance_at(path: Path) -> Glance:
    """Look at a journal without reading what every step says, which takes long.

    Args:
        path: journal; lines that say nothing are passed over.

    Returns:
        What it tells.

    Raises:
        StorageError: it cannot be read.
    """
    told: list[Telling] = []
    newest, trained = b"", 0
    with explained("read the journal", path):
        require_file(path)
        with path.open("rb") as file:
            for raw in filter(lambda raw: raw.endswith(b"\n"), file):
                if any(kind in raw for kind in _STEPPING):
                    newest = raw
                    trained += _STEPPING[0] in raw and raw.startswith(_LINE)
                elif any(kind in raw for kind in _TELLING):
                    record = _record_of(raw)
                    if isinstance(record, Telling):
                        told.append(record)
                        is_back = not isinstance(record, RecipesChanged) and record.back_to >= 0
                        newest = raw if is_back else newest
    openings = tuple(record for record in told if isinstance(record, RunOpened))
    return Glance(openings, _committed(_record_of(newest)), trained, tuple(told))


_LINE = b'{"n":'
_TELLING = tuple(
    b'"type":"%s"' % kind
    for kind in (b"run_opened", b"hyperparameters_changed", b"recipes_changed", b"run_reshaped")
)
_STEPPING = (b'"type":"step_committed"', b'"type":"generation_opened"')
"""How the text of a record begins: no other place of a line can hold these unescaped."""


def _record_of(raw: bytes) -> JournalRecord | None:
    try:
        line = msgspec.json.decode(raw, type=_Line)
        return msgspec.json.decode(line.record, type=JournalRecord)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _committed(record: JournalRecord | None) -> int:
    match record:
        case StepCommitted():
            return record.step + 1
        case GenerationOpened():
            return record.step
        case RunOpened() | HyperparametersChanged() | RunReshaped():
            return record.back_to
        case _:
            return 0


class JournalWriter:
    """Appends to a journal whose chain it has checked.

    Attributes:
        count: lines so far.
        last_hash: hash of the last line; zeros if there is none.
    """

    def __init__(self, path: Path, descriptor: int, chain: _Chain, *, durable: bool) -> None:
        """Use `JournalWriter.open`."""
        self.count = chain.count
        self.last_hash = chain.last_hash
        self._path = path
        self._descriptor = descriptor
        self._size = chain.size
        self._durable = durable
        self._torn = False
        self._encoder = msgspec.json.Encoder()

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        durable: bool = False,
        visit: Callable[[JournalRecord], None] | None = None,
    ) -> Self:
        """Check the journal, cut a torn last line off, and stand ready to append.

        Args:
            path: journal; made if missing.
            durable: wait at each append until the device has it.
            visit: called with each past record in order, so that one pass both checks and loads.

        Returns:
            The writer.

        Raises:
            StorageError: it cannot be opened, read or cut.
            CorruptData: a line does not fit the chain.
        """
        chain = _Chain(path)
        with explained("open the journal", path):
            require_file(path)
            with path.open("a+b") as file:
                file.seek(0)
                for record in chain.follow(file):
                    if visit is not None:
                        visit(record)
                file.truncate(chain.size)
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        return cls(path, descriptor, chain, durable=durable)

    def append(self, records: Sequence[JournalRecord]) -> None:
        """Append the records as one write.

        Args:
            records: in order.

        Raises:
            StorageError: no space or no access; nothing of this call stays in the file, so the call
                can be repeated.
            InvariantError: the writer is closed.
        """
        if self._descriptor < 0:
            raise InvariantError(f"append to the closed journal {self._path}")
        last_hash, lines = self.last_hash, []
        for n, record in enumerate(records, self.count):
            raw = self._encoder.encode(record)
            line = _Line(n, last_hash, msgspec.Raw(raw), chain_hash(last_hash, raw))
            lines.append(self._encoder.encode(line) + b"\n")
            last_hash = line.hash
        self._write(b"".join(lines))
        self.count += len(records)
        self.last_hash = last_hash

    def sync(self) -> None:
        """Wait until the device has all records.

        Raises:
            StorageError: the operating system refused.
        """
        with explained("write the journal", self._path):
            os.fsync(self._descriptor)

    def _write(self, data: bytes) -> None:
        done = 0
        try:
            if self._torn:
                self._cut()
            while done < len(data):
                done += os.write(self._descriptor, data[done:])
            if self._durable:
                os.fsync(self._descriptor)
        except OSError as error:
            self._torn = True
            with suppress(OSError):
                # A device that refuses even this is asked again before the next record.
                self._cut()
            raise storage_error(error, "append to the journal", self._path) from error
        self._size += len(data)

    def _cut(self) -> None:
        os.ftruncate(self._descriptor, self._size)
        self._torn = False

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        """The writer itself.

        Returns:
            self.
        """
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self.close()
