"""Genres that show a program and what it prints: module, data structure, session, port."""

from qmpi.content.code.dialect import Dialect
from qmpi.content.code.main import use
from qmpi.content.code.python import Python
from qmpi.content.code.script import JavaScript
from qmpi.content.code.sheet import (
    LANGUAGES,
    MOST,
    PROGRAMMED,
    Sheet,
    call_text,
    case_number,
    known,
    value_text,
    with_class,
    with_functions,
)
from qmpi.content.code.unit import Studio
from qmpi.content.level import sized
from qmpi.content.page import Page


def _file(sheet: Sheet, studio: Studio) -> list[str]:
    """Return the lines of the whole program, with a heading comment."""
    draw = sheet.draw
    # Go and Java would all open with the same words; a comment of drawn ones comes first.
    least = 0 if studio.dialect.name in {"python", "javascript"} else 1
    lines = [sheet.prose.sentence() for _ in range(draw.between(least, 2))]
    studio.dialect.remember(studio.unit)
    return studio.dialect.whole(studio.unit, lines)


def write_module(page: Page) -> None:
    """Write a source file, and mostly what it prints.

    Args:
        page: an empty document.
    """
    page.genre = "module"
    sheet = Sheet(page)
    studio = sheet.studio(LANGUAGES)
    draw = page.draw
    made = with_functions(studio, sized(draw, page.budget.entities, 2, 12))
    draw.shuffle(made)
    unused = 0
    for function, cases in made:
        if unused < page.budget.distractors // 30 and draw.chance(page.budget.distractors // 3):
            unused += 1
            continue
        for case in cases[: 1 + draw.below(2)]:
            if not case.failed:
                use(studio, function, case)
    printed = studio.run()
    if draw.below(3):
        sheet.opening()
    sheet.listing(_file(sheet, studio), studio.dialect.name, "a", "whole")
    if printed:
        if draw.word() & 1:
            sheet.said()
        sheet.output(printed)
    sheet.finish()


def write_structure(page: Page) -> None:
    """Write a data structure, its use, and what it prints.

    Args:
        page: an empty document.
    """
    page.genre = "data structure"
    sheet = Sheet(page)
    studio = sheet.studio(PROGRAMMED)
    draw = page.draw
    turns = sized(draw, page.budget.steps, 4, 16)
    for number in range(sized(draw, page.budget.entities, 1, 4)):
        if number * turns + studio.mass < 3 * MOST // 4:
            with_class(studio, turns)
    printed = studio.run()
    sheet.opening()
    sheet.listing(_file(sheet, studio), studio.dialect.name, "a", "whole")
    if printed:
        if draw.below(3):
            sheet.said(1 + draw.below(2))
        sheet.output(printed)
    sheet.finish()


def write_session(page: Page) -> None:
    """Write an interactive session: definitions, calls, and what they return.

    Args:
        page: an empty document.
    """
    page.genre = "session"
    sheet = Sheet(page)
    studio = sheet.studio((Python, Python, JavaScript))
    draw = page.draw
    dialect = studio.dialect
    first, more = (">>> ", "... ") if dialect.name == "python" else ("> ", "... ")
    lines: list[str] = []
    for made, cases in with_functions(studio, sized(draw, page.budget.entities, 2, 10)):
        cases += studio.cases(made, 1 + page.budget.steps // 40)
        dialect.remember(studio.unit)
        body: list[str] = []
        dialect.function(made.node, body)
        shown = [line for line in body if line]
        lines += [(first if place == 0 else more) + line for place, line in enumerate(shown)]
        if first == ">>> ":
            lines.append("...")
        for case in cases:
            if case.failed or known(studio, case):
                continue
            if draw.below(4) == 0:
                lines.append(f"{first}{dialect.remark}{studio.words.comment()}")
            case_number(studio, case)
            lines.append(first + call_text(studio, case))
            lines.append(_echo(studio, case.outcome))
    sheet.opening()
    sheet.listing(lines, "session", "a", dialect.name)
    if draw.below(3):
        sheet.said(1 + draw.below(3))
    sheet.finish()


def _echo(studio: Studio, value: object) -> str:
    """Return a value as the prompt shows it."""
    if studio.dialect.name == "python":
        return repr(value)
    if isinstance(value, str):
        return f"'{value}'"
    if isinstance(value, list):
        return f"[ {', '.join(map(str, value))} ]" if value else "[]"
    return value_text(studio, value)


def write_port(page: Page) -> None:
    """Write one program in two languages.

    Args:
        page: an empty document.
    """
    page.genre = "port"
    sheet = Sheet(page)
    draw = page.draw
    first, second = draw.sample(PROGRAMMED, 2)
    other: Dialect = second(draw)
    studio = sheet.studio((first,))
    studio.restrict(other)
    for made, cases in with_functions(studio, sized(draw, page.budget.entities, 1, 6), 60):
        for case in cases[: 1 + draw.below(2)]:
            if not case.failed:
                use(studio, made, case)
    studio.run()
    sheet.opening()
    sheet.listing(_file(sheet, studio), studio.dialect.name, "a", "whole")
    sheet.said(1 + draw.below(3))
    other.remember(studio.unit)
    heading = [sheet.prose.sentence()] if draw.word() & 1 else []
    sheet.listing(other.whole(studio.unit, heading), other.name, "a", "whole")
    if draw.word() & 1:
        sheet.said()
    sheet.output(_agreed(studio))
    sheet.finish()


def _agreed(studio: Studio) -> list[str]:
    return studio.run()
