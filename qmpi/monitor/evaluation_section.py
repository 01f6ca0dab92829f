"""Held-out loss and accuracy in the report: a curve a source over the steps, and a table."""

from collections.abc import Callable, Sequence
from html import escape

from qmpi.monitor.curves import UNMARKED, Frame, Marked, curves_chart
from qmpi.monitor.html_page import table
from qmpi.policy.scoring import LevelScore, by_tens
from qmpi.protocol.evaluation import Evaluation, Group

SOLVED = Frame(beside="% solved", range=(0.0, 100.0))

SCORE_NAMES = ("loss", "bits/byte", "tokens", "right", "of")
"""Nats a token, bits a byte of text, targets measured, share of problems solved, problems."""


def evaluation_section(evaluations: Sequence[Evaluation], marked: Marked = UNMARKED) -> str:
    """Return what was measured of a run.

    Args:
        evaluations: at least one, by step.
        marked: what a curriculum did.

    Returns:
        Markup: the curves, where there are two steps or more, and a table of the newest.
    """
    newest = evaluations[-1]
    note = f'<p class="note">Weights before step {newest.step}; text never trained on.</p>'
    drawn = held_out_chart(evaluations) if len(evaluations) > 1 else ""
    drawn += solved_charts(evaluations, marked) if len(evaluations) > 1 else ""
    rows = [(escape(name), *cells) for name, *cells in score_rows(newest)]
    return drawn + note + table(("", *SCORE_NAMES), rows)


def held_out_chart(evaluations: Sequence[Evaluation]) -> str:
    """Draw held-out loss over steps, a curve a source.

    Args:
        evaluations: by step.

    Returns:
        An SVG element; a sentence if no loss is a number.
    """
    names = sorted({name for e in evaluations for name in e.loss.source})
    curves = {name: _points(evaluations, lambda e: e.loss.source, name) for name in names}
    drawn = curves_chart(curves, f"held-out loss of {len(names)} sources")
    return drawn or "<p>No held-out loss was measured.</p>"


def solved_charts(evaluations: Sequence[Evaluation], marked: Marked) -> str:
    """Draw which share of the problems was solved over steps, by type and by ten levels.

    Args:
        evaluations: by step.
        marked: what a curriculum did.

    Returns:
        Markup; "" if no problems were asked.
    """
    types = sorted({name for e in evaluations for name in e.accuracy.type})
    by_type = {name: _points(evaluations, lambda e: e.accuracy.type, name) for name in types}
    tens = {e.step: {each.first: each for each in by_tens(e.levels)} for e in evaluations}
    found = {first: each for told in tens.values() for first, each in told.items()}
    by_level = {
        level_name(found[first]): [
            (step, told[first].right / told[first].problems)
            for step, told in tens.items()
            if first in told
        ]
        for first in sorted(found)
    }
    drawn = ""
    for what, curves in (("type of text", by_type), ("level", by_level)):
        percent = {n: [(s, 100.0 * value) for s, value in told] for n, told in curves.items()}
        chart = curves_chart(percent, f"problems solved by {what}", SOLVED, marked)
        note = f'<p class="note">Held-out problems solved, by {what}.</p>'
        drawn += chart + note if chart else ""
    return drawn


def _points(
    evaluations: Sequence[Evaluation], group: Callable[[Evaluation], Group], name: str
) -> list[tuple[int, float]]:
    found = [(e.step, group(e).get(name)) for e in evaluations]
    return [(step, value) for step, value in found if value is not None]


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
