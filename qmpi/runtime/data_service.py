"""Data work of memory and generator ranks: open sources, build blocks, make rows.

The heavy libraries are loaded when a role first needs them, so that a coordinator or replica stays
small.
"""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from qmpi.config.settings import ContentSource, CorpusSource, Settings
from qmpi.errors import CorruptData, InputError, StorageError
from qmpi.ports.data import (
    BlockBroken,
    BlockBuilt,
    BuildBlock,
    MakeRows,
    RowsBroken,
    RowsMade,
    SourcesOpened,
)
from qmpi.protocol.membership import SourceFact
from qmpi.storage.builtin import PREFIX
from qmpi.units import brief

if TYPE_CHECKING:
    from qmpi.content.rows import RowMaker
    from qmpi.storage.corpus import Corpus
    from qmpi.storage.ingest_settings import Progress
    from qmpi.storage.tokenizer import Tokenizer

logger = logging.getLogger(__name__)

BUILTIN = "builtin:python"
CONTENT = "builtin:content"
"""The tokenizer of generated text."""


def tokenizer_path(
    settings: Settings | None, cache: Path, progress: "Progress | None" = None
) -> Path:
    """Return the tokenizer that a job uses, making it if it is a built-in one.

    Args:
        settings: the job; None: generated text without a job.
        cache: directory of built-in corpora.
        progress: told while something is made; None: the log is.

    Returns:
        A tokenizer.json.

    Raises:
        InputError: there is none.
    """
    where = _named(settings)
    if where == CONTENT:
        from qmpi.content.content_tokenizer import content_tokenizer

        return content_tokenizer(cache, progress or _log)
    if where.startswith(PREFIX) and where != BUILTIN:
        raise InputError(f"no built-in tokenizer {where!r}; there are {CONTENT} and {BUILTIN}")
    path = resolve(where, cache, progress)
    found = path / "tokenizer.json" if path.is_dir() else path
    if not found.is_file():
        raise InputError(
            f"no tokenizer at {found}; name one in data.tokenizer, or run `qmpi ingest`"
        )
    return found


def _named(settings: Settings | None) -> str:
    if settings is None:
        return CONTENT
    corpora = [s.path for s in settings.data.sources if isinstance(s, CorpusSource)]
    return settings.data.tokenizer or (corpora[0] if corpora else _without_corpus(settings))


def open_tokenizer(
    settings: Settings | None, cache: Path, progress: "Progress | None" = None
) -> "Tokenizer":
    """Open the tokenizer that a job uses.

    Args:
        settings: the job; None: generated text without a job.
        cache: directory of built-in corpora.
        progress: told while something is made; None: the log is.

    Returns:
        The tokenizer.

    Raises:
        InputError: there is none, or what is named is none.
        CorruptData: the built-in one is damaged.
    """
    from qmpi.storage.tokenizer import Tokenizer

    path = tokenizer_path(settings, cache, progress)
    if not path.is_relative_to(cache):
        return Tokenizer.given(path)
    try:
        return Tokenizer.load(path)
    except CorruptData as error:
        raise CorruptData(f"{error}; remove {cache}, and it is made again") from error


def with_tokenizer(settings: Settings | None, named: str) -> Settings | None:
    """Return a job with another tokenizer.

    Args:
        settings: the job; None: generated text without a job.
        named: path or "builtin:..."; empty: that of the job stays.

    Returns:
        The job; None if there is none and nothing is named.
    """
    if not named:
        return settings
    job = settings or Settings()
    return replace(job, data=replace(job.data, tokenizer=named))


def check_rows(settings: Settings, tokenizer: "Tokenizer") -> None:
    """Check that a job's model has a row for each id.

    Args:
        settings: the job.
        tokenizer: that it uses.

    Raises:
        InputError: it has not.
    """
    if tokenizer.size > settings.model.vocab_size:
        raise InputError(
            f"the tokenizer has {tokenizer.size} tokens but model.vocab_size is "
            f"{settings.model.vocab_size}; raise it to at least {tokenizer.size}"
        )


def _without_corpus(settings: Settings) -> str:
    from qmpi.content.content_tokenizer import VOCABULARY

    # A smaller model keeps the small vocabulary: its job must run as it stands.
    return CONTENT if settings.model.vocab_size >= VOCABULARY else BUILTIN


def resolve(where: str, cache: Path, progress: "Progress | None" = None) -> Path:
    """Return the path of a corpus or tokenizer, making the built-in corpus on first use.

    Args:
        where: a path, or "builtin:python".
        cache: directory of built-in corpora.
        progress: told while it is made; None: the log is.

    Returns:
        A path on disk.
    """
    from qmpi.storage.builtin import resolve_corpus

    if not where.startswith(PREFIX):
        return Path(where)
    return resolve_corpus(where, cache, progress or _log)


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

        settings = self._settings
        tokenizer = open_tokenizer(settings, self._cache)
        check_rows(settings, tokenizer)
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
            f"source {name!r} was written with another tokenizer "
            f"({brief(corpus.facts.tokenizer_digest)}) than the job uses "
            f"({brief(tokenizer.digest)}); ingest it again with `--tokenizer`, or name its "
            "tokenizer in data.tokenizer"
        )
    if corpus.rows(length) < 1:
        raise InputError(
            f"source {name!r} has {corpus.tokens} tokens, less than one sequence of {length} + 1; "
            "ingest more text or lower train.sequence_tokens"
        )
