"""Readers of other projects: each in the form that its own manual gives for tokens.

mosaicml-streaming: samples of one row in MDS shards of 64 MiB, a column of uint16 of fixed shape,
plain and behind zstd; shards are unpacked beside themselves when they are first read. litdata: its
`TokensLoader` over chunks of 8,012 rows. Both are read in order by iterating, and by number through
`dataset[n]`; neither gives more than one row at a time, and rows are left as they come.
"""

import importlib.machinery
import importlib.util
import logging
import sys
import types
import warnings

from reader_sides import LENGTH, Side

WIDTH = LENGTH + 1
VISION = (
    *("torchvision", "torchvision.datasets", "torchvision.transforms"),
    "torchvision.transforms.functional",
)
LITDATA_ROWS = 8012
"""Rows of a chunk, as its manual has it."""


def importable(name):
    """Return a package, or None if it or what it needs is not installed."""
    if importlib.util.find_spec(name.partition(".")[0]) is None:
        return None
    if name == "streaming":
        stand_in_for_vision()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module(name)
    except ImportError:
        return None


def stand_in_for_vision():
    """Let `streaming` load without torchvision, whose wheel does not load beside a torch for CPUs.

    Its data sets of pictures want to inherit from classes there, whatever is read.
    """
    import torch.export  # noqa: F401 - looks at all modules while it loads

    if "torchvision" not in sys.modules and importlib.util.find_spec("torchvision") is None:
        for name in VISION:
            module = types.ModuleType(name)
            module.__path__, module.__spec__ = [], importlib.machinery.ModuleSpec(name, None)
            module.__getattr__ = any_class
            sys.modules.setdefault(name, module)


def any_class(name):
    """Return an empty class of a name."""
    if name.startswith("__"):
        raise AttributeError(name)
    return type(name, (), {})


def rows_of(ids):
    """Yield rows that overlap by one, each an array of its own."""
    for row in range((ids.size - 1) // LENGTH):
        yield ids[row * LENGTH : row * LENGTH + WIDTH].copy()


class Streaming(Side):
    """mosaicml-streaming."""

    def __init__(self, folder, ids, _tokenizer, *, compression=None):
        self.library = importable("streaming")
        self.folder = folder / f"mds-{compression}"
        self.is_packed = compression is not None
        columns = {"tokens": f"ndarray:uint16:{WIDTH}"}
        with self.library.MDSWriter(
            out=str(self.folder), columns=columns, compression=compression
        ) as writer:
            for row in rows_of(ids):
                writer.write({"tokens": row})
        self.rows = (ids.size - 1) // LENGTH
        self.files = sorted(path for path in self.folder.iterdir() if path.is_file())
        self.held = super().bytes_held()

    def bytes_held(self):
        return self.held

    def open(self):
        self.library.base.util.clean_stale_shared_memory()
        self.data = self.library.StreamingDataset(
            local=str(self.folder), shuffle=False, batch_size=1, keep_zip=True
        )

    def close(self):
        del self.data
        if self.is_packed:
            # A reader that comes fresh to a machine has to unpack them.
            for path in self.folder.glob("*.mds"):
                path.unlink()

    def read_all(self):
        for sample in self.data:
            yield sample["tokens"]

    def read_some(self, rows):
        for row in rows:
            yield self.data[int(row)]["tokens"]


class LitData(Side):
    """litdata."""

    def __init__(self, folder, ids, _tokenizer):
        self.library = importable("litdata")
        logging.getLogger("litdata").setLevel(logging.ERROR)
        self.folder = folder / "litdata"
        loader = self.library.TokensLoader(WIDTH)
        cache = importable("litdata.streaming.cache").Cache(
            str(self.folder), chunk_size=LITDATA_ROWS * WIDTH, item_loader=loader
        )
        self.rows = 0
        for row in rows_of(ids):
            cache[self.rows] = row
            self.rows += 1
        cache.done()
        cache.merge()
        self.files = sorted(path for path in self.folder.iterdir() if path.is_file())

    def open(self):
        self.data = self.library.StreamingDataset(
            str(self.folder), item_loader=self.library.TokensLoader(WIDTH), shuffle=False
        )

    def close(self):
        del self.data

    def read_all(self):
        yield from self.data

    def read_some(self, rows):
        for row in rows:
            yield self.data[int(row)]


PEERS = {
    "streaming": {"": Streaming, "zstd": lambda *given: Streaming(*given, compression="zstd")},
    "litdata": {"": LitData},
}
"""Makers by reader and form, as `reader_sides.SIDES`; the reader's name is that of its package."""
