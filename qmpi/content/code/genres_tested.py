"""Genres about what functions return: unit tests, exercise, trace."""

from collections.abc import Sequence

from qmpi.content.code.sheet import LANGUAGES, PROGRAMMED, Sheet, case_number, known, with_functions
from qmpi.content.code.tests import Group, tests_of
from qmpi.content.code.unit import Case, Made, Studio
from qmpi.content.level import sized
from qmpi.content.page import Page

_STEP_FORMS = ("%d. %s = %s", "| %d | %s | %s |", "%d  %s  %s", "step %d: %s <- %s", "%d) %s: %s")
_MOST_ROWS = 26
_QUESTIONS = (
    "What does %s return?",
    "Work out %s by hand.",
    "Give the value of %s.",
    "Which value comes back from %s?",
    "Evaluate %s.",
    "%s = ?",
    "Predict %s.",
)
_ANSWERS = ("Answer: ", "So it is ", "Result: ", "Therefore ", "It returns ", "=> ", "Value: ")


def write_tests(page: Page) -> None:
    """Write functions and unit tests of them.

    Args:
        page: an empty document.
    """
    page.genre = "unit tests"
    sheet = Sheet(page)
    studio = sheet.studio(PROGRAMMED)
    draw = page.draw
    groups: list[Group] = []
    for made, cases in with_functions(studio, sized(draw, page.budget.entities, 1, 8)):
        cases += studio.cases(made, 1 + page.budget.steps // 30)
        groups += _groups(studio, cases)
    nodes = studio.unit["functions"]
    studio.unit["tests"] = [
        [group.name, group.title, [case_number(studio, case) for case in group.cases]]
        for group in groups
    ]
    sheet.opening()
    lines = sheet.functions(studio, nodes)
    if draw.word() & 1:
        sheet.listing(lines, studio.dialect.name, "a", [node[1] for node in nodes])
        sheet.said(1 + draw.below(2))
        sheet.listing(tests_of(studio, groups), studio.dialect.name, "a", "tests")
    else:
        lines += ["", *tests_of(studio, groups)]
        sheet.listing(lines, studio.dialect.name, "a", "tested")
    sheet.finish()


def _groups(studio: Studio, cases: Sequence[Case]) -> list[Group]:
    """Return tests of one function; what must fail stands alone."""
    fresh: list[Case] = []
    for case in cases:
        if not known(studio, case) and not (case.failed and studio.dialect.name in {"go", "c"}):
            case_number(studio, case)
            fresh.append(case)
    parts = [[case for case in fresh if not case.failed], [case for case in fresh if case.failed]]
    return [_group(studio, part) for part in parts if part]


def _group(studio: Studio, cases: Sequence[Case]) -> Group:
    return Group(studio.words.function(), studio.words.comment(), cases)


def traced(studio: Studio, case: Case) -> list[tuple[str, str]]:
    """Return the assignments of a call, in order, as text.

    Args:
        studio: of the program.
        case: the call.
    """
    trace: list[tuple[str, str]] = []
    studio.machine.trace = trace
    studio.tried(case.name, case.args)
    studio.machine.trace = None
    return trace


def trace_of(sheet: Sheet, studio: Studio, case: Case, key: str = "a") -> None:
    """Write the steps of a call, a line each; long ones are cut off at the end.

    Args:
        sheet: written on.
        studio: of the program.
        case: the call.
        key: of the program.
    """
    form = sheet.draw.choice(_STEP_FORMS)
    trace = traced(studio, case)[:_MOST_ROWS]
    lines = [form % (place, *row) for place, row in enumerate(trace, 1)]
    if lines:
        sheet.listing(lines, "trace", key, case_number(studio, case))


def _short(studio: Studio, count: int) -> tuple[Made, Case]:
    """Return a function and a call of it that takes some steps."""
    made, cases = studio.function()
    for _ in range(count):
        good = [case for case in cases if not case.failed]
        if good and len(traced(studio, good[0])) > 2:
            return made, good[0]
        made, cases = studio.function()
    good = [case for case in cases if not case.failed] or studio.cases(made, 3)
    return made, good[0] if good else cases[0]


def write_trace(page: Page) -> None:
    """Write a function and the values of its variables in a call.

    Args:
        page: an empty document.
    """
    page.genre = "trace"
    sheet = Sheet(page)
    studio = sheet.studio(LANGUAGES)
    draw = page.draw
    for _ in range(sized(draw, page.budget.distractors, 0, 5)):
        studio.function()
    made, case = _short(studio, 3)
    sheet.opening()
    sheet.listing(
        sheet.functions(studio, studio.unit["functions"]),
        studio.dialect.name,
        "a",
        [node[1] for node in studio.unit["functions"]],
    )
    cases = [case, *(other for other in studio.cases(made, 1 + draw.below(2)) if not other.failed)]
    for shown in cases:
        if draw.word() & 1:
            sheet.page.say(sheet.prose.sentence() + " ")
        sheet.page.say(f"{studio.words.comment().capitalize()}: ")
        sheet.call(studio, shown)
        sheet.page.say("\n\n")
        trace_of(sheet, studio, shown)
        sheet.page.say(draw.choice(_ANSWERS))
        sheet.value(studio, shown)
        sheet.page.say("\n\n")
    sheet.finish()


def write_exercise(page: Page) -> None:
    """Write questions on what calls return, with worked steps and answers.

    Args:
        page: an empty document.
    """
    page.genre = "exercise"
    sheet = Sheet(page)
    studio = sheet.studio(LANGUAGES)
    draw = page.draw
    pairs = [_short(studio, 1) for _ in range(sized(draw, page.budget.entities, 1, 5))]
    sheet.opening()
    nodes = studio.unit["functions"]
    sheet.listing(
        sheet.functions(studio, nodes), studio.dialect.name, "a", [node[1] for node in nodes]
    )
    for made, case in pairs:
        for asked in (case, *studio.cases(made, draw.below(2))):
            if not asked.failed:
                _ask(sheet, studio, asked)
    sheet.finish()


def _ask(sheet: Sheet, studio: Studio, case: Case) -> None:
    page, draw = sheet.page, sheet.draw
    before, _, after = draw.choice(_QUESTIONS).partition("%s")
    page.say(before)
    sheet.call(studio, case)
    page.say(after)
    if draw.word() & 1:
        page.say(" " + sheet.prose.sentence())
    page.say("\n\n")
    if draw.below(4):
        trace_of(sheet, studio, case)
    page.say(draw.choice(_ANSWERS))
    sheet.value(studio, case)
    page.say("\n\n")
