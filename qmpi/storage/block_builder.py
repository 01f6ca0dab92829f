"""Join rows into the block that a lane trains on.

Theory of operation: a block is rows in the order of their addresses, little-endian, in a type that
follows from the vocabulary alone, so every rank that can read the sources builds the same bytes and
digest.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from qmpi.errors import InputError, InvariantError, ProtocolError
from qmpi.protocol.blocks import frame_digest
from qmpi.protocol.recipe import RowAddress
from qmpi.storage.row_copies import StoredRows, read_rows
from qmpi.storage.shard_layout import dtype_name
from qmpi.units import Digest

Frame = bytes | bytearray | memoryview


class BlockBuilder:
    """Builds blocks from corpora and from rows made elsewhere."""

    def __init__(
        self, vocab_size: int, corpora: Mapping[int, StoredRows], sequence_tokens: int
    ) -> None:
        """Remember where rows come from.

        Args:
            vocab_size: rows of the model's embedding; fixes the type of ids.
            corpora: open corpora, by number of the source in the job file.
            sequence_tokens: tokens of a sequence, >= 1.
        """
        self._vocab_size = vocab_size
        self._dtype = np.dtype(dtype_name(vocab_size)).newbyteorder("<")
        self._corpora = corpora
        self._sequence_tokens = sequence_tokens

    def build(
        self, rows: Sequence[RowAddress], made: Sequence[tuple[int, Frame]]
    ) -> tuple[Digest, bytes]:
        """Build one block.

        Args:
            rows: addresses, in order.
            made: (source, frame) pairs of generated rows; a frame holds that source's rows of this
                block in order, in the block's type.

        Returns:
            Digest and bytes of the block, [rows, sequence_tokens + 1] ids.

        Raises:
            CorruptData: a shard is damaged.
            InputError: an id does not fit the model's vocabulary, or a row does not exist.
            InvariantError: a source has neither a corpus nor a frame.
            ProtocolError: a frame has too few or too many rows.
        """
        width = self._sequence_tokens + 1
        frames = {source: self._unpack(source, frame) for source, frame in made}
        used = dict.fromkeys(frames, 0)
        block = np.empty((len(rows), width), self._dtype)
        done = 0
        for source, group in groupby(rows, _source_of):
            wanted = [address.row for address in group]
            part = block[done : done + len(wanted)]
            if source in frames:
                part[:] = self._next(frames, used, source, len(wanted))
            else:
                self._read(part, source, wanted)
            done += len(wanted)
        if any(used[source] != len(frame) for source, frame in frames.items()):
            raise ProtocolError("a frame of generated rows has more rows than the block asks for")
        data = block.tobytes()
        return frame_digest(data), data

    def _unpack(self, source: int, frame: Frame) -> np.ndarray[Any, Any]:
        width = self._sequence_tokens + 1
        if memoryview(frame).nbytes % (width * self._dtype.itemsize):
            raise ProtocolError(f"a frame of source {source} is not a whole number of rows")
        rows = np.frombuffer(frame, self._dtype).reshape(-1, width)
        self._check_range(rows, f"source {source}")
        return rows

    def _next(
        self,
        frames: dict[int, np.ndarray[Any, Any]],
        used: dict[int, int],
        source: int,
        count: int,
    ) -> np.ndarray[Any, Any]:
        first = used[source]
        if first + count > len(frames[source]):
            raise ProtocolError(
                f"a frame of source {source} has fewer rows than the block asks for"
            )
        used[source] += count
        return frames[source][first : first + count]

    def _read(self, part: np.ndarray[Any, Any], source: int, rows: Sequence[int]) -> None:
        corpus = self._corpora.get(source)
        if corpus is None:
            raise InvariantError(f"source {source} has neither a corpus nor a frame")
        # Ids that are too large for the block's type must be seen before they are cut off.
        is_alike = np.dtype(corpus.dtype) == part.dtype
        read = part if is_alike else np.empty(part.shape, corpus.dtype)
        read_rows(corpus, rows, self._sequence_tokens, read)
        self._check_range(read, str(corpus.path))
        if not is_alike:
            part[:] = read

    def _check_range(self, ids: np.ndarray[Any, Any], where: str) -> None:
        # An id beyond the embedding would end in an index error deep inside the model.
        if ids.size and int(ids.max()) >= self._vocab_size:
            raise InputError(
                f"{where} holds token id {int(ids.max())}: raise model.vocab_size"
                f" (now {self._vocab_size})"
            )


def _source_of(address: RowAddress) -> int:
    return address.source
