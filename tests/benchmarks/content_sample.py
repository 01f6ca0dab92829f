"""Generated documents for benchmarks: whole bands of a type in turn."""

from collections.abc import Iterator
from itertools import count

from qmpi.content.address import Place, Stream, generator_key, varieties_of
from qmpi.content.catalogue import write_document
from qmpi.content.lexicons import lexicon_digest

_DOCUMENTS_A_BLOCK = 16
"""Fewer than a block holds, so that none is a closer."""


def generated(
    type_name: str, levels: tuple[int, int], seed: int = 1, languages: tuple[str, ...] = ()
) -> Iterator[str]:
    """Yield documents without end; levels of the range, languages and families take turns."""
    key = generator_key(lexicon_digest(), seed)
    first, last = levels
    varieties = languages or varieties_of(type_name)
    for number in count():
        turn, step = divmod(number, last - first + 1)
        # Each turn through the levels begins with another one: all pairs come up.
        stream = Stream(type_name, first + step, varieties[(turn + step) % len(varieties)])
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
