"""Documents in twelve languages: the genre is drawn, then written."""

from qmpi.content.multilingual import genres_parallel, genres_prose, genres_reference
from qmpi.content.page import Page

_GENRES = (
    genres_prose.news,
    genres_prose.letter,
    genres_prose.story,
    genres_prose.story,
    genres_prose.diary,
    genres_prose.comprehension,
    genres_parallel.parallel,
    genres_parallel.parallel,
    genres_parallel.paragraphs,
    genres_parallel.gloss,
    genres_parallel.exercise,
    genres_parallel.mixed,
    genres_parallel.phrases,
    genres_reference.dictionary,
    genres_reference.names,
    genres_reference.numbers,
)


def write(page: Page) -> None:
    """Write a document.

    Args:
        page: empty; its language is the main one.
    """
    page.draw.choice(_GENRES)(page)
