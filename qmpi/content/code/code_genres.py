"""The code type: draws a genre and writes one document."""

from qmpi.content.code.genres_programs import (
    write_module,
    write_port,
    write_session,
    write_structure,
)
from qmpi.content.page import Page

_GENRES = (write_module, write_structure, write_session, write_port)


def write(page: Page) -> None:
    """Write one document in a drawn genre and language.

    Args:
        page: an empty document.
    """
    page.draw.choice(_GENRES)(page)
