"""Opens a corpus whose rows are packed, and makes their index where there is none.

Theory of operation. The rows follow from the documents, their order and the length alone, so
whoever needs the index may make it: the command before the job, else the first rank of a host,
under a lock. It lies beside the shards, or in the machine's cache where these may not be written.
One that is damaged, or of what lay there before, is made again.
"""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

from qmpi.errors import StorageError
from qmpi.policy.packing import PACKING_VERSION, pack
from qmpi.storage.cache import made_once
from qmpi.storage.corpus import Corpus
from qmpi.storage.packed_corpus import PackedCorpus
from qmpi.storage.packing_index import PackingIndex, index_name, read_index, write_index

logger = logging.getLogger(__name__)


def open_packed(corpus: Corpus, length: int, cache: Path) -> PackedCorpus:
    """Open the packed rows of a corpus, made on first use.

    Args:
        corpus: open.
        length: targets of a row, >= 1; at most the corpus' tokens.
        cache: takes the index if it cannot lie beside the shards.

    Returns:
        The rows.

    Raises:
        CorruptData: a shard is damaged.
        StorageError: a shard cannot be read, or the index not be written.
    """
    name = index_name(length)
    identity = f"best_fit {PACKING_VERSION} of {corpus.digest} in {length}"
    found: list[PackingIndex] = []

    def is_sound(path: Path) -> bool:
        try:
            found[:] = [read_index(path, identity)]
        except StorageError as error:
            if path.exists():
                logger.warning("the index of packed rows is made again: %s", error)
            return False
        return True

    def make(path: Path) -> None:
        write_index(path, identity, _rows(corpus, length))

    def begin() -> None:
        logger.info("packing the documents of %s into rows of %d", corpus.path, length)

    beside = corpus.path / name
    usable = os.access(corpus.path, os.W_OK) or is_sound(beside)
    place = corpus.path if usable else cache / "packing" / corpus.digest[:32]
    path = made_once(place, name, make, begin, is_sound)
    return PackedCorpus(corpus, found[0] if found else read_index(path, identity))


def document_counts(corpus: Corpus) -> Iterator[int]:
    """Yield the ids of each document of a corpus, in order, end token included.

    Args:
        corpus: open.

    Yields:
        Ids, >= 1; they add up to the corpus' tokens.

    Raises:
        CorruptData: a shard is damaged or gone.
    """
    begun = 0
    for starts in corpus.document_starts():
        for start in starts.tolist():
            if start > begun:
                yield start - begun
                begun = start
    if corpus.tokens > begun:
        yield corpus.tokens - begun


def _rows(corpus: Corpus, length: int) -> Iterator[list[tuple[int, int]]]:
    for row in pack(document_counts(corpus), length):
        yield [(piece.start, piece.size) for piece in row]
