"""The lines of `qmpi shards ls`: a table where there is room for one, else a few lines a shard."""

import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import click

from qmpi.cli.sizes import short

if TYPE_CHECKING:
    from qmpi.corpora.survey import ShardSummary

HEADINGS = ("shard", "tokens", "documents", "ratio", "levels", "types")
_GAP = 2
_LEAST_TYPES = 48
"""Columns below which a list of types is folded into too many lines."""
_NARROWEST = 20
_TIE = "\N{NO-BREAK SPACE}"
"""Stands in lists of types where no line may end: a share stays beside its type."""


class _Row(NamedTuple):
    path: str
    figures: tuple[str, str, str, str]
    types: str
    fault: bool


def listing(shards: "Sequence[ShardSummary]", width: int | None) -> Iterator[str]:
    """Return what `qmpi shards ls` prints.

    Args:
        shards: in order.
        width: columns of the terminal; None: a line a shard, however long, for programs.

    Yields:
        Lines. None is wider than `width` but for a path, which is never cut: one copies it.
    """
    rows = [_row(shard) for shard in shards]
    widths = _widths(rows)
    room = None if width is None else width - sum(widths) - _GAP * len(widths)
    longest = max((_columns(row.types) for row in rows), default=0)
    if room is None or room >= min(_LEAST_TYPES, longest):
        yield from _table(rows, widths, room)
    else:
        for row in rows:
            yield from _paragraph(row, max(_NARROWEST, width or 0))


def _row(shard: "ShardSummary") -> _Row:
    if shard.fault:
        return _Row(shard.path, ("-", "-", "-", "-"), shard.fault, fault=True)
    low, high = shard.levels
    total = max(1, sum(shard.types.values()))
    ranked = sorted(shard.types.items(), key=lambda item: -item[1])
    figures = (
        short(shard.tokens),
        f"{shard.documents:,}",
        f"{shard.ratio:.2f}",
        f"{low}-{high}" if high else "-",
    )
    types = ", ".join(f"{name}{_TIE}{100 * tokens / total:.0f}{_TIE}%" for name, tokens in ranked)
    return _Row(shard.path, figures, types or "ingested", fault=False)


def _columns(text: str) -> int:
    from rich.cells import cell_len  # counts the wide characters of a path as two

    return cell_len(text)


def _widths(rows: Sequence[_Row]) -> list[int]:
    cells = [HEADINGS[:-1], *((row.path, *row.figures) for row in rows)]
    return [max(map(_columns, column)) for column in zip(*cells, strict=True)]


def _table(rows: Sequence[_Row], widths: Sequence[int], room: int | None) -> Iterator[str]:
    yield click.style(_line(HEADINGS[:-1], widths) + HEADINGS[-1], bold=True)
    indent = " " * (sum(widths) + _GAP * len(widths))
    for row in rows:
        first, *more = _folded(row.types, room)
        yield _line((row.path, *row.figures), widths) + _styled(first, row)
        yield from (indent + _styled(part, row) for part in more)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    pads = [" " * (width - _columns(cell)) for cell, width in zip(cells, widths, strict=True)]
    figures = [pad + cell for cell, pad in zip(cells[1:], pads[1:], strict=True)]
    return "".join(cell + " " * _GAP for cell in (cells[0] + pads[0], *figures))


def _paragraph(row: _Row, width: int) -> Iterator[str]:
    yield click.style(row.path, bold=True)
    tokens, documents, ratio, levels = row.figures
    figures = f"{tokens} tokens, {documents} documents, ratio {ratio}"
    figures += f", levels {levels}" if levels != "-" else ""
    for text in (row.types,) if row.fault else (figures, row.types):
        yield from ("  " + _styled(part, row) for part in _folded(text, width - 2))


def _folded(text: str, width: int | None) -> list[str]:
    lines = [text] if width is None else textwrap.wrap(text, width, break_on_hyphens=False)
    return [line.replace(_TIE, " ") for line in lines or [""]]


def _styled(text: str, row: _Row) -> str:
    return click.style(text, fg="red") if row.fault else text
