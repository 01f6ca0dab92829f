"""From a job file and a size to a corpus that can be generated: mix, tokenizer, directory.

Everything that can be found wrong before ranks start is found here.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from qmpi.config.data import ContentSource
from qmpi.config.settings import FailureSettings, Settings
from qmpi.content.mix import BlockPlan, ContentMix, blocks_of, default_mix, shard_blocks
from qmpi.corpora.generate_codec import codec_choice, kept_choice
from qmpi.corpora.generate_plan import GenerateSpec, spec_of
from qmpi.corpora.tokenizer import check_rows, open_tokenizer, with_tokenizer
from qmpi.errors import ConfigError, CorruptData, InputError, UserError
from qmpi.ingest.settings import Progress
from qmpi.launch.farm import difference
from qmpi.storage.codec_names import USUAL_CODEC
from qmpi.storage.corpus_directory import (
    WORK_FOLDER,
    check_corpus_directory,
    clear_corpus_directory,
)
from qmpi.storage.corpus_index import INDEX_NAME, TOKENIZER_NAME, read_corpus_facts
from qmpi.storage.manifest import facts_of, read_manifest
from qmpi.storage.os_errors import explained
from qmpi.storage.remedy import remedy
from qmpi.storage.run_directory import RunDirectory, RunLock
from qmpi.storage.tokenizer import Tokenizer, is_tokenizer_of
from qmpi.storage.work_file import WORK_NAME, WorkFile

LEAST_TOKEN_BYTES = 0.25
"""Of a shard, however well its text is compressed: an eighth of two bytes."""

State = Literal["new", "resumed", "complete"]


class GenerateOptions(Struct, frozen=True, kw_only=True):
    """What the command line says.

    Attributes:
        tokens: of the corpus; rounded up to whole blocks.
        out: its directory.
        seed: of all draws; None for the job's.
        types: content types wanted; () for those of the job.
        levels: first and last level wanted; None for those of the job.
        tokenizer: tokenizer.json, a corpus that holds one, or builtin:NAME; None for the job's,
            without a job for that of generated text.
        name: of the corpus; "": that of the directory.
        force: replace what is there.
        codec: of the shards: NAME, NAME:LEVEL, "auto" or "auto:MB/s"; see `ingest.shard_codec`.
    """

    tokens: int
    out: Path
    seed: int | None = None
    types: tuple[str, ...] = ()
    levels: tuple[int, int] | None = None
    tokenizer: Path | None = None
    name: str = ""
    force: bool = False
    codec: str = USUAL_CODEC


class Prepared(Struct, frozen=True):
    """A corpus ready to be generated.

    Attributes:
        state: "new", "resumed" (half made before), or "complete" (nothing to do).
        tokenizer: that of the corpus.
    """

    state: State
    spec: GenerateSpec
    work: WorkFile
    directory: Path
    tokenizer: Tokenizer

    @property
    def units(self) -> int:
        """Shards in all."""
        return -(-self.spec.blocks // self.spec.shard_blocks)


def mix_of(settings: Settings | None, options: GenerateOptions) -> tuple[ContentMix, ...]:
    """Return what shall be generated.

    Args:
        settings: the job; None for the usual mix.
        options: narrow it down.

    Returns:
        The parts.

    Raises:
        ConfigError: nothing is left of the mix.
    """
    sources = settings.data.sources if settings is not None else ()
    parts = (
        tuple(
            ContentMix(s.type, s.min_level, s.max_level, s.languages, s.weight, s.families)
            for s in sources
            if isinstance(s, ContentSource)
        )
        or default_mix()
    )
    if options.types:
        default_mix(options.types)  # refuses what is no type
        # A type that the job does not name is taken with its usual share.
        missing = tuple(sorted(set(options.types) - {part.type for part in parts}))
        parts += default_mix(missing) if missing else ()
        parts = tuple(part for part in parts if part.type in options.types)
    if options.levels is not None:
        parts = _within(parts, *options.levels)
    if not parts:
        raise ConfigError("no content source of the job is left by --type and --level")
    return parts


def _within(parts: tuple[ContentMix, ...], low: int, high: int) -> tuple[ContentMix, ...]:
    cut = [
        replace(part, min_level=max(low, part.min_level), max_level=min(high, part.max_level))
        for part in parts
    ]
    return tuple(part for part in cut if part.min_level <= part.max_level)


def prepare_corpus(
    settings: Settings | None,
    options: GenerateOptions,
    cache: Path,
    progress: Progress | None = None,
) -> Prepared:
    """Make the directory ready, or find that the corpus is there, whole or half made.

    Args:
        settings: the job; None for the usual mix and the tokenizer of generated text.
        options: of the command line.
        cache: directory of built-in corpora.
        progress: told while the tokenizer is made, on first use.

    Returns:
        What to do.

    Raises:
        InputError: the directory holds something else or has no room for so many tokens, or the
            tokenizer cannot be used.
        ConfigError: the mix is empty, or the directory holds another corpus, half made.
        StorageError: the directory takes no data.
    """
    out = options.out.absolute()
    for what, text in (("directory", str(out)), ("--name", options.name)):
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise InputError(f"{what} {text!r} is not UTF-8; choose another") from error
    check_corpus_directory(out)
    _check_room(out, options.tokens)
    mix = mix_of(settings, options)
    BlockPlan(mix)
    job = settings or Settings()
    tokenizer = _open_tokenizer(settings, options, cache, progress)
    blocks = blocks_of(options.tokens)
    kept = None if options.force else kept_choice(out)
    codec = codec_choice(options.codec, kept, mix, tokenizer)
    spec = GenerateSpec(
        name=options.name or out.name,
        blocks=blocks,
        shard_blocks=shard_blocks(blocks),
        seed=job.job.seed if options.seed is None else options.seed,
        mix=mix,
        tokenizer_digest=tokenizer.digest,
        codec=codec.name,
        codec_reason=codec.reason,
    )
    if options.force:
        _clear(out)
    work = _work_of(spec, settings.failure if settings is not None else FailureSettings())
    state = _look(out, spec, tokenizer)
    if state == "new":
        with explained("make the corpus", out):
            (out / WORK_FOLDER).mkdir(parents=True, exist_ok=True)
    prepared = Prepared(state, spec, work, out / WORK_FOLDER, tokenizer)
    if state == "complete":
        keep_tokenizer(prepared)
    return prepared


def _check_room(out: Path, tokens: int) -> None:
    with explained("look at", out):
        system = os.statvfs(next(path for path in (out, *out.parents) if path.exists()))
        # What is there already counts: it is gone on with, or replaced.
        there = sum(path.stat().st_size for path in out.glob("shard-*.h5"))
    room, least = there + system.f_bavail * system.f_frsize, int(tokens * LEAST_TOKEN_BYTES)
    if least > room:
        raise InputError(
            f"{tokens:,} tokens take {least / 1e9:,.1f} GB at least, and {out} has room for "
            f"{room / 1e9:,.1f} GB: ask for fewer --tokens, or name a place with more room"
        )


def _open_tokenizer(
    settings: Settings | None, options: GenerateOptions, cache: Path, progress: Progress | None
) -> Tokenizer:
    if options.tokenizer is not None:
        named = with_tokenizer(settings, str(options.tokenizer))
        return open_tokenizer(named, cache, progress)
    tokenizer = open_tokenizer(settings, cache, progress)
    if settings is not None:
        # Else the job could not train on the corpus that it describes.
        check_rows(settings, tokenizer)
    return tokenizer


def _work_of(spec: GenerateSpec, failure: FailureSettings) -> WorkFile:
    # By way of JSON, so that it equals what is read back when the work goes on.
    plan = msgspec.json.decode(msgspec.json.encode(spec), type=dict[str, Any])
    return WorkFile(kind="generate", name=spec.name, plan=plan, failure=failure)


def keep_tokenizer(prepared: Prepared) -> None:
    """Write the tokenizer into the corpus; nobody else may be making it.

    Args:
        prepared: the corpus.

    Raises:
        StorageError: the directory takes no data.
    """
    path = prepared.directory.parent / TOKENIZER_NAME
    if not path.exists() or not is_tokenizer_of(path, prepared.tokenizer.digest):
        prepared.tokenizer.save(path)


def _clear(out: Path) -> None:
    """Remove a corpus, unless it is being made right now.

    Raises:
        UserError: it is.
    """
    with _claimed(out):
        clear_corpus_directory(out)


@contextmanager
def _claimed(out: Path) -> Iterator[None]:
    work = RunDirectory(out / WORK_FOLDER)
    with ExitStack() as held:
        for lock in (work.supervisor_lock, work.lock):
            if lock.exists():
                held.enter_context(RunLock(lock))
        yield


def _is_used(out: Path) -> bool:
    try:
        with _claimed(out):
            return False
    except UserError:
        return True


def _look(out: Path, spec: GenerateSpec, tokenizer: Tokenizer) -> State:
    check_corpus_directory(out)
    if (out / INDEX_NAME).exists():
        _check_same(out, spec, tokenizer)
        # What follows a whole corpus removes the work folder: not from under who still uses it.
        return "resumed" if _is_used(out) else "complete"
    if (out / WORK_FOLDER / WORK_NAME).exists():
        return "resumed"
    if out.exists() and any(out.glob("shard-*.h5")):
        raise InputError(f"{out} holds shards without an index; choose another, or pass --force")
    return "new"


def _check_same(out: Path, spec: GenerateSpec, tokenizer: Tokenizer) -> None:
    manifest = read_manifest(out)
    if manifest is None:
        raise InputError(
            f"{out} holds a corpus that was not generated; choose another directory, or pass "
            "--force to replace it"
        )
    limits = FailureSettings()
    same = {"name": spec.name, "codec_reason": spec.codec_reason}
    there = _work_of(replace(spec_of(manifest), **same), limits)
    apart = difference(there, _work_of(spec, limits))
    if apart:
        raise InputError(
            f"{out} holds another corpus ({apart}); choose another directory, or pass --force to "
            "replace it"
        )
    if read_corpus_facts(out) != facts_of(manifest, tokenizer.size):
        raise CorruptData(f"{out / INDEX_NAME} is not that of the manifest; {remedy(out)}")
    for shard in manifest.shards:
        path = out / shard.name
        if not path.exists() or path.stat().st_size != shard.bytes:
            raise CorruptData(f"{path} is missing or not whole; {remedy(out)}")


def default_ranks(units: int) -> int:
    """Return the ranks to start when the user names no number.

    Args:
        units: shards in all.

    Returns:
        One worker a core, not more than there is work for; beyond two, one rank deals.
    """
    workers = max(1, min(len(os.sched_getaffinity(0)), units))
    return workers if workers <= 2 else workers + 1
