"""A plan as a page: figures, where a step's time goes, the memory of a trainer, a comparison."""

from collections.abc import Sequence
from html import escape

from qmpi.monitor.drawing import WIDTH, svg, text
from qmpi.monitor.html_page import page, section, table
from qmpi.monitor.plan_text import CAUSES, compare_rows, days_text, plan_lines
from qmpi.planning.estimate import Details
from qmpi.planning.wording import seconds_text, size_text

ROW, LEFT = 26, 170
COLOURS = ("trainer", "memory", "generator", "replica", "coordinator", "spare")


def plan_page(details: Details, where: str, compared: Sequence[Details] = ()) -> str:
    """Return a plan as a self-contained page.

    Args:
        details: the plan.
        where: name of the machine.
        compared: plans with other numbers of trainers; empty: no comparison.

    Returns:
        HTML.
    """
    title = f"Plan of {details.job.settings.job.name}"
    body = [f"<h1>{escape(title)}</h1>\n", _tiles(details, where)]
    if details.plan.limits:
        items = "".join(f"<li>{escape(words)}</li>\n" for words in details.plan.limits)
        body.append(section("What limits it", f"<ul>\n{items}</ul>"))
    if details.time is not None:
        parts = [(name, float(getattr(details.time, field))) for field, name in CAUSES]
        body.append(section("A step", bars("seconds of a step", parts, seconds_text)))
    memory = [(k, float(v)) for k, v in details.plan.memory_bytes_by_kind.items()]
    body.append(section("Memory of a trainer", bars("bytes of a trainer", memory, size_text)))
    if compared:
        head, *rows = compare_rows(compared)
        cells = [tuple(map(escape, row)) for row in rows]
        body.append(section("Other numbers of trainers", table(head, cells)))
    lines = [(escape(name), escape(words)) for name, words in plan_lines(details, where)]
    body.append(section("All figures", table(("", ""), lines)))
    return page(title, "".join(body))


def bars(label: str, parts: Sequence[tuple[str, float]], word: object) -> str:
    """Return a bar a part, longest first, those of nothing left out.

    Args:
        label: what is shown, for those who cannot see it.
        parts: name and size.
        word: function that words a size.

    Returns:
        An SVG element.
    """
    kept = sorted((p for p in parts if p[1] > 0), key=lambda p: -p[1])
    most = kept[0][1] if kept else 1.0
    drawn: list[str] = []
    for row, (name, size) in enumerate(kept):
        y, length = row * ROW + 4, round((WIDTH - LEFT - 110) * size / most, 1)
        kind = COLOURS[row % len(COLOURS)]
        drawn.append(text(LEFT - 10, y + 14, name, "row", "end"))
        drawn.append(
            f'<rect x="{LEFT}" y="{y}" width="{max(1.0, length)}" height="18" class="{kind}"/>'
        )
        words = word(size) if callable(word) else str(size)
        drawn.append(text(LEFT + length + 8, y + 14, str(words), anchor="start"))
    return svg(len(kept) * ROW + 8, label, drawn)


def _tiles(details: Details, where: str) -> str:
    plan, job = details.plan, details.job
    step = plan.step_seconds
    shown = [
        ("machine", where),
        ("trainers", f"{job.counts.trainers:,} on {job.nodes:,} nodes"),
        ("a step", "not known" if step is None else seconds_text(step)),
        ("the run", days_text(plan.days)),
        ("energy", "not known" if plan.energy_kwh is None else f"{plan.energy_kwh:,.0f} kWh"),
        (
            "cost",
            "not known" if plan.cost is None else f"{plan.cost:,.0f} {job.machine.prices.currency}",
        ),
    ]
    tiles = "".join(
        f'<div class="tile"><span>{escape(name)}</span><strong>{escape(words)}</strong></div>\n'
        for name, words in shown
    )
    return f'<div class="tiles">\n{tiles}</div>\n'
