"""Layouts that a job could have, as people and scripts read them."""

from typing import Any

import msgspec

from qmpi.planning.choice import Choice, Option, refusal, why
from qmpi.planning.wording import layout_text, seconds_text, size_text

SHOWN, TOO_LARGE = 8, 4
"""Layouts of a table at most: the fastest that fit, and the fastest of those that do not."""

WHOLE = 'all with shard = "none": "optimizer" and "full" need less memory (docs/teams.md)'

HEAD = ("", "layout", "teams", "step", "memory a rank", "sent a step", "bubble")


def layouts_told(choice: Choice) -> dict[str, Any]:
    """Return layouts as scripts read them.

    Args:
        choice: what there is to choose from.

    Returns:
        chosen, layouts (the fastest that fit first, then those that do not), refused, and why: a
        sentence each; where none is chosen, of the nearest and of what would help.
    """
    best = choice.chosen
    return {
        "chosen": None if best is None else msgspec.to_builtins(best.parallel),
        "layouts": [{**msgspec.to_builtins(one), "fits": one.fits} for one in choice.options],
        "refused": [msgspec.to_builtins(one) for one in choice.refused],
        "why": refusal(choice).split("\n  ") if best is None else list(why(choice)),
    }


def layouts_text(choice: Choice) -> str:
    """Return layouts as a table, with what is refused below it.

    Args:
        choice: what there is to choose from.

    Returns:
        Lines; the fastest that fit first.
    """
    fitting = [one for one in choice.options if one.fits]
    options = fitting[:SHOWN] + [one for one in choice.options if not one.fits][:TOO_LARGE]
    rows = [HEAD, *(_row(one, choice.chosen) for one in options)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = [
        "  ".join(cell.ljust(size) for cell, size in zip(r, widths, strict=True)) for r in rows
    ]
    more = len(choice.options) - len(options)
    if more:
        lines.append(f"and {more:,} more (--json has all)")
    if choice.options:
        lines.append(WHOLE)
    else:
        lines = ["not known: no machine file says how large and how fast its GPUs are"]
    lines += [f"refused: {one.why}" for one in choice.refused]
    return "\n".join(line.rstrip() for line in lines)


def _row(option: Option, best: Option | None) -> tuple[str, ...]:
    mark = "chosen" if option is best else "" if option.fits else "too large"
    sent = ", ".join(f"{axis} {size_text(size)}" for axis, size in option.sent_bytes.items())
    return (
        mark,
        layout_text(option.parallel),
        f"{option.teams:,}",
        seconds_text(option.step_seconds),
        f"{size_text(option.memory_bytes)} of {size_text(option.room_bytes)}",
        sent or "-",
        f"{option.bubble:.0%}" if option.parallel.pipeline > 1 else "-",
    )
