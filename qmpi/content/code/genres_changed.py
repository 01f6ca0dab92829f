"""Genres about changing a program: bug report with its fix, code review, refactoring."""

from collections.abc import Sequence

from qmpi.content.code.changes import Rewriter, renamed, slipped
from qmpi.content.code.docs import doc_of
from qmpi.content.code.genres_tested import trace_of
from qmpi.content.code.machine import Machine
from qmpi.content.code.sheet import LANGUAGES, Sheet, case_number, literal, with_functions
from qmpi.content.code.template import Node
from qmpi.content.code.unit import Case, Made, Studio
from qmpi.content.level import sized
from qmpi.content.page import Page

_SLIPS = 8
_EXPECTED = ("Expected", "Should be", "Wanted", "Want", "By hand", "Correct value")
_ACTUAL = ("Actual", "Got", "Returned", "Seen", "Comes back", "Observed")
_AGREE = ("Both give ", "Still ", "Unchanged: ", "As before: ", "Either way ", "Before and after: ")


class _Variant:
    """A second version of a program, in which one function differs."""

    def __init__(self, studio: Studio, name: str, node: Node) -> None:
        functions = {made[1]: made for made in studio.unit["functions"]}
        functions[name] = node
        self.unit = {
            "language": studio.dialect.name,
            "functions": list(functions.values()),
            "classes": [],
            "main": [],
        }
        self.machine = Machine(functions, {})
        self.machine.lists = studio.machine.lists


def _outcome(studio: Studio, variant: _Variant, case: Case) -> Case | None:
    own = studio.machine
    studio.machine = variant.machine
    try:
        return studio.tried(case.name, case.args)
    finally:
        studio.machine = own


def _bug(
    sheet: Sheet, studio: Studio, made: Made, cases: Sequence[Case]
) -> tuple[_Variant, Case, Case] | None:
    """Return a version with a slip that a call betrays, the call, and what it wrongly gives."""
    for _ in range(_SLIPS):
        node = slipped(studio.draw, made.node)
        # Go has no fallback in look-ups: a slip there would change nothing that is written.
        if sheet.functions(studio, [node]) == sheet.functions(studio, [made.node]):
            continue
        variant = _Variant(studio, made.node[1], node)
        for case in cases:
            wrong = _outcome(studio, variant, case)
            differs = wrong is not None and not wrong.failed and wrong.outcome != case.outcome
            if wrong is not None and differs:
                return variant, case, wrong
    return None


def write_bug(page: Page) -> None:
    """Write a bug report: a wrong listing, a call that betrays it, and the fix as a diff.

    Args:
        page: an empty document.
    """
    sheet = Sheet(page)
    studio = sheet.studio(LANGUAGES)
    draw = page.draw
    with_functions(studio, sized(draw, page.budget.distractors, 0, 8))
    made, cases = studio.function()
    cases = [case for case in cases + studio.cases(made, 2) if not case.failed]
    found = _bug(sheet, studio, made, cases)
    if found is None:
        write_exercise_again(sheet, studio)
        return
    page.genre = "bug report"
    variant, case, wrong = found
    page.world["units"]["b"] = variant.unit  # type: ignore[index, call-overload]
    number = case_number(studio, case)
    variant.unit["cases"] = [[wrong.name, wrong.args, wrong.outcome, wrong.failed]]
    page.world["bug"] = [made.node[1], number]
    before = sheet.functions(studio, variant.unit["functions"])
    after = sheet.functions(studio, studio.unit["functions"])
    names = [node[1] for node in studio.unit["functions"]]
    sheet.opening()
    parts = [0, 1] if draw.word() & 1 else [1, 0]
    for part in parts:
        if part:
            sheet.listing(before, studio.dialect.name, "b", names)
        else:
            _claims(sheet, studio, case, wrong)
    if draw.word() & 1:
        sheet.said(1 + draw.below(2))
    if draw.below(3) == 0:
        trace_of(sheet, studio, case)
    sheet.listing(difference(before, after, draw.below(4)), "diff", "b", "a", names)
    if draw.word() & 1:
        sheet.said()
    sheet.finish()


def write_exercise_again(sheet: Sheet, studio: Studio) -> None:
    """Write the functions alone, where no slip shows.

    Args:
        sheet: written on.
        studio: of the program.
    """
    sheet.page.genre = "functions"
    names = [node[1] for node in studio.unit["functions"]]
    sheet.opening()
    lines = sheet.functions(studio, studio.unit["functions"])
    sheet.listing(lines, studio.dialect.name, "a", names)
    sheet.said(2)
    sheet.finish()


def _claims(sheet: Sheet, studio: Studio, case: Case, wrong: Case) -> None:
    page, draw = sheet.page, sheet.draw
    page.say(f"{studio.words.comment().capitalize()}: ")
    sheet.call(studio, case)
    page.say("\n")
    expected, actual = draw.choice(_EXPECTED), draw.choice(_ACTUAL)
    page.say(f"{expected}: ")
    sheet.value(studio, case)
    page.say(f"\n{actual}: ")
    page.fact("value", studio.dialect.expr(literal(wrong.outcome)), "b", 0)
    page.say("\n\n")


def difference(before: Sequence[str], after: Sequence[str], context: int) -> list[str]:
    """Return a unified diff of two listings with as many lines.

    Args:
        before: lines.
        after: lines.
        context: unchanged lines around each change.

    Returns:
        Hunks, without the names of files.
    """
    size = len(before)
    if len(after) != size:
        return _replaced(before, after)
    changes = [place for place in range(size) if before[place] != after[place]]
    out: list[str] = []
    done = 0
    while done < len(changes):
        first = last = changes[done]
        while done < len(changes) and changes[done] <= last + 2 * context + 1:
            last = changes[done]
            done += 1
        low, high = max(0, first - context), min(size, last + context + 1)
        out.append(f"@@ -{low + 1},{high - low} +{low + 1},{high - low} @@")
        for place in range(low, high):
            if before[place] == after[place]:
                out.append(" " + before[place])
            else:
                out += ["-" + before[place], "+" + after[place]]
    return out


def _replaced(before: Sequence[str], after: Sequence[str]) -> list[str]:
    """Return one hunk from the first line that differs to the last."""
    start = 0
    while before[start] == after[start]:
        start += 1
    end = 0
    while before[-1 - end] == after[-1 - end] and len(before) - end > start + 1:
        end += 1
    old, new = before[start : len(before) - end], after[start : len(after) - end]
    head = f"@@ -{start + 1},{len(old)} +{start + 1},{len(new)} @@"
    return [head, *["-" + line for line in old], *["+" + line for line in new]]


def write_review(page: Page) -> None:
    """Write a listing and remarks on its lines.

    Args:
        page: an empty document.
    """
    page.genre = "review"
    sheet = Sheet(page)
    studio = sheet.studio(LANGUAGES)
    draw = page.draw
    pairs = with_functions(studio, sized(draw, page.budget.entities, 1, 9))
    nodes = studio.unit["functions"]
    names = [node[1] for node in nodes]
    lines = sheet.functions(studio, nodes)
    sheet.opening()
    sheet.listing(lines, studio.dialect.name, "a", names)
    people = [sheet.prose.person() for _ in range(1 + draw.below(3))]
    for _ in range(sized(draw, page.budget.steps, 2, 12)):
        made, cases = draw.choice(pairs)
        page.say(f"{draw.choice(people)}: " if draw.below(3) else "")
        good = [case for case in cases if not case.failed]
        if draw.word() & 1 and good:
            _gives(sheet, studio, draw.choice(good))
        else:
            _on_line(sheet, studio, lines, made, names)
    sheet.finish()


def _gives(sheet: Sheet, studio: Studio, case: Case) -> None:
    page = sheet.page
    page.say(sheet.prose.sentence() + " ")
    sheet.call(studio, case)
    page.say(sheet.draw.choice((" gives ", " is ", " returns ", " comes to ", " -> ")))
    sheet.value(studio, case)
    page.say("\n\n")


def _on_line(
    sheet: Sheet, studio: Studio, lines: Sequence[str], made: Made, names: list[str]
) -> None:
    page, draw = sheet.page, sheet.draw
    roles = (*made.shape.params, *made.shape.locals)
    name = draw.choice([made.names[role] for role, _ in roles])
    first = next((place for place, line in enumerate(lines, 1) if name in line), 0)
    if first:
        page.say(draw.choice(("Line ", "L", "line ", "On line ", "l. ")))
        page.fact("line", str(first), "a", list(names), name)
        page.say(f": {name} {studio.words.comment()}. ")
    page.say(sheet.prose.sentence() + "\n\n")


def write_refactoring(page: Page) -> None:
    """Write a function, another way to write it, and calls on which both agree.

    Args:
        page: an empty document.
    """
    page.genre = "refactoring"
    sheet = Sheet(page)
    studio = sheet.studio(LANGUAGES)
    draw = page.draw
    with_functions(studio, sized(draw, page.budget.entities, 0, 5), 60)
    made, cases = studio.function()
    node = made.node
    body = Rewriter(draw, node).body(node[4])
    after = [*node[:4], body, doc_of(studio.words, made.shape.docs)]
    for role, _ in made.shape.locals:
        if draw.below(3) == 0:
            new = studio.words.variable()
            after = [*after[:2], *renamed(after[2:5], made.names[role], new), after[5]]
    if after[2:5] == node[2:5]:
        old = node[2][0][0]
        after = [*after[:2], *renamed(after[2:5], old, studio.words.variable()), after[5]]
    variant = _Variant(studio, node[1], after)
    cases = [case for case in cases + studio.cases(made, 2) if not case.failed]
    same = [case for case in cases if _outcome(studio, variant, case) == case]
    page.world["units"]["b"] = variant.unit  # type: ignore[index, call-overload]
    variant.unit["cases"] = [[c.name, c.args, c.outcome, c.failed] for c in same]
    names = [node[1] for node in studio.unit["functions"]]
    sheet.opening()
    lines = sheet.functions(studio, studio.unit["functions"])
    sheet.listing(lines, studio.dialect.name, "a", names)
    sheet.said(1 + draw.below(2))
    sheet.listing(sheet.functions(studio, [after]), studio.dialect.name, "b", [node[1]])
    for place, case in enumerate(same):
        page.say(draw.choice(_AGREE))
        sheet.call(studio, case)
        page.say(draw.choice((" = ", " is ", " -> ", ": ")))
        sheet.value(studio, case)
        page.say("\n" if place + 1 < len(same) else "\n\n")
    if draw.word() & 1:
        sheet.said()
    sheet.finish()
