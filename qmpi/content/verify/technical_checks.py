"""Is a technical document true of its system?

Theory of operation. Each name, number and value in the text is worked out again from the world:
spellings of flags and variables from the setting's name, ranges, exit codes, versions. Then the
whole is checked: samples parse and stay in range, whatever is used is told, versions and dates are
in order, histories end where settings stand, problems have the answers that the solvers find.
"""

import configparser
import json
import tomllib
from collections.abc import Mapping
from datetime import date
from typing import Any

from qmpi.content.document import Document
from qmpi.content.verify.fact_checks import (
    MALFORMED,
    Expected,
    World,
    fact_faults,
    layout_faults,
)
from qmpi.content.verify.technical_solvers import call_text, listed, solve, spell
from qmpi.content.verify.technical_stories import STORY_FACTS, story_faults

Args = tuple[Any, ...]
_TOLD_GENRES = ("manual page", "settings reference")


def check_technical(document: Document) -> list[str]:
    """Check a technical document.

    Args:
        document: with its certificate.

    Returns:
        Faults in words; empty if all it says is true.
    """
    faults = layout_faults(document) + fact_faults(document, _EXPECTED)
    try:
        faults += _world_faults(document.world)
        faults += _structure_faults(document)
    except MALFORMED as error:
        faults.append(f"the world cannot be read: {error!r}")
    return faults


# What should stand in the text. Names of code may stand in backticks.
def _code(shown: str, name: str) -> str:
    if shown in ("On", "Off"):
        return name.capitalize()
    return f"`{name}`" if shown.startswith("`") else name


def _system(world: World, shown: str, _: Args) -> str:
    name = world["system"]
    return name.capitalize() if shown[:1].isupper() else name


def _key(world: World, shown: str, args: Args) -> str:
    setting = world["settings"][args[0]]
    return _code(shown, f"{world['modules'][setting['module']]['name']}.{setting['name']}")


def _flag(world: World, shown: str, args: Args) -> str:
    return _code(shown, "--" + "-".join(world["settings"][args[0]]["name"].split("_")))


def _env(world: World, shown: str, args: Args) -> str:
    return _code(shown, f"{world['system']}_{world['settings'][args[0]]['name']}".upper())


def _value(world: World, shown: str, args: Args) -> str:
    return _code(shown, spell(world["settings"][args[0]], args[1]))


def _bare(world: World, _: str, args: Args) -> str:
    spell(world["settings"][args[0]], args[1])
    return str(args[1])


def _bound(end: str) -> Expected:
    def expected(world: World, _: str, args: Args) -> str:
        setting = world["settings"][args[0]]
        return spell(setting, setting[end])

    return expected


def _choices(world: World, _: str, args: Args) -> str:
    *most, last = (f"`{word}`" for word in world["settings"][args[0]]["choices"])
    return ", ".join(most) + f" or {last}"


def _changed(back: int) -> Expected:
    def expected(world: World, shown: str, args: Args) -> str:
        number, version = args
        history = world["histories"][number]
        place = [when for when, _ in history].index(version) - back
        if place < 0:
            raise ValueError("there was no default before")
        return _code(shown, spell(world["settings"][number], history[place][1]))

    return expected


def _config(world: World, shown: str, _: Args) -> str:
    form = world["format"]
    parsed: Mapping[str, Any]
    if form == "toml":
        parsed = tomllib.loads(shown)
    elif form == "json":
        parsed = json.loads(shown)
    else:
        reader = configparser.ConfigParser()
        try:
            reader.read_string(shown)
        except configparser.Error as error:
            raise ValueError(str(error)) from error
        parsed = {name: dict(reader[name]) for name in reader.sections()}
    wanted: dict[str, dict[str, Any]] = {}
    for number, value in world["sample"]:
        setting = world["settings"][number]
        spell(setting, value)
        module = world["modules"][setting["module"]]["name"]
        plain = str(value).lower() if form == "ini" else value
        wanted.setdefault(module, {})[setting["name"]] = plain
    return shown if parsed == wanted else f"a file that gives {wanted}"


def _given(world: World, _: str, args: Args) -> str:
    puzzle, name, unit = args
    if name == "numbers":
        return listed(world["puzzles"][puzzle][name])
    if name == "calls":
        return " | ".join(call_text(world, call) for call in world["puzzles"][puzzle][name])
    return f"{world['puzzles'][puzzle][name]} {unit}".strip()


def _needs(world: World, _: str, args: Args) -> str:
    modules = world["modules"]
    return " and ".join(f"`{modules[n]['name']}`" for n in modules[args[0]]["needs"])


_EXPECTED: dict[str, Expected] = {
    **STORY_FACTS,
    "system": _system,
    "module": lambda world, shown, args: _code(shown, world["modules"][args[0]]["name"]),
    "key": _key,
    "flag": _flag,
    "env": _env,
    "value": _value,
    "bare": _bare,
    "low": _bound("low"),
    "high": _bound("high"),
    "choices": _choices,
    "code": lambda world, shown, args: _code(shown, world["errors"][args[0]]["code"]),
    "exit": lambda world, _, args: str(world["errors"][args[0]]["exit"]),
    "version": lambda world, _, args: world["versions"][args[0]]["number"],
    "date": lambda world, _, args: world["versions"][args[0]]["date"],
    "was": _changed(1),
    "became": _changed(0),
    "config": _config,
    "told": lambda _, shown, __: shown,
    "needs": _needs,
    "given": _given,
    "step": lambda world, shown, args: _code(shown, solve(world, args[0])[0][args[1]]),
    "answer": lambda world, shown, args: _code(shown, solve(world, args[0])[1]),
}


def _world_faults(world: World) -> list[str]:
    faults: list[str] = []
    names = [row["name"] for row in (*world["settings"], *world["modules"])]
    if len(set(names)) < len(names):
        faults.append("two things of the system have one name")
    for place, module in enumerate(world["modules"]):
        if any(not 0 <= other < place for other in module["needs"]):
            faults.append(f"{module['name']} needs what starts after it")
    for setting in world["settings"]:
        spell(setting, setting["default"])
    codes = [row["code"] for row in world["errors"]]
    exits = [row["exit"] for row in world["errors"]]
    if len(set(codes)) < len(codes) or len(set(exits)) < len(exits):
        faults.append("two errors share a code")
    numbers = [tuple(map(int, row["number"].split("."))) for row in world["versions"]]
    days = [date.fromisoformat(row["date"]) for row in world["versions"]]
    if numbers != sorted(set(numbers)) or days != sorted(set(days)):
        faults.append("versions are out of order")
    return faults + _history_faults(world)


def _history_faults(world: World) -> list[str]:
    faults: list[str] = []
    for setting, history in zip(world["settings"], world.get("histories", ()), strict=False):
        versions = [when for when, _ in history]
        if versions != sorted(set(versions)) or versions[0] != setting["since"]:
            faults.append(f"the history of {setting['name']} is out of order")
        if history[-1][1] != setting["default"]:
            faults.append(f"the history of {setting['name']} ends in another default")
    return faults


def _structure_faults(document: Document) -> list[str]:
    faults: list[str] = []
    settings: Any = document.world["settings"]
    told = {fact.args for fact in document.facts if fact.kind == "told"}
    if document.genre in _TOLD_GENRES:
        used = {str(f.args[0]) for f in document.facts if f.kind in ("flag", "key", "env")}
        lost = [int(n) for n in sorted(used) if ("flag", int(n)) not in told]
        faults += [f"{settings[number]['name']} is used and not told" for number in lost]
    if document.genre == "change log":
        faults += _log_faults(document)
    return faults + story_faults(document)


def _log_faults(document: Document) -> list[str]:
    facts, world = document.facts, document.world
    order = [fact.args[0] for fact in facts if fact.kind == "date"]
    faults = [] if order == list(range(len(order)))[::-1] else ["versions stand out of order"]
    now: Any = None
    seen: list[tuple[Any, ...]] = []
    for fact in facts:
        if fact.kind == "date":
            now = fact.args[0]
        elif fact.kind in ("became", "was"):
            if fact.args[1] != now:
                faults.append(f"a change stands under version {now}, not {fact.args[1]}")
            if fact.kind == "became":
                seen.append(fact.args)
    histories: Any = world["histories"]
    all_changes = [(n, when) for n, history in enumerate(histories) for when, _ in history]
    if sorted(set(seen)) != sorted(all_changes):
        faults.append("the log leaves out a change")
    return faults
