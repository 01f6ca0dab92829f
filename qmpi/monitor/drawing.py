"""Parts of charts as inline SVG: scales, axes, curves, words. Pure text, no plotting library.

Theory of operation. Colours are classes, so that the page's style sheet sets them for light and for
dark; all text passes through `escape`. Long curves are thinned before they are drawn: a point that
nobody can see only makes the page slow.
"""

import math
from collections.abc import Sequence
from html import escape

from msgspec import Struct

WIDTH = 960
LOSS_HEIGHT = 320
MOST_POINTS = 600
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 16, 40
LABEL = 150


class Scale(Struct, frozen=True):
    """A linear map of [low, high] in the data to [start, end] in pixels."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the pixel of a value."""
        share = (value - self.low) / ((self.high - self.low) or 1.0)
        return round(self.start + share * (self.end - self.start), 1)


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Return round numbers within a range.

    Args:
        low: of the range.
        high: of the range; above `low`.
        about: how many are wanted.

    Returns:
        Ascending values, a 1, 2 or 5 times a power of ten apart.
    """
    span = high - low
    if not (math.isfinite(span) and span > 0):
        return [low]
    raw = span / max(1, about)
    power = 10.0 ** math.floor(math.log10(raw))
    step = power * min((1, 2, 5, 10), key=lambda factor: abs(factor * power - raw))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


def thin(points: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """Keep at most `MOST_POINTS` finite points, the first and the last among them.

    Args:
        points: (step, loss).

    Returns:
        Some of them, in order.
    """
    finite = [point for point in points if math.isfinite(point[1])]
    if len(finite) <= MOST_POINTS:
        return finite
    last = len(finite) - 1
    return [finite[number * last // (MOST_POINTS - 1)] for number in range(MOST_POINTS)]


def svg(height: int, label: str, parts: Sequence[str]) -> str:
    """Return a drawing of the usual width.

    Args:
        height: pixels.
        label: what it shows, for those who cannot see it.
        parts: elements.

    Returns:
        An SVG element.
    """
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(label)}">'
        + "".join(parts)
        + "</svg>"
    )


def text(x: float, y: float, words: str, kind: str = "tick", anchor: str = "middle") -> str:
    """Return words in a drawing.

    Args:
        x: pixel.
        y: pixel of the base line.
        words: plain text.
        kind: class in the style sheet.
        anchor: "start", "middle" or "end".

    Returns:
        A text element.
    """
    return f'<text x="{x}" y="{y}" class="{kind}" text-anchor="{anchor}">{escape(words)}</text>'


def rule(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    """Return a straight line.

    Args:
        x1: pixel of its one end.
        y1: likewise.
        x2: pixel of its other end.
        y2: likewise.
        kind: class in the style sheet.

    Returns:
        A line element.
    """
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" class="{kind}"/>'


def axes(x: Scale, y: Scale, below: str = "step", beside: str = "nats per token") -> str:
    """Return grid lines, round numbers and names of both axes.

    Args:
        x: to the right.
        y: upwards.
        below: name of the x axis.
        beside: name of the y axis.

    Returns:
        Elements.
    """
    parts: list[str] = []
    for value in ticks(y.low, y.high):
        parts += [
            rule(x.start, y(value), x.end, y(value), "grid"),
            text(x.start - 8, y(value) + 4, _round(value), anchor="end"),
        ]
    for value in ticks(x.low, x.high, 8):
        parts.append(text(x(value), y.start + 18, _round(value)))
    parts.append(text((x.start + x.end) / 2, y.start + 35, below, "axis"))
    parts.append(text(x.start + 8, TOP + 4, beside, "axis", "start"))
    return "".join(parts)


def _round(value: float) -> str:
    for factor, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if abs(value) >= factor:
            return f"{value / factor:g}{unit}"
    return f"{value:,g}"


def line(points: Sequence[tuple[int, float]], x: Scale, y: Scale, kind: str) -> str:
    """Return a curve.

    Args:
        points: ascending by x.
        x: scale.
        y: scale.
        kind: class in the style sheet.

    Returns:
        A polyline.
    """
    path = " ".join(f"{x(step)},{y(loss)}" for step, loss in points)
    return f'<polyline points="{path}" class="{kind}"/>'
