"""Text in columns and colours, without a library: a status is asked for on slow, shared machines.

Theory of operation. A cell is text and a style. Widths count characters, colour codes are added
last, and only if asked for. What a name holds that is no printable character, a colour code of its
own among it, is shown as one replacement character each.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

CODES = {
    "": "",
    "bold": "1",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "cyan": "36",
    "bold red": "1;31",
    "bold green": "1;32",
    "bold yellow": "1;33",
    "bold cyan": "1;36",
}
GAP = "  "


class Cell(NamedTuple):
    """A text and how it is painted: a key of `CODES`."""

    text: str
    style: str = ""


def paint(text: str, style: str, *, colour: bool) -> str:
    """Return a text with its colour.

    Args:
        text: one line.
        style: a key of `CODES`.
        colour: False: the plain text.

    Returns:
        The text, harmless on a terminal.
    """
    shown = plain(text)
    code = CODES[style] if colour else ""
    return f"\x1b[{code}m{shown}\x1b[0m" if code else shown


def plain(text: str) -> str:
    """Return a text as one line without control characters.

    Args:
        text: any.

    Returns:
        Printable text.
    """
    if text.isprintable():
        return text
    joined = " ".join(text.splitlines())
    return "".join(mark if mark.isprintable() else "\ufffd" for mark in joined)


def table(
    rows: Sequence[Sequence[Cell]], right: Collection[int] = (), *, colour: bool = False
) -> list[str]:
    """Return rows as lines with columns under each other.

    Args:
        rows: a row may be short, and its last cell may be long.
        right: columns whose cells end under each other.
        colour: paint them.

    Returns:
        A line each, without blanks at its end.
    """
    widths: dict[int, int] = {}
    for row in rows:
        # A short row's last cell is a remark, which may run over the columns beside it.
        whole = row if len(row) == max(map(len, rows)) else row[:-1]
        for column, cell in enumerate(whole):
            widths[column] = max(widths.get(column, 0), len(cell.text))
    return [_line(row, widths, right, colour=colour) for row in rows]


def _line(
    row: Sequence[Cell], widths: dict[int, int], right: Collection[int], *, colour: bool
) -> str:
    cells: list[str] = []
    for column, cell in enumerate(row):
        blanks = " " * max(0, widths.get(column, 0) - len(cell.text))
        painted = paint(cell.text, cell.style, colour=colour)
        cells.append(blanks + painted if column in right else painted + blanks)
    return GAP.join(cells).rstrip()
