"""Guides and plans: installing, migrating, troubleshooting, and proposals with costs and votes.

Theory of operation. Versions of other packages are compared part by part, so that a ninth minor
version comes before a tenth; a setting that moves keeps its meaning, so its number is multiplied by
the ratio of units; a proposal weighs options by cost, and passes with two thirds of the votes cast.
"""

from typing import Any

from qmpi.content.english.posing import Puzzle
from qmpi.content.english.prose import Said
from qmpi.content.technical.config import write_sample
from qmpi.content.technical.grammar import (
    EXTRA,
    FAILURE,
    MEANINGS,
    PLAIN,
    REASON,
    REMEDY,
    TASK,
    TITLES,
    VALUES,
)
from qmpi.content.technical.puzzles import ask_about_settings, start_order
from qmpi.content.technical.reference import command_line, furnish
from qmpi.content.technical.world import Site

_FACTORS = (2, 4, 5, 8, 10, 12, 16, 20)


def installing(site: Site) -> None:
    """Write a guide that installs and starts the system.

    Args:
        site: new.
    """
    page, draw = site.page, site.draw
    furnish(site, settings=site.size("entities", 2, 6))
    world: dict[str, Any] = page.world
    world["packages"] = [_package(site) for _ in range(site.size("entities", 2, 6))]
    page.say(draw.choice(("# ", "", "== ")))
    site.tell(TITLES, "\n\n")
    site.talk(site.size("structure", 1, 4), PLAIN, "\n\n")
    parts = [_write_packages, _write_start, _write_use]
    draw.shuffle(parts)
    for part in parts:
        site.turn()
        part(site)
    if draw.chance(50):
        _ask_packages(site)
    site.turn()
    site.talk(2, PLAIN, "\n")


def _package(site: Site) -> dict[str, Any]:
    draw = site.draw
    major, least = draw.below(5), draw.below(14)
    have = [major, draw.below(14), draw.below(9)] if draw.chance(85) else [major + 1, 0, 0]
    return {"name": site.fresh(site.prose.coinage()), "least": [major, least], "have": have}


def _write_packages(site: Site) -> None:
    page, draw = site.page, site.draw
    world: dict[str, Any] = page.world
    page.say(draw.choice(("## Before you start\n\n", "Requirements\n\n", "## Needs\n\n", "")))
    site.tell(TASK, "\n\n")
    for number, row in enumerate(world["packages"]):
        page.say("- ")
        page.fact("package", f"`{row['name']}`", number)
        page.say(draw.choice((" ", " >= ", ", from ", ": ")))
        page.fact("least", ".".join(map(str, row["least"])), number)
        page.say(draw.choice((" or later, ", " or newer: ", " and up; ", ", ")))
        site.tell(draw.choice(_USES), "\n")
    page.say("\n")


_USES = (
    "for {opg} {items}", "which {op3} the {part}", "to {op} {trait} {items}", "the {part} of {mod}",
    "for the {trait} {part}", "used by {mod} to {op} {items}",
)  # fmt: skip


def _write_start(site: Site) -> None:
    site.page.say(site.draw.choice(("## Starting\n\n", "Start\n\n", "")))
    if site.draw.chance(40):
        start_order(site)
    else:
        site.talk(2, PLAIN, "\n\n")
    write_sample(site, site.size("entities", 1, 4))


def _write_use(site: Site) -> None:
    page = site.page
    page.say(site.draw.choice(("## First steps\n\n", "Using it\n\n", "", "## Use\n\n")))
    for _ in range(site.size("steps", 1, 4)):
        site.turn()
        site.tell(TASK, "\n\n    ")
        command_line(site, 1 + site.draw.below(2))
        page.say("\n\n")


def _ask_packages(site: Site) -> None:
    world: dict[str, Any] = site.page.world
    rows = world["packages"]
    puzzle = Puzzle(site, "packages", {})
    said = [f"`{row['name']}` {'.'.join(map(str, row['have']))}" for row in rows]
    site.holes["have"] = Said(", ".join(said), "have", ())
    site.tell(site.draw.choice((
        "a machine has {have}", "[F] finds {have} installed", "suppose these are there: {have}",
        "on the old host there is {have}",
    )))  # fmt: skip
    puzzle.ask((
        "which of them are too old?", "which must be upgraded first?", "what is too old here?",
        "which packages will {mod} refuse?",
    ))  # fmt: skip
    old: list[str] = []
    for number, row in enumerate(rows):
        site.holes["name"] = Said(f"`{row['name']}`", "package", (number,))
        late = row["have"] < row["least"]
        puzzle.put("word", "too old" if late else "fine")
        old += [row["name"]] if late else []
        puzzle.show(("{name} is {word}", "{name}: {word}", "as to {name}, {word}"))
    puzzle.answer(", ".join(old) or "none")


def migration(site: Site) -> None:
    """Write a guide from one version to the next, in which settings move and change units.

    Args:
        site: new.
    """
    page, draw = site.page, site.draw
    site.add_settings(site.size("entities", 2, 8))
    site.add_errors(1)
    site.add_versions(2)
    site.turn_error(0)
    world: dict[str, Any] = page.world
    world["moves"] = moves = []
    page.say(draw.choice(("# ", "", "= ")))
    site.tell(TITLES, "\n\n")
    site.holes["from"], site.holes["to"] = site.version(0), site.version(1)
    site.tell(draw.choice((
        "this leads from {from} to {to}", "read this before {to} replaces {from}",
        "{to} is not {from}: settings have moved",
        "between {from} and {to}, {mod} {opd} its settings",
    )))  # fmt: skip
    site.talk(site.size("structure", 1, 3), PLAIN, "\n\n")
    for number, row in enumerate(site.settings):
        site.turn(number)
        old = site.fresh(f"{site.holes['part'].text}_{site.holes['part'].text}".replace("-", "_"))
        factor = draw.choice(_FACTORS) if "high" in row and draw.chance(70) else 1
        moves.append({"old": old, "factor": factor})
        site.holes["old"] = Said(f"`{old}`", "old", (number,))
        page.say(draw.choice(("- ", "* ", "")))
        site.tell(draw.choice(_MOVES))
        if factor > 1:
            site.holes["factor"] = Said(str(factor), "factor", (number,))
            site.tell(draw.choice(_SCALES))
        site.tell(MEANINGS[str(row["kind"])], "")
        site.more(site.size("structure", 0, 2), EXTRA)
        page.say("\n\n")
    if draw.chance(80):
        _ask_moves(site)
    site.turn()
    site.talk(2, PLAIN, "\n")


_MOVES = (
    "{old} is now {key}", "{key} takes the place of {old}", "rename {old} to {key}",
    "{old} became {flag}", "what was {old} is {key} now", "instead of {old}, {mod} reads {key}",
    "{mod} refuses {old}; write {key}",
)  # fmt: skip
_SCALES = (
    "it used to count in units of {factor}, so multiply by that", "old numbers grow by {factor}",
    "one of the old is {factor} of the new", "each step of {old} is worth {factor} now",
)  # fmt: skip


def _ask_moves(site: Site) -> None:
    world: dict[str, Any] = site.page.world
    draw = site.draw
    moved = [n for n, row in enumerate(world["moves"]) if row["factor"] > 1]
    asked = draw.sample(moved, min(len(moved), site.size("steps", 1, 4)))
    if not asked:
        ask_about_settings(site)
        return
    values = [draw.between(1, 400) for _ in asked]
    puzzle = Puzzle(site, "moves", {"asked": asked, "values": values})
    pairs = [f"{world['moves'][n]['old']} = {v}" for n, v in zip(asked, values, strict=True)]
    site.holes["lines"] = Said("`" + ", ".join(pairs) + "`", "lines", (len(world["puzzles"]) - 1,))
    puzzle.ask((
        "a file of [F] says {lines}; what does the new one say?", "translate {lines}",
        "{mod} was run with {lines}. Which lines mean the same now?",
    ))  # fmt: skip
    made: list[str] = []
    for number, value in zip(asked, values, strict=True):
        factor = world["moves"][number]["factor"]
        site.holes["old"] = Said(f"`{world['moves'][number]['old']}`", "old", (number,))
        puzzle.put("value", value)
        puzzle.put("factor", factor)
        puzzle.put("now", value * factor)
        puzzle.show(
            ("{old}: {value} times {factor} is {now}", "for {old}, {value} by {factor}: {now}")
        )
        made.append(f"{site.settings[number]['name']} = {value * factor}")
    puzzle.answer(", ".join(made))


def troubleshooting(site: Site) -> None:
    """Write questions and answers about what goes wrong.

    Args:
        site: new.
    """
    page, draw = site.page, site.draw
    furnish(site, settings=site.size("entities", 2, 6))
    page.say(draw.choice(("# ", "", "== ")))
    site.tell(TITLES, "\n\n")
    site.talk(draw.below(3), PLAIN, "\n\n")
    for number, row in enumerate(site.errors):
        site.turn_error(number)
        setting = site.settings[row["setting"]]
        start = page.length
        site.tell(draw.choice(_WHYS), draw.choice(("\n", "\n\n", " ")))
        page.mark("told", start, page.length, "code", number)
        site.tell(FAILURE)
        site.tell(MEANINGS[str(setting["kind"])])
        if draw.chance(60):
            site.tell(VALUES[str(setting["kind"])])
        site.tell(REMEDY, "")
        site.holes["exit"] = Said(str(row["exit"]), "exit", (number,))
        if draw.chance(50):
            page.say(" ")
            site.tell(draw.choice(_EXITS), "")
        site.more(site.size("structure", 0, 3), EXTRA)
        page.say("\n\n")
    for _ in range(site.size("steps", 1, 3)):
        site.turn(draw.below(len(site.settings)))
        site.tell(draw.choice(_HOWS), "\n")
        site.talk(site.size("structure", 1, 3), REMEDY, "\n\n")
    if draw.chance(60):
        ask_about_settings(site)
    site.turn()
    site.talk(2, PLAIN, "\n")


_EXITS = (
    "the exit status is {exit}", "{sys} exits with {exit}", "scripts see {exit}",
    "the shell reports {exit} then",
)  # fmt: skip
_WHYS = (
    "why does {code} appear?", "what does {code} mean?",
    "{code} came up, and the {part} is {trait}?", "{mod} stops with {code}?",
    "how do I get rid of {code} when {items} are {trait}?", "what raises {code}?",
    "{code} again and again?",
)  # fmt: skip
_HOWS = (
    "how do I {op} {items} {how}?", "can {mod} {op} {trait} {items}?", "is {key} safe to change?",
    "where do {trait} {items} go?", "who {op3} the {part}?", "must {items} be {opn} {how}?",
    "what if {items} stay {trait}?", "does {flag} {op} the {part}?",
)  # fmt: skip


def proposal(site: Site) -> None:
    """Write a proposal that weighs options by cost and is voted on.

    Args:
        site: new.
    """
    page, draw = site.page, site.draw
    furnish(site, settings=site.size("entities", 1, 4))
    world: dict[str, Any] = page.world
    count = draw.between(10, 900)
    options = [
        {
            "name": site.fresh(site.prose.coinage()),
            "fixed": draw.below(4000),
            "each": draw.between(1, 60),
        }
        for _ in range(site.size("entities", 2, 5))
    ]
    votes = [draw.between(0, 15), draw.between(1, 9), draw.below(5)]
    world["proposal"] = {"count": count, "options": options, "votes": votes}
    page.say(draw.choice(("# ", "", "Proposal: ", "RFC: ")))
    site.tell(TITLES, "\n\n")
    parts = [_motive, _options, _settle]
    for part in parts:
        site.turn(draw.below(len(site.settings)))
        part(site)
    site.turn()
    site.talk(2, PLAIN, "\n")


def _motive(site: Site) -> None:
    site.page.say(site.draw.choice(("## Motivation\n\n", "Why\n\n", "", "Motivation. ")))
    site.tell(REASON)
    site.talk(site.size("structure", 1, 5), PLAIN, "\n\n")


def _options(site: Site) -> None:
    page, draw = site.page, site.draw
    world: dict[str, Any] = page.world
    data = world["proposal"]
    page.say(draw.choice(("## Options\n\n", "", "Options\n\n", "## Design\n\n")))
    site.holes["count"] = Said(str(data["count"]), "count", ())
    site.tell(draw.choice((
        "we reckon with {count} {items}", "{mod} must {op} {count} {items} a day",
        "let there be {count} {trait} {items}", "the {part} sees {count} {items} at its peak",
    )), "\n\n")  # fmt: skip
    for number, row in enumerate(data["options"]):
        holes = site.holes
        holes["name"] = Said(f"`{row['name']}`", "option", (number,))
        holes["fixed"] = Said(f"{row['fixed']} KiB", "fixed", (number,))
        holes["each"] = Said(f"{row['each']} KiB", "each", (number,))
        holes["cost"] = Said(f"{row['fixed'] + row['each'] * data['count']} KiB", "cost", (number,))
        page.say(draw.choice(("- ", "")))
        site.tell(draw.choice((
            "{name} {op3} the {part}", "with {name}, {mod} {op3} {items} {how}",
            "{name}: {op} {trait} {items}", "[F] suggests {name}, {atrait} {part}",
        )))  # fmt: skip
        site.tell(draw.choice((
            "it takes {fixed} at once and {each} per {item}, {cost} in all",
            "{fixed} and {each} for each {item} make {cost}",
            "memory: {fixed}, then {each} each; {cost}",
        )), "")  # fmt: skip
        site.more(site.size("structure", 0, 3), PLAIN)
        page.say("\n\n")


def _settle(site: Site) -> None:
    draw = site.draw
    world: dict[str, Any] = site.page.world
    data = world["proposal"]
    site.page.say(draw.choice(("## Decision\n\n", "", "Outcome\n\n", "Decision: ")))
    costs = [row["fixed"] + row["each"] * data["count"] for row in data["options"]]
    best = costs.index(min(costs))
    site.holes["name"] = Said(f"`{data['options'][best]['name']}`", "cheapest", ())
    site.tell(draw.choice((
        "{name} needs the least", "the cheapest is {name}", "by memory alone, {name} wins",
        "none takes less than {name}",
    )))  # fmt: skip
    for place, name in enumerate(("for", "against", "none")):
        site.holes[f"votes_{name}"] = Said(str(data["votes"][place]), "votes", (place,))
    site.tell(draw.choice((
        "{votes_for} were for it, {votes_against} against, {votes_none} abstained",
        "votes: {votes_for} for, {votes_against} against, {votes_none} without opinion",
        "of those who voted, {votes_for} said yes and {votes_against} no ({votes_none} abstained)",
    )))  # fmt: skip
    passed = data["votes"][0] * 3 >= 2 * (data["votes"][0] + data["votes"][1])
    site.holes["verdict"] = Said("accepted" if passed else "rejected", "verdict", ())
    site.tell(draw.choice((
        "two thirds are needed, so it is {verdict}", "with two thirds as the bar, it is {verdict}",
        "hence {verdict}, as two thirds must agree",
        "that makes it {verdict}: two thirds must say yes",
    )))  # fmt: skip
    site.talk(site.size("structure", 1, 3), PLAIN, "\n\n")
