"""Solvers of the problems that technical documents set.

Theory of operation. Each solver works out steps and answer from the stored numbers alone, in
another way than the writer: it simulates second by second, closes sets until nothing changes, or
scans a history backwards.
"""

from collections.abc import Callable, Mapping, Sequence
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
    if world["deeds"][puzzle["deed"]]["module"] != target:
        raise ValueError("another module does that")
    names = [modules[number]["name"] for number in sorted(before)]
    return [modules[target]["name"]], ", ".join(names) if names else "none"


def _owner(world: World, puzzle: Row) -> Solution:
    setting = world["settings"][world["errors"][puzzle["error"]]["setting"]]
    module = world["modules"][setting["module"]]
    return [f"{module['name']}.{setting['name']}", module["name"]], module["owner"]


def _default(world: World, puzzle: Row) -> Solution:
    number, version = puzzle["setting"], puzzle["version"]
    setting = world["settings"][number]
    past = [value for when, value in world["histories"][number] if when <= version]
    return [spell(setting, value) for value in past], spell(setting, past[-1])


def _leaves(world: World, puzzle: Row) -> Solution:
    types = world["types"]

    def leaves(number: int) -> int:
        count = 0
        for _, kind, extra in types[number]["fields"]:
            inner = leaves(extra) if kind in ("type", "list") else 1
            count += inner * (puzzle["length"] if kind == "list" else 1)
        return count

    counts = [leaves(number) for number in range(len(types))]
    return [str(count) for count in reversed(counts)], str(counts[0])


def run_pipe(world: World, numbers: Sequence[int], calls: Sequence[Any]) -> list[list[int]]:
    """Run a pipe of commands.

    Args:
        world: with verbs.
        numbers: put in.
        calls: number of the verb and its argument, one a command.

    Returns:
        What each command prints.
    """
    printed: list[list[int]] = []
    now = list(numbers)
    for verb, argument in calls:
        now = _operate(world["verbs"][verb]["op"], now, argument)
        printed.append(now)
    return printed


# One number at a time, as the text tells it.
def _operate(op: str, given: list[int], n: int | None) -> list[int]:
    if n is None:
        return _plain_operation(op, given)
    if op == "rotate":
        turned = list(given)
        for _ in range(n):
            turned = turned[1:] + turned[:1]
        return turned
    made: list[int] = []
    for place, number in enumerate(given):
        kept, value = {
            "above": (number > n, number),
            "below": (number < n, number),
            "add": (True, number + n),
            "times": (True, number * n),
            "rest": (True, number - n * (number // n) if n else 0),
            "first": (place < n, number),
            "skip": (place >= n, number),
        }[op]
        made += [value] if kept else []
    return made


def _plain_operation(op: str, given: list[int]) -> list[int]:
    made: list[int] = []
    total, count = 0, 0
    for place, number in enumerate(given):
        total, count = total + number, count + 1
        if op == "running":
            made.append(total)
        elif op == "steps" and place:
            made.append(number - given[place - 1])
        elif (op == "even" and not number & 1) or (op == "unique" and number not in given[:place]):
            made.append(number)
        elif op == "reverse":
            made.insert(0, number)
        elif op == "sort":
            made.insert(sum(other <= number for other in made), number)
    return [total] if op == "sum" else [count] if op == "count" else made


def listed(numbers: Sequence[int]) -> str:
    """Return numbers as commands print them.

    Args:
        numbers: any.

    Returns:
        With spaces between.
    """
    return " ".join(f"{number:d}" for number in numbers) if numbers else "(nothing)"


def call_text(world: World, call: Sequence[Any]) -> str:
    """Return a command as it is typed after the system's name.

    Args:
        world: with verbs.
        call: number of the verb and its argument.

    Returns:
        Verb and argument.
    """
    verb, argument = call
    name = world["verbs"][verb]["name"]
    return name if argument is None else f"{name} {argument:d}"


def _pipeline(world: World, puzzle: Row) -> Solution:
    printed = run_pipe(world, puzzle["numbers"], puzzle["calls"])
    steps: list[str] = []
    for call, numbers in zip(puzzle["calls"], printed, strict=True):
        steps += (call_text(world, call), listed(numbers))
    return steps, listed(printed[-1])


def _outage(world: World, puzzle: Row) -> Solution:
    minutes, first = world["incident"]["minutes"], puzzle["first"]
    steps: list[str] = []
    for place in range(first + 1, puzzle["last"] + 1):
        steps += (str(minutes[place] - minutes[place - 1]), str(minutes[place] - minutes[first]))
    return steps, f"{minutes[puzzle['last']] - minutes[first]} min"


def _thread(world: World, _: Row) -> Solution:
    comments = world["thread"]["comments"]
    setting = world["settings"][world["thread"]["setting"]]

    def holds(last: int) -> str:
        gone = {what for kind, what in comments[: last + 1] if kind == "withdraw"}
        for place in range(last, -1, -1):
            if comments[place][0] == "claim" and place not in gone:
                return spell(setting, comments[place][1])
        raise ValueError("no claim is left")

    steps = [holds(place) for place, (kind, _) in enumerate(comments) if kind != "talk"]
    return steps, holds(len(comments) - 1)


def _packages(world: World, _: Row) -> Solution:
    steps: list[str] = []
    old: list[str] = []
    for row in world["packages"]:
        # Part by part; 2.10 comes after 2.9.
        major, minor = row["least"]
        late = row["have"][0] < major or (row["have"][0] == major and row["have"][1] < minor)
        steps.append("too old" if late else "fine")
        old += [row["name"]] if late else []
    return steps, ", ".join(old) if old else "none"


def _moves(world: World, puzzle: Row) -> Solution:
    steps: list[str] = []
    lines: list[str] = []
    for number, value in zip(puzzle["asked"], puzzle["values"], strict=True):
        factor = world["moves"][number]["factor"]
        total = sum(value for _ in range(factor))
        steps += (str(value), str(factor), str(total))
        lines.append(f"{world['settings'][number]['name']} = {total}")
    return steps, ", ".join(lines)


_SOLVERS: dict[str, Callable[[World, Row], Solution]] = {
    "precedence": _precedence,
    "backoff": _backoff,
    "filling": _filling,
    "start": _start,
    "owner": _owner,
    "default": _default,
    "leaves": _leaves,
    "pipeline": _pipeline,
    "outage": _outage,
    "thread": _thread,
    "packages": _packages,
    "moves": _moves,
}
