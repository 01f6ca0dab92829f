"""manifest.json of a generated corpus: all that is needed to prove it, and to make it again.

Theory of operation. The manifest names what made the corpus (generator, vocabulary, tokenizer,
seed, mix) and every shard with the SHA-256 of its file, so a flipped bit is found wherever in a
file it lies. The shards' digests are the leaves of a Merkle tree, so a single shard can be proved
part of the corpus by a handful of digests; the root is the corpus' identity. The manifest covers
itself by a digest over its other fields.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from qmpi.errors import CorruptData
from qmpi.storage.atomic_file import write_atomic
from qmpi.storage.corpus_index import INDEX_VERSION, CorpusFacts, ShardFact, is_plain_name
from qmpi.storage.os_errors import explained, require_file
from qmpi.storage.remedy import MANIFEST_NAME
from qmpi.storage.shard_layout import dtype_name
from qmpi.units import Digest, Tokens

MANIFEST_VERSION = 1
MAKE_AGAIN = "copy it again, or make the corpus again with `qmpi generate --force`"
"""The mix stands nowhere else."""


class ShardRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One shard.

    Attributes:
        name: of the file.
        tokens: ids in it.
        documents: that begin in it.
        bytes: size of the file.
        sha256: of the file.
        counters: tokens by "type/band".
    """

    name: str
    tokens: int
    documents: int
    bytes: int
    sha256: Digest
    counters: dict[str, int] = {}


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """manifest.json.

    Attributes:
        version: of this format.
        name: of the corpus.
        generator: version of the generator.
        lexicon_digest: identity of the vocabulary.
        tokenizer_digest: of its tokenizer; see `Tokenizer.digest`.
        seed: of all draws.
        tokens: ids of all shards.
        blocks: blocks of all shards.
        shard_blocks: blocks of each shard but the last.
        mix: parts, as the plan describes them.
        shards: in order.
        merkle_root: over the shards' digests.
        codec: of the shards; "" in old manifests.
        codec_reason: why that one.
        digest: SHA-256 over all other fields, but for those of the codec while they are empty.
    """

    version: int
    name: str
    generator: str
    lexicon_digest: Digest
    tokenizer_digest: Digest
    seed: int
    tokens: int
    blocks: int
    shard_blocks: int
    mix: tuple[dict[str, Any], ...]
    shards: tuple[ShardRecord, ...]
    merkle_root: Digest
    codec: str = ""
    codec_reason: str = ""
    digest: Digest = Digest("")


def merkle_root(leaves: Sequence[Digest]) -> Digest:
    """Return the root of a Merkle tree.

    Args:
        leaves: digests in hexadecimal; an odd one at the end of a row moves up as it is.

    Returns:
        SHA-256 in hexadecimal; of nothing if there are no leaves.
    """
    # Leaves and inner nodes are hashed apart, so that no inner node passes for a leaf.
    row = [hashlib.sha256(b"\0" + leaf.encode()).digest() for leaf in leaves]
    while len(row) > 1:
        pairs = [row[at : at + 2] for at in range(0, len(row), 2)]
        row = [
            hashlib.sha256(b"\1" + b"".join(pair)).digest() if len(pair) == 2 else pair[0]
            for pair in pairs
        ]
    return Digest((row[0] if row else hashlib.sha256().digest()).hex())


def sealed(manifest: Manifest) -> Manifest:
    """Return a manifest with its own digest.

    Args:
        manifest: complete but for that.

    Returns:
        The same, sealed.
    """
    plain = msgspec.to_builtins(replace(manifest, digest=Digest("")))
    for late in ("codec", "codec_reason"):
        if not plain[late]:
            del plain[late]  # manifests without them keep their digests
    return replace(manifest, digest=Digest(hashlib.sha256(msgspec.json.encode(plain)).hexdigest()))


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Write a manifest.

    Args:
        directory: of the corpus.
        manifest: sealed.
    """
    data = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    write_atomic(directory / MANIFEST_NAME, data + b"\n")


def read_manifest(directory: Path) -> Manifest | None:
    """Read and check a manifest.

    Args:
        directory: of the corpus.

    Returns:
        The manifest; None if there is none.

    Raises:
        CorruptData: it is not what was written.
        StorageError: it cannot be read.
    """
    path = directory / MANIFEST_NAME
    with explained("read the manifest", path):
        if not path.is_file():
            return None
        data = path.read_bytes()
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CorruptData(f"{path} is damaged ({error}); {MAKE_AGAIN}") from error
    if sealed(manifest) != manifest:
        raise CorruptData(f"{path} is damaged: it does not match its own digest; {MAKE_AGAIN}")
    if not all(is_plain_name(record.name) for record in manifest.shards):
        raise CorruptData(f"{path} is damaged: it names shards elsewhere; {MAKE_AGAIN}")
    return manifest


def file_digest(path: Path) -> Digest:
    """Return the SHA-256 of a file.

    Args:
        path: the file.

    Returns:
        In hexadecimal.

    Raises:
        StorageError: it cannot be read.
    """
    require_file(path)
    with explained("read", path), path.open("rb") as file:
        return Digest(hashlib.file_digest(file, "sha256").hexdigest())


def facts_of(manifest: Manifest, vocab_size: int) -> CorpusFacts:
    """Return the index of a generated corpus.

    Args:
        manifest: of the corpus.
        vocab_size: ids of the tokenizer.

    Returns:
        What `qmpi train` reads; its digest is the Merkle root.
    """
    return CorpusFacts(
        version=INDEX_VERSION,
        name=manifest.name,
        tokenizer_digest=manifest.tokenizer_digest,
        vocab_size=vocab_size,
        dtype=dtype_name(vocab_size),
        tokens=Tokens(manifest.tokens),
        documents=sum(record.documents for record in manifest.shards),
        shards=tuple(
            ShardFact(name=record.name, tokens=record.tokens, sha256=record.sha256)
            for record in manifest.shards
        ),
        left_out={},
        digest=manifest.merkle_root,
        codec=manifest.codec,
        codec_reason=manifest.codec_reason,
    )
