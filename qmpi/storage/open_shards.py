"""The shards of a corpus, and its chunks as they lie there.

Theory of operation. A shard is opened once, which reads all its tables. What reading its chunks
takes is kept from then on, a few bytes a chunk, up to some megabytes; its file stays open as long
as there is room for files (`qmpi.storage.shard_files`). So a corpus of hundreds of shards is read
here and there without one being opened anew. A handle may be stale: the network file system lost
the file, or a repair has put another one in its place. So what cannot be read, or fails its
checksum, is read once more from a shard that is opened anew. What still fails is made anew by
whoever knows how (`Remaker`), and held against the checksum that the shard has of it; files are
never touched.

What is at fault is told apart. A shard that is missing beside an index that is there is gone; one
whose index cannot be read either is out of reach with all of the directory, for now.
"""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Protocol

from qmpi.errors import CorruptData, StorageError
from qmpi.memory.cache import Cache, recent
from qmpi.storage.os_errors import explained, is_missing
from qmpi.storage.remedy import remedy
from qmpi.storage.shard_chunks import ShardChunks, TokenArray
from qmpi.storage.shard_files import ShardFiles
from qmpi.storage.shard_reader import ShardReader
from qmpi.storage.watched_file import WatchedFile, watched

READERS = 4
"""Shards whose other tables are kept too: whoever wants those goes through shards in order."""

TABLE_BYTES = 32 << 20
"""Most bytes of what reading chunks takes; 20 a chunk: two hundred thousand million ids."""


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
    """Shards of one corpus; `frame`, `read` and `table` by any thread, all else by one at a time.

    Attributes:
        remaker: makes what cannot be read; None: nobody can.
    """

    def __init__(
        self,
        index: Path,
        shards: Sequence[ExpectedShard],
        dtype: str,
        tokenizer_digest: str,
        files: ShardFiles | None = None,
    ) -> None:
        """Open nothing yet.

        Args:
            index: of the corpus; the shards lie beside it.
            shards: as it names them.
            dtype: of the ids.
            tokenizer_digest: of the tokenizer that they were written with.
            files: of all corpora of the process; None: this one's alone.
        """
        self.remaker: Remaker | None = None
        self._index = index
        self._shards = shards
        self._written_with = (dtype, tokenizer_digest)
        self._files = ShardFiles() if files is None else files
        self._guard = self._files.guard
        self._tables: Cache[int, ShardChunks] = recent(TABLE_BYTES)
        self._readers: Cache[int, ShardReader] = recent(READERS)

    def reader(self, number: int) -> ShardReader:
        """Return an open shard with all its tables.

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
            if found is None:
                found = self._opened(number)
                self._readers.put(number, found, 1)
            return found

    def table(self, number: int) -> ShardChunks:
        """Return what reading the chunks of a shard takes.

        Args:
            number: of the shard.

        Returns:
            Places and checksums.

        Raises:
            StorageError: as `reader`.
        """
        with self._guard:
            found = self._tables.get(number)
            return self._opened(number).table if found is None else found

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
            return self.table(number).chunk_tokens
        except StorageError:
            if self.remaker is None:
                raise
            return self.remaker.chunk_tokens

    def frame(self, number: int, chunk: int) -> bytes:
        """Return a chunk as it lies in its shard, checked.

        Args:
            number: of the shard.
            chunk: number of the chunk in it.

        Returns:
            The compressed bytes.

        Raises:
            CorruptData: the shard is damaged or gone.
            StorageError: it cannot be read for now.
        """
        return self._frame(number, chunk)[1]

    def read(self, number: int, chunk: int) -> TokenArray:
        """Return a chunk, checked, if it can be read.

        Args:
            number: of the shard.
            chunk: number of the chunk in it.

        Returns:
            Its ids.

        Raises:
            CorruptData: the shard is damaged or gone.
            StorageError: it cannot be read for now.
        """
        table, frame = self._frame(number, chunk)
        return table.unpacked(chunk, frame)

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
        try:
            return self.read(number, chunk)
        except StorageError as error:
            if self.remaker is None:
                raise
            return self._made_anew(self.remaker, number, chunk, error)

    def close(self) -> None:
        """Close all shards."""
        self._tables.clear()
        self._readers.clear()
        with self._guard:
            for number in range(len(self._shards)):
                self._files.close(self._path(number))

    def _frame(self, number: int, chunk: int) -> tuple[ShardChunks, bytes]:
        begun = self._files.clock()
        found = self._held(number, chunk)
        if found is None:
            try:
                found = self._from_anew(number, chunk)
            except StorageError:
                with self._guard:
                    self._files.read.misses += 1
                raise
        self._files.note(self._files.read, len(found[1]), begun)
        return found

    def _held(self, number: int, chunk: int) -> tuple[ShardChunks, bytes] | None:
        path = self._path(number)
        with self._guard:
            table, file = self._tables.get(number), self._files.get(path)
        if table is None:
            return None
        with suppress(StorageError, OSError):  # the handle may be stale: once more by a new one
            return table, table.frame(self._handle(path) if file is None else file, chunk)
        return None

    def _handle(self, path: Path) -> WatchedFile:
        file = watched(path)
        with self._guard:
            self._files.put(path, file)
        return file

    def _from_anew(self, number: int, chunk: int) -> tuple[ShardChunks, bytes]:
        with self._guard:
            anew = self._opened(number)
        return anew.table, anew.frame(chunk)

    def _made_anew(
        self, remaker: Remaker, number: int, chunk: int, why: StorageError
    ) -> TokenArray:
        begun = self._files.clock()
        ids = remaker.make(number, chunk, why)
        with self._guard:
            table = self._tables.get(number)
        # Tables of a shard that does not open tell nothing; then the address is all there is.
        if table is not None and not table.is_chunk(chunk, ids):
            raise CorruptData(f"{why}; made anew it does not have the checksum of what was written")
        self._files.note(self._files.anew, ids.nbytes, begun)
        return ids

    def _opened(self, number: int) -> ShardReader:
        path = self._path(number)
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
        self._tables.put(number, reader.table, reader.table.nbytes)
        self._files.put(path, reader.file)
        return reader

    def _path(self, number: int) -> Path:
        return self._index.parent / self._shards[number].name

    def _is_index_here(self) -> bool:
        with explained("look for", self._index):
            return self._index.is_file()
