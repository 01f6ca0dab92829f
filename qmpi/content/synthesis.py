"""Documents that join worlds of two or three types.

Theory of operation. Some addresses join: a story and the sum its people need, a program beside the
experiment it might have run, a manual told in talk. Each part is a whole document of its type, with
its own world and facts, set one after another. Between two parts stands a bridge that takes up an
answer of the part before; the bridge is a fact of its own, which names the fact it repeats. So a
checker cuts the parts out, gives each to the checker of its type, and compares the bridges.
"""

from collections.abc import Callable

from qmpi.content.document import Document, Plain
from qmpi.content.english.frames import FramePool
from qmpi.content.english.grammar import grammar
from qmpi.content.english.prose import Prose, Said
from qmpi.content.page import Page

SYNTHESIS_PERCENT = 5
"""Share of addresses that join; three parts in one of four."""

_PARTNERS: dict[str, tuple[str, ...]] = {
    "technical": ("conversation", "code", "mathematics", "scientific"),
    "scientific": ("code", "mathematics", "philosophy", "technical"),
    "code": ("technical", "scientific", "mathematics", "conversation"),
    "mathematics": ("code", "creative", "philosophy", "scientific"),
    "philosophy": ("conversation", "creative", "mathematics", "scientific"),
    "creative": ("mathematics", "conversation", "philosophy", "technical"),
    "conversation": ("creative", "technical", "mathematics", "code"),
}
"""What goes with each type; the multilingual type keeps to its languages."""
_LONGEST = 7000
"""Characters behind which no third part begins."""
_BRIDGE = FramePool(
    grammar(
        bridge=(
            "with {said} in mind, <clause>", "{said}, then; and now to <things>",
            "so much for {said}: <clause>", "from {said} on, <people> [v T] <ideas>",
            "keep {said}, since <clause>", "that it was {said} [v3 t] <idea>, and <clause>",
            "after {said}, <person> <does>", "now that {said} is known, <clause>",
            "<people> who [v C] that it is {said} [v I]", "if it is {said}, <clause>",
        )
    ),
    "bridge",
)  # fmt: skip
_PLAIN = FramePool(
    grammar(
        turn=("<present>", "now to <things>: <clause>", "meanwhile <clause>", "<thing>, again")
    ),
    "turn",
)
_LONGEST_SAID = 60


def joins(page: Page) -> bool:
    """Tell whether the document at this address joins types.

    Args:
        page: empty; one draw is taken from it.

    Returns:
        True for a few in a hundred.
    """
    return page.draw.chance(SYNTHESIS_PERCENT) and page.type in _PARTNERS


def write_joined(page: Page, writer_of: Callable[[str], Callable[[Page], None]]) -> None:
    """Write a document of two or three parts.

    Args:
        page: empty.
        writer_of: gives the writer of a type.
    """
    draw = page.draw
    types = [page.type, *draw.sample(_PARTNERS[page.type], 1 + draw.chance(25))]
    if draw.chance(30):
        types.reverse()
    parts: list[Plain] = []
    before: tuple[Document, int] | None = None
    for type_name in types:
        if len(parts) > 1 and page.length > _LONGEST:
            break
        part = Page(draw, type_name, page.level, page.language)
        writer_of(type_name)(part)
        document = part.close()
        if before is not None:
            page.say("\n")
            _bridge(page, *before)
        before = (document, page.length)
        _enclose(page, document, parts)
    page.genre = "synthesis"
    page.world = {"parts": parts}


def _enclose(page: Page, document: Document, parts: list[Plain]) -> None:
    start = page.length
    page.say(document.text)
    for fact in document.facts:
        page.mark(fact.kind, fact.start + start, fact.end + start, *fact.args)
    page.take_problems(document.problems, start)
    parts.append(
        {
            "type": document.type,
            "genre": document.genre,
            "start": start,
            "end": page.length,
            "world": document.world,
        }
    )


# Takes up the last answer of the part before, where it has a short one.
def _bridge(page: Page, document: Document, start: int) -> None:
    prose = Prose(page)
    spans = [(fact.start, fact.end) for fact in document.facts if fact.kind == "answer"]
    spans += [
        (problem.end - 1 - len(problem.answer), problem.end - 1) for problem in document.problems
    ]
    short = [span for span in spans if span[1] - span[0] <= _LONGEST_SAID]
    if not short:
        page.say(f"{prose.sentence(_PLAIN)}\n\n")
        return
    first, last = short[-1]
    said = Said(document.text[first:last], "bridge", (first + start, last + start))
    prose.tell(_BRIDGE, {"said": said}, end="\n\n")
