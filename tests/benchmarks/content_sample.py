"""Generated documents for benchmarks: whole bands of a type in turn."""

from collections.abc import Iterator
from itertools import count

from qmpi.content.address import LANGUAGES, Place, Stream, generator_key
from qmpi.content.catalogue import write_document
from qmpi.content.lexicons import lexicon_digest

_DOCUMENTS_A_BLOCK = 16
"""Fewer than a block holds, so that none is a closer."""


def languages_of(type_name: str) -> tuple[str, ...]:
    """Return the languages of a type."""
    return LANGUAGES if type_name == "multilingual" else ("en",)


def generated(
    type_name: str, levels: tuple[int, int], seed: int = 1, languages: tuple[str, ...] = ()
) -> Iterator[str]:
    """Yield documents without end; levels and languages of the range take turns."""
    key = generator_key(lexicon_digest(), seed)
    first, last = levels
    spoken = languages or languages_of(type_name)
    for number in count():
        turn, step = divmod(number, last - first + 1)
        # Each turn through the levels begins with another language: all pairs come up.
        stream = Stream(type_name, first + step, spoken[(turn + step) % len(spoken)])
        place = Place(*divmod(number, _DOCUMENTS_A_BLOCK))
        yield write_document(key, stream, place).text


def up_to(texts: Iterator[str] | list[str], size: int) -> list[str]:
    """Take documents until they have so many bytes."""
    taken, total = [], 0
    for text in texts:
        if total >= size:
            break
        taken.append(text)
        total += len(text.encode())
    return taken
