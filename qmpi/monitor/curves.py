"""Curves over steps, several to a chart, with what a curriculum did marked: inline SVG, no library.

Theory of operation. Six colours of the style sheet are taken in turn; the next six curves are
dashed. Names stand to the right, each beside the end of its curve as far as that leaves room for
the others, behind a stroke of the curve's kind.
"""

from collections.abc import Mapping, Sequence
from html import escape

from msgspec import Struct

from qmpi.monitor.drawing import (
    BOTTOM,
    LEFT,
    LOSS_HEIGHT,
    RIGHT,
    TOP,
    WIDTH,
    Scale,
    axes,
    line,
    rule,
    svg,
    text,
    thin,
)

Points = Sequence[tuple[int, float]]
Curves = Mapping[str, Points]
"""By name: steps and values, ascending by step."""

COLOURS = ("trainer", "memory", "replica", "coordinator", "generator", "spare")
"""Of the style sheet, in the order in which curves take them; then again, dashed."""

MOST_CURVES = 24
MOST_PROBES = 100
NAME_HEIGHT = 13
"""Pixels between the names of two curves."""

NAMES, MOST_LETTERS = 160, 20
"""Pixels for the names of curves, and letters that fit."""

STROKE = (6, 22)
"""Where the stroke before a name lies, in pixels from the end of the curves."""


class Marked(Struct, frozen=True):
    """What a curriculum did on its way.

    Attributes:
        probes: first steps of windows that drew what the job says, and steps behind their last.
        off: step from which on the job's weights hold for good; -1: there is none.
        why: that is so, in words.
    """

    probes: tuple[tuple[int, int], ...] = ()
    off: int = -1
    why: str = ""


UNMARKED = Marked()


class Frame(Struct, frozen=True, kw_only=True):
    """What curves are drawn in.

    Attributes:
        beside: name of the y axis.
        height: pixels.
        range: lowest and highest value; None: as the curves have.
        rungs: names of ranges of values, with the lowest and the highest of each.
    """

    beside: str = "nats per token"
    height: int = LOSS_HEIGHT
    range: tuple[float, float] | None = None
    rungs: tuple[tuple[str, float, float], ...] = ()


PLAIN = Frame()


def curves_chart(
    curves: Curves, label: str, frame: Frame = PLAIN, marked: Marked = UNMARKED
) -> str:
    """Draw curves over steps.

    Args:
        curves: by name; at most `MOST_CURVES` are drawn.
        label: what they show, for those who cannot see it.
        frame: what they are drawn in.
        marked: what a curriculum did.

    Returns:
        An SVG element; "" if no value is a number.
    """
    thinned = {name: thin(points) for name, points in list(curves.items())[:MOST_CURVES]}
    drawn = {name: points for name, points in thinned.items() if points}
    if not drawn:
        return ""
    steps, values = zip(*(point for points in drawn.values() for point in points), strict=True)
    margin = 0.05 * (max(values) - min(values)) or 0.5
    low, high = frame.range or (min(values) - margin, max(values) + margin)
    x = Scale(min(steps), max(steps), LEFT, WIDTH - (NAMES if any(drawn) else RIGHT))
    y = Scale(low, high, frame.height - BOTTOM, TOP)
    parts = [*_marks(marked, x, y), axes(x, y, beside=frame.beside), *_rungs(frame, x, y)]
    parts += [line(points, x, y, kind_of(number)) for number, points in enumerate(drawn.values())]
    return svg(frame.height, label, [*parts, *_names(drawn, x, y)])


def kind_of(number: int) -> str:
    """Return the classes of a curve.

    Args:
        number: of the curve in its chart, from 0.

    Returns:
        Names of the style sheet.
    """
    again = " again" if number // len(COLOURS) % 2 else ""
    return f"curve {COLOURS[number % len(COLOURS)]}{again}"


def _rungs(frame: Frame, x: Scale, y: Scale) -> list[str]:
    parts: list[str] = []
    for name, low, high in frame.rungs:
        base, top = y(low), y(high)
        parts.append(rule(x.start, base, x.end, base, "rung"))
        parts.append(text(x.start + 8, round((base + top) / 2 + 4, 1), name, "tick", "start"))
    return parts


def _names(curves: Curves, x: Scale, y: Scale) -> list[str]:
    ends = sorted(
        (y(points[-1][1]) + 4, number, name)
        for number, (name, points) in enumerate(curves.items())
        if name
    )
    parts: list[str] = []
    least = TOP + 4.0
    for place, (height, number, name) in enumerate(ends):
        left = len(ends) - place - 1
        # As high as the curve's end, but below the last name, and with room for those that follow.
        at = max(least, min(height, y.start + 4 - left * NAME_HEIGHT))
        begin, end = (x.end + part for part in STROKE)
        parts.append(rule(begin, at - 4, end, at - 4, kind_of(number)))
        parts.append(text(end + 4, at, _short(name), "row", "start"))
        least = at + NAME_HEIGHT
    return parts


def _short(name: str) -> str:
    return name if len(name) <= MOST_LETTERS else f"{name[: MOST_LETTERS - 1]}…"


def _marks(marked: Marked, x: Scale, y: Scale) -> list[str]:
    parts: list[str] = []
    for first, last in marked.probes[:: 1 + len(marked.probes) // MOST_PROBES]:
        left, right = (x(min(max(step, x.low), x.high)) for step in (first, last))
        if right > left:
            parts.append(
                f'<g><rect x="{left}" y="{y.end}" width="{round(right - left, 1)}" '
                f'height="{y.start - y.end}" class="probe"/>'
                f"<title>probe, steps {first} to {last - 1}</title></g>"
            )
    if x.low <= marked.off <= x.high:
        at = x(marked.off)
        parts.append(
            f"<g>{rule(at, y.end, at, y.start, 'strike')}"
            f"<title>from step {marked.off} on: {escape(marked.why)}</title></g>"
        )
    return parts
