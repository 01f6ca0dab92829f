"""Mathematics: problem sets, proofs, theories of an operation, tables.

Theory of operation. A problem set is a heading and a few problems of one or more families; the
budget's entities decide how many, its steps how hard each is. The answers are the problems' own, so
the solvers of the families check them.
"""

from collections.abc import Callable

from qmpi.content.english.frames import FramePool
from qmpi.content.english.grammar import grammar
from qmpi.content.english.prose import Prose
from qmpi.content.level import sized
from qmpi.content.mathematics.deductions import write_deduction
from qmpi.content.mathematics.number_tables import write_table
from qmpi.content.mathematics.operations import write_operation
from qmpi.content.page import Page
from qmpi.content.reasoning.families import FAMILIES

_LEAD = FramePool(
    grammar(
        lead=(
            "<people> [vd T] <thing> of <place>", "[F] asks [F] [L] about <idea>",
            "<clause>; so <people> count <things>", "for <thing>, [F] [L] [v3 C] that <clause>",
            "in [P], <things> are counted [r]", "<idea> of <thing> is needed",
            "[vg T] <things> is [a] work", "take <thing> and <things>",
            "<person> once asked: what is <idea>", "think of <things> in <place>",
            "[a] [ns] [v i]: <clause>", "<present>", "suppose <clause>", "note that <clause>",
        )
    ),
    "lead",
)  # fmt: skip
_NAMES = tuple(FAMILIES)


def write(page: Page) -> None:
    """Write one document.

    Args:
        page: empty.
    """
    _GENRES[page.draw.below(len(_GENRES))](page)


def problem_set(page: Page) -> None:
    """Several problems of several families.

    Args:
        page: empty.
    """
    page.genre = "problem set"
    draw, prose = page.draw, Prose(page)
    page.say(f"{prose.title()}\n\n")
    count = sized(draw, page.budget.entities, 2, 6)
    names = [draw.choice(_NAMES) for _ in range(1 + draw.below(count))]
    for _ in range(count):
        page.say(f"{prose.paragraph(1 + draw.below(3), _LEAD)}\n\n")
        name = draw.choice(names)
        page.problem(name, FAMILIES[name](draw, page.budget.steps))
        page.say("\n")
        prose.shift()
    page.say(f"{prose.sentence()}\n")


_GENRES: tuple[Callable[[Page], None], ...] = (
    problem_set,
    problem_set,
    problem_set,
    write_deduction,
    write_operation,
    write_table,
)
