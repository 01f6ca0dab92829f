"""Readers that need nothing but what qmpi needs: its own, maps, HDF5, and bare Blosc2."""

from pathlib import Path

import h5py
import numpy as np
from reader_data import write_corpus

from qmpi.memory.cache import recent
from qmpi.storage.blosc2_codec import decode_by_blosc2, decode_frame
from qmpi.storage.corpus import DEFAULT_CACHE_BYTES, Corpus
from qmpi.storage.shard_layout import CHUNK_TOKENS
from qmpi.storage.shard_reader import ShardReader

LENGTH = 1024
"""Tokens of a sequence; a row has one more."""
ROWS_AT_ONCE = CHUNK_TOKENS // LENGTH


def rows_in(ids):
    """Return an array's ids as rows that overlap by one, without a copy."""
    count, width = (ids.size - 1) // LENGTH, ids.itemsize
    return np.ndarray((count, LENGTH + 1), ids.dtype, ids, 0, (LENGTH * width, width))


class Side:
    """A reader and its files. Rows come as arrays of LENGTH + 1 ids, or many as one array.

    Attributes:
        files: what lies on disk.
        rows: how many there are.
    """

    files: list[Path]
    rows: int

    def bytes_held(self):
        """Return the bytes that its files take."""
        return sum(path.stat().st_size for path in self.files)

    def open(self):
        """Open the files."""

    def close(self):
        """Close them, so that their pages can go from the page cache."""

    def read_all(self):
        """Read all rows in order; yield them, one or many at a time."""
        raise NotImplementedError

    def read_some(self, rows):
        """Read the rows of these numbers; yield each."""
        raise NotImplementedError


class Ours(Side):
    """A corpus of qmpi, read in process.

    The cache of decoded chunks holds half of the corpus at most, so rows in order find nothing in
    it; `kept` has room for all.
    """

    def __init__(self, folder, ids, tokenizer, *, kept=False):
        self.folder = folder / "corpus"
        if not self.folder.exists():
            write_corpus(self.folder, ids, tokenizer)
        self.files = sorted(self.folder.glob("*.h5"))
        least = 2 * CHUNK_TOKENS * ids.itemsize
        self.budget = 4 * ids.nbytes if kept else half_budget(ids.nbytes, least)

    def open(self):
        self.corpus = Corpus.open(self.folder, recent(self.budget))
        self.rows = self.corpus.rows(LENGTH)

    def close(self):
        self.corpus.close()

    def read_all(self):
        for first in range(0, self.rows, ROWS_AT_ONCE):
            count = min(ROWS_AT_ONCE, self.rows - first)
            yield rows_in(self.corpus.read(first * LENGTH, count * LENGTH + 1))

    def read_some(self, rows):
        for row in rows:
            yield self.corpus.read_row(row, LENGTH)


def half_budget(corpus_bytes, least):
    """Return the room for decoded chunks: what qmpi usually has, but no more than half of all."""
    return max(least, min(DEFAULT_CACHE_BYTES, corpus_bytes // 2))


class Mapped(Side):
    """Plain ids in a file, mapped, as nanoGPT has them; rows are copied, as whoever trains must."""

    def __init__(self, folder, ids, _tokenizer):
        self.files = [folder / "ids.bin"]
        ids.tofile(self.files[0])

    def open(self):
        self.ids = np.memmap(self.files[0], "<u2", "r")
        self.rows = (self.ids.size - 1) // LENGTH

    def close(self):
        del self.ids

    def read_all(self):
        for first in range(0, self.rows, ROWS_AT_ONCE):
            count = min(ROWS_AT_ONCE, self.rows - first)
            start = first * LENGTH
            yield rows_in(np.array(self.ids[start : start + count * LENGTH + 1]))

    def read_some(self, rows):
        for row in rows:
            yield np.array(self.ids[row * LENGTH : row * LENGTH + LENGTH + 1])


class Hdf5(Side):
    """A chunked dataset of h5py, in the chunks of qmpi."""

    def __init__(self, folder, ids, _tokenizer, *, compression=None):
        self.files = [folder / f"plain-{compression}.h5"]
        with h5py.File(self.files[0], "w") as file:
            chunk = min(CHUNK_TOKENS, ids.size)
            file.create_dataset("ids", data=ids, chunks=(chunk,), compression=compression)

    def open(self):
        self.file = h5py.File(self.files[0], "r")
        self.ids = self.file["ids"]
        self.rows = (self.ids.shape[0] - 1) // LENGTH

    def close(self):
        self.file.close()

    def read_all(self):
        for first in range(0, self.rows, ROWS_AT_ONCE):
            count = min(ROWS_AT_ONCE, self.rows - first)
            yield rows_in(self.ids[first * LENGTH : (first + count) * LENGTH + 1])

    def read_some(self, rows):
        for row in rows:
            yield self.ids[row * LENGTH : row * LENGTH + LENGTH + 1]


class Bare(Side):
    """The frames of qmpi's corpus, in memory, decoded one after the other and not copied.

    No checksum, no file, no cache, and one buffer for all: the most that the codec can give, by
    qmpi's way into Zstandard or by Blosc2's own functions.
    """

    def __init__(self, folder, ids, tokenizer, *, decode=decode_frame):
        corpus = Ours(folder, ids, tokenizer)
        self.files, self.frames = corpus.files, []
        for path in corpus.files:
            reader = ShardReader(path)
            self.frames += [reader.frame(number) for number in range(reader.chunks)]
            reader.close()
        self.rows, self.decode = (ids.size - 1) // LENGTH, decode
        self.out = np.empty(CHUNK_TOKENS, ids.dtype)

    def bytes_held(self):
        return sum(map(len, self.frames))

    def read_all(self):
        whole = self.out[: ROWS_AT_ONCE * LENGTH].reshape(ROWS_AT_ONCE, LENGTH)
        for frame in self.frames:
            self.decode(frame, self.out)
            yield whole

    def read_some(self, rows):
        for row in rows:
            number, place = divmod(row * LENGTH, CHUNK_TOKENS)
            self.decode(self.frames[number], self.out)
            yield self.out[place : place + LENGTH + 1]


SIDES = {
    "qmpi": {"": Ours, "all kept": lambda *given: Ours(*given, kept=True)},
    "memmap": {"": Mapped},
    "h5py": {"": Hdf5, "gzip": lambda *given: Hdf5(*given, compression="gzip")},
    "raw_blosc2": {
        "": Bare,
        "by Blosc2": lambda *given: Bare(*given, decode=decode_by_blosc2),
    },
}
"""Makers by reader and form; each is given a folder, ids and the path of a tokenizer."""
