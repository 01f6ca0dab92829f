"""Find shards, and learn what is known of each: what it holds, and what its bytes must be.

Theory of operation. A path is a corpus directory or a single shard. A shard's expected SHA-256
stands in the index (and manifest) of the directory that it lies in; a shard without an index can
only be judged by the checksums inside it.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from qmpi.errors import InputError, StorageError
from qmpi.storage.corpus_index import INDEX_NAME, CorpusFacts, read_corpus_facts
from qmpi.storage.manifest import Manifest, read_manifest
from qmpi.storage.os_errors import explained
from qmpi.storage.shard_reader import ShardReader
from qmpi.units import Digest


class FoundShard(Struct, frozen=True):
    """A shard that somebody asks about.

    Attributes:
        path: the file; it may be missing.
        corpus: directory of its corpus; None for a shard without an index.
        sha256: what its bytes must hash to; "" if nobody knows.
        number: of the shard in its corpus; -1 without one.
        tokens: as the index says; 0 without one.
    """

    path: Path
    corpus: Path | None
    sha256: Digest
    number: int
    tokens: int


class ShardSummary(Struct, frozen=True, kw_only=True):
    """One line of `qmpi shards ls`.

    Attributes:
        ratio: bytes of the ids to bytes of the file.
        types: tokens by content type; empty unless generated.
        levels: lowest and highest level; (0, 0) unless generated.
        codec: of its chunks.
        fault: why it cannot be read, "" if it can.
    """

    path: str
    tokens: int = 0
    documents: int = 0
    bytes: int = 0
    ratio: float = 0.0
    dtype: str = ""
    generator: str = ""
    types: dict[str, int] = {}
    levels: tuple[int, int] = (0, 0)
    codec: str = ""
    fault: str = ""


def find_shards(paths: Sequence[Path], *, loose: bool = False) -> list[FoundShard]:
    """Find the shards of corpora and single shards.

    Args:
        paths: corpus directories and shard files.
        loose: where no index can be used, take what lies there under the names of shards.

    Returns:
        In order; each once.

    Raises:
        InputError: a path is neither.
        StorageError: an index is damaged, or cannot be read.
    """
    found: dict[Path, FoundShard] = {}
    for path in paths:
        if not path.exists():
            raise InputError(f"no such file or directory: {path}")
        for shard in _of_directory(path, loose=loose) if path.is_dir() else [_single(path)]:
            found.setdefault(shard.path.absolute(), shard)
    return list(found.values())


def read_checked_manifest(directory: Path) -> tuple[Manifest | None, str]:
    """Read a manifest, and say what is wrong with it.

    Args:
        directory: of a corpus.

    Returns:
        The manifest, None if there is none or it is damaged, and the fault.
    """
    try:
        return read_manifest(directory), ""
    except StorageError as error:
        return None, str(error)


def read_checked_facts(directory: Path) -> tuple[CorpusFacts | None, str]:
    """Read an index, and say what is wrong with it.

    Args:
        directory: of a corpus.

    Returns:
        The index, None if it cannot be used, and the fault.
    """
    try:
        return read_corpus_facts(directory), ""
    except (StorageError, InputError) as error:
        return None, str(error)


def _of_directory(directory: Path, *, loose: bool) -> list[FoundShard]:
    manifest, _ = read_checked_manifest(directory)
    if manifest is not None:
        known = [(record.name, record.sha256, record.tokens) for record in manifest.shards]
    else:
        try:
            facts = read_corpus_facts(directory)
        except (StorageError, InputError):
            left = sorted(directory.glob("shard-*.h5")) if loose else []
            if left:
                return [FoundShard(path, None, Digest(""), -1, 0) for path in left]
            raise
        known = [(fact.name, fact.sha256, fact.tokens) for fact in facts.shards]
    return [
        FoundShard(directory / name, directory, sha256, number, tokens)
        for number, (name, sha256, tokens) in enumerate(known)
    ]


def _single(path: Path) -> FoundShard:
    if (path.parent / INDEX_NAME).exists():
        for shard in _of_directory(path.parent, loose=True):
            if shard.path.name == path.name:
                return shard
    return FoundShard(path, None, Digest(""), -1, 0)


def summarize(shard: FoundShard) -> ShardSummary:
    """Look into a shard's tables; its tokens are not read.

    Args:
        shard: which.

    Returns:
        One line about it.
    """
    name = str(shard.path)
    try:
        with explained("look at", shard.path):
            size = shard.path.stat().st_size
        reader = ShardReader(shard.path)
    except StorageError as error:
        return ShardSummary(path=name, fault=str(error))
    try:
        types: Counter[str] = Counter()
        levels: list[int] = []
        for (kind, level), blocks in streams_in(reader).items():
            types[kind] += blocks * reader.tokens // max(1, len(reader.addresses))
            levels.append(level)
        return ShardSummary(
            path=name,
            tokens=reader.tokens,
            documents=len(reader.document_offsets),
            bytes=size,
            ratio=round(reader.tokens * reader.dtype.itemsize / max(1, size), 3),
            dtype=reader.dtype.name,
            generator=reader.generator,
            types=dict(sorted(types.items())),
            levels=(min(levels, default=0), max(levels, default=0)),
            codec=str(reader.codec),
        )
    finally:
        reader.close()


def streams_in(reader: ShardReader) -> Counter[tuple[str, int]]:
    """Count the blocks of each type and level.

    Args:
        reader: an open shard.

    Returns:
        Blocks by (type, level); empty unless generated.
    """
    split = (address.stream.split("/") for address in reader.addresses)
    return Counter((parts[0], int(parts[1])) for parts in split if len(parts) > 1)
