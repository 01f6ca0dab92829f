"""Write the shards of some cleaned units: tokens, origins, and what was left out as duplicate.

Theory of operation: units are joined until they make about one shard; a bound on their tokens (a
token has at least one byte) numbers the shards before any is written, so ranks write side by side
and the names do not depend on who wrote first.
"""

import zlib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import msgspec
import zstandard

from qmpi.errors import CorruptData
from qmpi.ingest.clean.files import CleanFiles, CleanMeta
from qmpi.ingest.clean.unit import Progress, lines_of
from qmpi.ingest.dedup.drop_list import DropList, Summary
from qmpi.ingest.read.json_lines import is_json_lines
from qmpi.ingest.scan import Slice, SourceFile, shown
from qmpi.ingest.settings import LISTED, DropCounter, Dropped, LeftOut
from qmpi.protocol.work import UnitProgress
from qmpi.storage.atomic_file import write_atomic
from qmpi.storage.codec_names import Codec
from qmpi.storage.corpus_index import ShardFact
from qmpi.storage.origins import Origin, origins_name, pack_origins
from qmpi.storage.os_errors import explained
from qmpi.storage.shard_encoder import BATCH_CHARACTERS, Piece, ShardEncoder, batches, pieces_of
from qmpi.storage.tokenizer import Tokenizer

_LEAST_BYTES = 32 << 20
_MOST_UNITS = 64
"""A corpus is cut in about this many units at least, if they are not too small."""


class Span(NamedTuple):
    """Cleaned units begin <= unit < end, and the number of their first shard."""

    begin: int
    end: int
    shard: int


class WriteResult(msgspec.Struct, array_like=True):
    """What came of one unit of writing.

    Attributes:
        shards: those written.
        documents: in them.
        tokens: in them.
        dropped: duplicates.
        left_out: the first of these.
        digests: of the documents, joined.
        left: file of all of these, compressed lines of JSON.
    """

    shards: list[ShardFact]
    documents: int
    tokens: int
    dropped: dict[str, Dropped]
    left_out: list[LeftOut]
    digests: bytes
    left: bytes


def spans_of(summary: Summary, shard_tokens: int) -> list[Span]:
    """Join cleaned units.

    Args:
        summary: what each keeps.
        shard_tokens: most ids of a shard.

    Returns:
        Spans that cover all units, in order.
    """
    room = min(shard_tokens, max(_LEAST_BYTES, sum(summary.kept_bytes) // _MOST_UNITS))
    spans: list[Span] = []
    begin, shard, bound = 0, 0, 0
    for unit, (size, documents) in enumerate(zip(summary.kept_bytes, summary.kept, strict=True)):
        if unit > begin and bound + size + documents > room:
            spans.append(Span(begin, unit, shard))
            shard += -(-bound // shard_tokens)
            begin, bound = unit, 0
        bound += size + documents
    if summary.kept:
        spans.append(Span(begin, len(summary.kept), shard))
    return spans


class WriteShop(NamedTuple):
    """What all units of writing share.

    Attributes:
        corpus: directory under way.
        work: directory of intermediate files.
        files: of the ingestion, in order.
        units: slices of each cleaned unit.
        summary: what each keeps.
        drops: what is left out.
        tokenizer: what encodes.
        shard_tokens: most ids of a shard.
        kept: names of the checks that every document has passed.
        codec: of the shards.
    """

    corpus: Path
    work: Path
    files: Sequence[SourceFile]
    units: Sequence[Sequence[Slice]]
    summary: Summary
    drops: DropList
    tokenizer: Tokenizer
    shard_tokens: int
    kept: str
    codec: Codec

    def write(self, span: Span, progress: Progress) -> WriteResult:
        """Write the shards of a span.

        Args:
            span: what to write.
            progress: told after each batch; bytes are those of the texts.

        Returns:
            What came of it.

        Raises:
            StorageError: no space or no permission.
        """
        encoder = ShardEncoder(
            self.corpus,
            self.tokenizer,
            self.shard_tokens,
            first_number=span.shard,
            codec=self.codec,
        )
        work = _SpanWork(self, encoder)
        try:
            for batch in batches(work.pieces(span)):
                encoder.add(batch)
                progress(
                    UnitProgress(
                        documents=encoder.documents, tokens=encoder.tokens, bytes=work.bytes
                    )
                )
            encoder.end_shard()
        finally:
            encoder.abandon()
        work.write_origins()
        return WriteResult(
            shards=encoder.shards,
            documents=encoder.documents,
            tokens=encoder.tokens,
            dropped=work.dropped.reasons,
            left_out=work.left[:LISTED],
            digests=bytes(encoder.digests),
            left=zstandard.ZstdCompressor(level=3).compress(lines_of(work.left)),
        )


class _SpanWork:
    def __init__(self, shop: WriteShop, encoder: ShardEncoder) -> None:
        self._shop = shop
        self._encoder = encoder
        self._starts = [0, *accumulate(shop.summary.documents)]
        self._origins: list[Origin] = []
        self.bytes = 0
        self.dropped = DropCounter()
        self.left: list[LeftOut] = []

    def pieces(self, span: Span) -> Iterator[Piece]:
        for unit in range(span.begin, span.end):
            files = CleanFiles(self._shop.work / "clean", unit)
            meta = files.meta()
            places = _Places(self._shop, unit, meta)
            gone = self._leave_out(unit, places)
            count = self._shop.summary.documents[unit]
            kept = [number for number in range(count) if number not in gone]
            for number, text in zip(kept, files.texts(meta, kept), strict=True):
                origin = places.origin(number)
                self._origins.append(origin)
                yield from pieces_of(text, BATCH_CHARACTERS)
                self.bytes += origin.bytes

    def _leave_out(self, unit: int, places: "_Places") -> set[int]:
        begin = self._starts[unit]
        pairs, equal = self._shop.drops.of_range(begin, self._starts[unit + 1])
        named = self._names(unit, places, pairs.earlier[:LISTED].tolist())
        gone = (pairs.later - begin).tolist()
        for place, (number, same) in enumerate(zip(gone, equal.tolist(), strict=True)):
            reason = "duplicate" if same else "near duplicate"
            origin = places.origin(number)
            like = f" (of {named[place]})" if place < len(named) else ""
            self.left.append(LeftOut(_where(origin), reason + like))
            self.dropped.add(reason, origin.bytes, _where(origin) + like)
        return set(gone)

    def _names(self, unit: int, places: "_Places", earlier: list[int]) -> list[str]:
        # Most originals lie near; of the others, each unit is read once.
        wanted: dict[int, list[int]] = {}
        for number in earlier:
            wanted.setdefault(_unit_of(self._starts, number), []).append(number)
        named: dict[int, str] = {}
        for other, numbers in wanted.items():
            there = places if other == unit else self._places(other)
            for number in numbers:
                named[number] = _where(there.origin(number - self._starts[other]))
        return [named[number] for number in earlier]

    def _places(self, unit: int) -> "_Places":
        meta = CleanFiles(self._shop.work / "clean", unit).meta()
        return _Places(self._shop, unit, meta)

    def write_origins(self) -> None:
        done = 0
        encoder = self._encoder
        for shard, count in zip(encoder.shards, encoder.documents_of, strict=True):
            path = self._shop.corpus / origins_name(shard.name)
            write_atomic(path, pack_origins(self._origins[done : done + count]))
            done += count


class _Places:
    """Where the documents of one cleaned unit come from."""

    def __init__(self, shop: WriteShop, unit: int, meta: CleanMeta) -> None:
        self._files = [shop.files[piece.file] for piece in shop.units[unit]]
        self._names = [shown(file.path) for file in self._files]
        self._first_line = shop.summary.lines[unit]
        self._kept = shop.kept
        self._meta = meta
        names = ("sizes", "slices", "numbers", "offsets")
        self._columns = [meta.column(name).tolist() for name in names]

    def origin(self, number: int) -> Origin:
        size, piece, record, offset = (column[number] for column in self._columns)
        file = self._files[piece]
        # Only the first slice of a unit can begin inside a file.
        more = self._first_line if record and not piece and is_json_lines(file) else 0
        return Origin(
            source=file.source,
            file=self._names[piece],
            record=record + more,
            offset=offset,
            bytes=size,
            id=self._meta.identities.get(number, ""),
            note=self._meta.notes.get(number, ""),
            kept=self._kept,
        )


def _where(origin: Origin) -> str:
    if origin.record:
        return f"{origin.file}:{origin.record}"
    return f"{origin.file}@{origin.offset}" if origin.offset else origin.file


def _unit_of(starts: list[int], number: int) -> int:
    return bisect_right(starts, number) - 1


def save_result(path: Path, result: WriteResult) -> None:
    """Write what came of a unit.

    Args:
        path: target.
        result: of the unit.

    Raises:
        StorageError: no space.
    """
    data = msgspec.msgpack.encode(result)
    write_atomic(path, zlib.crc32(data).to_bytes(4, "little") + data, durable=False)


def load_result(path: Path) -> WriteResult:
    """Read what came of a unit.

    Args:
        path: where it was saved.

    Returns:
        The result.

    Raises:
        StorageError: it cannot be read.
        CorruptData: it is damaged.
    """
    with explained("read", path):
        data = path.read_bytes()
    if zlib.crc32(data[4:]) != int.from_bytes(data[:4], "little"):
        raise CorruptData(f"{path} is damaged; it is made again when the ingestion goes on")
    return msgspec.msgpack.decode(data[4:], type=WriteResult)
