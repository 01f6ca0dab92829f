"""Clean one unit: read its records, judge each, sketch those that stay, write them down.

Theory of operation: a unit depends on nothing but its slices and the settings, so any rank can do
it, twice if need be, and gets the same bytes. A document is looked at in the order: equal to one
before it in the unit, broken quality rule, language, evaluation set. What equals a document of
another unit is found by the next stage.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from qmpi.ingest.clean.files import CleanFiles, CleanMeta, CleanWriter
from qmpi.ingest.dedup.near import PERMUTATIONS, Bands, shingles, sketch
from qmpi.ingest.judge.kind import is_prose
from qmpi.ingest.judge.language import LanguageGuess
from qmpi.ingest.judge.measures import Measures
from qmpi.ingest.judge.rules import broken_rule
from qmpi.ingest.read.files import FAULTS, Fields, Record, Refusal, reason_of
from qmpi.ingest.read.json_lines import is_json_lines, json_records, sound_json_records
from qmpi.ingest.read.parquet import is_parquet, parquet_records
from qmpi.ingest.read.sound_parts import Part, parts_of
from qmpi.ingest.read.texts import LONGEST_DOCUMENT, text_records
from qmpi.ingest.scan import Slice, SourceFile, packing, plain_suffix, shown
from qmpi.ingest.screen import ScreenTable
from qmpi.ingest.settings import LISTED, DropCounter, Dropped, LeftOut
from qmpi.ingest.word_hashes import Hashes, WordHasher, words_of
from qmpi.protocol.work import UnitProgress

_BATCH_WORDS = 1 << 18
_TOLD_EVERY = 64

Progress = Callable[[UnitProgress], None]


class CleanSettings(NamedTuple):
    """What decides the result, apart from the files.

    Attributes:
        fields: names of the parts of records.
        encoding: of files that are neither UTF-8 nor marked; "": left out.
        rules: thresholds of quality rules by name.
        bands: of sketches; None: no near-duplicates are looked for.
        languages: a guess with the languages to keep; None: all.
        screen: what must not occur; None: nothing.
    """

    fields: Fields
    encoding: str
    rules: dict[str, float]
    bands: Bands | None
    languages: LanguageGuess | None
    screen: ScreenTable | None

    @property
    def rows(self) -> int:
        """Rows of keys."""
        return 2 + (self.bands.number if self.bands else 0)


class _Judged(NamedTuple):
    reason: str
    found: str
    hashes: Hashes


class Cleaner:
    """Cleans units, one after the other; remembers words, not documents, between them."""

    def __init__(self, files: Sequence[SourceFile], settings: CleanSettings, folder: Path) -> None:
        """Take what all units share.

        Args:
            files: of the whole ingestion, in order.
            settings: what decides the result.
            folder: where cleaned units lie.
        """
        self._files = files
        self._settings = settings
        self._folder = folder
        self._hasher = WordHasher()

    def clean(self, unit: int, slices: Sequence[Slice], progress: Progress) -> CleanMeta:
        """Clean one unit and write it down.

        Args:
            unit: its number.
            slices: what it consists of.
            progress: told about every hundred documents; bytes are those of the input files.

        Returns:
            What was found.

        Raises:
            StorageError: no space or no permission for the results.
        """
        bands = self._settings.bands
        target = CleanFiles(self._folder, unit)
        writer = CleanWriter(target, self._settings.rows, sketched=bands is not None)
        try:
            work = _UnitWork(self._settings, self._hasher, writer, progress)
            for number, piece in enumerate(slices):
                work.slice(number, self._files[piece.file], piece, self._folder)
            meta = work.finished()
            writer.close(meta, work.left_lines())
        finally:
            writer.abandon()
        return meta


class _UnitWork:
    """What is under way in one unit."""

    def __init__(
        self,
        settings: CleanSettings,
        hasher: WordHasher,
        writer: CleanWriter,
        progress: Progress,
    ) -> None:
        self._settings = settings
        self._hasher = hasher
        self._writer = writer
        self._progress = progress
        self._seen: set[bytes] = set()
        self._since_mark: list[bytes] = []
        self._exact: list[bytes] = []
        self._shingles: list[Hashes] = []
        self._waiting_words = 0
        self._dropped = DropCounter()
        self._left: list[LeftOut] = []
        self._lines: list[int] = []
        self._bytes_read = 0
        self._input = 0

    def slice(self, number: int, file: SourceFile, piece: Slice, scratch: Path) -> None:
        """Read one slice."""
        self._lines.append(0)
        # Only a compressed file can turn out damaged after some of it was used.
        mark = self._mark() if packing(file.path) else None
        # The name of a file of records says nothing of their kind.
        suffix = "" if file.lines else plain_suffix(file.path)
        source = _Place(number, shown(file.path), suffix, piece.begin)
        size = _size(file, piece)
        try:
            for count, item in enumerate(self._records(file, piece, scratch)):
                self._take(item, source)
                if count % _TOLD_EVERY == 0:
                    self._tell(min(size, max(0, item.offset - piece.begin)))
        except FAULTS as error:
            # Whole lines before a cut are good; a text, or what a checksum denies, is not.
            if not mark or (isinstance(error, EOFError) and self._lines[-1] and _ends_cut(file)):
                self._leave_out(source.name, reason_of(error), size, "")
            else:
                self._roll_back(mark)
                self._salvage(file, source, reason_of(error))
        self._input += size
        self._tell(0)

    def _salvage(self, file: SourceFile, source: "_Place", reason: str) -> None:
        # Compressed lines may be many files in one, of which most are whole.
        parts: list[Part] = []
        try:
            if reason == "damaged" and is_json_lines(file):
                parts = parts_of(file)
            if not any(part.sound for part in parts):
                self._leave_out(source.name, reason, file.size, "")
                return
            for item in sound_json_records(file, parts, self._settings.fields):
                self._take(item, source)
            for begin, end, sound in parts:
                if not sound:
                    place = f"{source.name}, compressed bytes {begin} to {end}"
                    self._leave_out(place, reason, end - begin, "")
        except FAULTS as error:
            self._leave_out(source.name, reason_of(error), file.size, "")

    def _mark(self) -> "_Mark":
        self._flush()
        self._since_mark = []
        return _Mark(self._writer.mark(), len(self._left), dict(self._dropped.reasons))

    def _roll_back(self, mark: "_Mark") -> None:
        self._flush()
        self._writer.roll_back(mark.writer)
        self._seen.difference_update(self._since_mark)
        self._dropped.reasons = mark.dropped
        del self._left[mark.left :]

    def _records(self, file: SourceFile, piece: Slice, scratch: Path) -> Iterator[Record | Refusal]:
        fields = self._settings.fields
        if is_parquet(file.path):
            return parquet_records(file, piece, fields, scratch)
        if is_json_lines(file):
            return json_records(file, piece, fields)
        return text_records(file, piece, self._settings.encoding)

    def _take(self, item: Record | Refusal, source: "_Place") -> None:
        if item.number:
            self._lines[-1] = item.number
        where = source.where(item)
        if isinstance(item, Refusal):
            if not item.reason:
                return
            self._leave_out(where, item.reason, item.size, "")
            # Of a binary file only the beginning was looked at.
            self._bytes_read += item.size if item.reason != "binary" else 0
            return
        # Parts of a text file are cut already, some way after this length.
        if len(item.text) <= 2 * LONGEST_DOCUMENT:
            self._document(item, source, where)
            return
        for start in range(0, len(item.text), LONGEST_DOCUMENT):
            text = item.text[start : start + LONGEST_DOCUMENT]
            note = f"characters {start} to {start + len(text)}"
            self._document(item._replace(text=text, note=note), source, f"{where}, {note}")

    def _document(self, item: Record, source: "_Place", where: str) -> None:
        data = item.text.encode()
        self._bytes_read += len(data)
        exact = hashlib.blake2b(data, digest_size=16).digest()
        if exact in self._seen:
            self._leave_out(where, "duplicate", len(data), "")
            return
        judged = self._judge(item.text, source.suffix)
        if judged.reason:
            self._leave_out(where, judged.reason, len(data), judged.found)
            return
        self._seen.add(exact)
        self._since_mark.append(exact)
        number = self._writer.documents
        self._writer.add(data, (source.slice, item.number, item.offset))
        if item.identity:
            self._writer.identities[number] = item.identity
        if item.note:
            self._writer.notes[number] = item.note
        self._sketch_later(exact, judged.hashes)

    def _judge(self, text: str, suffix: str) -> _Judged:
        settings = self._settings
        nothing = np.zeros(0, np.uint64)
        if not (settings.rules or settings.bands or settings.screen or settings.languages):
            return _Judged("", "", nothing)
        words = words_of(text)
        hashes = self._hasher.hashes(words)
        prose = is_prose(text, suffix) if settings.rules or settings.languages else True
        if settings.rules:
            broken = broken_rule(Measures(text, words, hashes), settings.rules, prose=prose)
            if broken:
                return _Judged(f"rule {broken[0]}", f"{broken[1]:.4g}", hashes)
        if settings.languages and prose:
            code = settings.languages.unwanted(text, len(words))
            if code:
                return _Judged("language", code, hashes)
        if settings.screen:
            item = settings.screen.find(hashes)
            if item:
                return _Judged("evaluation set", item, hashes)
        return _Judged("", "", hashes)

    def _sketch_later(self, exact: bytes, hashes: Hashes) -> None:
        self._exact.append(exact)
        if self._settings.bands:
            # A text without words is like none but its equals.
            found = shingles(hashes) if hashes.size else np.frombuffer(exact, "<u8")
            self._shingles.append(found)
            self._waiting_words += found.size
        if self._waiting_words >= _BATCH_WORDS:
            self._flush()

    def _flush(self) -> None:
        if not self._exact:
            return
        rows = np.frombuffer(b"".join(self._exact), "<u8").reshape(-1, 2).T
        sketches = np.zeros((0, PERMUTATIONS), np.uint16)
        if self._settings.bands:
            sketches, bands = sketch(self._shingles, self._settings.bands)
            rows = np.concatenate([rows, bands])
        self._writer.add_keys(rows, sketches)
        self._exact, self._shingles, self._waiting_words = [], [], 0

    def _leave_out(self, where: str, reason: str, size: int, found: str) -> None:
        self._left.append(LeftOut(where, reason if not found else f"{reason} ({found})"))
        self._dropped.add(reason, size, f"{where} ({found})" if found else where)

    def _tell(self, inside: int) -> None:
        self._progress(UnitProgress(documents=self._writer.documents, bytes=self._input + inside))

    def left_lines(self) -> bytes:
        """Return all that was left out, as lines of JSON."""
        return lines_of(self._left)

    def finished(self) -> CleanMeta:
        """Return what is known, once all slices are read."""
        self._flush()
        return CleanMeta(
            sizes=b"",
            slices=b"",
            numbers=b"",
            offsets=b"",
            identities={},
            notes={},
            lines=self._lines,
            rows=self._settings.rows,
            dropped=self._dropped.reasons,
            left_out=self._left[:LISTED],
            bytes_read=self._bytes_read,
            checks={},
        )


class _Mark(NamedTuple):
    writer: tuple[int, int, int]
    left: int
    dropped: dict[str, Dropped]


class _Place(NamedTuple):
    slice: int
    name: str
    suffix: str
    begin: int

    def where(self, item: Record | Refusal) -> str:
        # The number of a line is known here only if the slice begins the file.
        if item.number and (not self.begin or not item.offset):
            last = item.last if isinstance(item, Refusal) else 0
            return f"{self.name}:{item.number}" + (f"-{last}" if last > item.number else "")
        return f"{self.name}@{item.offset}" if item.offset else self.name


def _ends_cut(file: SourceFile) -> bool:
    # Of parts in a row, one that is cut may swallow the next, and give what nobody wrote.
    try:
        return not is_json_lines(file) or not parts_of(file)[-1].sound
    except FAULTS:
        return True


def _size(file: SourceFile, piece: Slice) -> int:
    return (file.size if piece.end == -1 else piece.end) - piece.begin


def lines_of(left_out: Sequence[LeftOut]) -> bytes:
    """Write what was left out as lines of JSON.

    Args:
        left_out: places and reasons.

    Returns:
        A line each.
    """
    return b"".join(msgspec.json.encode(item._asdict()) + b"\n" for item in left_out)
