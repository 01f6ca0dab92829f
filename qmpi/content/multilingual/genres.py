"""Documents in twelve languages: the genre is drawn, then written.

Theory of operation. Genres differ in difficulty more than anything that a level changes inside
one, so a level buys harder genres: two are drawn, and the higher the level, the more often the
harder of them is written. Every genre comes at every level, and over all levels equally often.
"""

from qmpi.content.multilingual import genres_parallel, genres_prose, genres_reference
from qmpi.content.page import Page

_GENRES = (
    genres_parallel.gloss,
    genres_prose.comprehension,
    genres_reference.numbers,
    genres_prose.letter,
    genres_parallel.parallel,
    genres_parallel.parallel,
    genres_parallel.paragraphs,
    genres_prose.story,
    genres_prose.story,
    genres_parallel.phrases,
    genres_parallel.exercise,
    genres_prose.news,
    genres_prose.diary,
    genres_reference.dictionary,
    genres_parallel.mixed,
    genres_reference.names,
)
"""From easy to hard: by the loss a token of the model of docs/levels.md, 4.2 to 5.3 nats."""


def write(page: Page) -> None:
    """Write a document.

    Args:
        page: empty; its language is the main one.
    """
    draw = page.draw
    one, other = draw.below(len(_GENRES)), draw.below(len(_GENRES))
    harder = draw.chance(page.level)
    _GENRES[max(one, other) if harder else min(one, other)](page)
