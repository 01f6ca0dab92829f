"""The tokenizer of generated text, made on first use: `builtin:content`.

Theory of operation. A vocabulary of 32,768 is trained on documents of all types at fixed addresses,
in the shares of the default mixture, with every level and language in turn. The documents come from
the last blocks of streams of a seed of its own, so no job trains on them. The file is made once for
each generator version and lexicon, since both change the sample; it is the same on every Python.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from qmpi.content.address import (
    GENERATOR_VERSION,
    SHARES,
    STREAM_BLOCKS,
    TYPES,
    Place,
    Stream,
    generator_key,
    varieties_of,
)
from qmpi.content.catalogue import write_document
from qmpi.content.document import Document
from qmpi.content.level import LEVELS
from qmpi.content.lexicons import lexicon_digest
from qmpi.ingest.settings import IngestProgress
from qmpi.storage.cache import made_once
from qmpi.storage.tokenizer import train_tokenizer

Write = Callable[[bytes, Stream, Place], Document]

VOCABULARY = 32_768
GENERATED_CHARACTERS = 20_000_000

_SEED = 2**64 - 1
_LEVEL_STEP = 37
"""Prime to the number of levels: any run of a hundred documents has each level once."""


def content_tokenizer(cache: Path, progress: Callable[[IngestProgress], None]) -> Path:
    """Return the tokenizer of generated text, made on first use.

    Args:
        cache: where it is kept.
        progress: told while it is made or waited for, with stage "tokenizer".

    Returns:
        A tokenizer.json.

    Raises:
        StorageError: the cache cannot be written.
    """

    def make(out: Path) -> None:
        train_tokenizer(_told(training_texts(), progress), VOCABULARY).save(out)

    def begin() -> None:
        progress(IngestProgress(stage="tokenizer", bytes_read=0, documents=0, tokens=0))

    version = f"{GENERATOR_VERSION}-{lexicon_digest()[:12]}"
    return made_once(cache, f"builtin-content-{version}-{VOCABULARY}.json", make, begin)


def training_texts(
    write: Write = write_document, generated_characters: int = GENERATED_CHARACTERS
) -> Iterator[str]:
    """Yield what the vocabulary is trained on.

    Args:
        write: gives the document at an address.
        generated_characters: of all types together, each type its share of the mixture.

    Yields:
        Texts, the same for the same arguments and versions.
    """
    key = generator_key(lexicon_digest(), _SEED)
    for type_name in TYPES:
        left = generated_characters * SHARES[type_name] // 100
        number = 0
        while left > 0:
            stream, place = sample_address(type_name, number)
            text = write(key, stream, place).text
            yield text
            left -= len(text)
            number += 1


def sample_address(type_name: str, number: int) -> tuple[Stream, Place]:
    """Return where the sample's documents of a type stand.

    Args:
        type_name: content type.
        number: of the document, from 0 on.

    Returns:
        Stream and place. Levels and languages take turns.
    """
    level = 1 + number * _LEVEL_STEP % LEVELS
    # One language a hundred documents on: each meets every level.
    varieties = varieties_of(type_name)
    variety = varieties[(number + number // LEVELS) % len(varieties)]
    return Stream(type_name, level, variety), Place(STREAM_BLOCKS - 1 - number, 0)


def _told(texts: Iterator[str], progress: Callable[[IngestProgress], None]) -> Iterator[str]:
    size = 0
    for count, text in enumerate(texts, 1):
        yield text
        size += len(text.encode())
        if count % 200 == 0:
            progress(IngestProgress(stage="tokenizer", bytes_read=size, documents=count, tokens=0))
