"""The index of a corpus: its shards in order, and what they hold.

Theory of operation: `index.json` is written last, so a corpus that has one is whole. It keeps a
digest over its other fields, the seal: a byte that flips, or a hand that changes it, is told.
"""

import hashlib
import re
from pathlib import Path

import msgspec

from qmpi.errors import CorruptData, InputError
from qmpi.storage.atomic_file import write_atomic
from qmpi.storage.os_errors import explained
from qmpi.storage.remedy import MANIFEST_NAME, remedy
from qmpi.units import Digest, Tokens

INDEX_NAME = "index.json"
TOKENIZER_NAME = "tokenizer.json"
INDEX_VERSION = 1
_PLAIN_NAME = re.compile(r"[^./\0][^/\0]*")


class ShardFact(msgspec.Struct, frozen=True, kw_only=True):
    """One shard: file name, number of ids, and SHA-256 of the file."""

    name: str
    tokens: int
    sha256: Digest


class CorpusFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """index.json.

    Attributes:
        version: format of the index.
        name: what the corpus is called.
        tokenizer_digest: of its tokenizer; see `Tokenizer.digest`.
        vocab_size: ids of the tokenizer.
        dtype: "uint16" or "uint32".
        tokens: ids of all shards.
        documents: number of documents.
        shards: in order.
        left_out: number of inputs left out, by reason.
        digest: identity of the content.
        codec: of the shards; "": they say it themselves.
        codec_reason: why that one.
    """

    version: int
    name: str
    tokenizer_digest: Digest
    vocab_size: int
    dtype: str
    tokens: Tokens
    documents: int
    shards: tuple[ShardFact, ...]
    left_out: dict[str, int]
    digest: Digest
    # Left out of the file while empty: the seals of indexes without them must hold.
    codec: str = ""
    codec_reason: str = ""


class _SealedFacts(CorpusFacts, frozen=True, kw_only=True):
    """index.json as it lies on disk; an index without a seal was written by hand."""

    seal: Digest = Digest("")


def is_plain_name(name: str) -> bool:
    """Whether a name that an index gives to a shard leads to a file beside the index.

    Args:
        name: as it stands there.

    Returns:
        True if it does.
    """
    return bool(_PLAIN_NAME.fullmatch(name))


def read_corpus_facts(path: Path) -> CorpusFacts:
    """The index alone; loads neither numpy nor h5py.

    Args:
        path: directory of the corpus.

    Returns:
        The facts.

    Raises:
        InputError: the directory holds no corpus, or one of another format.
        StorageError: the index cannot be read.
        CorruptData: the index is damaged, or that of a generated corpus is missing.
    """
    index = path / INDEX_NAME
    with explained("read the corpus index", index):
        if not index.is_file():
            if (path / MANIFEST_NAME).is_file():
                raise CorruptData(f"{index} is missing; {remedy(path)}")
            raise InputError(
                f"{path} is not a corpus (no {INDEX_NAME}); make one with `qmpi ingest`"
            )
        data = index.read_bytes()
    try:
        sealed = msgspec.json.decode(data, type=_SealedFacts)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CorruptData(f"{index} is damaged ({error}); {remedy(path)}") from error
    facts = CorpusFacts(**{name: getattr(sealed, name) for name in CorpusFacts.__struct_fields__})
    if facts.version != INDEX_VERSION:
        raise InputError(f"{index} has format {facts.version}; this qmpi reads {INDEX_VERSION}")
    if sum(shard.tokens for shard in facts.shards) != facts.tokens:
        raise CorruptData(f"{index} is damaged: its shards do not add up; {remedy(path)}")
    if not all(is_plain_name(shard.name) for shard in facts.shards):
        raise CorruptData(f"{index} is damaged: it names shards elsewhere; {remedy(path)}")
    if sealed.seal and sealed.seal != _seal(facts):
        raise CorruptData(
            f"{index} is damaged, or was changed by hand: it does not match its own digest; "
            f"{remedy(path)}"
        )
    return facts


def _seal(facts: CorpusFacts) -> Digest:
    return Digest(hashlib.sha256(msgspec.json.encode(facts)).hexdigest())


def write_corpus_facts(path: Path, facts: CorpusFacts) -> None:
    """Write the index.

    Args:
        path: directory of the corpus.
        facts: what it holds.

    Raises:
        StorageError: it cannot be written.
    """
    sealed = _SealedFacts(**msgspec.structs.asdict(facts), seal=_seal(facts))
    data = msgspec.json.format(msgspec.json.encode(sealed), indent=1)
    write_atomic(path / INDEX_NAME, data + b"\n")
