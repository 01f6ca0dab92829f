"""Manual pages and references of settings.

Theory of operation. Each setting is told in the order: what it is for, which values it takes, what
else holds of it. Whatever an example uses is told in the same document.
"""

from qmpi.content.technical.config import write_sample
from qmpi.content.technical.grammar import (
    EXTRA,
    FAILURE,
    MEANINGS,
    PLAIN,
    PURPOSES,
    REMEDY,
    TASK,
    TITLES,
    VALUES,
)
from qmpi.content.technical.puzzles import ask_about_settings
from qmpi.content.technical.world import Row, Site, spelled, value_for

_MORE = ("SEE ALSO", "FURTHER READING", "RELATED")
_ERRORS = ("EXIT STATUS", "DIAGNOSTICS", "ERRORS", "EXIT CODES")
_USES = ("EXAMPLES", "EXAMPLE", "USAGE")


def furnish(site: Site, *, settings: int) -> None:
    """Give a system settings, errors and versions.

    Args:
        site: new.
        settings: how many.
    """
    site.add_settings(settings)
    site.add_errors(site.size("distractors", 1, 5))
    site.add_versions(site.size("entities", 1, 4))
    site.turn_error(0)


def manual(site: Site) -> None:
    """Write a manual page.

    Args:
        site: new.
    """
    page, draw = site.page, site.draw
    furnish(site, settings=site.size("entities", 2, 8))
    page.say("NAME\n    ")
    page.fact("system", site.name)
    page.say(" - ")
    site.tell(TASK, "\n\n")
    _synopsis(site)
    page.say("DESCRIPTION\n    ")
    site.talk(site.size("structure", 2, 6), PLAIN, "\n\n")
    page.say(draw.choice(("OPTIONS\n", "FLAGS\n", "ARGUMENTS\n")))
    for number, row in enumerate(site.settings):
        _flag(site, number, row)
    parts = [_status, _examples, _environment]
    draw.shuffle(parts)
    for part in parts[: 1 + draw.below(3)]:
        part(site)
    if draw.chance(35):
        ask_about_settings(site)
    _see_also(site)


def _synopsis(site: Site) -> None:
    page, draw = site.page, site.draw
    page.say("SYNOPSIS\n    ")
    page.fact("system", site.name)
    for number in draw.sample(range(len(site.settings)), min(3, len(site.settings))):
        page.say(" [")
        page.fact("flag", site.about(number, "flag").text.strip("`"), number)
        page.say("" if site.settings[number]["kind"] == "switch" else f" {draw.choice(_HOLDERS)}")
        page.say("]")
    page.say("\n\n")


_HOLDERS = ("N", "VALUE", "X", "ARG", "V", "WORD", "WHAT")


def _flag(site: Site, number: int, row: Row) -> None:
    page, kind = site.page, str(row["kind"])
    site.turn(number)
    page.say("    ")
    start = page.length
    page.fact("flag", site.about(number, "flag").text.strip("`"), number)
    page.mark("told", start, page.length, "flag", number)
    page.say("\n        ")
    site.tell(PURPOSES[kind])
    more = site.size("structure", 0, 3)
    site.tell(VALUES[kind], " " if more else "\n\n")
    site.talk(more, EXTRA, "\n\n")


def _status(site: Site) -> None:
    page = site.page
    page.say(f"{site.draw.choice(_ERRORS)}\n")
    for number, row in enumerate(site.errors):
        site.turn_error(number)
        page.say("    ")
        page.fact("exit", str(row["exit"]), number)
        page.say("  ")
        start = page.length
        page.fact("code", str(row["code"]), number)
        page.mark("told", start, page.length, "code", number)
        page.say(". ")
        site.tell(FAILURE)
        site.tell(REMEDY, "\n")
    page.say("\n")


def _examples(site: Site) -> None:
    page, draw = site.page, site.draw
    page.say(f"{draw.choice(_USES)}\n")
    for _ in range(site.size("steps", 1, 3)):
        site.turn()
        page.say("    ")
        site.tell(TASK, "\n        ")
        command_line(site, site.size("steps", 1, 3))
        page.say("\n")
    page.say("\n")


def command_line(site: Site, count: int) -> None:
    """Write a command with flags and values.

    Args:
        site: with settings.
        count: flags, at most as many as there are settings.
    """
    page, draw = site.page, site.draw
    page.say(draw.choice(("$ ", "% ", "> ", "")))
    page.fact("system", site.name)
    for number in draw.sample(range(len(site.settings)), min(count, len(site.settings))):
        row = site.settings[number]
        page.say(" ")
        page.fact("flag", site.about(number, "flag").text.strip("`"), number)
        if row["kind"] != "switch":
            value = value_for(draw, row)
            page.say("=")
            page.fact("bare", str(value), number, value)


def _environment(site: Site) -> None:
    page, draw = site.page, site.draw
    page.say("ENVIRONMENT\n")
    for number in draw.sample(range(len(site.settings)), min(2, len(site.settings))):
        site.turn(number)
        page.say("    ")
        site.put(site.about(number, "env"))
        page.say(": ")
        site.tell(PURPOSES[str(site.settings[number]["kind"])], "\n")
    page.say("\n")


def _see_also(site: Site) -> None:
    page = site.page
    page.say(f"{site.draw.choice(_MORE)}\n    ")
    for number in range(len(site.modules)):
        page.say(", " if number else "")
        page.fact("system", site.name)
        page.say("-")
        page.fact("module", str(site.modules[number]["name"]), number)
    page.say("\n")


def settings_reference(site: Site) -> None:
    """Write a reference of the configuration file.

    Args:
        site: new.
    """
    page, draw = site.page, site.draw
    furnish(site, settings=site.size("entities", 2, 8))
    page.say(draw.choice(("# ", "", "== ")))
    site.tell(TITLES, "\n\n")
    site.talk(site.size("structure", 1, 4), PLAIN, "\n\n")
    sample_first = draw.chance(40)
    if sample_first:
        write_sample(site, site.size("entities", 1, 6))
    as_table = draw.chance(35)
    if as_table:
        _table(site)
    for number, row in enumerate(site.settings):
        kind = str(row["kind"])
        site.turn(number)
        start = page.length
        site.tell(MEANINGS[kind], "")
        page.mark("told", start, page.length, "flag", number)
        if not as_table:
            site.more(1, VALUES[kind])
        site.more(site.size("structure", 0, 3), EXTRA)
        page.say("\n\n")
    if not sample_first:
        site.talk(1, PLAIN, "\n\n")
        write_sample(site, site.size("entities", 1, 6))
    if draw.chance(40):
        ask_about_settings(site)
    site.turn()
    site.talk(2, PLAIN, "\n")


def _table(site: Site) -> None:
    page = site.page
    page.say(
        site.draw.choice(
            ("| key | default |\n|---|---|\n", "| setting | as shipped |\n|---|---|\n")
        )
    )
    for number, row in enumerate(site.settings):
        page.say("| ")
        site.put(site.about(number, "key"))
        page.say(" | ")
        page.fact("value", spelled(row, row["default"]), number, row["default"])
        page.say(" |\n")
    page.say("\n")
