"""Read token ids from a shard, checked chunk by chunk.

Theory of operation: a chunk is fetched compressed, its CRC-32 compared, then decoded into an array
that a cache keeps; a corpus has one for all its shards. The file is opened without HDF5's locks,
which fail on network file systems and guard nothing here: a shard never changes once it has its
name.

HDF5 reads the tables of a shard through a file of Python's, says where its chunks lie, and is done
with it: their bytes are read past it. Its library holds one lock for the whole process, and the
interpreter's too, for as long as a file system takes: so one slow read would hold up all others,
and the messages of the rank.
"""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import h5py
import numpy as np

from qmpi.errors import ConfigError, CorruptData, InputError, StorageError
from qmpi.memory.cache import Cache, recent
from qmpi.storage import shard_layout as layout
from qmpi.storage.codec_names import Codec, codec_named
from qmpi.storage.os_errors import explained, refusal, require_file, storage_error
from qmpi.storage.remedy import remedy
from qmpi.storage.shard_chunks import ShardChunks, TokenArray
from qmpi.storage.watched_file import watched
from qmpi.units import Digest

__all__ = ["ShardReader", "TokenArray"]

DEFAULT_CACHE_BYTES = 16 << 20


class _Place(Protocol):
    chunk_offset: tuple[int, ...]
    byte_offset: int
    size: int


class ShardReader:
    """One open shard.

    Attributes:
        tokens: number of ids.
        dtype: type of ids.
        tokenizer_digest: identity of the tokenizer.
        document_offsets: offset of each document's first id.
        chunk_tokens: ids of a chunk.
        generator: what made the blocks of a generated shard; "" for any other.
        addresses: where each block of a generated shard comes from.
        document_numbers: number of each document in its block; empty for other shards.
        codec: of the chunks.
        table: where the chunks lie; all that reading them takes, beside `file`.
        file: open; whoever reads from it may keep it longer than this reader.
    """

    def __init__(self, path: Path, *, cache_bytes: int = DEFAULT_CACHE_BYTES) -> None:
        """Open a shard.

        Args:
            path: shard.
            cache_bytes: most bytes of decoded chunks that `read` keeps.

        Raises:
            StorageError: it cannot be opened, or not be read for now.
            CorruptData: its metadata is damaged, or of another format.
        """
        self._path = path
        self.generator = ""
        self._kept: Cache[int, TokenArray] = recent(cache_bytes)
        # Any: the types of h5py cannot say which kind of object a name holds.
        self._hdf5: Any = None
        require_file(path)
        with explained("open the shard", path):
            self.file = watched(path)
        try:
            with self._damage("metadata"):
                self._hdf5 = h5py.File(self.file, "r", locking=False)
                try:
                    self._load()
                finally:
                    self._hdf5.close()
        except StorageError:
            self.close()
            raise

    def _load(self) -> None:
        attributes = self._hdf5.attrs
        data = self._hdf5[layout.TOKENS]
        self.tokens = int(attributes["count"])
        self.dtype = np.dtype(data.dtype)
        self.tokenizer_digest = Digest(attributes["tokenizer_digest"].decode())
        self.document_offsets = self._table(layout.DOCUMENT_OFFSETS, "documents_crc")
        self.generator = attributes["generator"].decode() if "generator" in attributes else ""
        rows, self.document_numbers = self._provenance()
        self.addresses = tuple(
            layout.BlockAddress(bytes(row["stream"]).decode(), int(row["block"]), int(row["start"]))
            for row in rows
        )
        self.codec = self._named_codec()
        crcs: TokenArray = self._hdf5[layout.CHUNK_CRC][:]
        self.chunk_tokens = int(data.chunks[0])
        known = {
            "format": int(attributes["format_version"]) in layout.READABLE_VERSIONS,
            "length": data.shape == (self.tokens,),
            "type": attributes["dtype"].decode() == self.dtype.name and self.dtype.kind == "u",
            "chunk count": len(crcs) == -(-self.tokens // self.chunk_tokens),
        }
        wrong = [name for name, holds in known.items() if not holds]
        if wrong:
            raise CorruptData(f"shard {self._path}: wrong {', '.join(wrong)}; {self._cure()}")
        offsets, sizes = self._places(len(crcs))
        self.table = ShardChunks(
            self._path, self.dtype, self.codec, self.chunk_tokens, offsets, sizes, crcs, rows
        )

    def _places(self, chunks: int) -> tuple[TokenArray, TokenArray]:
        offsets, sizes = (np.zeros(chunks, np.uint64) for _ in range(2))

        def note(place: _Place) -> None:
            number, over = divmod(place.chunk_offset[0], self.chunk_tokens)
            if not over and number < chunks:
                offsets[number], sizes[number] = place.byte_offset, place.size

        try:
            self._hdf5[layout.TOKENS].id.chunk_iter(note)
        except (OSError, RuntimeError, ValueError, OverflowError) as error:
            if refusal(self.file.refusal or error) is not None:
                raise
            # Books of chunks that are damaged spoil these; their checksums are known all the same.
        return offsets, sizes

    def _named_codec(self) -> Codec:
        if "codec" not in self._hdf5.attrs:
            return layout.FIRST_CODEC
        try:
            return codec_named(self._hdf5.attrs["codec"].decode())
        except ConfigError as error:
            raise CorruptData(
                f"shard {self._path}: damaged, or written by a newer qmpi ({error}); {self._cure()}"
            ) from error

    def _table(self, name: str, crc: str) -> TokenArray:
        table: TokenArray = self._hdf5[name][:]
        if self._hdf5.attrs[crc] != zlib.crc32(table.tobytes()):
            raise CorruptData(f"shard {self._path}: {name} fails its checksum; {self._cure()}")
        return table

    def _provenance(self) -> tuple[TokenArray, TokenArray]:
        if not self.generator:
            return np.empty(0, list(layout.ADDRESS_TYPE)), np.empty(0, "<u2")
        rows = self._table(layout.BLOCK_ADDRESS, "addresses_crc")
        return rows, self._table(layout.DOCUMENT_NUMBERS, "numbers_crc")

    @contextmanager
    def _damage(self, what: str) -> Iterator[None]:
        # h5py raises whichever of these the damaged byte leads to.
        try:
            yield
        except (OSError, KeyError, RuntimeError, ValueError, TypeError, IndexError) as error:
            refused = refusal(self.file.refusal or error)
            if refused is not None:
                raise storage_error(refused, f"read {what} of shard", self._path) from refused
            raise CorruptData(
                f"shard {self._path}: {what} damaged ({error}); {self._cure()}"
            ) from error
        except (AttributeError, OverflowError, MemoryError) as error:
            raise CorruptData(f"shard {self._path}: {what} damaged; {self._cure()}") from error

    @property
    def chunks(self) -> int:
        """Number of chunks."""
        return len(self.table.crcs)

    def read(self, start: int, count: int) -> TokenArray:
        """A range of ids.

        Args:
            start: first id, >= 0.
            count: ids, start + count <= tokens.

        Returns:
            A new array of `count` ids.

        Raises:
            InputError: the range leaves the shard.
            CorruptData: a chunk fails its checksum; names file and chunk.
        """
        if start < 0 or count < 0 or start + count > self.tokens:
            raise InputError(f"ids {start} to {start + count} lie outside shard {self._path}")
        out = np.empty(count, self.dtype)
        done = 0
        while done < count:
            number, offset = divmod(start + done, self.chunk_tokens)
            piece = self._chunk(number)[offset : offset + count - done]
            out[done : done + piece.size] = piece
            done += piece.size
        return out

    def _chunk(self, number: int) -> TokenArray:
        chunk = self._kept.get(number)
        if chunk is None:
            chunk = self.decoded(number)
            self._kept.put(number, chunk, chunk.nbytes)
        return chunk

    def decoded(self, number: int) -> TokenArray:
        """A chunk, checked and decoded, past the cache.

        Args:
            number: of the chunk.

        Returns:
            Its ids.

        Raises:
            CorruptData: it fails its checksum; names file and chunk.
        """
        return self.table.unpacked(number, self.frame(number))

    def frame(self, number: int) -> bytes:
        """A chunk as it lies in the file.

        Args:
            number: of the chunk.

        Returns:
            The compressed bytes.

        Raises:
            CorruptData: they fail their checksum; names file and chunk.
            StorageError: the file cannot be read for now.
        """
        return self.table.frame(self.file, number)

    def _cure(self) -> str:
        if self.generator:
            return f"`qmpi shards repair {self._path}` makes it again"
        return remedy(self._path.parent)

    def documents_of(self, block: int) -> list[tuple[int, int]]:
        """The documents of a block of a generated shard.

        Args:
            block: 0 <= block < len(addresses).

        Returns:
            (offset in the block, number in the block) of each.
        """
        begin = self.addresses[block].start
        low, high = np.searchsorted(self.document_offsets, [begin, begin + self.chunk_tokens])
        offsets = (self.document_offsets[low:high] - begin).tolist()
        return list(zip(offsets, self.document_numbers[low:high].tolist(), strict=True))

    def verify(self) -> None:
        """Check every chunk.

        Raises:
            CorruptData: a chunk fails its checksum; names file and chunk.
        """
        for number in range(self.chunks):
            self.decoded(number)

    def close(self) -> None:
        """Close the file; nobody may be reading from it, nor keep it."""
        self.file.close()
