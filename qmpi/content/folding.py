"""Lines folded at a width, as manuals, papers, letters and plain text files have them.

Theory of operation. Most text that people wrote is folded at 60 to 100 columns, or not at all. Some
addresses fold: in the lines of prose, and only there, single spaces become line breaks. Places in
the text stay what they were, so facts need no moving; the places of the breaks are kept beside the
document, and a checker puts the spaces back before it reads. Problems, programs, tables and lists
keep their lines.
"""

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from qmpi.content.counter import Draw
from qmpi.content.document import Document

_FOLDED_PERCENT = {
    "technical": 60,
    "scientific": 60,
    "code": 0,
    "mathematics": 60,
    "philosophy": 60,
    "creative": 60,
    "conversation": 30,
    "multilingual": 60,
    "drills": 0,
}
_WIDTHS = (56, 60, 64, 66, 68, 70, 72, 72, 74, 75, 76, 77, 78, 79, 79, 80, 80, 88, 100)
"""Columns; those of editors and style guides are the likelier."""
_UNSPACED = ("ja", "zh")
_OPENERS = frozenset("\"'([`\u201c\u2018\u00ab\u00bf\u00a1\u201e")
_ENDINGS = (".", "!", "?", ":", '"', ")", "\u201d", "\u00bb", "\u0964", "\u061f", "\u2026")
_MARKS = frozenset("-*+#>|=.:0123456789~\u2022")
"""A line must not begin with these: it would look like an item or a heading."""


def folded(draw: Draw, document: Document) -> Document:
    """Return a document with its prose folded, where chance wants it so.

    Args:
        draw: chance of the document.
        document: finished.

    Returns:
        The same document, or one with line breaks for spaces and their places in `breaks`.
    """
    if document.language in _UNSPACED or not draw.chance(_FOLDED_PERCENT[document.type]):
        return document
    breaks = tuple(_breaks(document, draw.choice(_WIDTHS)))
    parts, start = [], 0
    for place in breaks:
        parts.append(document.text[start:place])
        start = place + 1
    parts.append(document.text[start:])
    return replace(document, text="\n".join(parts), breaks=breaks)


def _breaks(document: Document, width: int) -> Iterator[int]:
    text, start = document.text, 0
    kept = _kept(document)
    skip_from, skip_to = next(kept, (len(text), len(text)))
    while start < len(text):
        end = text.find("\n", start)
        while skip_to <= start:
            skip_from, skip_to = next(kept, (len(text), len(text)))
        if end - start > width and end <= skip_from and _is_prose(text, start, end):
            yield from _inside(text, start, end, width)
        start = end + 1


def _inside(text: str, start: int, end: int, width: int) -> Iterator[int]:
    while end - start > width:
        place = text.rfind(" ", start + 1, start + width + 1)
        while place > 0 and text[place + 1] in _MARKS:
            place = text.rfind(" ", start + 1, place)
        if place < 0:
            return
        yield place
        start = place + 1


def _is_prose(text: str, start: int, end: int) -> bool:
    first = text[start]
    if not (first.isalpha() or first in _OPENERS) or not text.endswith(_ENDINGS, start, end):
        return False
    return all(text.find(mark, start, end) < 0 for mark in ("  ", "\t", " | "))


# What keeps its lines, in order of place: problems, and whole parts that are programs.
def _kept(document: Document) -> Iterator[tuple[int, int]]:
    kept = [(problem.start, problem.end) for problem in document.problems]
    parts = document.world.get("parts") if document.genre == "synthesis" else None
    kept += _programs(parts) if isinstance(parts, list) else ()
    yield from sorted(kept)


def _programs(parts: Iterable[object]) -> Iterator[tuple[int, int]]:
    for part in parts:
        if isinstance(part, dict) and part["type"] == "code":
            yield (int(part["start"]), int(part["end"]))
