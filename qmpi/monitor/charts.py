"""Charts as inline SVG: the loss curve and the timeline of roles. Pure text, no plotting library.

Theory of operation. Colours are classes, so that the page's style sheet sets them for light and for
dark; all text passes through `escape`. Long runs are thinned before they are drawn: a point or a
row that nobody can see only makes the page slow.
"""

import math
from collections.abc import Sequence
from html import escape

from msgspec import Struct

from qmpi.monitor.story import Mark, RunStory, Span

WIDTH = 960
LOSS_HEIGHT = 320
ROW_HEIGHT = 26
MOST_POINTS = 600
MOST_ROWS = 64
MOST_SNAPSHOTS = 400
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 16, 40
LABEL = 150
ROLES = ("coordinator", "generator", "memory", "trainer", "replica", "spare")


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


def loss_chart(story: RunStory) -> str:
    """Draw loss over steps, with the undisturbed run below it and a line at each death.

    Args:
        story: the run.

    Returns:
        An SVG element; a sentence if no step was committed.
    """
    points = thin(story.losses)
    ghost = thin(story.undisturbed_losses)
    shown = [*points, *ghost]
    if not shown:
        return "<p>No step was committed.</p>"
    values = [loss for _, loss in shown]
    margin = 0.05 * (max(values) - min(values)) or 0.5
    x = Scale(0, max(step for step, _ in shown) or 1, LEFT, WIDTH - RIGHT)
    y = Scale(min(values) - margin, max(values) + margin, LOSS_HEIGHT - BOTTOM, TOP)
    parts = [axes(x, y)]
    if ghost:
        parts.append(line(ghost, x, y, "ghost"))
    parts.append(line(points, x, y, "loss"))
    parts += _strikes(story, x)
    label = f"loss from {values[0]:.3f} to {points[-1][1] if points else values[-1]:.3f}"
    return svg(LOSS_HEIGHT, label, parts)


def role_chart(story: RunStory) -> str:
    """Draw a row for each rank, coloured by role, with deaths, promotions and snapshots.

    Args:
        story: the run.

    Returns:
        An SVG element; a sentence if no rank is known.
    """
    ranks = pick_rows(story)
    if not ranks:
        return "<p>The journal names no ranks.</p>"
    height = TOP + len(ranks) * ROW_HEIGHT + BOTTOM
    x = Scale(0, max(story.ended - story.started, 1e-3), LABEL, WIDTH - RIGHT)
    rows = {rank: TOP + number * ROW_HEIGHT for number, rank in enumerate(ranks)}
    parts = [_time_axis(x, height), *_labels(story, rows)]
    parts += [_bar(span, story.started, x, rows) for span in story.spans if span.rank in rows]
    parts += _marks(story, x, rows, height)
    left_out = len({span.rank for span in story.spans}) - len(ranks)
    note = f"<p class='note'>{left_out} quieter ranks are not drawn.</p>" if left_out else ""
    return svg(height, f"roles of {len(ranks)} ranks over time", parts) + note


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


def pick_rows(story: RunStory) -> list[int]:
    """Choose the ranks to draw: those that something happened to, then the lowest.

    Args:
        story: the run.

    Returns:
        At most `MOST_ROWS` ranks, ascending.
    """
    ranks = sorted({span.rank for span in story.spans})
    eventful = {mark.rank for mark in story.marks if mark.kind in {"death", "promotion"}}
    return sorted(sorted(ranks, key=lambda rank: (rank not in eventful, rank))[:MOST_ROWS])


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


def _rule(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
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
            _rule(x.start, y(value), x.end, y(value), "grid"),
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


def _strikes(story: RunStory, x: Scale) -> list[str]:
    deaths = [mark for mark in story.marks if mark.kind == "death"]
    parts: list[str] = []
    for mark in deaths[:MOST_ROWS]:
        at = x(min(float(mark.step), x.high))
        parts.append(
            f"<g>{_rule(at, TOP, at, LOSS_HEIGHT - BOTTOM, 'strike')}"
            f"<title>{escape(mark.words)}</title></g>"
        )
    return parts


def _time_axis(x: Scale, height: int) -> str:
    bottom = height - BOTTOM
    parts: list[str] = []
    for value in ticks(x.low, x.high, 8):
        parts += [
            _rule(x(value), TOP, x(value), bottom, "grid"),
            text(x(value), bottom + 18, f"{value:g}"),
        ]
    parts.append(text((x.start + x.end) / 2, bottom + 35, "seconds since the start", "axis"))
    return "".join(parts)


def _labels(story: RunStory, rows: dict[int, int]) -> list[str]:
    first: dict[int, str] = {}
    for span in story.spans:
        first.setdefault(span.rank, span.role)
    return [
        text(LABEL - 10, top + 17, f"{first.get(rank, '')} {rank}", "row", "end")
        for rank, top in rows.items()
    ]


def _bar(span: Span, started: float, x: Scale, rows: dict[int, int]) -> str:
    left, right = x(span.start - started), x(span.end - started)
    # A rank with several roles is coloured by the first that does more than decide.
    names = [name for name in span.role.split(" + ") if name in ROLES] or ["spare"]
    kind = next((name for name in names if name != "coordinator"), names[0])
    width = round(max(1.5, right - left), 1)
    words = f"rank {span.rank}: {span.role}, {span.end - span.start:.1f} s"
    return (
        f'<rect x="{left}" y="{rows[span.rank] + 4}" width="{width}" height="{ROW_HEIGHT - 8}" '
        f'rx="3" class="{kind}"><title>{escape(words)}</title></rect>'
    )


def _marks(story: RunStory, x: Scale, rows: dict[int, int], height: int) -> list[str]:
    parts: list[str] = []
    snapshots = 0
    for mark in story.marks:
        at = x(mark.time - story.started)
        snapshots += mark.kind == "snapshot"
        if mark.rank < 0:
            parts.append(_titled(_rule(at, TOP, at, height - BOTTOM, mark.kind), mark.words))
        elif mark.rank in rows and (mark.kind != "snapshot" or snapshots <= MOST_SNAPSHOTS):
            parts.append(_titled(_symbol(mark, at, rows[mark.rank] + ROW_HEIGHT / 2), mark.words))
    return parts


def _titled(drawn: str, words: str) -> str:
    return f"<g>{drawn}<title>{escape(words)}</title></g>"


def _symbol(mark: Mark, x: float, y: float) -> str:
    if mark.kind == "death":
        return (
            f'<path d="M{x - 6},{y - 6} L{x + 6},{y + 6} M{x - 6},{y + 6} L{x + 6},{y - 6}" '
            'class="death"/>'
        )
    if mark.kind == "promotion":
        return f'<path d="M{x},{y - 8} L{x + 7},{y + 6} L{x - 7},{y + 6} Z" class="promotion"/>'
    return f'<circle cx="{x}" cy="{y}" r="3" class="snapshot"/>'
