"""Charts of a run as inline SVG: the loss curve and the timeline of roles.

Rows and marks that nobody can see only make the page slow, and are left out.
"""

from html import escape

from qmpi.monitor.drawing import (
    BOTTOM,
    LABEL,
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
    ticks,
)
from qmpi.monitor.story import Mark, RunStory, Span

ROW_HEIGHT = 26
MOST_ROWS = 64
MOST_SNAPSHOTS = 400
ROLES = ("coordinator", "generator", "memory", "trainer", "replica", "spare")


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


def _strikes(story: RunStory, x: Scale) -> list[str]:
    deaths = [mark for mark in story.marks if mark.kind == "death"]
    parts: list[str] = []
    for mark in deaths[:MOST_ROWS]:
        at = x(min(float(mark.step), x.high))
        parts.append(
            f"<g>{rule(at, TOP, at, LOSS_HEIGHT - BOTTOM, 'strike')}"
            f"<title>{escape(mark.words)}</title></g>"
        )
    return parts


def _time_axis(x: Scale, height: int) -> str:
    bottom = height - BOTTOM
    parts: list[str] = []
    for value in ticks(x.low, x.high, 8):
        parts += [
            rule(x(value), TOP, x(value), bottom, "grid"),
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
            parts.append(_titled(rule(at, TOP, at, height - BOTTOM, mark.kind), mark.words))
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
