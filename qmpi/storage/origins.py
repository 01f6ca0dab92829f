"""Where the documents of an ingested corpus come from.

Theory of operation: beside each shard lies a file of JSON lines, one for each document that begins
in the shard, in order: the n-th line belongs to the n-th entry of the shard's table of documents.
`zstdcat` reads it; so does `read_origins`.
"""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import zstandard

from qmpi.errors import CorruptData, InputError
from qmpi.storage.corpus_index import CorpusFacts, read_corpus_facts
from qmpi.storage.os_errors import explained

LEFT_OUT_NAME = "left-out.jsonl.zst"
"""Every input that was left out, with the reason."""
REPORT_NAME = "ingest-report.json"


class Origin(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where one document comes from.

    Attributes:
        source: path that the user named.
        file: where it lay; bytes that are not UTF-8 are spelled as escapes.
        record: number of its line or row, from 1; 0: the whole file, or a part of it.
        offset: of its first byte in the decompressed file.
        bytes: of its text in UTF-8.
        id: what the record calls itself.
        note: what was done to read it: another encoding, a part of a longer text.
        kept: why it was kept: names of the checks that it passed.
    """

    source: str
    file: str
    record: int = 0
    offset: int = 0
    bytes: int = 0
    id: str = ""
    note: str = ""
    kept: str = ""


def origins_name(shard: str) -> str:
    """Name of the file of origins of a shard.

    Args:
        shard: name of the shard.

    Returns:
        Such as "origins-000000.jsonl.zst".
    """
    return f"origins-{shard.removeprefix('shard-').removesuffix('.h5')}.jsonl.zst"


def pack_origins(origins: list[Origin]) -> bytes:
    """Write origins.

    Args:
        origins: of the documents of one shard, in order.

    Returns:
        Content of the file.
    """
    lines = b"".join(msgspec.json.encode(origin) + b"\n" for origin in origins)
    return zstandard.ZstdCompressor(level=3, write_checksum=True).compress(lines)


def read_origins(corpus: Path, shard: str) -> list[Origin]:
    """Read the origins of the documents that begin in a shard.

    Args:
        corpus: directory of the corpus.
        shard: name of the shard.

    Returns:
        Origins in order of the documents; empty if the corpus has none, as a generated one.

    Raises:
        StorageError: the file cannot be read.
        CorruptData: it is damaged.
    """
    path = corpus / origins_name(shard)
    if not path.exists():
        return []
    with explained("read", path):
        data = path.read_bytes()
    try:
        lines = zstandard.ZstdDecompressor().decompressobj().decompress(data).splitlines()
        return [msgspec.json.decode(line, type=Origin) for line in lines]
    except (zstandard.ZstdError, msgspec.DecodeError, RecursionError) as error:
        raise CorruptData(f"{path} is damaged ({error}); ingest the corpus again") from error


def all_origins(corpus: Path) -> Iterator[Origin]:
    """Read the origins of all documents.

    Args:
        corpus: directory of the corpus.

    Yields:
        Origins in order of the documents.
    """
    facts: CorpusFacts = read_corpus_facts(corpus)
    for shard in facts.shards:
        yield from read_origins(corpus, shard.name)


def origin_of(corpus: Path, document: int) -> Origin:
    """Look up one document.

    Args:
        corpus: directory of the corpus.
        document: its number in the corpus, from 0.

    Returns:
        Where it comes from.

    Raises:
        InputError: there is no such document, or the corpus was not ingested from files.
    """
    left = document
    for shard in read_corpus_facts(corpus).shards:
        origins = read_origins(corpus, shard.name)
        if 0 <= left < len(origins):
            return origins[left]
        left -= len(origins)
    raise InputError(f"{corpus} has no origin of document {document}")
