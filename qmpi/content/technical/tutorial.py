"""Tutorials whose examples were run: small commands on lists of numbers, joined by pipes.

Theory of operation. The system has a few commands, each an operation on a list. The text tells what
each does, shows what it prints for a file, and builds longer pipes; each output is computed.
"""

from collections.abc import Callable
from itertools import accumulate, pairwise
from typing import Any

from qmpi.content.english.posing import Puzzle
from qmpi.content.english.prose import Said
from qmpi.content.technical.grammar import PLAIN, TITLES
from qmpi.content.technical.world import Site

Numbers = list[int]
Operation = Callable[[Numbers, int], Numbers]
OPERATIONS: dict[str, Operation] = {
    "above": lambda x, n: [v for v in x if v > n],
    "below": lambda x, n: [v for v in x if v < n],
    "add": lambda x, n: [v + n for v in x],
    "times": lambda x, n: [v * n for v in x],
    "rest": lambda x, n: [v % n for v in x],
    "first": lambda x, n: x[:n],
    "skip": lambda x, n: x[n:],
    "rotate": lambda x, n: x[n % len(x) :] + x[: n % len(x)] if x else [],
    "sort": lambda x, _: sorted(x),
    "reverse": lambda x, _: x[::-1],
    "unique": lambda x, _: list(dict.fromkeys(x)),
    "running": lambda x, _: list(accumulate(x)),
    "steps": lambda x, _: [b - a for a, b in pairwise(x)],
    "even": lambda x, _: [v for v in x if v % 2 == 0],
    "sum": lambda x, _: [sum(x)],
    "count": lambda x, _: [len(x)],
}
WITH_NUMBER = ("above", "below", "add", "times", "rest", "first", "skip", "rotate")
_MEANS: dict[str, tuple[str, ...]] = {
    "above": (
        "{verb} keeps numbers greater than its argument",
        "what exceeds the argument passes {verb}",
    ),
    "below": (
        "{verb} keeps numbers less than its argument",
        "only what lies under the argument survives {verb}",
    ),
    "add": (
        "{verb} adds its argument to each number",
        "{verb} raises every number by its argument",
    ),
    "times": (
        "{verb} multiplies each number by its argument",
        "each number leaves {verb} as many times larger",
    ),
    "rest": (
        "{verb} leaves what remains after division by its argument",
        "{verb} gives remainders",
    ),
    "first": (
        "{verb} keeps as many numbers from the front as it is told",
        "{verb} takes the head of the list",
    ),
    "skip": (
        "{verb} drops as many numbers from the front as it is told",
        "{verb} leaves out the head of the list",
    ),
    "rotate": (
        "{verb} moves that many numbers from the front to the end",
        "{verb} turns the list to the left",
    ),
    "sort": (
        "{verb} puts the smallest first",
        "{verb} orders numbers from small to large",
    ),
    "reverse": (
        "{verb} turns the list around",
        "with {verb} the last becomes first",
    ),
    "unique": (
        "{verb} drops repeated numbers, keeping the first of each",
        "{verb} lets each number pass once",
    ),
    "running": (
        "{verb} prints running totals",
        "{verb} replaces each number by the total so far",
    ),
    "steps": (
        "{verb} prints the difference of each number from the one before",
        "{verb} gives successive differences",
    ),
    "even": (
        "{verb} keeps even numbers",
        "odd numbers do not pass {verb}",
    ),
    "sum": (
        "{verb} adds everything up",
        "{verb} prints one number, the total",
    ),
    "count": (
        "{verb} prints how many numbers there are",
        "{verb} counts",
    ),
}
_FILES = ("txt", "list", "dat", "in", "log")


def tutorial(site: Site) -> None:
    """Write a tutorial.

    Args:
        site: new.
    """
    page, draw = site.page, site.draw
    world: dict[str, Any] = page.world
    ops = draw.sample(tuple(OPERATIONS), site.size("entities", 2, 9))
    world["verbs"] = [{"name": site.fresh(site.holes["op"].text), "op": op} for op in ops]
    world["runs"] = []
    numbers = [draw.between(1, 99) for _ in range(site.size("distance", 4, 12))]
    if draw.chance(50):
        numbers += numbers[: draw.below(3)]
    world["numbers"] = numbers
    world["file"] = f"{site.item()}.{draw.choice(_FILES)}"
    page.say(draw.choice(("# ", "", "= ")))
    site.tell(TITLES, "\n\n")
    site.talk(1 + draw.below(2), PLAIN, "\n\n")
    _show_file(site)
    for number in range(len(ops)):
        site.turn()
        site.holes["verb"] = _verb(site, number)
        site.tell(draw.choice(_MEANS[ops[number]]), "")
        site.more(site.size("structure", 0, 2), PLAIN)
        page.say("\n\n")
        _run(site, [_call(site, number)])
    for _ in range(site.size("steps", 0, 3)):
        site.turn()
        site.talk(1, PLAIN, "\n\n")
        length = site.size("steps", 2, 5)
        _run(site, [_call(site, draw.below(len(ops))) for _ in range(length)])
    if draw.chance(60):
        _ask_pipeline(site)
    site.turn()
    site.talk(2, PLAIN, "\n")


def _verb(site: Site, number: int) -> Said:
    world: dict[str, Any] = site.page.world
    return Said(f"`{world['verbs'][number]['name']}`", "verb", (number,))


def _show_file(site: Site) -> None:
    page, holes = site.page, site.holes
    holes["file"] = Said(f"`{page.world['file']}`", "file")
    site.tell(site.draw.choice((
        "{file} holds what {mod} {opd}", "put these {items} into {file}", "let {file} be this",
        "the numbers in {file} count {trait} {items}", "{mod} wrote {file} {how}",
    )), "\n\n")  # fmt: skip
    page.say("    ")
    numbers: Any = page.world["numbers"]
    page.fact("numbers", " ".join(map(str, numbers)))
    page.say("\n\n")


def _call(site: Site, number: int) -> list[int | None]:
    world: dict[str, Any] = site.page.world
    op = world["verbs"][number]["op"]
    if op not in WITH_NUMBER:
        return [number, None]
    if op in ("first", "skip", "rotate", "times", "rest"):
        return [number, site.draw.between(2, 5)]
    return [number, site.draw.between(5, 60)]


def _run(site: Site, calls: list[list[int | None]]) -> None:
    page = site.page
    world: dict[str, Any] = page.world
    number = len(world["runs"])
    world["runs"].append(calls)
    shown = list(world["numbers"])
    spelled: list[str] = []
    for verb, argument in calls:
        row = world["verbs"][verb]
        shown = OPERATIONS[row["op"]](shown, argument or 0)
        spelled.append(f"{site.name} {row['name']}" + ("" if argument is None else f" {argument}"))
    page.say("    $ ")
    page.fact("run", " | ".join([f"{spelled[0]} {world['file']}", *spelled[1:]]), number)
    page.say("\n    ")
    page.fact("output", " ".join(map(str, shown)) or "(nothing)", number)
    page.say("\n\n")


def _ask_pipeline(site: Site) -> None:
    draw = site.draw
    world: dict[str, Any] = site.page.world
    numbers = [draw.between(1, 60) for _ in range(site.size("steps", 3, 9))]
    calls = [_call(site, draw.below(len(world["verbs"]))) for _ in range(site.size("steps", 2, 6))]
    puzzle = Puzzle(site, "pipeline", {"numbers": numbers, "calls": calls})
    site.turn()
    puzzle.give_text("numbers", " ".join(map(str, numbers)))
    site.tell(draw.choice((
        "{file} is replaced by {numbers}", "another file of {items} holds {numbers}",
        "now {mod} {op3} {numbers}", "suppose the {part} delivers {numbers}",
    )))  # fmt: skip
    spelled = [
        f"{world['verbs'][verb]['name']}" + ("" if argument is None else f" {argument}")
        for verb, argument in calls
    ]
    puzzle.give_text("calls", " | ".join(spelled))
    puzzle.ask(("what does {calls} print?", "what comes out of {calls}?", "work out {calls}"))
    for (verb, argument), name in zip(calls, spelled, strict=True):
        numbers = OPERATIONS[world["verbs"][verb]["op"]](numbers, argument or 0)
        puzzle.put("verb", f"`{name}`")
        puzzle.put("now", " ".join(map(str, numbers)) or "(nothing)")
        puzzle.show(("{verb}: {now}", "after {verb}: {now}", "{verb} gives {now}"))
    puzzle.answer(" ".join(map(str, numbers)) or "(nothing)")
