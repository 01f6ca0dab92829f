"""References of interfaces: nested types, calls that take and give them, and an example that fits.

Theory of operation. Types are numbered so that a type contains only types with higher numbers;
what is nested can therefore be told from the inside out, and counted. The example is a value of the
first type, made by the same rules that the text states.
"""

from typing import Any

from qmpi.content.document import Plain
from qmpi.content.english.posing import Puzzle
from qmpi.content.english.prose import Said
from qmpi.content.technical.grammar import EXTRA, PLAIN, TASK, TITLES
from qmpi.content.technical.reference import furnish
from qmpi.content.technical.words import CHOICES, PARTS, plurals
from qmpi.content.technical.world import Row, Site

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def add_types(site: Site, count: int) -> list[Row]:
    """Give the system types.

    Args:
        site: new.
        count: how many.

    Returns:
        The types, as they stand in the world.
    """
    draw = site.draw
    types: list[Row] = []
    for number in range(count):
        name = site.item().capitalize() + draw.choice(PARTS).capitalize()
        names = draw.sample(PARTS, site.size("structure", 2, 5))
        fields = [[field, *_field_kind(site)] for field in names]
        # Every type but the first is part of an earlier one.
        types.append({"name": site.fresh(name), "fields": fields})
        if number:
            owner = types[draw.below(number)]
            kind = "list" if draw.chance(35) else "type"
            taken = [field for field, _, _ in owner["fields"]]
            inner = site.item()
            while inner in taken:
                inner = site.prose.coinage()
            owner["fields"].append([inner, kind, number])
    site.page.world["types"] = types  # type: ignore[assignment]
    return types


def _field_kind(site: Site) -> tuple[str, Plain]:
    draw = site.draw
    kind = draw.choice(("integer", "integer", "text", "truth", "choice"))
    if kind == "integer":
        low = draw.below(50)
        return kind, [low, low + 1 + draw.below(5000)]
    if kind == "text":
        return kind, 4 + draw.below(252)
    return kind, list(draw.sample(CHOICES, 2 + draw.below(3))) if kind == "choice" else None


def _kind_text(types: list[Row], kind: str, extra: Any) -> str:  # noqa: ANN401 - plain data
    if kind == "integer":
        return f"integer, {extra[0]} to {extra[1]}"
    if kind == "text":
        return f"text of at most {extra} characters"
    if kind == "truth":
        return "true or false"
    if kind == "choice":
        return "one of " + ", ".join(f"`{word}`" for word in extra)
    name = types[extra]["name"]
    return f"list of `{name}`" if kind == "list" else f"`{name}`"


def interface_reference(site: Site) -> None:
    """Write a reference of types and calls.

    Args:
        site: new.
    """
    page, draw = site.page, site.draw
    furnish(site, settings=2 + draw.below(2))
    types = add_types(site, site.size("structure", 1, 5))
    page.say(draw.choice(("# ", "", "== ")))
    site.tell(TITLES, "\n\n")
    site.talk(1 + draw.below(3), PLAIN, "\n\n")
    parts = [_write_types, _write_calls]
    draw.shuffle(parts)
    for part in parts:
        part(site, types)
    _example(site, types)
    if draw.chance(40):
        _ask_leaves(site, types)
    site.turn()
    site.talk(2, PLAIN, "\n")


def _write_types(site: Site, types: list[Row]) -> None:
    page, draw = site.page, site.draw
    head = draw.choice(("### ", "## ", "Type ", "type ", "object "))
    for number, row in enumerate(types):
        site.turn()
        page.say(head)
        start = page.length
        page.fact("type", f"`{row['name']}`", number)
        page.mark("told", start, page.length, "type", number)
        page.say("\n\n")
        site.tell(PLAIN, "\n\n")
        for place, (name, kind, extra) in enumerate(row["fields"]):
            page.say("- ")
            page.fact("field", f"`{name}`", number, place)
            page.say(": ")
            page.fact("kind", _kind_text(types, kind, extra), number, place)
            page.say(". ")
            site.tell(TASK, "\n")
        page.say("\n")


def _write_calls(site: Site, types: list[Row]) -> None:
    page, draw = site.page, site.draw
    calls: list[Row] = []
    page.world["calls"] = calls  # type: ignore[assignment]
    for number in range(site.size("entities", 1, 5)):
        site.turn()
        item = plurals()[site.item()]
        call: Row = {
            "method": draw.choice(_METHODS),
            "path": f"/{item}/{{id}}/{draw.choice(PARTS)}" if draw.chance(50) else f"/{item}",
            "gives": draw.below(len(types)), "rate": draw.between(5, 900),
            "error": draw.below(len(site.errors)),
        }  # fmt: skip
        calls.append(call)
        page.say(draw.choice(("### ", "", "* ")))
        page.fact("path", f"{call['method']} {call['path']}", number)
        page.say("\n\n")
        site.turn_error(call["error"])
        site.holes["gives"] = Said(f"`{types[call['gives']]['name']}`", "type", (call["gives"],))
        site.holes["rate"] = Said(str(call["rate"]), "rate", (number,))
        site.tell(TASK)
        site.tell(draw.choice(_GIVES))
        site.tell(draw.choice(_RATES), "")
        site.more(site.size("structure", 0, 2), EXTRA)
        page.say("\n\n")


_GIVES = (
    "the answer is {gives}", "it returns {gives}, {opn} {how}", "the {part} replies with {gives}",
    "{mod} gives back one {gives} per {item}", "callers get {gives} unless {code} is raised",
    "returns {gives} or fails with {code}", "a {gives} describes the {trait} {item}",
)  # fmt: skip
_RATES = (
    "at most {rate} calls a minute", "{mod} {op3} up to {rate} of these a minute",
    "more than {rate} a minute end in {code}", "clients may {op} {rate} {items} per minute",
    "the {part} allows {rate} requests in a minute", "limit: {rate} per minute",
)  # fmt: skip


def _example(site: Site, types: list[Row]) -> None:
    page, draw = site.page, site.draw
    value = _value_of(site, types, 0)
    page.world["example"] = value
    site.holes["gives"] = Said(f"`{types[0]['name']}`", "type", (0,))
    site.turn()
    site.tell(draw.choice((
        "an example of {gives} from the {trait} {part}",
        "this is {gives} after {mod} {opd} {aitem}", "{gives}, as {mod} {op3} it",
        "what {mod} sends: {gives}", "one {atrait} {item} as {gives}",
    )), "\n\n")  # fmt: skip
    page.say("```json\n")
    page.fact("json", _json(value, 0))
    page.say("\n```\n\n")


def _value_of(site: Site, types: list[Row], number: int) -> Plain:
    draw = site.draw
    made: dict[str, Plain] = {}
    for name, kind, extra in types[number]["fields"]:
        if kind == "integer":
            made[name] = draw.between(extra[0], extra[1])
        elif kind == "truth":
            made[name] = draw.chance(50)
        elif kind == "choice":
            made[name] = draw.choice(extra)
        elif kind == "text":
            made[name] = site.prose.coinage()[:extra]
        elif kind == "type":
            made[name] = _value_of(site, types, extra)
        else:
            made[name] = [_value_of(site, types, extra) for _ in range(1 + draw.below(2))]
    return made


def _json(value: Plain, depth: int) -> str:
    inner, outer = "\n" + "  " * (depth + 1), "\n" + "  " * depth
    if isinstance(value, dict):
        pairs = [f'"{name}": {_json(part, depth + 1)}' for name, part in value.items()]
        return "{" + inner + f",{inner}".join(pairs) + outer + "}"
    if isinstance(value, list):
        return "[" + inner + f",{inner}".join(_json(v, depth + 1) for v in value) + outer + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _ask_leaves(site: Site, types: list[Row]) -> None:
    draw = site.draw
    length = 1 + draw.below(9)
    puzzle = Puzzle(site, "leaves", {"length": length})
    puzzle.give("length")
    site.holes["gives"] = Said(f"`{types[0]['name']}`", "type", (0,))
    puzzle.ask((
        "if each list has {length} entries, how many plain values does {gives} hold?",
        "every list is {length} long; count the values in {gives} that are no objects",
        "with lists of length {length}, how many leaves has {gives}?",
    ))  # fmt: skip
    leaves = [0] * len(types)
    for number in range(len(types) - 1, -1, -1):
        for _, kind, extra in types[number]["fields"]:
            times = length if kind == "list" else 1
            leaves[number] += times * leaves[extra] if kind in ("list", "type") else 1
        site.holes["gives"] = Said(f"`{types[number]['name']}`", "type", (number,))
        puzzle.put("count", leaves[number])
        puzzle.show(("{gives}: {count}", "{gives} holds {count}", "a {gives} has {count} of them"))
    puzzle.answer(str(leaves[0]))
