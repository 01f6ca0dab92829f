"""The code type: draws a genre and writes one document."""

from qmpi.content.code.genres_changed import write_bug, write_refactoring, write_review
from qmpi.content.code.genres_config import write_config
from qmpi.content.code.genres_programs import (
    write_module,
    write_port,
    write_session,
    write_structure,
)
from qmpi.content.code.genres_shell import write_shell
from qmpi.content.code.genres_sql import write_sql
from qmpi.content.code.genres_tested import write_exercise, write_tests, write_trace
from qmpi.content.page import Page

_GENRES = (
    write_module,
    write_structure,
    write_session,
    write_port,
    write_tests,
    write_trace,
    write_exercise,
    write_bug,
    write_review,
    write_refactoring,
    write_sql,
    write_shell,
    write_config,
)


def write(page: Page) -> None:
    """Write one document in a drawn genre and language.

    Args:
        page: an empty document.
    """
    page.draw.choice(_GENRES)(page)
