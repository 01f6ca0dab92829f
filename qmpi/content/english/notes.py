"""Short notes: a term, and a sentence or two on it.

Theory of operation. They fill the end of a block, where no longer document fits, so their lengths
are spread from a dozen tokens upwards.
"""

from qmpi.content.english.frames import FramePool
from qmpi.content.english.grammar import grammar
from qmpi.content.english.prose import PRESENT, Prose
from qmpi.content.page import Page

_NOTE = FramePool(
    grammar(
        note=(
            "[n]: <idea>", "[ns] [v i] [r]", "[n], [an]", "[a] [ns]", "[n] (also [n]): <thing>",
            "see [ns]", "[vg T]: <clause>", "[n] of [P]: <clause>", "on [ns]: <present>",
            "[r] [a]: <things> [v t] <ideas>", "[L]'s [n]: <clause>", "[n] and [n]: <clause>",
        )
    ),
    "note",
)  # fmt: skip


def write_note(page: Page) -> None:
    """Write a short note.

    Args:
        page: empty.
    """
    page.genre = "note"
    prose = Prose(page)
    # Two words and a name first: the shortest note must still be unlike all others.
    parts = [prose.sentence(_NOTE)]
    if page.draw.chance(60):
        parts.insert(0, f"{prose.place()}, {prose.word('n')}.")
    parts += [prose.sentence(PRESENT) for _ in range(page.draw.below(4))]
    page.say(" ".join(parts) + "\n")
