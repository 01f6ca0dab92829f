"""Facts of interfaces, tutorials, incidents, threads, guides and proposals, worked out again.

Theory of operation. Each entry takes the world and the arguments of a fact and returns what must
stand there; examples in JSON are parsed and held against their types; commands are run by the
solvers' own interpreter.
"""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from qmpi.content.document import Document
from qmpi.content.english.lexicon import english
from qmpi.content.verify.fact_checks import Expected, World, world_of
from qmpi.content.verify.technical_solvers import call_text, listed, run_pipe, spell

Args = tuple[Any, ...]


def _deed(world: World, shown: str, args: Args) -> str:
    row = world["deeds"][args[0]]
    _, third, past, done = row["verb"]
    name, one = f"`{world['modules'][row['module']]['name']}`", row["item"]
    # The plural is the writer's; that it is one of this thing shows in its first letters.
    many = next((w for w in shown.replace("`", " ").split() if _is_plural(w.lower(), one)), one)
    told = {
        f"{name} {third} {many}", f"{name} {past} {many}", f"{name} had {done} each {one}",
        f"{many} are {done} by {name}", f"{many} were {done} by {name}",
        f"{name} {third} each {one}", f"it is {name} that {third} {many}",
    }  # fmt: skip
    return shown if shown in told or shown[0].lower() + shown[1:] in told else f"one of {told}"


def _is_plural(word: str, one: str) -> bool:
    return word in _plurals().get(one, ())


@cache
def _plurals() -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for noun in english().nouns:
        found[noun.singular] = (*found.get(noun.singular, ()), noun.plural)
    return found


def _act(world: World, shown: str, args: Args) -> str:
    row = world["deeds"][args[0]]
    many = shown.partition(" ")[2]
    return f"{row['verb'][1]} {many if _is_plural(many, row['item']) else row['item']}"


def _kind(world: World, _: str, args: Args) -> str:
    _, kind, extra = world["types"][args[0]]["fields"][args[1]]
    if kind in ("type", "list"):
        name = f"`{world['types'][extra]['name']}`"
        return f"list of {name}" if kind == "list" else name
    words = {
        "integer": "integer, {0[0]} to {0[1]}",
        "text": "text of at most {0} characters",
        "truth": "true or false",
        "choice": "one of {1}",
    }[kind]
    return words.format(extra, ", ".join(f"`{e}`" for e in extra) if kind == "choice" else "")


def _json(world: World, shown: str, _: Args) -> str:
    value = json.loads(shown)
    if value != world["example"]:
        return f"a value equal to {world['example']}"
    fault = _misfit(world["types"], 0, value)
    return shown if fault is None else f"a value in which {fault}"


def _misfit(types: Any, number: int, value: Any) -> str | None:
    fields = types[number]["fields"]
    if list(value) != [name for name, _, _ in fields]:
        return f"the fields of {types[number]['name']} are {fields}"
    for name, kind, extra in fields:
        if kind in ("type", "list"):
            inner = value[name] if kind == "list" else [value[name]]
            faults = [_misfit(types, extra, part) for part in inner]
            fault = next(filter(None, faults), None)
        else:
            fault = None if _fits(kind, extra, value[name]) else f"{name} is {kind} {extra}"
        if fault:
            return fault
    return None


def _fits(kind: str, extra: Any, value: Any) -> bool:
    if kind == "integer":
        return type(value) is int and extra[0] <= value <= extra[1]
    if kind == "text":
        return isinstance(value, str) and len(value) <= extra
    return isinstance(value, bool) if kind == "truth" else value in extra


def _call(world: World, _: str, args: Args) -> str:
    call = world["calls"][args[0]]
    return " ".join((call["method"], call["path"]))


def _rate(world: World, _: str, args: Args) -> str:
    return str(world["calls"][args[0]]["rate"] if args else world["incident"]["rate"])


def _run(world: World, _: str, args: Args) -> str:
    system, calls = world["system"], world["runs"][args[0]]
    typed = [f"{system} {call_text(world, call)}" for call in calls]
    typed[0] += f" {world['file']}"
    return " | ".join(typed)


def _output(world: World, _: str, args: Args) -> str:
    return listed(run_pipe(world, world["numbers"], world["runs"][args[0]])[-1])


def _clock(world: World, _: str, args: Args) -> str:
    minute = world["incident"]["start"] + world["incident"]["minutes"][args[0]]
    if minute >= 24 * 60:
        raise ValueError("the incident runs past midnight")
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _span(world: World, _: str, args: Args) -> str:
    minutes = world["incident"]["minutes"]
    return f"{sum(b - a for a, b in _pairs(minutes[args[0] : args[1] + 1]))} min"


def _pairs(numbers: list[int]) -> list[tuple[int, int]]:
    return [(numbers[n], numbers[n + 1]) for n in range(len(numbers) - 1)]


def _lost(world: World, _: str, __: Args) -> str:
    incident = world["incident"]
    return str(incident["rate"] * incident["minutes"][4])


def _claim(world: World, shown: str, args: Args) -> str:
    kind, value = world["thread"]["comments"][args[0]]
    if kind != "claim":
        raise ValueError("this comment claims nothing")
    text = spell(world["settings"][world["thread"]["setting"]], value)
    if shown.startswith("`"):
        return f"`{text}`"
    return text.capitalize() if shown[:1].isupper() else text


def _withdrawn(world: World, shown: str, args: Args) -> str:
    kind, what = world["thread"]["comments"][args[0]]
    if kind != "withdraw" or world["thread"]["comments"][what][0] != "claim" or what >= args[0]:
        raise ValueError("this comment withdraws no claim before it")
    return _comment(world, shown, (what,))


def _comment(_: World, shown: str, args: Args) -> str:
    text = f"comment {args[0] + 1}"
    return text.capitalize() if shown[:1].isupper() else text


def _lines(world: World, _: str, args: Args) -> str:
    puzzle = world["puzzles"][args[0]]
    pairs = zip(puzzle["asked"], puzzle["values"], strict=True)
    return "`" + ", ".join(f"{world['moves'][n]['old']} = {value}" for n, value in pairs) + "`"


def _have(world: World, _: str, __: Args) -> str:
    rows = world["packages"]
    return ", ".join(f"`{r['name']}` {r['have'][0]}.{r['have'][1]}.{r['have'][2]}" for r in rows)


def _cost_of(world: World, number: int) -> int:
    option = world["proposal"]["options"][number]
    return option["fixed"] + world["proposal"]["count"] * option["each"]


def _cheapest(world: World, _: str, __: Args) -> str:
    options = world["proposal"]["options"]
    order = sorted(range(len(options)), key=lambda number: (_cost_of(world, number), number))
    return f"`{options[order[0]]['name']}`"


def _verdict(world: World, _: str, __: Args) -> str:
    yes, no, _ = world["proposal"]["votes"]
    return "accepted" if yes >= 2 * no else "rejected"


def _named(table: str) -> Expected:
    return lambda world, _, args: f"`{world[table][args[0]]['name']}`"


def _option(field: str) -> Expected:
    return lambda world, _, args: f"{world['proposal']['options'][args[0]][field]} KiB"


STORY_FACTS: Mapping[str, Expected] = {
    "deed": _deed,
    "act": _act,
    "owner": lambda world, _, args: world["modules"][args[0]]["owner"],
    "type": _named("types"),
    "field": lambda world, _, args: f"`{world['types'][args[0]]['fields'][args[1]][0]}`",
    "kind": _kind,
    "path": _call,
    "rate": _rate,
    "json": _json,
    "verb": _named("verbs"),
    "file": lambda world, _, __: f"`{world['file']}`",
    "numbers": lambda world, _, __: listed(world["numbers"]),
    "run": _run,
    "output": _output,
    "clock": _clock,
    "span": _span,
    "lost": _lost,
    "ticket": lambda world, _, __: f"#{world['thread']['id']}",
    "comment": _comment,
    "claim": _claim,
    "withdrawn": _withdrawn,
    "package": _named("packages"),
    "least": lambda world, _, args: ".".join(map(str, world["packages"][args[0]]["least"])),
    "have": _have,
    "old": lambda world, _, args: f"`{world['moves'][args[0]]['old']}`",
    "factor": lambda world, _, args: str(world["moves"][args[0]]["factor"]),
    "lines": _lines,
    "count": lambda world, _, __: str(world["proposal"]["count"]),
    "option": lambda world, _, args: f"`{world['proposal']['options'][args[0]]['name']}`",
    "fixed": _option("fixed"),
    "each": _option("each"),
    "cost": lambda world, _, args: f"{_cost_of(world, args[0])} KiB",
    "cheapest": _cheapest,
    "votes": lambda world, _, args: str(world["proposal"]["votes"][args[0]]),
    "verdict": _verdict,
}
"""What must stand in the text, by kind of fact."""


def story_faults(document: Document) -> list[str]:
    """Check what holds of a whole document of these forms.

    Args:
        document: technical.

    Returns:
        Faults in words.
    """
    faults: list[str] = []
    world = world_of(document)
    if document.genre == "incident report":
        minutes = world["incident"]["minutes"]
        if any(later <= earlier for earlier, later in _pairs(minutes)):
            faults.append("the moments of the incident are out of order")
        setting = world["settings"][world["incident"]["setting"]]
        if setting["default"] == world["incident"]["wrong"]:
            faults.append("the cause is no change")
    if document.genre == "interface reference":
        told = {str(fact.args[1]) for fact in document.facts if fact.kind == "told"}
        used = {str(fact.args[0]) for fact in document.facts if fact.kind in ("type", "field")}
        faults += [] if used <= told else ["a type is used and not told"]
    for kind, table in (("comment", "thread"), ("verb", "verbs"), ("package", "packages")):
        shown = {str(fact.args[0]) for fact in document.facts if fact.kind == kind}
        if table in world:
            rows = world[table]["comments"] if table == "thread" else world[table]
            faults += [] if len(shown) == len(rows) else [f"a {kind} is left out"]
    return faults
