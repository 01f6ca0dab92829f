"""Make a corpus from texts: train or take a tokenizer, encode, write shards and index.

Theory of operation: two readings of the text, one to train the tokenizer on a bounded sample, one
to encode. All files go to OUT.partial, which becomes OUT by one rename at the very end, so a corpus
exists whole or not at all; a left-over of a killed run is removed by the next. Memory holds one
chunk of ids, one batch of pieces and a short digest of each document seen.
"""

import hashlib
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import msgspec
import numpy as np

from qmpi.errors import InputError
from qmpi.storage.atomic_file import TEMPORARY_SUFFIX
from qmpi.storage.corpus import (
    INDEX_NAME,
    INDEX_VERSION,
    TOKENIZER_NAME,
    CorpusFacts,
    ShardFact,
    write_corpus_facts,
)
from qmpi.storage.os_errors import explained
from qmpi.storage.shard_layout import dtype_name
from qmpi.storage.shard_writer import ShardWriter
from qmpi.storage.text_source import LeftOut, Piece, TextSource
from qmpi.storage.tokenizer import Tokenizer, train_tokenizer
from qmpi.units import Digest, Tokens

_BATCH_CHARACTERS = 1 << 20
_LISTED = 1000
_OWN_NAMES = re.compile(
    rf"{re.escape(INDEX_NAME)}|{re.escape(TOKENIZER_NAME)}|shard-\d{{6,}}\.h5"
    rf"|\..+{re.escape(TEMPORARY_SUFFIX)}"
)


class IngestOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What `ingest_corpus` may be told.

    Attributes:
        name: name of the corpus; "": that of the directory.
        vocab_size: ids of a trained tokenizer, >= 257.
        tokenizer: tokenizer.json to use instead of training one.
        field: key of the text in JSON lines.
        sample_characters: text that the tokenizer is trained on, from the start.
        shard_tokens: most ids of a shard.
        force: replace an existing corpus.
    """

    name: str = ""
    vocab_size: int = 4096
    tokenizer: Path | None = None
    field: str = "text"
    sample_characters: int = 64 << 20
    shard_tokens: int = 1 << 28
    force: bool = False


class IngestProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How far it is: stage "tokenizer" or "encode", then counts so far."""

    stage: str
    bytes_read: int
    documents: int
    tokens: int


class IngestReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was made.

    Attributes:
        path: directory of the corpus.
        facts: its index.
        left_out: the first thousand inputs that were not used; all are counted in `facts.left_out`.
        bytes_read: decompressed bytes of text files used.
    """

    path: Path
    facts: CorpusFacts
    left_out: tuple[LeftOut, ...]
    bytes_read: int


class PieceSource(Protocol):
    """Texts that can be read more than once."""

    left_out: list[LeftOut]
    bytes_read: int

    def pieces(self) -> Iterator[Piece]:
        """Read everything, from the start.

        Yields:
            The pieces of all documents, in order.
        """
        ...


Progress = Callable[[IngestProgress], None]


def ingest_corpus(
    paths: Sequence[Path], out: Path, options: IngestOptions, progress: Progress
) -> IngestReport:
    """Make a corpus from files.

    Args:
        paths: files and directories: text, Markdown, source code, JSON lines; plain, .gz or .zst.
        out: directory to make.
        options: see `IngestOptions`.
        progress: told about once a million characters.

    Returns:
        What was made, and what was left out and why.

    Raises:
        InputError: `out` exists, a path does not, or no usable text was found.
        StorageError: no space or no permission; nothing is left behind.
    """
    return ingest_source(TextSource(paths, options.field), out, options, progress)


def ingest_source(
    source: PieceSource, out: Path, options: IngestOptions, progress: Progress
) -> IngestReport:
    """Like `ingest_corpus`, for texts from anywhere.

    Args:
        source: the texts.
        out: directory to make.
        options: see `IngestOptions`.
        progress: told about once a million characters.

    Returns:
        What was made.

    Raises:
        InputError: `out` exists, or no usable text was found.
        StorageError: no space or no permission; nothing is left behind.
    """
    out = out.absolute()
    if out.exists() and not options.force:
        raise InputError(f"{out} exists; choose another directory, or pass --force to replace it")
    partial = out.parent / f"{out.name}.partial"
    for doomed in (out, partial):
        _refuse_strangers(doomed)
    _remove(partial)
    try:
        with explained("make the corpus", partial):
            partial.mkdir(parents=True)
        report = _fill(source, partial, options, progress)
        _remove(out)
        with explained("rename", partial):
            partial.rename(out)
    finally:
        _remove(partial)
    return msgspec.structs.replace(report, path=out)


def _refuse_strangers(directory: Path) -> None:
    """Refuse to remove what no `ingest` has made: a slip in --out must not cost a user's files.

    Raises:
        InputError: it is a file, or holds something that is no part of a corpus.
    """
    with explained("list", directory):
        if not directory.exists():
            return
        if not directory.is_dir():
            raise InputError(f"{directory} is a file; choose another directory")
        strange = sorted(
            path.name for path in directory.iterdir() if not _OWN_NAMES.fullmatch(path.name)
        )
    if strange:
        raise InputError(
            f"{directory} is not a corpus: it holds {strange[0]!r}, which replacing it would "
            "remove; choose another directory"
        )


def _remove(directory: Path) -> None:
    with explained("remove", directory):
        if directory.is_dir():
            shutil.rmtree(directory)


def _fill(
    source: PieceSource, partial: Path, options: IngestOptions, progress: Progress
) -> IngestReport:
    tokenizer = _tokenizer(source, options, progress)
    tokenizer.save(partial / TOKENIZER_NAME)
    encoder = _Encoder(partial, tokenizer, options.shard_tokens)
    try:
        for batch in _batches(source.pieces()):
            encoder.add(batch)
            progress(
                IngestProgress(
                    stage="encode",
                    bytes_read=source.bytes_read,
                    documents=encoder.documents,
                    tokens=encoder.tokens,
                )
            )
        encoder.end_shard()
    finally:
        encoder.abandon()
    counts = Counter(item.reason for item in source.left_out)
    if not encoder.tokens:
        raise InputError(f"no usable text found; left out: {dict(counts) or 'nothing, no files'}")
    facts = CorpusFacts(
        version=INDEX_VERSION,
        name=options.name or partial.name.removesuffix(".partial"),
        tokenizer_digest=tokenizer.digest,
        vocab_size=tokenizer.size,
        dtype=encoder.dtype,
        tokens=Tokens(encoder.tokens),
        documents=encoder.documents,
        shards=tuple(encoder.shards),
        left_out=dict(sorted(counts.items())),
        digest=encoder.digest(),
    )
    write_corpus_facts(partial, facts)
    return IngestReport(
        path=partial,
        facts=facts,
        left_out=tuple(source.left_out[:_LISTED]),
        bytes_read=source.bytes_read,
    )


def _tokenizer(source: PieceSource, options: IngestOptions, progress: Progress) -> Tokenizer:
    if options.tokenizer is not None:
        return Tokenizer.load(options.tokenizer)
    progress(IngestProgress(stage="tokenizer", bytes_read=0, documents=0, tokens=0))
    return train_tokenizer(_sample(source, options.sample_characters), options.vocab_size)


def _sample(source: PieceSource, characters: int) -> Iterator[str]:
    left = characters
    for piece in source.pieces():
        yield piece.text[:left]
        left -= len(piece.text)
        if left <= 0:
            return


def _batches(pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
    batch: list[Piece] = []
    size = 0
    for piece in pieces:
        batch.append(piece)
        size += len(piece.text)
        if size >= _BATCH_CHARACTERS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


class _Encoder:
    """Turns pieces into shards, and hashes what it writes."""

    def __init__(self, directory: Path, tokenizer: Tokenizer, shard_tokens: int) -> None:
        self.tokens = 0
        self.documents = 0
        self.shards: list[ShardFact] = []
        self.dtype = dtype_name(tokenizer.size)
        self._directory = directory
        self._tokenizer = tokenizer
        self._shard_tokens = shard_tokens
        self._writer: ShardWriter | None = None
        self._hash = hashlib.sha256(f"{INDEX_VERSION} {tokenizer.digest} {self.dtype}".encode())
        self._bounds = hashlib.sha256()

    def add(self, batch: Sequence[Piece]) -> None:
        encoded = self._tokenizer.encode_batch([piece.text for piece in batch])
        for piece, ids in zip(batch, encoded, strict=True):
            if piece.first:
                self.documents += 1
                self._bounds.update(self.tokens.to_bytes(8, "little"))
                self._open_writer().start_document()
            if piece.last:
                ids.append(self._tokenizer.end_of_text)
            self._append(np.asarray(ids, np.dtype(self.dtype).newbyteorder("<")))

    def _append(self, ids: np.ndarray) -> None:
        self._hash.update(ids.data)
        while ids.size:
            writer = self._open_writer()
            room = self._shard_tokens - writer.tokens
            writer.append(ids[:room])
            self.tokens += min(room, ids.size)
            ids = ids[room:]
            if writer.tokens == self._shard_tokens:
                self.end_shard()

    def _open_writer(self) -> ShardWriter:
        if self._writer is None:
            path = self._directory / f"shard-{len(self.shards):06d}.h5"
            self._writer = ShardWriter(path, self.dtype, self._tokenizer.digest)
        return self._writer

    def end_shard(self) -> None:
        if self._writer is None:
            return
        self._writer.close()
        path, tokens = self._writer.path, self._writer.tokens
        self._writer = None
        with explained("read the shard", path), path.open("rb") as file:
            sha256 = Digest(hashlib.file_digest(file, "sha256").hexdigest())
        self.shards.append(ShardFact(name=path.name, tokens=tokens, sha256=sha256))

    def abandon(self) -> None:
        if self._writer is not None:
            self._writer.abandon()

    def digest(self) -> Digest:
        self._hash.update(self._bounds.digest())
        return Digest(self._hash.hexdigest())
