"""Data work of memory and generator ranks: open sources, build blocks, make rows.

The heavy libraries are loaded when a role first needs them, so that a coordinator or replica stays
small.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from qmpi.config.load import load_job
from qmpi.config.settings import ContentSource, CorpusSource, Settings
from qmpi.errors import CorruptData, InputError, StorageError
from qmpi.protocol.membership import SourceFact
from qmpi.roles.interface import (
    BlockBroken,
    BlockBuilt,
    BuildBlock,
    MakeRows,
    RowsBroken,
    RowsMade,
    SourcesOpened,
)
from qmpi.storage.builtin import default_cache

if TYPE_CHECKING:
    from qmpi.content.rows import RowMaker
    from qmpi.storage.corpus import Corpus
    from qmpi.storage.tokenizer import Tokenizer

logger = logging.getLogger(__name__)

BUILTIN = "builtin:python"
CONTENT = "builtin:content"
"""The tokenizer of generated text."""


def tokenizer_path(settings: Settings, cache: Path) -> Path:
    """Return the tokenizer that a job uses, making the built-in corpus if it is that one's.

    Args:
        settings: the job.
        cache: directory of built-in corpora.

    Returns:
        A tokenizer.json.

    Raises:
        InputError: there is none.
    """
    named = settings.data.tokenizer
    corpora = [s.path for s in settings.data.sources if isinstance(s, CorpusSource)]
    where = named or (corpora[0] if corpora else _without_corpus(settings))
    if where == CONTENT:
        from qmpi.content.content_tokenizer import content_tokenizer

        return content_tokenizer(cache, _log)
    path = resolve(where, cache)
    found = path / "tokenizer.json" if path.is_dir() else path
    if not found.is_file():
        raise InputError(
            f"no tokenizer at {found}; name one in data.tokenizer, or run `qmpi ingest`"
        )
    return found


def open_tokenizer(
    job: Path | None, named: str, seed: int, environment: Mapping[str, str]
) -> "tuple[Tokenizer, int]":
    """Open the tokenizer that a command names, or that its job uses.

    Args:
        job: job file; its seed and tokenizer count.
        named: path or "builtin:..." that goes before the job's; may be empty.
        seed: used when there is no job.
        environment: of the process.

    Returns:
        The tokenizer and the seed.

    Raises:
        InputError: there is no such tokenizer.
    """
    from qmpi.storage.tokenizer import Tokenizer

    cache = default_cache(environment)
    settings = load_job(job) if job else Settings()
    if named:
        settings = replace(settings, data=replace(settings.data, tokenizer=named))
    return Tokenizer.load(tokenizer_path(settings, cache)), settings.job.seed if job else seed


def _without_corpus(settings: Settings) -> str:
    from qmpi.content.content_tokenizer import VOCABULARY

    # A smaller model keeps the small vocabulary: its job must run as it stands.
    return CONTENT if settings.model.vocab_size >= VOCABULARY else BUILTIN


def resolve(where: str, cache: Path) -> Path:
    """Return the path of a corpus or tokenizer, making the built-in corpus on first use.

    Args:
        where: a path, or "builtin:python".
        cache: directory of built-in corpora.

    Returns:
        A path on disk.
    """
    from qmpi.storage.builtin import resolve_corpus

    return resolve_corpus(where, cache, _log) if where.startswith("builtin:") else Path(where)


def _log(progress: object) -> None:
    logger.info("making the built-in corpus or tokenizer: %s", progress)


class DataService:
    """Sources of one process, shared by the memory and generator roles that it hosts.

    Only the data worker's thread touches it.
    """

    def __init__(self, settings: Settings, cache: Path) -> None:
        """Open nothing yet.

        Args:
            settings: the job.
            cache: directory of built-in corpora.
        """
        self._settings = settings
        self._cache = cache
        self._opened: SourcesOpened | None = None
        self._makers: dict[str, RowMaker] = {}

    def open(self) -> SourcesOpened:
        """Open the tokenizer and every source.

        Returns:
            Facts of all sources, in the order of the job file.

        Raises:
            InputError: a source does not fit the job (vocabulary, tokenizer, length).
        """
        if self._opened is not None:
            return self._opened
        from qmpi.content.rows import RowMaker, source_digest
        from qmpi.storage.block_builder import BlockBuilder
        from qmpi.storage.corpus import Corpus
        from qmpi.storage.tokenizer import Tokenizer

        settings = self._settings
        tokenizer = Tokenizer.load(tokenizer_path(settings, self._cache))
        if tokenizer.size > settings.model.vocab_size:
            raise InputError(
                f"the tokenizer has {tokenizer.size} tokens but model.vocab_size is "
                f"{settings.model.vocab_size}; raise it to at least {tokenizer.size}"
            )
        length = settings.train.sequence_tokens
        corpora: dict[int, Corpus] = {}
        facts: list[SourceFact] = []
        for number, source in enumerate(settings.data.sources):
            match source:
                case CorpusSource():
                    corpus = Corpus.open(resolve(source.path, self._cache))
                    _check_corpus(source.name, corpus, tokenizer, length)
                    corpora[number] = corpus
                    facts.append(SourceFact(source.name, corpus.rows(length), corpus.digest))
                case ContentSource():
                    seed = settings.job.seed
                    maker = RowMaker(tokenizer, source, seed, length, settings.model.vocab_size)
                    self._makers[source.name] = maker
                    facts.append(SourceFact(source.name, 0, source_digest(source)))
        self._builder = BlockBuilder(settings.model.vocab_size, corpora, length)
        self._opened = SourcesOpened(tuple(facts))
        return self._opened

    def build(self, work: BuildBlock) -> BlockBuilt | BlockBroken:
        """Read and join the rows of a block.

        Args:
            work: which block, from which rows.

        Returns:
            The block, or what is wrong with its sources.
        """
        self.open()
        try:
            digest, frame = self._builder.build(work.rows, work.made)
        except (CorruptData, StorageError) as error:
            logger.exception("block (%d, %d) cannot be built", work.step, work.lane)
            return BlockBroken(work.step, work.lane, str(error))
        return BlockBuilt(work.step, work.lane, digest, frame)

    def make(self, work: MakeRows) -> RowsMade | RowsBroken:
        """Generate rows.

        Args:
            work: which rows of which source.

        Returns:
            The rows, or why they cannot be made.
        """
        self.open()
        maker = self._makers.get(work.source)
        if maker is None:
            reason = f"no generated source is called {work.source!r}"
            return RowsBroken(work.requester, work.step, work.lane, work.source, reason)
        frame = maker.make(work.rows)
        return RowsMade(work.requester, work.step, work.lane, work.source, frame)


def _check_corpus(name: str, corpus: "Corpus", tokenizer: "Tokenizer", length: int) -> None:
    if corpus.facts.tokenizer_digest != tokenizer.digest:
        raise InputError(
            f"source {name!r} was written with another tokenizer than the job uses; ingest it "
            "again with `--tokenizer`, or name its tokenizer in data.tokenizer"
        )
    if corpus.rows(length) < 1:
        raise InputError(
            f"source {name!r} has {corpus.tokens} tokens, less than one sequence of {length} + 1; "
            "ingest more text or lower train.sequence_tokens"
        )
