"""What an ingestion is told, and what it tells: options, progress and report.

Theory of operation: plain records. The options that decide the result make up the description of a
plan, so a run that goes on after a kill is recognised by equal options.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

from qmpi.storage.codec_names import USUAL_CODEC
from qmpi.storage.corpus_index import CorpusFacts

LISTED = 1000
"""Inputs left out that a report lists; `left-out.jsonl.zst` beside the shards lists all."""

DAMAGED = frozenset(
    {
        *("damaged", "unreadable", "changed while it was read"),
        *("not UTF-8", "wrong encoding", "not JSON"),
    }
)
"""Reasons that point at something broken: the exit code tells of them."""


class LeftOut(NamedTuple):
    """Something that was not used: where, and why in a few fixed words."""

    where: str
    reason: str


class IngestOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What `ingest_corpus` may be told.

    Attributes:
        name: name of the corpus; "": that of the directory.
        vocab_size: ids of a trained tokenizer, >= 257.
        tokenizer: tokenizer.json to use instead of training one.
        end_token: of that tokenizer, what ends a document; "": what a file beside it declares, else
            a usual name.
        field: key of the text in JSON lines, column of it in Parquet.
        id_field: key or column whose value goes into the provenance, if it is there.
        sample_characters: text that the tokenizer is trained on, taken evenly from all units.
        shard_tokens: most ids of a shard.
        force: replace an existing corpus.
        encoding: how files are decoded that are neither UTF-8 nor marked UTF-16 or UTF-32; "": such
            files are left out.
        rules: thresholds of the quality rules by name; see `ingest.judge.rules`.
        languages: codes of the languages to keep; empty: all.
        near_duplicates: least estimated Jaccard similarity at which the later of two documents is
            left out, 0.5 to 1; 0: only equal documents are.
        screen: files whose word n-grams must not occur in the corpus.
        screen_words: length of these n-grams.
        codec: of the shards: NAME, NAME:LEVEL, "auto" or "auto:MB/s"; see `ingest.shard_codec`.
    """

    name: str = ""
    vocab_size: int = 4096
    tokenizer: Path | None = None
    end_token: str = ""
    field: str = "text"
    id_field: str = "id"
    sample_characters: int = 64 << 20
    shard_tokens: int = 1 << 28
    force: bool = False
    encoding: str = ""
    rules: dict[str, float] = {}
    languages: tuple[str, ...] = ()
    near_duplicates: float = 0.0
    screen: tuple[Path, ...] = ()
    screen_words: int = 13
    codec: str = USUAL_CODEC


class IngestProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How far it is: name of the stage, then counts so far.

    Attributes:
        stage: "scan", "clean", "dedup", "tokenizer" or "write"; "encode" for texts of a program.
        bytes_read: of this stage so far.
        documents: of this stage so far.
        tokens: written so far.
        bytes_total: of this stage; 0: not known.
    """

    stage: str
    bytes_read: int
    documents: int
    tokens: int
    bytes_total: int = 0


Progress = Callable[[IngestProgress], None]


class Dropped(msgspec.Struct, frozen=True, kw_only=True):
    """What one reason took out.

    Attributes:
        documents: documents, or files that gave none.
        bytes: UTF-8 bytes of texts; bytes of files that were never decoded.
        examples: where the first few were, and what was found there.
    """

    documents: int = 0
    bytes: int = 0
    examples: tuple[str, ...] = ()


class IngestReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was made.

    Attributes:
        path: directory of the corpus.
        facts: its index.
        left_out: the first thousand inputs that were not used; all are counted in `facts.left_out`.
        bytes_read: decompressed bytes of text that was looked at.
        dropped: by reason.
        damaged: inputs left out because something about them is broken.
        seconds: time of each stage, if it was measured.
    """

    path: Path
    facts: CorpusFacts
    left_out: tuple[LeftOut, ...]
    bytes_read: int
    dropped: dict[str, Dropped] = {}
    damaged: int = 0
    seconds: dict[str, float] = {}


class DropCounter:
    """Counts what is left out, by reason; merging counters in input order keeps the first examples.

    Attributes:
        reasons: counts so far.
    """

    _EXAMPLES = 5

    def __init__(self) -> None:
        """Start empty."""
        self.reasons: dict[str, Dropped] = {}

    def add(self, reason: str, size: int, example: str) -> None:
        """Count one.

        Args:
            reason: why, in a few fixed words.
            size: bytes, >= 0.
            example: where, and what was found.
        """
        self.merge({reason: Dropped(documents=1, bytes=size, examples=(example,))})

    def merge(self, other: dict[str, Dropped]) -> None:
        """Add the counts of what comes later in the input.

        Args:
            other: counts by reason.
        """
        for reason, more in other.items():
            had = self.reasons.get(reason, Dropped())
            self.reasons[reason] = Dropped(
                documents=had.documents + more.documents,
                bytes=had.bytes + more.bytes,
                examples=(*had.examples, *more.examples)[: self._EXAMPLES],
            )
