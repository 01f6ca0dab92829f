"""The forms of scientific texts, and the choice among them."""

from collections.abc import Callable

from qmpi.content.page import Page
from qmpi.content.reasoning.families import FAMILIES
from qmpi.content.scientific.causes import add_causes
from qmpi.content.scientific.letters import correction, reviewer_report
from qmpi.content.scientific.papers import abstract, paper, replication, results, review
from qmpi.content.scientific.records import application, descriptor, notebook, protocol
from qmpi.content.scientific.study import Study

GENRES: tuple[tuple[str, Callable[[Study], None]], ...] = (
    ("paper", paper),
    ("abstract", abstract),
    ("results", results),
    ("replication", replication),
    ("review", review),
    ("notebook", notebook),
    ("protocol", protocol),
    ("data descriptor", descriptor),
    ("grant application", application),
    ("reviewer's report", reviewer_report),
    ("correction", correction),
)
_FAMILIES = tuple(FAMILIES)


def write(page: Page) -> None:
    """Write a scientific text of a drawn genre.

    Args:
        page: empty.
    """
    draw = page.draw
    genre, compose = draw.choice(GENRES)
    study = Study(page, genre)
    add_causes(study, study.size("steps", 5, 8))
    compose(study)
    # Some texts end in a problem of the shared families, as exercises in textbooks do.
    if draw.chance(6):
        name = draw.choice(_FAMILIES)
        page.say("\n")
        page.problem(name, FAMILIES[name](draw, page.level))
