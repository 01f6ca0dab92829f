"""Write one shard of token ids, chunk by chunk.

Theory of operation: full chunks are compressed here and stored by direct chunk writes, so HDF5
needs no plugin and memory holds one chunk. The file is written under a temporary name and renamed
when closed.
"""

import zlib
from pathlib import Path
from typing import Any

import blosc2
import h5py
import numpy as np

from qmpi.storage import shard_layout as layout
from qmpi.storage.os_errors import explained
from qmpi.units import Digest


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
    ) -> None:
        """Start a shard.

        Args:
            path: target.
            dtype: "uint16" or "uint32".
            tokenizer_digest: identity of the tokenizer.
            chunk_tokens: ids of a chunk.

        Raises:
            StorageError: the file cannot be made.
        """
        self.tokens = 0
        self.path = path
        self._temporary = path.with_name(f".{path.name}.tmp")
        self._dtype = np.dtype(dtype).newbyteorder("<")
        self._chunk = np.zeros(chunk_tokens, self._dtype)
        self._used = 0
        self._crcs: list[int] = []
        self._documents: list[int] = []
        with explained("write the shard", path):
            self._file: Any = h5py.File(self._temporary, "w", libver="latest", locking=False)
        self._file.attrs["format_version"] = layout.FORMAT_VERSION
        # Fixed-length strings: HDF5 keeps others in a heap without checksums, and one flipped
        # bit there can make it loop for ever.
        self._file.attrs["tokenizer_digest"] = np.bytes_(tokenizer_digest)
        self._data: Any = self._make_dataset()

    def _make_dataset(self) -> h5py.Dataset:
        item, chunk = self._dtype.itemsize, self._chunk.nbytes
        # The seven numbers are those that the filter's own registration writes: format revision,
        # block size, type size, chunk size, level, shuffle (0: none), codec (5: zstd).
        options = (1, chunk, item, chunk, layout.COMPRESSION_LEVEL, 0, 5)
        return self._file.create_dataset(
            layout.TOKENS,
            shape=(0,),
            maxshape=(None,),
            chunks=(self._chunk.size,),
            dtype=self._dtype,
            compression=layout.BLOSC2_FILTER,
            compression_opts=options,
            allow_unknown_filter=True,
            fill_time="never",
        )

    def start_document(self) -> None:
        """The next id begins a document."""
        self._documents.append(self.tokens)

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
        number = len(self._crcs)
        self._chunk[self._used :] = 0
        frame = _encode(self._chunk)
        with explained("write the shard", self.path):
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
            with explained("write the shard", self.path):
                offsets = np.asarray(self._documents, "<i8")
                self._file.create_dataset(layout.CHUNK_CRC, data=np.asarray(self._crcs, "<u4"))
                self._file.create_dataset(layout.DOCUMENT_OFFSETS, data=offsets)
                self._file.attrs["documents_crc"] = zlib.crc32(offsets.tobytes())
                self._file.attrs["count"] = self.tokens
                self._file.attrs["dtype"] = np.bytes_(self._dtype.name)
                self._file.close()
                self._temporary.replace(self.path)
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Drop what was not published; does nothing after `close`.

        Raises:
            StorageError: the temporary cannot be removed.
        """
        with explained("remove", self._temporary):
            try:
                self._file.close()
            finally:
                self._temporary.unlink(missing_ok=True)


def _encode(chunk: np.ndarray[Any, Any]) -> bytes:
    parameters = {
        "codec": blosc2.Codec.ZSTD,
        "clevel": layout.COMPRESSION_LEVEL,
        "typesize": chunk.itemsize,
        "blocksize": chunk.nbytes,
        "filters": [blosc2.Filter.NOFILTER],
        "filters_meta": [0],
        "nthreads": 1,
    }
    storage: Any = {"contiguous": True, "cparams": parameters}
    holder = blosc2.SChunk(chunksize=chunk.nbytes, data=chunk, **storage)
    return holder.to_cframe()
