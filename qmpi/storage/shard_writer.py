"""Write one shard of token ids, chunk by chunk.

Theory of operation: full chunks are compressed here and stored by direct chunk writes, so HDF5
needs no plugin and memory holds one chunk. The file is written under a temporary name and renamed
when closed.
"""

import zlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from qmpi.errors import InvariantError
from qmpi.storage import shard_layout as layout
from qmpi.storage.atomic_file import temporary_name
from qmpi.storage.codec_names import Codec
from qmpi.storage.codecs import compress
from qmpi.storage.os_errors import explained, hdf5_explained
from qmpi.storage.shard_filters import hdf5_filter
from qmpi.units import Digest

Documents = Sequence[tuple[int, int]]
TableType = str | list[tuple[str, str]]


class ShardWriter:
    """Collects token ids into a shard; `close` publishes it, `abandon` drops it.

    Attributes:
        tokens: ids written so far.
        path: target.
    """

    def __init__(
        self,
        path: Path,
        dtype: str,
        tokenizer_digest: Digest,
        *,
        chunk_tokens: int = layout.CHUNK_TOKENS,
        generator: str = "",
        codec: Codec = layout.FIRST_CODEC,
    ) -> None:
        """Start a shard.

        Args:
            path: target.
            dtype: "uint16" or "uint32".
            tokenizer_digest: identity of the tokenizer.
            chunk_tokens: ids of a chunk.
            generator: what makes the blocks of a generated shard; "" for any other.
            codec: of its chunks.

        Raises:
            StorageError: the file cannot be made.
        """
        self.tokens = 0
        self.path = path
        self._temporary = temporary_name(path)
        self._dtype = np.dtype(dtype).newbyteorder("<")
        self._chunk = np.zeros(chunk_tokens, self._dtype)
        self._used = 0
        self._crcs: list[int] = []
        self._documents: list[int] = []
        self._numbers: list[int] = []
        self._addresses: list[layout.BlockAddress] = []
        self._generated = bool(generator)
        self._codec = codec
        with hdf5_explained("write the shard", path):
            # What HDF5 1.10 reads, with checksums of metadata: the newest format is refused by the
            # h5dump that most machines have.
            versions = ("v110", "v110")
            self._file: Any = h5py.File(self._temporary, "w", libver=versions, locking=False)
        with hdf5_explained("write the shard", path):
            self._begin(tokenizer_digest, generator)

    def _begin(self, tokenizer_digest: Digest, generator: str) -> None:
        self._file.attrs["format_version"] = layout.format_of(self._codec)
        # Fixed-length strings: HDF5 keeps others in a heap without checksums, and one flipped
        # bit there can make it loop for ever.
        self._file.attrs["tokenizer_digest"] = np.bytes_(tokenizer_digest)
        if generator:
            self._file.attrs["generator"] = np.bytes_(generator)
        if self._codec != layout.FIRST_CODEC:
            self._file.attrs["codec"] = np.bytes_(str(self._codec))
        self._data: Any = self._make_dataset()

    def _make_dataset(self) -> h5py.Dataset:
        return self._file.create_dataset(
            layout.TOKENS,
            shape=(0,),
            maxshape=(None,),
            chunks=(self._chunk.size,),
            dtype=self._dtype,
            fill_time="never",
            **hdf5_filter(self._codec, self._dtype.itemsize, self._chunk.nbytes),
        )

    def start_document(self) -> None:
        """The next id begins a document."""
        self._documents.append(self.tokens)

    def append_block(
        self, stream: str, block: int, ids: np.ndarray[Any, Any], documents: Documents
    ) -> None:
        """Add a generated block.

        Args:
            stream: where it comes from.
            block: its number there.
            ids: its ids; exactly one chunk of them.
            documents: (offset in the block, number in the block) of each document, ascending.

        Raises:
            InvariantError: blocks and chunks do not go together.
            StorageError: no space.
        """
        self._begin_block(stream, block, documents)
        if ids.size != self._chunk.size:
            raise InvariantError(f"a block of {ids.size} ids in chunks of {self._chunk.size}")
        self.append(ids)

    def copy_block(self, stream: str, block: int, frame: bytes, documents: Documents) -> None:
        """Add a generated block as it was compressed before.

        Args:
            stream: where it comes from.
            block: its number there.
            frame: its compressed chunk, whose checksum was checked.
            documents: as in `append_block`.

        Raises:
            StorageError: no space.
        """
        self._begin_block(stream, block, documents)
        self._used = self._chunk.size
        self._store(frame)
        self.tokens += self._chunk.size

    def _begin_block(self, stream: str, block: int, documents: Documents) -> None:
        if not self._generated or self._used or len(stream.encode()) > layout.STREAM_BYTES:
            raise InvariantError(f"block {block} of {stream} does not belong here")
        self._addresses.append(layout.BlockAddress(stream, block, self.tokens))
        self._documents.extend(self.tokens + offset for offset, _ in documents)
        self._numbers.extend(number for _, number in documents)

    def append(self, ids: np.ndarray[Any, Any]) -> None:
        """Add ids.

        Args:
            ids: 1-D, each within the type's range.

        Raises:
            StorageError: no space.
        """
        done = 0
        while done < ids.size:
            count = min(ids.size - done, self._chunk.size - self._used)
            self._chunk[self._used : self._used + count] = ids[done : done + count]
            self._used += count
            done += count
            if self._used == self._chunk.size:
                self._flush()
        self.tokens += ids.size

    def _flush(self) -> None:
        self._chunk[self._used :] = 0
        self._store(compress(self._codec, self._chunk))

    def _store(self, frame: bytes) -> None:
        number = len(self._crcs)
        with hdf5_explained("write the shard", self.path):
            self._data.resize((number * self._chunk.size + self._used,))
            self._data.id.write_direct_chunk((number * self._chunk.size,), frame)
        self._crcs.append(zlib.crc32(frame))
        self._used = 0

    def close(self) -> None:
        """Write the rest and publish the file.

        Raises:
            StorageError: no space; the temporary is removed.
        """
        try:
            if self._used:
                self._flush()
            with hdf5_explained("write the shard", self.path):
                self._file.create_dataset(layout.CHUNK_CRC, data=np.asarray(self._crcs, "<u4"))
                self._table(layout.DOCUMENT_OFFSETS, "documents_crc", self._documents, "<i8")
                if self._generated:
                    self._write_provenance()
                self._file.attrs["count"] = self.tokens
                self._file.attrs["dtype"] = np.bytes_(self._dtype.name)
                self._file.close()
                self._temporary.replace(self.path)
        finally:
            self.abandon()

    def _write_provenance(self) -> None:
        rows = [(a.stream.encode(), a.block, a.start) for a in self._addresses]
        self._table(layout.BLOCK_ADDRESS, "addresses_crc", rows, list(layout.ADDRESS_TYPE))
        self._table(layout.DOCUMENT_NUMBERS, "numbers_crc", self._numbers, "<u2")

    def _table(self, name: str, crc: str, rows: Sequence[Any], kind: TableType) -> None:
        data = np.asarray(rows, kind)
        self._file.create_dataset(name, data=data)
        self._file.attrs[crc] = zlib.crc32(data.tobytes())

    def abandon(self) -> None:
        """Drop what was not published; does nothing after `close`.

        Raises:
            StorageError: the temporary cannot be removed.
        """
        # Of a file that could not be written, not even the rest of its books can be.
        with suppress(OSError, RuntimeError):
            self._file.close()
        with explained("remove", self._temporary):
            self._temporary.unlink(missing_ok=True)
