"""Where a step's time goes, as one stacked bar with a table below it: inline SVG, no library."""

from html import escape

from qmpi.monitor.drawing import RIGHT, WIDTH, Scale, svg, text
from qmpi.monitor.html_page import table
from qmpi.policy.step_split import by_part, hidden_share, shares
from qmpi.protocol.progress import StepTimes

HEIGHT = 56
BAR = 36
EDGE = 4
LEAST_NAMED = 0.07
"""Share of the bar that has room for a name."""

MEANINGS = {
    "data": "waiting for blocks",
    "forward": "the loss of the lanes",
    "backward": "their gradients",
    "sweep": "arithmetic of the sum over lanes",
    "communication": "reduction and vote as far as nothing hides them, waits for others included",
    "optimizer": "clipping and the update",
    "digest": "of the weights",
    "snapshot": "copying the state",
    "other": "grants, turns of the driver, profiles",
}


def split_section(times: StepTimes, speed: tuple[tuple[str, str], ...]) -> str:
    """Return the bar, and its numbers as a table.

    Args:
        times: mean seconds by part.
        speed: further (name, value) pairs, plain text.

    Returns:
        Markup.
    """
    facts = "".join(f"<p>{escape(name)}: {escape(value)}</p>\n" for name, value in speed)
    note = '<p class="note">The last steps, as one trainer saw them.</p>'
    return split_bar(times) + _numbers(times) + _hidden(times) + facts + note


def split_bar(times: StepTimes) -> str:
    """Draw the parts of a step one after the other, as long as their shares.

    Args:
        times: mean seconds by part.

    Returns:
        An SVG element; a sentence if no time was measured.
    """
    found = shares(times)
    if not found:
        return "<p>No time was measured.</p>"
    x = Scale(0.0, 1.0, EDGE, WIDTH - RIGHT)
    parts: list[str] = []
    begin = 0.0
    for part, share in found.items():
        left, right = x(begin), x(begin + share)
        begin += share
        parts.append(_piece(part, share, left, right))
    return svg(HEIGHT, "parts of a step's time", parts)


def _piece(part: str, share: float, left: float, right: float) -> str:
    words = f"{part}: {100 * share:.1f} %"
    drawn = (
        f'<g><rect x="{left}" y="{EDGE}" width="{round(right - left, 1)}" height="{BAR}" '
        f'class="part-{part}"/><title>{escape(words)}</title></g>'
    )
    if share < LEAST_NAMED:
        return drawn
    return drawn + text((left + right) / 2, EDGE + BAR / 2 + 4, part, "part")


def _numbers(times: StepTimes) -> str:
    found = shares(times)
    box = '<svg class="key" viewBox="0 0 14 14" aria-hidden="true">'
    rows = [
        (
            f'{box}<rect width="14" height="14" rx="3" class="part-{part}"/></svg> {part}',
            f"{1000 * spent:.2f} ms",
            f"{100 * found[part]:.1f} %",
            MEANINGS[part],
        )
        for part, spent in by_part(times).items()
        if found
    ]
    return table(("part", "a step", "share", "what it is"), rows)


def _hidden(times: StepTimes) -> str:
    share = hidden_share(times)
    if share is None:
        return ""
    told = f"{1000 * times.hidden:.2f} ms, {100 * share:.0f} % of the communication"
    return f"<p>hidden behind gradients: {told}</p>\n"
