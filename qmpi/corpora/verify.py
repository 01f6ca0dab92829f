"""Find every flipped bit of a corpus, and name where it lies.

Theory of operation. The SHA-256 of a whole file, kept in manifest and index, finds damage to any
byte, HDF5's own bookkeeping and unused gaps included. Where it differs, the checksums inside the
file say which chunk, and so which block, is damaged. A file that matches is not read a second time.
A shard without an index is checked by the checksums inside it alone, which the report says.
"""

from pathlib import Path

from msgspec import Struct

from qmpi.corpora.survey import FoundShard, read_checked_facts, read_checked_manifest
from qmpi.errors import CorruptData, InputError, StorageError
from qmpi.storage.corpus_index import INDEX_NAME, TOKENIZER_NAME, CorpusFacts
from qmpi.storage.manifest import facts_of, file_digest, merkle_root
from qmpi.storage.os_errors import require_file
from qmpi.storage.remedy import MANIFEST_NAME
from qmpi.storage.shard_reader import ShardReader
from qmpi.storage.tokenizer import Tokenizer


class Fault(Struct, frozen=True):
    """Something that is not what was written.

    Attributes:
        path: the file.
        what: in words.
        chunk: of the shard; -1 if it is none in particular.
        block: its address as STREAM/BLOCK, "" unless generated.
    """

    path: str
    what: str
    chunk: int = -1
    block: str = ""


class ShardCheck(Struct, frozen=True):
    """What came of checking a shard.

    Attributes:
        whole_file: every byte was covered; False: only what the file's own checksums cover.
    """

    faults: tuple[Fault, ...]
    whole_file: bool


def verify_shard(shard: FoundShard) -> ShardCheck:
    """Check a shard.

    Args:
        shard: which.

    Returns:
        Every damaged chunk, or what else is wrong.
    """
    path = shard.path
    known = bool(shard.sha256)
    try:
        if known and file_digest(path) == shard.sha256:
            return ShardCheck((), whole_file=True)
    except StorageError as error:
        return ShardCheck((Fault(str(path), str(error)),), whole_file=known)
    faults = _inner_faults(path)
    if known and not faults:
        faults = [
            Fault(str(path), "a byte outside the tokens is not what was written (HDF5's own)")
        ]
    return ShardCheck(tuple(faults), whole_file=known)


def _inner_faults(path: Path) -> list[Fault]:
    try:
        reader = ShardReader(path)
    except StorageError as error:
        return [Fault(str(path), str(error))]
    try:
        return [
            fault
            for number in range(reader.chunks)
            if (fault := _chunk_fault(path, reader, number)) is not None
        ]
    finally:
        reader.close()


def _chunk_fault(path: Path, reader: ShardReader, number: int) -> Fault | None:
    try:
        reader.decoded(number)
    except StorageError as error:
        address = reader.addresses[number] if number < len(reader.addresses) else None
        block = f"{address.stream}/{address.block}" if address is not None else ""
        return Fault(str(path), str(error), number, block)
    return None


def verify_directory(directory: Path) -> list[Fault]:
    """Check what lies beside the shards of a corpus: manifest, index, tokenizer.

    Args:
        directory: of the corpus.

    Returns:
        What is wrong.
    """
    manifest, damage = read_checked_manifest(directory)
    facts, unusable = read_checked_facts(directory)
    faults = [
        Fault(str(directory / name), what)
        for name, what in ((MANIFEST_NAME, damage), (INDEX_NAME, unusable))
        if what
    ]
    if manifest is not None:
        leaves = [record.sha256 for record in manifest.shards]
        if merkle_root(leaves) != manifest.merkle_root:
            faults.append(Fault(str(directory / MANIFEST_NAME), "its Merkle root is not its own"))
        if facts is not None and facts != facts_of(manifest, facts.vocab_size):
            faults.append(Fault(str(directory / INDEX_NAME), "it is not that of the manifest"))
    elif facts is not None and not damage and _was_generated(directory, facts):
        faults.append(Fault(str(directory / MANIFEST_NAME), "it is missing"))
    expected = manifest or facts
    if expected is not None:
        size = facts.vocab_size if facts is not None else None
        faults += _tokenizer_faults(directory, expected.tokenizer_digest, size)
    return faults


def _was_generated(directory: Path, facts: CorpusFacts) -> bool:
    # The first shard that can be opened tells of all.
    for fact in facts.shards:
        try:
            reader = ShardReader(directory / fact.name)
        except StorageError:
            continue
        reader.close()
        return bool(reader.generator)
    return False


def _tokenizer_faults(directory: Path, digest: str, size: int | None) -> list[Fault]:
    path = directory / TOKENIZER_NAME
    other = [Fault(str(path), "it is not the corpus' tokenizer")]
    try:
        require_file(path)
        tokenizer = Tokenizer.load(path)
    except (CorruptData, InputError):
        return other
    except StorageError as error:
        return [Fault(str(path), str(error))]
    if tokenizer.digest != digest:
        return other
    if size is not None and tokenizer.size != size:
        return [Fault(str(directory / INDEX_NAME), f"it says {size} ids, the tokenizer has others")]
    return []
