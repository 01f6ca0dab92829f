"""The tokenizer that a job uses: named, that of its corpora, or a built-in one made on first use.

The heavy libraries load when they are first needed.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from qmpi.config.data import ContentSource, CorpusSource
from qmpi.config.settings import Settings
from qmpi.content.exercise import ENDINGS
from qmpi.corpora.builtin import PREFIX, log_making, resolve
from qmpi.corpora.builtin import VOCABULARY as BUILTIN_VOCABULARY
from qmpi.errors import CorruptData, InputError
from qmpi.protocol.token_kinds import NO_ANSWERS, NO_KINDS, AnswerLines, TokenKinds
from qmpi.storage.corpus_index import (
    INDEX_NAME,
    TOKENIZER_NAME,
    CorpusFacts,
    read_corpus_facts,
)
from qmpi.units import Digest, brief

if TYPE_CHECKING:
    from qmpi.ingest.settings import Progress
    from qmpi.storage.tokenizer import Tokenizer

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
        from qmpi.corpora.content_tokenizer import content_tokenizer

        return content_tokenizer(cache, progress or log_making)
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


def tokenizer_facts(settings: Settings, cache: Path) -> tuple[Digest, int]:
    """Return what a corpus is held against, without loading the tokenizer of a corpus.

    Args:
        settings: the job.
        cache: directory of built-in corpora.

    Returns:
        Digest and number of ids of the tokenizer that the job uses.

    Raises:
        InputError: there is none, or what is named is none.
        StorageError: it cannot be read, or is damaged.
    """
    path = tokenizer_path(settings, cache)
    if path.name == TOKENIZER_NAME and (path.parent / INDEX_NAME).is_file():
        facts = read_corpus_facts(path.parent)
        return facts.tokenizer_digest, facts.vocab_size
    tokenizer = open_tokenizer(settings, cache)
    return tokenizer.digest, tokenizer.size


def check_rows(settings: Settings, tokenizer: "Tokenizer") -> None:
    """Check that a job's model has a row for each id.

    Args:
        settings: the job.
        tokenizer: that it uses.

    Raises:
        InputError: it has not.
    """
    check_size(settings, tokenizer.size)


def check_written_with(name: str, facts: CorpusFacts, tokenizer: Digest) -> None:
    """Refuse a corpus whose ids mean other text than those of the job.

    Args:
        name: of the source.
        facts: index of its corpus.
        tokenizer: digest of the tokenizer that the job uses.

    Raises:
        InputError: it was written with another one.
    """
    if facts.tokenizer_digest != tokenizer:
        raise InputError(
            f"source {name!r} was written with another tokenizer "
            f"({brief(facts.tokenizer_digest)}) than the job uses ({brief(tokenizer)}); "
            "ingest it again with `--tokenizer`, or name its tokenizer in data.tokenizer"
        )


def check_builtin_rows(settings: Settings) -> None:
    """Check what `check_rows` does, as far as it is known before a built-in tokenizer is made.

    Args:
        settings: the job.

    Raises:
        InputError: its model has fewer rows than the built-in tokenizer that it uses has ids.
    """
    from qmpi.corpora.content_tokenizer import VOCABULARY

    sizes = {BUILTIN: BUILTIN_VOCABULARY, CONTENT: VOCABULARY}
    check_size(settings, sizes.get(_named(settings), 0))


def check_size(settings: Settings, ids: int) -> None:
    """Check that a job's model has a row for each of so many ids.

    Args:
        settings: the job.
        ids: of its tokenizer.

    Raises:
        InputError: it has not.
    """
    if ids > settings.model.vocab_size:
        raise InputError(
            f"the tokenizer has {ids} tokens but model.vocab_size is "
            f"{settings.model.vocab_size}; raise it to at least {ids}"
        )


def divider_of(settings: Settings, tokenizer: "Tokenizer") -> int | None:
    """Return the id of the token at which attention begins anew.

    Args:
        settings: the job.
        tokenizer: that it uses.

    Returns:
        None: documents see one another.
    """
    return tokenizer.end_of_text if settings.data.document_mask else None


def find_kinds(settings: Settings, cache: Path) -> TokenKinds:
    """Return which ids of a job are more than text.

    The tokenizer is opened only where documents are masked, or the loss of answers is told.

    Args:
        settings: the job.
        cache: directory of built-in corpora.

    Raises:
        InputError: there is no tokenizer.
        CorruptData: the built-in one is damaged.
    """
    has_answers = any(isinstance(source, ContentSource) for source in settings.data.sources)
    if not (settings.data.document_mask or has_answers):
        return NO_KINDS
    tokenizer = open_tokenizer(settings, cache)
    answers = answer_lines(tokenizer) if has_answers else NO_ANSWERS
    return TokenKinds(divider_of(settings, tokenizer), answers)


def answer_lines(tokenizer: "Tokenizer") -> AnswerLines:
    """Return how lines with answers of generated problems look.

    Args:
        tokenizer: of the job.
    """
    openings = {_opening(tokenizer, words) for words in ENDINGS}
    breaks = (number for number in range(tokenizer.size) if "\n" in tokenizer.decode([number]))
    return AnswerLines(tuple(sorted(openings - {()})), tuple(breaks))


def _opening(tokenizer: "Tokenizer", words: str) -> tuple[int, ...]:
    """Return the ids that a line begins with, whatever the answer is; () if they hang on it."""
    lines = [tokenizer.encode(f".\n{words}{answer}\n") for answer in ("42", "x + 1", "Paris")]
    same = [ids[0] for ids in zip(*lines, strict=False) if len(set(ids)) == 1]
    # The first two are what the line follows on; a space may belong to the answer.
    text = words.rstrip()
    return tuple(same[2:]) if tokenizer.decode(same[2:]).rstrip() == text else ()


def _without_corpus(settings: Settings) -> str:
    from qmpi.corpora.content_tokenizer import VOCABULARY

    # A smaller model keeps the small vocabulary: its job must run as it stands.
    return CONTENT if settings.model.vocab_size >= VOCABULARY else BUILTIN
