"""Change logs.

Theory of operation. Each setting has a history of defaults, from the version that brought it to the
last one; the log tells the same history, newest version first. What is in force in a version is the
last change at or before it.
"""

from typing import Any

from qmpi.content.document import Plain
from qmpi.content.english.posing import Puzzle
from qmpi.content.english.prose import Said
from qmpi.content.technical.grammar import ADDED, CHANGED, PLAIN, PURPOSES, REPAIRED, TITLES
from qmpi.content.technical.world import Site, spelled, value_for


def give_histories(site: Site) -> None:
    """Give each setting a history of defaults that ends in its default.

    Args:
        site: with settings and versions.
    """
    draw, histories = site.draw, list[Any]()
    for row in site.settings:
        later = [v for v in range(row["since"] + 1, len(site.versions)) if draw.chance(35)]
        history: list[Any] = [[row["since"], value_for(draw, row)]]
        for version in later:
            value = value_for(draw, row)
            if value != history[-1][1]:
                history.append([version, value])
        row["default"] = history[-1][1]
        histories.append(history)
    site.page.world["histories"] = histories
    site.retell()


def change_log(site: Site) -> None:
    """Write a change log.

    Args:
        site: new.
    """
    page, draw = site.page, site.draw
    site.add_settings(site.size("entities", 2, 9))
    site.add_errors(site.size("distractors", 1, 4))
    site.add_versions(site.size("entities", 2, 9))
    give_histories(site)
    site.turn_error(0)
    page.say(draw.choice(("# ", "", "= ")))
    site.tell(TITLES, "\n\n")
    site.talk(draw.below(3), PLAIN, "\n\n")
    head, dash = draw.choice(("## ", "", "Version ", "### ", "v. ", "* ")), draw.choice("-*+")
    for version in range(len(site.versions) - 1, -1, -1):
        page.say(head)
        site.put(site.version(version))
        page.say(draw.choice((" (", " (", " (released ")))
        page.fact("date", str(site.versions[version]["date"]), version)
        page.say(")\n\n")
        _entries(site, version, f"{dash} ")
        page.say("\n")
    if draw.chance(60):
        ask_default(site)
    site.turn()
    site.talk(2, PLAIN, "\n")


def _entries(site: Site, version: int, dash: str) -> None:
    page, draw = site.page, site.draw
    told = 0
    histories: Any = page.world["histories"]
    for number, history in enumerate(histories):
        for place, (when, value) in enumerate(history):
            if when == version:
                page.say(dash)
                _entry(site, number, version, (value, history[place - 1][1] if place else None))
                told += 1
    for _ in range(draw.below(2) if told else 1):
        site.turn()
        page.say(dash)
        site.talk(1, REPAIRED, "\n")


def _entry(site: Site, number: int, version: int, values: tuple[Plain, Plain]) -> None:
    value, before = values
    row, holes = site.settings[number], site.holes
    site.turn(number)
    holes["became"] = Said(spelled(row, value), "became", (number, version))
    if before is None:
        site.tell(ADDED)
        site.tell(PURPOSES[str(row["kind"])], "\n")
    else:
        holes["was"] = Said(spelled(row, before), "was", (number, version))
        site.tell(CHANGED, "\n")


def ask_default(site: Site) -> None:
    """Ask which default a setting had in some version.

    Args:
        site: with histories.
    """
    draw = site.draw
    histories: Any = site.page.world["histories"]
    number = draw.below(len(histories))
    history, row = histories[number], site.settings[number]
    version = draw.between(row["since"], len(site.versions) - 1)
    puzzle = Puzzle(site, "default", {"setting": number, "version": version})
    site.turn(number)
    site.holes["there"] = site.version(version)
    puzzle.ask((
        "which default did {key} have in {there}?",
        "{mod} runs {there}: what is {key} if nobody set it?",
        "what did {there} assume for {flag}?", "in {there}, with {env} unset, what was {key}?",
    ))  # fmt: skip
    past = [(when, value) for when, value in history if when <= version]
    for when, value in past:
        site.holes["then"] = site.version(when)
        puzzle.put("there", spelled(row, value))
        puzzle.show(("{there} from {then} on", "{then} made it {there}", "since {then}: {there}"))
    puzzle.answer(spelled(row, past[-1][1]))
