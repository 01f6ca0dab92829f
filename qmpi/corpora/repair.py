"""Make damaged shards whole again, to the very bytes that were written.

Theory of operation. A generated block is a function of its address, so the damaged blocks of a
shard, and only those, are made again; the others are taken over as they are. The new file gets its
name only if its SHA-256 is the one that the manifest has kept. Where this is not possible (an
ingested shard, another version of generator, Blosc2 or HDF5) the shard is taken from another copy
of the corpus, again only if its digest is right.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from qmpi.content.address import BLOCK_TOKENS, generator_key, parse_stream
from qmpi.content.block_maker import BlockMaker
from qmpi.content.lexicons import lexicon_digest, unlike_installed
from qmpi.corpora.content_tokenizer import VOCABULARY
from qmpi.corpora.generate_plan import GeneratePlan, documents_of, spec_of
from qmpi.corpora.survey import FoundShard, read_checked_facts, read_checked_manifest
from qmpi.corpora.verify import Fault, verify_directory, verify_shard
from qmpi.errors import CorruptData, InputError, QmpiError, StorageError
from qmpi.storage.atomic_file import TEMPORARY_SUFFIX, write_atomic
from qmpi.storage.codec_names import Codec, codec_named
from qmpi.storage.corpus_index import INDEX_NAME, TOKENIZER_NAME, write_corpus_facts
from qmpi.storage.end_token import DECLARATION_NAME
from qmpi.storage.manifest import facts_of, file_digest
from qmpi.storage.os_errors import explained
from qmpi.storage.remedy import MANIFEST_NAME
from qmpi.storage.shard_layout import dtype_name
from qmpi.storage.shard_reader import ShardReader
from qmpi.storage.shard_writer import ShardWriter
from qmpi.storage.tokenizer import Tokenizer, is_tokenizer_of


class Repair(Struct, frozen=True):
    """What was done about a file.

    Attributes:
        state: "whole" (nothing was wrong), "repaired" or "refused".
        blocks: addresses of the blocks made again.
        how: in words.
    """

    path: str
    state: str
    blocks: tuple[str, ...] = ()
    how: str = ""


class Recipe(Struct, frozen=True):
    """What a generated shard is made from.

    Attributes:
        generator: as the shard says: version, vocabulary, seed.
        tokenizer: tokenizer.json beside it.
        addresses: stream and block of each block, in order.
        codec: of its chunks.
    """

    generator: str
    tokenizer: Path
    addresses: tuple[tuple[str, int], ...]
    codec: Codec


def repair_shard(shard: FoundShard, copy: Path | None) -> Repair:
    """Make a shard whole.

    Args:
        shard: which.
        copy: directory of another copy of the corpus, or None.

    Returns:
        What was done.
    """
    check = verify_shard(shard)
    name = str(shard.path)
    if not check.faults:
        return Repair(name, "whole")
    refused = ""
    try:
        recipe = _recipe(shard)
        if recipe is not None:
            return _make_again(shard, recipe)
    except QmpiError as error:
        refused = str(error)
    if copy is not None:
        return _take_over(shard, copy)
    how = refused or _why_not(shard)
    return Repair(name, "refused", (), f"{how}; name another copy of the corpus with --from DIR")


def _why_not(shard: FoundShard) -> str:
    if (shard.path.parent / MANIFEST_NAME).exists():
        return "the manifest that says how to make it again is damaged, too"
    if shard.corpus is not None:
        return "it was ingested and cannot be made again"
    return "it does not say how it was made"


def repair_directory(
    directory: Path, copy: Path | None, built_in: Callable[[], Path]
) -> list[Repair]:
    """Make index, manifest and tokenizer of a corpus whole.

    Args:
        directory: of the corpus.
        copy: directory of another copy of it, or None.
        built_in: gives the tokenizer of generated text; called if it may be the corpus'.

    Returns:
        What was done about each file that was damaged.
    """
    done: dict[str, Repair] = {}
    # The manifest first: the others are judged by it. Without one the index says what is missing;
    # it comes again in the end, when it can be written anew from manifest and tokenizer.
    for name in (MANIFEST_NAME, INDEX_NAME, MANIFEST_NAME, TOKENIZER_NAME, INDEX_NAME):
        wrong = [fault for fault in verify_directory(directory) if Path(fault.path).name == name]
        if wrong:
            again = None
            if name == INDEX_NAME:
                again = _index_again(directory)
            if name == TOKENIZER_NAME:
                again = _tokenizer_again(directory, built_in)
            done[name] = again or _copied_file(directory, name, wrong[0], copy)
    return list(done.values())


def _index_again(directory: Path) -> Repair | None:
    manifest, _ = read_checked_manifest(directory)
    tokenizer = directory / TOKENIZER_NAME
    if manifest is None or not tokenizer.exists():
        return None
    if not is_tokenizer_of(tokenizer, manifest.tokenizer_digest):
        return None
    write_corpus_facts(directory, facts_of(manifest, Tokenizer.load(tokenizer).size))
    return Repair(str(directory / INDEX_NAME), "repaired", (), "written anew from the manifest")


def _tokenizer_again(directory: Path, built_in: Callable[[], Path]) -> Repair | None:
    manifest, _ = read_checked_manifest(directory)
    facts, _ = read_checked_facts(directory)
    # It is made in half a minute: not for a corpus that cannot have it.
    if manifest is None or unlike_installed(manifest.generator, manifest.lexicon_digest):
        return None
    if facts is not None and facts.vocab_size != VOCABULARY:
        return None
    made = built_in()
    if file_digest(made) != manifest.tokenizer_digest:
        return None
    path = directory / TOKENIZER_NAME
    with explained("copy", made):
        write_atomic(path, made.read_bytes())
    return Repair(str(path), "repaired", (), "it is that of generated text")


def _copied_file(directory: Path, name: str, fault: Fault, copy: Path | None) -> Repair:
    path = directory / name
    if copy is not None and (copy / name).is_file():
        if name != TOKENIZER_NAME and not _is_copy(directory, copy):
            how = (
                f"no shard here is one of {copy}; if that is a copy, take its directory as a whole"
            )
            return Repair(str(path), "refused", (), how)
        before = path.read_bytes() if path.is_file() else None
        with explained("copy", copy / name):
            if name == TOKENIZER_NAME and (copy / DECLARATION_NAME).is_file():
                write_atomic(directory / DECLARATION_NAME, (copy / DECLARATION_NAME).read_bytes())
            write_atomic(path, (copy / name).read_bytes())
        if not [left for left in verify_directory(directory) if left.path == str(path)]:
            return Repair(str(path), "repaired", (), f"copied from {copy}")
        if before is not None:
            write_atomic(path, before)
        return Repair(str(path), "refused", (), f"the copy in {copy} is not right either")
    what = fault.what.partition(";")[0]
    how = f"{what}; it cannot be made again here: name another copy with --from DIR"
    return Repair(str(path), "refused", (), how)


def _is_copy(directory: Path, copy: Path) -> bool:
    # What says which bytes are right must not come from another corpus: all shards would follow.
    described = read_checked_manifest(copy)[0] or read_checked_facts(copy)[0]
    for shard in described.shards if described is not None else ():
        try:
            if file_digest(directory / shard.name) == shard.sha256:
                return True
        except StorageError:
            continue
    return False


def _recipe(shard: FoundShard) -> Recipe | None:
    """Return what a shard is made from; the manifest knows even if nothing of the file is left.

    Returns:
        The recipe; None if it was not generated.
    """
    folder = shard.path.parent
    manifest = read_checked_manifest(folder)[0] if shard.corpus is not None else None
    if manifest is not None and shard.number >= 0:
        spec = spec_of(manifest)
        plan = GeneratePlan(spec, folder, folder)
        addresses = tuple((str(stream), block) for stream, block in plan.addresses(shard.number))
        codec = codec_named(spec.codec)
        return Recipe(spec.maker, folder / TOKENIZER_NAME, addresses, codec)
    with ShardFile(shard.path) as reader:
        if reader is None or not reader.generator:
            return None
        addresses = tuple((address.stream, address.block) for address in reader.addresses)
        return Recipe(reader.generator, folder / TOKENIZER_NAME, addresses, reader.codec)


class ShardFile:
    """A shard that may be too damaged to be opened; None then."""

    def __init__(self, path: Path) -> None:
        """Open it if that is possible.

        Args:
            path: the shard.
        """
        try:
            self.reader: ShardReader | None = ShardReader(path)
        except StorageError:
            self.reader = None

    def __enter__(self) -> ShardReader | None:
        """Give the reader.

        Returns:
            The reader, or None.
        """
        return self.reader

    def __exit__(self, *error: object) -> None:
        """Close it."""
        if self.reader is not None:
            self.reader.close()


def _make_again(shard: FoundShard, recipe: Recipe) -> Repair:
    tokenizer = Tokenizer.load(recipe.tokenizer)
    maker = _maker(recipe, tokenizer)
    target = shard.path.with_name(f".{shard.path.name}.repair{TEMPORARY_SUFFIX}")
    try:
        with ShardFile(shard.path) as reader:
            if reader is not None and reader.tokenizer_digest != tokenizer.digest:
                raise CorruptData(f"{recipe.tokenizer} is damaged, too; repair it first")
            blocks = _write(target, recipe, maker, tokenizer, reader)
        expected = shard.sha256
        if expected and file_digest(target) != expected:
            raise CorruptData(
                f"{shard.path}: the blocks were made again, but the file is not the same: it was "
                "written by another version of the generator, HDF5 or Blosc2"
            )
        with explained("replace", shard.path):
            target.replace(shard.path)
    finally:
        target.unlink(missing_ok=True)
    sure = "the file's digest is right" if expected else "no index says what its bytes must be"
    made = f"{len(blocks)} of {len(recipe.addresses)} blocks made again"
    how = f"{made}; {sure}" if blocks else f"bookkeeping written anew; {sure}"
    return Repair(str(shard.path), "repaired", tuple(blocks), how)


def _maker(recipe: Recipe, tokenizer: Tokenizer) -> BlockMaker:
    version, digest, seed = (*recipe.generator.split(" "), "", "")[:3]
    apart = unlike_installed(version, digest)
    if apart:
        raise InputError(f"it was made by another generator than is installed here ({apart})")
    if not seed.isdecimal():
        raise CorruptData(f"it does not say with which seed it was made ({recipe.generator!r})")
    return BlockMaker(tokenizer, generator_key(lexicon_digest(), int(seed)))


def _write(
    target: Path,
    recipe: Recipe,
    maker: BlockMaker,
    tokenizer: Tokenizer,
    reader: ShardReader | None,
) -> list[str]:
    """Write the shard anew.

    Returns:
        Addresses of the blocks that were made again.
    """
    writer = ShardWriter(
        target,
        dtype_name(tokenizer.size),
        tokenizer.digest,
        chunk_tokens=BLOCK_TOKENS,
        generator=recipe.generator,
        codec=recipe.codec,
    )
    made: list[str] = []
    try:
        for number, (name, block) in enumerate(recipe.addresses):
            kept = _intact(reader, number, (name, block))
            if kept is not None and reader is not None:
                writer.copy_block(name, block, kept, reader.documents_of(number))
                continue
            again = maker.make(parse_stream(name), block)
            writer.append_block(name, block, again.ids, documents_of(again))
            made.append(f"{name}/{block}")
        writer.close()
    finally:
        writer.abandon()
    return made


def _intact(reader: ShardReader | None, number: int, address: tuple[str, int]) -> bytes | None:
    if reader is None or number >= len(reader.addresses):
        return None
    found = reader.addresses[number]
    try:
        return reader.frame(number) if (found.stream, found.block) == address else None
    except StorageError:  # a bad sector, too: nobody will read it again
        return None


def _take_over(shard: FoundShard, copy: Path) -> Repair:
    source, name = copy / shard.path.name, str(shard.path)
    if not shard.sha256:
        return Repair(name, "refused", (), "no index says what its bytes must be")
    try:
        found = file_digest(source)
    except StorageError as error:
        return Repair(name, "refused", (), str(error))
    if found != shard.sha256:
        return Repair(name, "refused", (), f"{source} is damaged, too, or of another corpus")
    temporary = shard.path.with_name(f".{shard.path.name}.copy{TEMPORARY_SUFFIX}")
    try:
        with explained("copy", source):
            shutil.copyfile(source, temporary)
        if file_digest(temporary) != shard.sha256:
            return Repair(name, "refused", (), f"{source} changed while it was copied")
        temporary.replace(shard.path)
    finally:
        temporary.unlink(missing_ok=True)
    return Repair(name, "repaired", (), f"copied from {copy}; the file's digest is right")
