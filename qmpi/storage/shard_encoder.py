"""Turn texts into shards, and note what makes up the identity of a corpus.

Theory of operation: each document is hashed by itself while its ids are at hand, and a corpus is
identified by the hash of these hashes in order. So equal content has an equal digest however it is
cut into shards, and shards may be written side by side, which one running hash over all ids would
not allow.
"""

import hashlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from qmpi.storage.codec_names import Codec
from qmpi.storage.corpus_index import INDEX_VERSION, ShardFact
from qmpi.storage.os_errors import explained
from qmpi.storage.shard_layout import FIRST_CODEC, dtype_name
from qmpi.storage.shard_writer import ShardWriter
from qmpi.storage.tokenizer import Tokenizer
from qmpi.units import Digest

BATCH_CHARACTERS = 1 << 20
DIGEST_BYTES = 16


class Piece(NamedTuple):
    """A part of a document; `first` and `last` mark the document's ends."""

    text: str
    first: bool
    last: bool


def pieces_of(text: str, characters: int) -> Iterator[Piece]:
    """Cut a document, so that the memory of encoding it is bounded.

    Args:
        text: the document.
        characters: most of a piece, >= 1.

    Yields:
        Pieces that end before a line break or a blank where there is one: no word is torn.
    """
    start = 0
    while len(text) - start > characters:
        end = start + cut_of(text[start : start + characters])
        yield Piece(text[start:end], start == 0, last=False)
        start = end
    yield Piece(text[start:], start == 0, last=True)


def cut_of(text: str) -> int:
    """Where to cut a text that goes on.

    Args:
        text: not empty.

    Returns:
        Before the last line break or space; else its length.
    """
    for mark in ("\n", " "):
        cut = text.rfind(mark)
        if cut > 0:
            return cut
    return len(text)


def batches(pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
    """Collect pieces until they are worth encoding.

    Args:
        pieces: in order.

    Yields:
        Batches of about a million characters.
    """
    batch: list[Piece] = []
    size = 0
    for piece in pieces:
        batch.append(piece)
        size += len(piece.text)
        if size >= BATCH_CHARACTERS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def corpus_digest(tokenizer: Tokenizer, document_digests: Iterable[bytes]) -> Digest:
    """Identity of a corpus.

    Args:
        tokenizer: its tokenizer.
        document_digests: digests of the documents, joined or one by one, in order.

    Returns:
        The digest.
    """
    kind = dtype_name(tokenizer.size)
    whole = hashlib.sha256(f"{INDEX_VERSION} {tokenizer.digest} {kind}".encode())
    for digests in document_digests:
        whole.update(digests)
    return Digest(whole.hexdigest())


class ShardEncoder:
    """Writes documents into shards numbered from some number on.

    Attributes:
        tokens: ids so far, ends of documents included.
        documents: documents begun so far.
        shards: those that are whole.
        documents_of: documents that begin in each of them.
        digests: of the documents that are whole, joined.
    """

    def __init__(
        self,
        directory: Path,
        tokenizer: Tokenizer,
        shard_tokens: int,
        *,
        first_number: int = 0,
        codec: Codec = FIRST_CODEC,
    ) -> None:
        """Write nothing yet.

        Args:
            directory: where shards go.
            tokenizer: what encodes.
            shard_tokens: most ids of a shard.
            first_number: of the first shard.
            codec: of their chunks.
        """
        self.tokens = 0
        self.documents = 0
        self.shards: list[ShardFact] = []
        self.documents_of: list[int] = []
        self.digests = bytearray()
        self._dtype = np.dtype(dtype_name(tokenizer.size)).newbyteorder("<")
        self._directory = directory
        self._tokenizer = tokenizer
        self._shard_tokens = shard_tokens
        self._number = first_number
        self._codec = codec
        self._writer: ShardWriter | None = None
        self._begun = 0
        self._document = hashlib.blake2b(digest_size=DIGEST_BYTES)

    def add(self, batch: Sequence[Piece]) -> None:
        """Encode and write.

        Args:
            batch: pieces that follow what was added before.

        Raises:
            StorageError: no space.
        """
        encoded = self._tokenizer.encode_batch([piece.text for piece in batch])
        for piece, ids in zip(batch, encoded, strict=True):
            if piece.first:
                self.documents += 1
                self._open_writer().start_document()
                self._begun += 1
            # An array of the standard library takes a list three times as fast as numpy does.
            values = array("I")
            values.fromlist(ids)
            if piece.last:
                values.append(self._tokenizer.end_of_text)
            narrow = np.frombuffer(values, np.uint32).astype(self._dtype)
            self._document.update(narrow.data)
            if piece.last:
                self.digests += self._document.digest()
                self._document = hashlib.blake2b(digest_size=DIGEST_BYTES)
            self._append(narrow)

    def _append(self, ids: "np.ndarray[tuple[int], np.dtype[np.uint16 | np.uint32]]") -> None:
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
            path = self._directory / f"shard-{self._number:06d}.h5"
            self._writer = ShardWriter(
                path, self._dtype.name, self._tokenizer.digest, codec=self._codec
            )
            self._number += 1
        return self._writer

    def end_shard(self) -> None:
        """Publish the shard under way, if there is one.

        Raises:
            StorageError: no space.
        """
        if self._writer is None:
            return
        self._writer.close()
        path, tokens = self._writer.path, self._writer.tokens
        self._writer = None
        with explained("read the shard", path), path.open("rb") as file:
            sha256 = Digest(hashlib.file_digest(file, "sha256").hexdigest())
        self.shards.append(ShardFact(name=path.name, tokens=tokens, sha256=sha256))
        self.documents_of.append(self._begun)
        self._begun = 0

    def abandon(self) -> None:
        """Drop the shard under way."""
        if self._writer is not None:
            self._writer.abandon()
