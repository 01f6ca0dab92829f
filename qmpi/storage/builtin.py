"""The corpus that every machine has: the running Python's library sources and language reference.

Theory of operation: it is made once for each Python version into a cache directory, under a lock,
so that many ranks of one host start together and one of them works while the others wait. The
libraries that make it load only then.
"""

import fcntl
import os
import platform
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from qmpi.config.load import absolute
from qmpi.errors import InputError
from qmpi.storage.corpus import read_corpus_facts
from qmpi.storage.home import home_directory
from qmpi.storage.os_errors import explained
from qmpi.storage.shard_layout import FORMAT_VERSION

if TYPE_CHECKING:
    from qmpi.storage.ingest import IngestProgress
    from qmpi.storage.text_source import LeftOut, Piece

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
_USE = "use the cache (QMPI_CACHE names another)"


def default_cache(environment: Mapping[str, str]) -> Path:
    """Where made corpora are kept.

    Args:
        environment: of the process; QMPI_CACHE, else XDG_CACHE_HOME, else HOME counts.

    Returns:
        A directory that need not exist yet.
    """
    if environment.get("QMPI_CACHE"):
        return absolute(environment["QMPI_CACHE"])
    if environment.get("XDG_CACHE_HOME"):
        return absolute(environment["XDG_CACHE_HOME"]) / "qmpi"
    return home_directory(environment) / ".cache" / "qmpi"


def resolve_corpus(
    path_text: str, cache: Path, progress: "Callable[[IngestProgress], None]"
) -> Path:
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


def builtin_corpus(name: str, cache: Path, progress: "Callable[[IngestProgress], None]") -> Path:
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
    name = f"builtin-python-{version}"
    return made_once(cache, name, lambda out: _make(out, progress), lambda: _begin(progress))


def made_once(
    cache: Path, name: str, make: Callable[[Path], None], begin: Callable[[], None]
) -> Path:
    """Return something in the cache, made by the first of many processes that want it.

    Args:
        cache: where it is kept.
        name: of the file or directory.
        make: writes it; what it writes must appear whole or not at all.
        begin: called before it is made, or waited for while another process makes it.

    Returns:
        Its path.

    Raises:
        StorageError: the cache cannot be written.
    """
    out = cache / name
    with explained(_USE, cache):
        if out.exists():
            return out
        cache.mkdir(parents=True, exist_ok=True)
        lock = cache / f"{out.name}.lock"
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    begin()
    try:
        with explained("lock", lock):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if not out.exists():
            make(out)
    finally:
        os.close(descriptor)
    return out


def _begin(progress: "Callable[[IngestProgress], None]") -> None:
    from qmpi.storage.ingest_settings import IngestProgress

    progress(IngestProgress(stage="tokenizer", bytes_read=0, documents=0, tokens=0))


def _make(out: Path, progress: "Callable[[IngestProgress], None]") -> None:
    from qmpi.storage.ingest import IngestOptions, ingest_source  # loads numpy, h5py, blosc2

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
        from qmpi.storage.text_source import TextSource  # loads zstandard

        # Read file by file: an old-encoding file in the library is left out, not an error.
        self._files = TextSource(library_files(Path(sysconfig.get_path("stdlib"))), "")
        self.left_out: list[LeftOut] = []
        self.bytes_read = 0

    def pieces(self) -> "Iterator[Piece]":
        from qmpi.storage.text_source import Piece

        topics: dict[str, str] = import_module("pydoc_data.topics").topics
        for name in sorted(topics):
            yield Piece(topics[name], first=True, last=True)
        for piece in self._files.pieces():
            self.left_out = self._files.left_out
            self.bytes_read = self._files.bytes_read
            yield piece
