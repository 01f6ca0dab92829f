"""The plan of `qmpi generate`: a unit is one shard of blocks at known addresses.

Theory of operation. Which blocks a shard holds follows from the description alone, and a block from
its address, so any rank makes any shard to the same bytes, and a shard made twice is made equal. A
shard counts as done when its record lies beside it and the file's SHA-256 is the record's: a killed
job leaves whole shards, or temporaries that nobody reads. The index is written last, so a corpus
exists whole or not at all.
"""

import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import asdict

from qmpi.content.address import BLOCK_TOKENS, GENERATOR_VERSION, Stream, generator_key
from qmpi.content.block_maker import Block, BlockMaker
from qmpi.content.level import band_of
from qmpi.content.lexicons import lexicon_digest, unlike_installed
from qmpi.content.mix import BlockPlan, ContentMix
from qmpi.errors import ConfigError, CorruptData, StorageError
from qmpi.protocol.work import UnitProgress, UnitReport
from qmpi.protocol.work_plan import Progress, WorkPlan
from qmpi.storage.atomic_file import TEMPORARY_SUFFIX, write_atomic
from qmpi.storage.codec_names import USUAL_CODEC, codec_named
from qmpi.storage.corpus_index import TOKENIZER_NAME, write_corpus_facts
from qmpi.storage.manifest import (
    MANIFEST_VERSION,
    Manifest,
    ShardRecord,
    facts_of,
    file_digest,
    merkle_root,
    sealed,
    write_manifest,
)
from qmpi.storage.os_errors import explained
from qmpi.storage.shard_layout import FIRST_CODEC, dtype_name
from qmpi.storage.shard_writer import ShardWriter
from qmpi.storage.tokenizer import Tokenizer
from qmpi.units import Digest, brief

HASHERS = 8


class GenerateSpec(Struct, frozen=True, kw_only=True):
    """What a generated corpus depends on.

    Attributes:
        name: of the corpus.
        blocks: of 65,536 tokens.
        shard_blocks: blocks of a shard.
        seed: of all draws.
        mix: its parts.
        tokenizer_digest: of OUT/tokenizer.json; see `Tokenizer.digest`.
        generator: version of the generator.
        lexicon_digest: identity of the vocabulary.
        codec: of the shards.
        codec_reason: why that one.
    """

    name: str
    blocks: int
    shard_blocks: int
    seed: int
    mix: tuple[ContentMix, ...]
    tokenizer_digest: str
    generator: str = GENERATOR_VERSION
    lexicon_digest: Digest = msgspec.field(default_factory=lexicon_digest)
    codec: str = USUAL_CODEC
    codec_reason: str = ""

    @property
    def maker(self) -> str:
        """What made the blocks, for the shards."""
        return f"{self.generator} {self.lexicon_digest} {self.seed}"


def open_plan(description: dict[str, Any], work: Path) -> WorkPlan:
    """Open the plan; the corpus lies beside the work directory's parent.

    Args:
        description: a `GenerateSpec` as plain values.
        work: OUT/work.

    Returns:
        The plan.

    Raises:
        ConfigError: the description is of another version of qmpi.
    """
    try:
        spec = msgspec.convert(description, GenerateSpec)
    except msgspec.ValidationError as error:
        raise ConfigError(f"the work in {work} is none that can be generated: {error}") from error
    return GeneratePlan(spec, work.parent, work)


def shard_name(unit: int) -> str:
    """Return the file name of a shard.

    Args:
        unit: its number.
    """
    return f"shard-{unit:06d}.h5"


class GeneratePlan:
    """Shards of generated blocks.

    Attributes:
        stages: one.
    """

    stages: tuple[str, ...] = ("generate",)

    def __init__(self, spec: GenerateSpec, out: Path, work: Path) -> None:
        """Open a plan; loads nothing yet.

        Args:
            spec: what to make.
            out: the corpus.
            work: where the records of its shards lie until it is whole.
        """
        self._spec = spec
        self._out = out
        self._records = work / "units"

    @cached_property
    def _blocks(self) -> BlockPlan:
        return BlockPlan(self._spec.mix)

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        tokenizer = Tokenizer.load(self._out / TOKENIZER_NAME)
        if tokenizer.digest != self._spec.tokenizer_digest:
            raise CorruptData(
                f"{self._out / TOKENIZER_NAME} ({brief(tokenizer.digest)}) is not the one that was "
                f"begun with ({brief(Digest(self._spec.tokenizer_digest))})"
            )
        return tokenizer

    @cached_property
    def _maker(self) -> BlockMaker:
        spec = self._spec
        apart = unlike_installed(spec.generator, spec.lexicon_digest)
        if apart:
            raise ConfigError(
                f"the corpus was begun by another generator than is installed here ({apart}); go "
                "on with that one, or begin anew with --force"
            )
        return BlockMaker(self._tokenizer, generator_key(lexicon_digest(), spec.seed))

    def units(self, stage: int) -> int:
        """Return the number of shards.

        Args:
            stage: 0.
        """
        del stage
        return -(-self._spec.blocks // self._spec.shard_blocks)

    def done(self, stage: int) -> dict[int, UnitReport]:
        """Return the shards that exist and verify; leftovers of killed writers are removed.

        Args:
            stage: 0.

        Returns:
            What each came to, by its number.
        """
        for folder in (self._out, self._records):
            for leftover in folder.glob(f".*{TEMPORARY_SUFFIX}"):
                leftover.unlink(missing_ok=True)
        units = range(self.units(stage))
        # Hashing leaves the interpreter lock free, and a large corpus is hashed for minutes.
        with ThreadPoolExecutor(max_workers=min(HASHERS, os.cpu_count() or 1)) as pool:
            found = zip(units, pool.map(self._whole, units), strict=True)
            return {unit: _report(record) for unit, record in found if record is not None}

    def _whole(self, unit: int) -> ShardRecord | None:
        try:
            record = self._read_record(unit)
            path = self._out / record.name
            right = path.stat().st_size == record.bytes and file_digest(path) == record.sha256
        except (OSError, StorageError):
            return None
        return record if right else None

    def _record_path(self, unit: int) -> Path:
        return self._records / f"{unit:06d}.json"

    def _read_record(self, unit: int) -> ShardRecord:
        path = self._record_path(unit)
        with explained("read the record", path):
            data = path.read_bytes()
        try:
            return msgspec.json.decode(data, type=ShardRecord)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise CorruptData(f"{path} is damaged ({error})") from error

    def _present_record(self, unit: int) -> ShardRecord:
        record = self._read_record(unit)
        path = self._out / record.name
        if not path.exists() or path.stat().st_size != record.bytes:
            raise CorruptData(
                f"{path} was removed or changed since it was made; the same command makes it again"
            )
        return record

    def addresses(self, unit: int) -> list[tuple[Stream, int]]:
        """Return the addresses of a shard's blocks.

        Args:
            unit: number of the shard.

        Returns:
            Stream and block, in order.
        """
        begin = unit * self._spec.shard_blocks
        end = min(begin + self._spec.shard_blocks, self._spec.blocks)
        return [self._blocks.address(number) for number in range(begin, end)]

    def run(self, stage: int, unit: int, progress: Progress) -> UnitReport:
        """Make a shard.

        Args:
            stage: 0.
            unit: number of the shard.
            progress: told after each block.

        Returns:
            What it came to; `bytes` are those of the file.
        """
        del stage
        path = self._out / shard_name(unit)
        counters: Counter[str] = Counter()
        documents = 0
        dtype = dtype_name(self._tokenizer.size)
        writer = ShardWriter(
            path,
            dtype,
            self._tokenizer.digest,
            chunk_tokens=BLOCK_TOKENS,
            generator=self._spec.maker,
            codec=codec_named(self._spec.codec),
        )
        try:
            for stream, number in self.addresses(unit):
                block = self._maker.make(stream, number)
                writer.append_block(str(stream), number, block.ids, documents_of(block))
                counters[f"{stream.type}/{band_of(stream.level)}"] += BLOCK_TOKENS
                documents += len(block.starts)
                progress(UnitProgress(documents, writer.tokens, 0, dict(counters)))
            writer.close()
        finally:
            writer.abandon()
        return _report(self._record(path, writer.tokens, documents, counters))

    def _record(
        self, path: Path, tokens: int, documents: int, counters: Counter[str]
    ) -> ShardRecord:
        with explained("flush", path), path.open("rb") as file:
            os.fsync(file.fileno())
        record = ShardRecord(
            name=path.name,
            tokens=tokens,
            documents=documents,
            bytes=path.stat().st_size,
            sha256=file_digest(path),
            counters=dict(sorted(counters.items())),
        )
        unit = int(path.stem.rpartition("-")[2])
        with explained("make", self._records):
            self._records.mkdir(parents=True, exist_ok=True)
        write_atomic(self._record_path(unit), msgspec.json.encode(record))
        return record

    def finish(self) -> dict[str, Any]:
        """Write manifest and index, unless something has gone meanwhile.

        Returns:
            Digest, sizes and counters of the corpus.
        """
        spec = self._spec
        records = tuple(self._present_record(unit) for unit in range(self.units(0)))
        root = merkle_root([record.sha256 for record in records])
        manifest = sealed(
            Manifest(
                version=MANIFEST_VERSION,
                name=spec.name,
                generator=spec.generator,
                lexicon_digest=spec.lexicon_digest,
                tokenizer_digest=self._tokenizer.digest,
                seed=spec.seed,
                tokens=sum(record.tokens for record in records),
                blocks=spec.blocks,
                shard_blocks=spec.shard_blocks,
                mix=tuple(msgspec.to_builtins(asdict(part)) for part in spec.mix),
                shards=records,
                merkle_root=root,
                codec=spec.codec,
                codec_reason=spec.codec_reason,
            )
        )
        # Once more, lest a corpus without one be called whole.
        self._tokenizer.save(self._out / TOKENIZER_NAME)
        write_manifest(self._out, manifest)
        write_corpus_facts(self._out, facts_of(manifest, self._tokenizer.size))
        return {
            "digest": root,
            "tokens": manifest.tokens,
            "documents": sum(record.documents for record in records),
            "bytes": sum(record.bytes for record in records),
            "shards": len(records),
            "counters": dict(sum((Counter(r.counters) for r in records), Counter[str]())),
        }


def _report(record: ShardRecord) -> UnitReport:
    return UnitReport(
        record.documents, record.tokens, record.bytes, record.counters, digest=record.sha256
    )


def spec_of(manifest: Manifest) -> GenerateSpec:
    """Return what a corpus was made from.

    Args:
        manifest: of the corpus.

    Returns:
        The description of its plan.

    Raises:
        CorruptData: its mix is none.
    """
    try:
        mix = msgspec.convert(manifest.mix, tuple[ContentMix, ...])
    except msgspec.ValidationError as error:
        raise CorruptData(f"the manifest's mix cannot be read: {error}") from error
    return GenerateSpec(
        name=manifest.name,
        blocks=manifest.blocks,
        shard_blocks=manifest.shard_blocks,
        seed=manifest.seed,
        mix=mix,
        tokenizer_digest=manifest.tokenizer_digest,
        generator=manifest.generator,
        lexicon_digest=manifest.lexicon_digest,
        codec=manifest.codec or str(FIRST_CODEC),
        codec_reason=manifest.codec_reason,
    )


def documents_of(block: Block) -> list[tuple[int, int]]:
    """Return (offset, number) of each document of a block.

    Args:
        block: made by `BlockMaker`.
    """
    return list(zip(block.starts, block.numbers, strict=True))
