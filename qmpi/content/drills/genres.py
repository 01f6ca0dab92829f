"""Drills: a document is several of one family, one behind the other.

Theory of operation. A stream has one family, so the genre is its name. Few questions are short, and
so training would soon have shown all of them: a hash of the question decides whether it is held
out, whatever the level. What is drawn on the other side is drawn again. A document that may be
trained on has no held-out question, a held-out one has no other.
"""

import hashlib
from collections.abc import Callable

from qmpi.content.counter import Draw
from qmpi.content.drills.families import FAMILIES, Drill
from qmpi.content.exercise import ENDINGS
from qmpi.content.page import Page
from qmpi.content.reasoning.problem import Problem

HELD_OUT_IN = 8
"""One question in so many is held out."""

_FEWEST, _MOST = 8, 16
"""Drills of a document."""


def is_held_out(question: str) -> bool:
    """Return whether no document that is trained on may ask so.

    Args:
        question: the line, from the name of its family on.
    """
    digest = hashlib.blake2b(question.encode(), digest_size=1).digest()
    return digest[0] % HELD_OUT_IN == 0


def write(page: Page) -> None:
    """Write one document.

    Args:
        page: empty; names the family.
    """
    _write(page, page.draw.between(_FEWEST, _MOST))


def close_block(page: Page) -> None:
    """Write a document of one drill.

    Args:
        page: empty; names the family.
    """
    _write(page, 1)


def _write(page: Page, count: int) -> None:
    page.genre = page.family
    family = FAMILIES[page.family]
    for _ in range(count):
        page.problem(page.family, _problem(page, family))


def _problem(page: Page, family: Callable[[Draw, int], Drill]) -> Problem:
    while True:
        drill = family(page.draw, page.level)
        question = f"{page.family} {' '.join(drill.asked)}"
        if is_held_out(question) == page.is_held_out:
            answer = " ".join(drill.answer)
            text = f"{question}\n\n{ENDINGS[0]}{answer}\n"
            return Problem(text, answer, {"symbols": len(drill.asked)})
