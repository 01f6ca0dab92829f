"""The forms of technical documents, and the choice among them."""

from collections.abc import Callable

from qmpi.content.page import Page
from qmpi.content.reasoning.families import FAMILIES
from qmpi.content.technical.api import interface_reference
from qmpi.content.technical.events import incident, ticket
from qmpi.content.technical.history import change_log
from qmpi.content.technical.plans import installing, migration, proposal, troubleshooting
from qmpi.content.technical.reference import manual, settings_reference
from qmpi.content.technical.tutorial import tutorial
from qmpi.content.technical.world import Site

GENRES: tuple[tuple[str, Callable[[Site], None]], ...] = (
    ("manual page", manual),
    ("settings reference", settings_reference),
    ("change log", change_log),
    ("interface reference", interface_reference),
    ("tutorial", tutorial),
    ("incident report", incident),
    ("ticket", ticket),
    ("installation guide", installing),
    ("migration guide", migration),
    ("troubleshooting", troubleshooting),
    ("proposal", proposal),
)
_FAMILIES = tuple(FAMILIES)


def write(page: Page) -> None:
    """Write a technical document of a drawn genre.

    Args:
        page: empty.
    """
    draw = page.draw
    genre, compose = draw.choice(GENRES)
    compose(Site(page, genre))
    # Some documents end in a problem of the shared families, as readers' corners do.
    if draw.chance(6):
        name = draw.choice(_FAMILIES)
        page.say("\n")
        page.problem(name, FAMILIES[name](draw, page.level))
