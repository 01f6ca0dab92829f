"""Finish an ingestion: index, report, and the list of all that was left out.

Theory of operation: results of units are read one by one in input order and their counts added up;
compressed lists are joined as they are, since Zstandard frames may follow one another.
"""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import zstandard

from qmpi.errors import CorruptData, InputError
from qmpi.ingest.clean.files import CleanMeta
from qmpi.ingest.clean.unit import lines_of
from qmpi.ingest.scan import Scan
from qmpi.ingest.settings import DAMAGED, LISTED, DropCounter, IngestReport, LeftOut
from qmpi.ingest.spec import IngestSpec
from qmpi.ingest.write import WriteResult
from qmpi.policy.codec_choice import CodecChoice
from qmpi.storage.atomic_file import write_atomic
from qmpi.storage.corpus_index import (
    INDEX_VERSION,
    TOKENIZER_NAME,
    CorpusFacts,
    ShardFact,
    write_corpus_facts,
)
from qmpi.storage.origins import LEFT_OUT_NAME, REPORT_NAME
from qmpi.storage.os_errors import explained
from qmpi.storage.shard_encoder import corpus_digest
from qmpi.storage.shard_layout import dtype_name
from qmpi.storage.tokenizer import Tokenizer
from qmpi.units import Tokens

_BLOCK = 1 << 20

Result = tuple[CleanMeta, Path] | WriteResult


class _Sums:
    """Adds up the results of units, in input order."""

    def __init__(self, scans: Sequence[Scan], left: Any) -> None:  # noqa: ANN401 - a binary file
        self.dropped = DropCounter()
        self.listed: list[LeftOut] = []
        self.bytes_read = 0
        self.shards: list[ShardFact] = []
        self.documents = 0
        self.tokens = 0
        self._left = left
        for found in scans:
            left.write(zstandard.ZstdCompressor().compress(lines_of(found.left_out)))
            self._list(found.left_out)
            for item in found.left_out:
                self.dropped.add(item.reason, 0, item.where)

    def add(self, result: Result) -> Iterator[bytes]:
        """Add one, and give the digests of its documents."""
        if not isinstance(result, WriteResult):
            meta, path = result
            self.dropped.merge(meta.dropped)
            self._list(meta.left_out)
            self.bytes_read += meta.bytes_read
            with explained("read", path):
                self._left.write(path.read_bytes())
            return
        self.dropped.merge(result.dropped)
        self._list(result.left_out)
        self.shards += result.shards
        self.documents += result.documents
        self.tokens += result.tokens
        self._left.write(result.left)
        yield result.digests

    def _list(self, more: Sequence[LeftOut]) -> None:
        self.listed += more[: LISTED - len(self.listed)]


def finish_corpus(
    spec: IngestSpec,
    corpus: Path,
    scans: Sequence[Scan],
    results: Iterable[Result],
    codec: CodecChoice,
) -> dict[str, Any]:
    """Write what makes a corpus of the shards.

    Args:
        spec: what was asked for.
        corpus: directory under way.
        scans: what the walks found.
        results: of cleaning, then of writing, in order of the units.
        codec: of the shards.

    Returns:
        Name, tokens, documents and digest.

    Raises:
        InputError: there is no text.
        StorageError: no space.
    """
    tokenizer = Tokenizer.load(corpus / TOKENIZER_NAME)
    with tempfile.TemporaryFile(dir=corpus) as left:
        sums = _Sums(scans, left)
        digest = corpus_digest(
            tokenizer, (digests for result in results for digests in sums.add(result))
        )
        left.seek(0)
        write_atomic(corpus / LEFT_OUT_NAME, iter(lambda: left.read(_BLOCK), b""))
    dropped = dict(sorted(sums.dropped.reasons.items()))
    counts = {reason: count.documents for reason, count in dropped.items()}
    if not sums.tokens:
        raise InputError(f"no usable text found; left out: {counts or 'nothing, no files'}")
    facts = CorpusFacts(
        version=INDEX_VERSION,
        name=spec.name,
        tokenizer_digest=tokenizer.digest,
        vocab_size=tokenizer.size,
        dtype=dtype_name(tokenizer.size),
        tokens=Tokens(sums.tokens),
        documents=sums.documents,
        shards=tuple(sums.shards),
        left_out=counts,
        digest=digest,
        codec=codec.name,
        codec_reason=codec.reason,
    )
    report = IngestReport(
        path=Path(spec.out),
        facts=facts,
        left_out=tuple(sums.listed),
        bytes_read=sums.bytes_read,
        dropped=dropped,
        damaged=sum(count for reason, count in counts.items() if reason in DAMAGED),
    )
    data = msgspec.json.format(msgspec.json.encode(report, enc_hook=str), indent=1)
    write_atomic(corpus / REPORT_NAME, data + b"\n")
    write_corpus_facts(corpus, facts)
    return {
        "name": facts.name,
        "tokens": facts.tokens,
        "documents": facts.documents,
        "digest": facts.digest,
    }


def read_report(corpus: Path) -> IngestReport:
    """Read the report of an ingestion.

    Args:
        corpus: directory of the corpus.

    Returns:
        The report.

    Raises:
        StorageError: there is none.
        CorruptData: it is damaged.
    """
    path = corpus / REPORT_NAME
    with explained("read the report", path):
        data = path.read_bytes()
    try:
        return msgspec.json.decode(data, type=IngestReport, dec_hook=_path)
    except (msgspec.DecodeError, RecursionError) as error:
        raise CorruptData(f"{path} is damaged ({error}); ingest the corpus again") from error


def _path(kind: type, value: object) -> object:
    return kind(value)
