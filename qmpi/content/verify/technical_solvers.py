"""Solvers of the problems that technical documents set.

Theory of operation. Each solver works out steps and answer from the stored numbers alone, in
another way than the writer: it simulates second by second, closes sets until nothing changes, or
scans a history backwards.
"""

from collections.abc import Callable, Mapping
from typing import Any

from qmpi.content.verify.fact_checks import World

Row = Mapping[str, Any]
Solution = tuple[list[str], str]
_LAYERS = ("file", "environment", "command line")


def spell(setting: Row, value: object) -> str:
    """Return a value of a setting as prose must have it, without backticks.

    Args:
        setting: of the world.
        value: to spell.

    Returns:
        With unit.

    Raises:
        ValueError: the setting may not take the value.
        TypeError: the value is no number where one is due.
    """
    kind = setting["kind"]
    if kind == "switch":
        if not isinstance(value, bool):
            raise ValueError(f"{value!r} is no truth value")
        return "on" if value else "off"
    if kind == "choice":
        if value not in setting["choices"]:
            raise ValueError(f"{value!r} is not among {setting['choices']}")
        return str(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{value!r} is no number")
    if not setting["low"] <= value <= setting["high"]:
        raise ValueError(f"{value!r} is not within {setting['low']} and {setting['high']}")
    unit = {"": "", "%": "%"}.get(setting["unit"], f" {setting['unit']}")
    return f"{value:d}{unit}"


def solve(world: World, number: int) -> Solution:
    """Solve a problem of a world.

    Args:
        world: with puzzles.
        number: of the puzzle.

    Returns:
        Worked values in order, and the answer.
    """
    puzzle = world["puzzles"][number]
    return _SOLVERS[puzzle["kind"]](world, puzzle)


def _precedence(world: World, puzzle: Row) -> Solution:
    setting = world["settings"][puzzle["setting"]]
    given = puzzle["given"]
    steps = [spell(setting, given[layer]) for layer in _LAYERS if layer in given]
    for layer in reversed(_LAYERS):
        if layer in given:
            return steps, spell(setting, given[layer])
    return steps, spell(setting, setting["default"])


def _backoff(_: World, puzzle: Row) -> Solution:
    pauses = [min(puzzle["first"] << k, puzzle["cap"]) for k in range(puzzle["tries"])]
    steps = [str(n) for k, pause in enumerate(pauses) for n in (pause, sum(pauses[: k + 1]))]
    return steps, f"{sum(pauses)} ms"


def _filling(_: World, puzzle: Row) -> Solution:
    held, seconds = puzzle["held"], 0
    while held < puzzle["room"]:
        if seconds > 100_000:
            raise ValueError("the queue never fills")
        held, seconds = held + puzzle["arrive"] - puzzle["leave"], seconds + 1
    more, free = puzzle["arrive"] - puzzle["leave"], puzzle["room"] - puzzle["held"]
    return [str(more), str(free), str(seconds)], f"{seconds} s"


def _start(world: World, puzzle: Row) -> Solution:
    modules, target = world["modules"], puzzle["module"]
    before: set[int] = set()
    while True:
        more = {n for m in (target, *before) for n in modules[m]["needs"]} | before
        if more == before:
            break
        before = more
    return [], ", ".join(modules[n]["name"] for n in sorted(before)) or "none"


def _default(world: World, puzzle: Row) -> Solution:
    number, version = puzzle["setting"], puzzle["version"]
    setting = world["settings"][number]
    past = [value for when, value in world["histories"][number] if when <= version]
    return [spell(setting, value) for value in past], spell(setting, past[-1])


_SOLVERS: dict[str, Callable[[World, Row], Solution]] = {
    "precedence": _precedence,
    "backoff": _backoff,
    "filling": _filling,
    "start": _start,
    "default": _default,
}
