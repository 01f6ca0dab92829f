"""The open shards of a corpus, and its chunks as they lie there.

Theory of operation. A few shards are kept open. A handle may be stale: the network file system lost
the file, or a repair has put another one in its place. So what cannot be read, or fails its
checksum, is read once more by a new handle. What still fails is made anew by whoever knows how
(`Remaker`), and held against the checksum that the shard has of it; files are never touched.

What is at fault is told apart. A shard that is missing beside an index that is there is gone; one
whose index cannot be read either is out of reach with all of the directory, for now.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import NamedTuple, Protocol

from qmpi.errors import CorruptData, StorageError
from qmpi.memory.cache import Cache, recent
from qmpi.storage.os_errors import explained, is_missing
from qmpi.storage.remedy import remedy
from qmpi.storage.shard_reader import ShardReader, TokenArray

_OPEN_SHARDS = 4
_NONE: AbstractContextManager[object] = nullcontext()


class Remaker(Protocol):
    """Makes chunks of a generated corpus anew.

    Attributes:
        chunk_tokens: ids of each.
    """

    chunk_tokens: int

    def make(self, shard: int, chunk: int, why: StorageError) -> TokenArray:
        """Make a chunk anew, in memory.

        Args:
            shard: number of the shard in the corpus.
            chunk: number of the chunk in the shard.
            why: it cannot be read.

        Returns:
            Its ids, in the type of the corpus.

        Raises:
            StorageError: it cannot be made here; tells why it cannot be read, too.
        """
        ...


class ExpectedShard(NamedTuple):
    """What an index says of a shard: file name and number of ids."""

    name: str
    tokens: int


class OpenShards:
    """Shards of one corpus; `reader` by any thread, all else by one at a time.

    A shard that others were opened instead of is closed when its last user lets go of it.

    Attributes:
        remaker: makes what cannot be read; None: nobody can.
    """

    def __init__(
        self,
        index: Path,
        shards: Sequence[ExpectedShard],
        dtype: str,
        tokenizer_digest: str,
        guard: AbstractContextManager[object] = _NONE,
    ) -> None:
        """Open nothing yet.

        Args:
            index: of the corpus; the shards lie beside it.
            shards: as it names them.
            dtype: of the ids.
            tokenizer_digest: of the tokenizer that they were written with.
            guard: held while a shard is looked for; a lock, where several threads do.
        """
        self.remaker: Remaker | None = None
        self._index = index
        self._shards = shards
        self._written_with = (dtype, tokenizer_digest)
        # Each counts as one: a shard that is open takes a file, and its tables.
        self._readers: Cache[int, ShardReader] = recent(_OPEN_SHARDS)
        self._guard = guard

    def reader(self, number: int) -> ShardReader:
        """Return an open shard.

        Args:
            number: of the shard.

        Returns:
            Its reader; closed by and by as others are opened.

        Raises:
            CorruptData: it is damaged, gone, or not the one in the index.
            StorageError: it cannot be read for now.
        """
        with self._guard:
            found = self._readers.get(number)
            return self._opened(number) if found is None else found

    def chunk_tokens(self, number: int) -> int:
        """Return the ids of a chunk of a shard.

        Args:
            number: of the shard.

        Returns:
            Ids; known of a generated shard even if nothing is left of it.

        Raises:
            StorageError: as `reader`.
        """
        try:
            return self.reader(number).chunk_tokens
        except StorageError:
            if self.remaker is None:
                raise
            return self.remaker.chunk_tokens

    def decoded(self, number: int, chunk: int) -> TokenArray:
        """Return a chunk, checked.

        Args:
            number: of the shard.
            chunk: number of the chunk in it.

        Returns:
            Its ids, read or made anew.

        Raises:
            CorruptData: the shard is damaged or gone, and nobody can make the chunk.
            StorageError: it cannot be read for now.
        """
        with self._guard:
            held = self._readers.get(number)
        if held is not None:
            try:
                return held.decoded(chunk)
            except StorageError:
                pass  # the handle may be stale: read once more by a new one
        try:
            with self._guard:
                anew = self._opened(number)
            return anew.decoded(chunk)
        except StorageError as error:
            if self.remaker is None:
                raise
            return self._made_anew(self.remaker, number, chunk, error)

    def _made_anew(
        self, remaker: Remaker, number: int, chunk: int, why: StorageError
    ) -> TokenArray:
        ids = remaker.make(number, chunk, why)
        with self._guard:
            reader = self._readers.get(number)
        # Tables of a shard that does not open tell nothing; then the address is all there is.
        if reader is not None and not reader.is_chunk(chunk, ids):
            raise CorruptData(f"{why}; made anew it does not have the checksum of what was written")
        return ids

    def close(self) -> None:
        """Close all shards."""
        self._readers.clear()

    def _opened(self, number: int) -> ShardReader:
        path = self._index.parent / self._shards[number].name
        try:
            reader = ShardReader(path)
        except StorageError as error:
            if is_missing(error) and self._is_index_here():
                raise CorruptData(f"shard {path} is gone; {remedy(path.parent)}") from error
            raise
        expected = (self._shards[number].tokens, *self._written_with)
        if (reader.tokens, reader.dtype.name, reader.tokenizer_digest) != expected:
            reader.close()
            raise CorruptData(f"shard {path} is not the one in the index")
        self._readers.put(number, reader, 1)
        return reader

    def _is_index_here(self) -> bool:
        with explained("look for", self._index):
            return self._index.is_file()
