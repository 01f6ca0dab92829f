"""Configuration: a file in JSON or TOML, what overrides it, and the values in force."""

from typing import Any

from qmpi.content.code.sheet import Sheet
from qmpi.content.code.words import Words
from qmpi.content.counter import Draw
from qmpi.content.level import sized
from qmpi.content.page import Page

Value = Any
Tree = dict[str, Value]
Path = list[str]

_VERBS = (" is ", " = ", ": ", " stays ", " ends up as ", " -> ", " holds ")


def _leaf(draw: Draw, words: Words) -> Value:
    kind = draw.below(8)
    if kind < 3:
        return draw.choice((draw.below(10), draw.below(100), draw.below(65536)))
    if kind == 3:
        return bool(draw.word() & 1)
    if kind == 4:
        return [draw.below(1000) for _ in range(draw.between(1, 4))]
    if kind == 5:
        return [words.noun() for _ in range(draw.between(1, 4))]
    if kind == 6:
        return f"/{words.noun()}/{words.noun()}-{draw.below(1000)}"
    return words.phrase()


def _grown(draw: Draw, words: Words, width: int, depth: int) -> Tree:
    # Plain keys before sections: TOML would read them as part of the last section.
    tree: Tree = {words.variable(): _leaf(draw, words) for _ in range(draw.between(1, width))}
    for _ in range(draw.between(1, 3) if depth else 0):
        tree[words.variable()] = _grown(draw, words, width, depth - 1)
    return tree


def _paths(tree: Tree, before: Path, found: list[tuple[Path, Any]]) -> None:
    for key, value in tree.items():
        if isinstance(value, dict):
            _paths(value, [*before, key], found)
        else:
            found.append(([*before, key], value))


def written(value: Value) -> str:
    """Return a value as JSON and TOML both write it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _json(tree: Tree, pad: str, indent: str) -> list[str]:
    out = ["{"]
    inside = pad + indent
    for place, (key, value) in enumerate(tree.items(), 1):
        comma = "," if place < len(tree) else ""
        if isinstance(value, dict):
            first, *rest = _json(value, inside, indent)
            out += [f'{inside}"{key}": {first}', *rest[:-1], rest[-1] + comma]
        else:
            out.append(f'{inside}"{key}": {written(value)}{comma}')
    return [*out, pad + "}"]


def _toml(tree: Tree, before: str, draw: Draw, words: Words) -> list[str]:
    out: list[str] = []
    for key, value in tree.items():
        if isinstance(value, dict):
            out += ["", f"[{before}{key}]", *_toml(value, f"{before}{key}.", draw, words)]
            continue
        if draw.below(8) == 0:
            out.append(f"# {words.comment()}")
        out.append(f"{key} = {written(value)}")
    return out


def write_config(page: Page) -> None:
    """Write a configuration file, overrides of it, and the values in force.

    Args:
        page: an empty document.
    """
    page.genre = "configuration"
    sheet = Sheet(page)
    draw, budget = page.draw, page.budget
    words = Words(draw, budget)
    depth = sized(draw, budget.structure, 1, 3)
    tree = _grown(draw, words, sized(draw, budget.entities, 2, 6), depth)
    found: list[tuple[Path, Any]] = []
    _paths(tree, [], found)
    form = ("json", "toml")[draw.word() & 1]
    indent = "  " if draw.word() & 1 else "    "
    lines = _json(tree, "", indent) if form == "json" else _toml(tree, "", draw, words)
    page.world["config"] = tree
    overrides: list[Any] = []
    page.world["overrides"] = overrides
    changes: list[str] = []
    mark = draw.choice((".", "__", "/", ":"))
    for _ in range(sized(draw, budget.steps, 1, 9)):
        path, old = draw.choice(found)
        new = _leaf(draw, words)
        while type(new) is not type(old):
            new = _leaf(draw, words)
        overrides.append([path, new])
        changes.append(f"{mark.join(path)}={written(new)}")
    sheet.opening()
    sheet.listing(lines, form, "config")
    if draw.word() & 1:
        sheet.said()
    sheet.listing(changes, "overrides", mark)
    if draw.word() & 1:
        sheet.said(1 + draw.below(2))
    asked = draw.sample(found, min(len(found), sized(draw, budget.distance, 2, 14)))
    _asked(sheet, words, mark, [(path, _in_force(path, old, overrides)) for path, old in asked])
    sheet.finish()


def _in_force(path: Path, old: Value, overrides: list[list[Value]]) -> Value:
    return next((value for other, value in reversed(overrides) if other == path), old)


def _asked(sheet: Sheet, words: Words, mark: str, settings: list[tuple[Path, Value]]) -> None:
    page, draw = sheet.page, sheet.draw
    for path, value in settings:
        page.say(f"{words.comment().capitalize()}: " if draw.word() & 1 else "")
        page.fact("path", mark.join(path), list(path))
        page.say(draw.choice(_VERBS))
        page.fact("setting", written(value), list(path))
        page.say("\n")
    if draw.word() & 1:
        page.say("\n" + sheet.prose.sentence())
