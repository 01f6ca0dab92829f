"""Held-out loss and accuracy in the report: a curve a source over the steps, and a table."""

from collections.abc import Sequence
from html import escape

from qmpi.monitor.charts import (
    BOTTOM,
    LEFT,
    LOSS_HEIGHT,
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
from qmpi.monitor.html_page import table
from qmpi.policy.scoring import LevelScore, by_tens
from qmpi.protocol.evaluation import Evaluation, Group

CURVES = ("trainer", "memory", "replica", "coordinator", "generator", "spare")
"""Colours of the style sheet, in the order in which sources take them; then again."""

MOST_CURVES = 24

SCORE_NAMES = ("loss", "bits/byte", "tokens", "right", "of")
"""Nats a token, bits a byte of text, targets measured, share of problems solved, problems."""


def evaluation_section(evaluations: Sequence[Evaluation]) -> str:
    """Return what was measured of a run.

    Args:
        evaluations: at least one, by step.

    Returns:
        Markup: the curves, where there are two steps or more, and a table of the newest.
    """
    newest = evaluations[-1]
    note = f'<p class="note">Weights before step {newest.step}; text never trained on.</p>'
    drawn = held_out_chart(evaluations) if len(evaluations) > 1 else ""
    rows = [(escape(name), *cells) for name, *cells in score_rows(newest)]
    return drawn + note + table(("", *SCORE_NAMES), rows)


def held_out_chart(evaluations: Sequence[Evaluation]) -> str:
    """Draw held-out loss over steps, a curve a source.

    Args:
        evaluations: by step.

    Returns:
        An SVG element; a sentence if no loss is a number.
    """
    names = sorted({name for e in evaluations for name in e.loss.source})[:MOST_CURVES]
    curves = {name: thin(_points(evaluations, name)) for name in names}
    shown = [point for points in curves.values() for point in points]
    if not shown:
        return "<p>No held-out loss was measured.</p>"
    steps, losses = zip(*shown, strict=True)
    margin = 0.05 * (max(losses) - min(losses)) or 0.5
    x = Scale(min(steps), max(steps), LEFT, WIDTH - RIGHT)
    y = Scale(min(losses) - margin, max(losses) + margin, LOSS_HEIGHT - BOTTOM, TOP)
    parts = [axes(x, y)]
    for number, (name, points) in enumerate(curves.items()):
        if points:
            kind = f"curve {CURVES[number % len(CURVES)]}"
            end_step, end_loss = points[-1]
            parts.append(line(points, x, y, kind))
            parts.append(text(x(end_step) - 4, y(end_loss) - 6, name, "row", "end"))
    return svg(LOSS_HEIGHT, f"held-out loss of {len(names)} sources", parts)


def _points(evaluations: Sequence[Evaluation], name: str) -> list[tuple[int, float]]:
    found = [(e.step, e.loss.source.get(name)) for e in evaluations]
    return [(step, loss) for step, loss in found if loss is not None]


def score_rows(result: Evaluation) -> list[tuple[str, ...]]:
    """Return what was measured, a row a group.

    Args:
        result: of an evaluation.

    Returns:
        Name of the group, then a cell for each of `SCORE_NAMES`; "-" for what was not measured.
    """
    rows = [("overall", *_cells(result, "overall", ""))]
    for group in ("source", "type", "band"):
        names = {**getattr(result.loss, group), **getattr(result.problems, group)}
        rows += [(f"{group} {name}", *_cells(result, group, name)) for name in names]
    tens = by_tens(result.levels)
    nothing = ["-"] * (len(SCORE_NAMES) - 2)
    rows += [(level_name(each), *nothing, *level_cells(each)) for each in tens]
    return rows


def level_name(each: LevelScore) -> str:
    """Return which levels are told of, as "levels 1-10"."""
    return f"levels {each.first}-{each.last}"


def level_cells(each: LevelScore) -> tuple[str, str]:
    """Return the share of problems solved, and how many were asked, as in a row of scores."""
    return f"{each.right / each.problems:.1%}", f"{each.problems:,}"


def _cells(result: Evaluation, group: str, name: str) -> list[str]:
    shown = (
        (result.loss, "{:.3f}"),
        (result.bits_per_byte, "{:.3f}"),
        (result.tokens, "{:,.0f}"),
        (result.accuracy, "{:.1%}"),
        (result.problems, "{:,.0f}"),
    )
    return [_cell(getattr(scores, group), name, form) for scores, form in shown]


def _cell(found: float | Group | None, name: str, form: str) -> str:
    value = found.get(name) if isinstance(found, dict) else found
    return "-" if value is None else form.format(value)
