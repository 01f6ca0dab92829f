"""The corpus that every machine has: the running Python's library sources and language reference.

Theory of operation: it is made once for each Python version into a cache directory, under a lock,
so that many ranks of one host start together and one of them works while the others wait. The
libraries that make it load only then.
"""

import logging
import os
import platform
import sysconfig
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from qmpi.config.load import absolute
from qmpi.errors import InputError
from qmpi.storage.cache import made_once
from qmpi.storage.corpus_index import read_corpus_facts
from qmpi.storage.remedy import BUILTIN_FOLDER
from qmpi.storage.shard_layout import FORMAT_VERSION

if TYPE_CHECKING:
    from qmpi.ingest.read.source import LeftOut, Piece
    from qmpi.ingest.settings import Progress

logger = logging.getLogger(__name__)

PREFIX = "builtin:"
VOCABULARY = 4096
_SKIPPED = frozenset(
    {
        "test",
        "tests",
        "idlelib",
        "lib2to3",
        "site-packages",
        "dist-packages",
        "__pycache__",
        "encodings",
        "pydoc_data",
        "distutils",
        "turtledemo",
        "tkinter",
        "ensurepip",
    }
)
_LARGEST_FILE = 400_000


def resolve_corpus(path_text: str, cache: Path, progress: "Progress") -> Path:
    """Directory of the corpus that a job file names.

    Args:
        path_text: a directory, or "builtin:python", which is made if need be.
        cache: where made corpora are kept.
        progress: told while one is made.

    Returns:
        The directory.

    Raises:
        InputError: no such corpus.
        StorageError: it cannot be made or read.
    """
    if path_text.startswith(PREFIX):
        return builtin_corpus(path_text.removeprefix(PREFIX), cache, progress)
    path = absolute(path_text)
    read_corpus_facts(path)
    return path


def builtin_corpus(name: str, cache: Path, progress: "Progress") -> Path:
    """The built-in corpus, made on first use.

    Args:
        name: "python".
        cache: where it is kept.
        progress: told while it is made.

    Returns:
        Its directory.

    Raises:
        InputError: no such built-in corpus, or this Python has no library sources.
        StorageError: the cache cannot be written.
    """
    if name != "python":
        raise InputError(f"no built-in corpus {name!r}; there is builtin:python")
    version = f"{platform.python_version()}-{VOCABULARY}-f{FORMAT_VERSION}"
    name = f"{BUILTIN_FOLDER}python-{version}"
    return made_once(cache, name, lambda out: _make(out, progress), lambda: _begin(progress))


def _begin(progress: "Progress") -> None:
    from qmpi.ingest.settings import IngestProgress

    progress(IngestProgress(stage="tokenizer", bytes_read=0, documents=0, tokens=0))


def _make(out: Path, progress: "Progress") -> None:
    from qmpi.ingest.corpus import IngestOptions, ingest_source  # loads numpy, h5py, blosc2

    options = IngestOptions(name="python", vocab_size=VOCABULARY)
    ingest_source(_PythonTexts(), out, options, progress)


def library_files(root: Path) -> list[Path]:
    """Source files of a standard library that make up the corpus.

    Args:
        root: directory of the library.

    Returns:
        Paths in sorted order; no tests, tables, third-party packages or huge files.
    """
    found: list[Path] = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(set(folders) - _SKIPPED)
        paths = (Path(folder) / name for name in sorted(names) if name.endswith(".py"))
        found.extend(path for path in paths if path.stat().st_size <= _LARGEST_FILE)
    return found


class _PythonTexts:
    """Language reference first, then library sources."""

    def __init__(self) -> None:
        from qmpi.ingest.read.source import TextSource  # loads zstandard

        # Read file by file: an old-encoding file in the library is left out, not an error.
        self._files = TextSource(library_files(Path(sysconfig.get_path("stdlib"))), "")
        self.left_out: list[LeftOut] = []
        self.bytes_read = 0

    def pieces(self) -> "Iterator[Piece]":
        from qmpi.ingest.read.source import Piece

        topics: dict[str, str] = import_module("pydoc_data.topics").topics
        for name in sorted(topics):
            yield Piece(topics[name], first=True, last=True)
        for piece in self._files.pieces():
            self.left_out = self._files.left_out
            self.bytes_read = self._files.bytes_read
            yield piece


def resolve(where: str, cache: Path, progress: "Progress | None" = None) -> Path:
    """Return the path of a corpus or tokenizer, making the built-in corpus on first use.

    Args:
        where: a path, or "builtin:python".
        cache: directory of built-in corpora.
        progress: told while it is made; None: the log is.

    Returns:
        A path on disk.
    """
    if not where.startswith(PREFIX):
        return Path(where)
    return resolve_corpus(where, cache, progress or log_making)


def log_making(progress: object) -> None:
    """Tell the log how far something built in is.

    Args:
        progress: of its making.
    """
    logger.info("making the built-in corpus or tokenizer: %s", progress)
