"""The forms of technical documents, and the choice among them."""

from collections.abc import Callable

from qmpi.content.page import Page
from qmpi.content.technical.technical_history import change_log
from qmpi.content.technical.technical_reference import manual, settings_reference
from qmpi.content.technical.technical_world import Site

GENRES: tuple[tuple[str, Callable[[Site], None]], ...] = (
    ("manual page", manual),
    ("settings reference", settings_reference),
    ("change log", change_log),
)


def write(page: Page) -> None:
    """Write a technical document of a drawn genre.

    Args:
        page: empty.
    """
    genre, compose = page.draw.choice(GENRES)
    compose(Site(page, genre))
