"""Bars and curves of a corpus as inline SVG, in the manner of `qmpi.monitor.charts`."""

from collections.abc import Sequence
from html import escape

from qmpi.monitor.drawing import (
    BOTTOM,
    LABEL,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Scale,
    axes,
    line,
    svg,
    text,
    thin,
)

HEIGHT = 260
ROW = 28


def column_chart(columns: Sequence[tuple[int, float]], below: str, beside: str) -> str:
    """Draw a column for each number.

    Args:
        columns: (number, value), ascending; values >= 0.
        below: what the numbers are.
        beside: what the values are.

    Returns:
        An SVG element; a sentence if there is nothing.
    """
    if not columns:
        return "<p>There is nothing to show.</p>"
    first, last = columns[0][0], columns[-1][0]
    x = Scale(first - 0.5, last + 0.5, LEFT, WIDTH - RIGHT)
    y = Scale(0, 1.05 * max(value for _, value in columns) or 1.0, HEIGHT - BOTTOM, TOP + 12)
    width = max(1.0, round((x.end - x.start) / (last - first + 1) - 1, 1))
    bars = [_column(number, value, x, y, width) for number, value in columns]
    return svg(HEIGHT, f"{beside} by {below}", [axes(x, y, below, beside), *bars])


def labelled_columns(columns: Sequence[tuple[str, float]], below: str, beside: str) -> str:
    """Draw a column for each class.

    Args:
        columns: (name of the class, value), in order.
        below: what the classes are.
        beside: what the values are.

    Returns:
        An SVG element; a sentence if there is nothing.
    """
    if not columns:
        return "<p>There is nothing to show.</p>"
    count = len(columns)
    x = Scale(-0.5, count - 0.5, LEFT, WIDTH - RIGHT)
    y = Scale(0, 1.05 * max(value for _, value in columns) or 1.0, HEIGHT - BOTTOM, TOP + 12)
    width = round((x.end - x.start) / count - 2, 1)
    parts = [text((x.start + x.end) / 2, HEIGHT - 5, below, "axis")]
    parts.append(text(x.start + 8, TOP + 4, beside, "axis", "start"))
    every = -(-count // 16)
    for place, (name, value) in enumerate(columns):
        parts.append(_column(place, value, x, y, width))
        if place % every == 0:
            parts.append(text(x(place), y.start + 18, name))
    return svg(HEIGHT, f"{beside} by {below}", parts)


def row_chart(rows: Sequence[tuple[str, float, str]], label: str) -> str:
    """Draw a bar for each name.

    Args:
        rows: (name, value >= 0, words at its end).
        label: what it shows.

    Returns:
        An SVG element; a sentence if there is nothing.
    """
    if not rows:
        return "<p>There is nothing to show.</p>"
    x = Scale(0, max(value for _, value, _ in rows) or 1.0, LABEL, WIDTH - 180)
    parts: list[str] = []
    for place, (name, value, words) in enumerate(rows):
        top = TOP + place * ROW
        parts.append(text(LABEL - 10, top + 17, name, "row", "end"))
        wide = round(max(1.0, x(value) - LABEL), 1)
        parts.append(
            f'<rect x="{LABEL}" y="{top}" width="{wide}" height="{ROW - 6}" rx="3" class="memory"/>'
        )
        parts.append(text(LABEL + wide + 8, top + 16, words, "tick", "start"))
    return svg(2 * TOP + len(rows) * ROW, label, parts)


def curve_chart(points: Sequence[tuple[int, float]], below: str, beside: str) -> str:
    """Draw a curve.

    Args:
        points: ascending by x.
        below: name of the x axis.
        beside: name of the y axis.

    Returns:
        An SVG element; a sentence if there is nothing.
    """
    if not points:
        return "<p>There is nothing to show.</p>"
    x = Scale(0, points[-1][0] or 1, LEFT, WIDTH - RIGHT)
    y = Scale(0, 1.05 * max(value for _, value in points) or 1.0, HEIGHT - BOTTOM, TOP + 12)
    return svg(HEIGHT, f"{beside} over {below}", [
        axes(x, y, below, beside), line(thin(points), x, y, "loss")
    ])  # fmt: skip


def _column(number: float, value: float, x: Scale, y: Scale, width: float) -> str:
    top = y(value)
    left, height = round(x(number) - width / 2, 1), round(y.start - top, 1)
    said = escape(f"{number:g}: {value:,.6g}")
    return (
        f'<rect x="{left}" y="{top}" width="{width}" height="{height}" class="memory">'
        f"<title>{said}</title></rect>"
    )
