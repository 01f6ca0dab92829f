"""Proofs in propositional logic, walked forward from premises.

Theory of operation. Premises are drawn; then rules of inference are applied to lines that stand, at
random, and what comes out stands as well. The last line is the theorem, and lines that it does not
need are left out, so a proof is as long as it must be, plus distractors at higher levels. Each line
names its rule and the lines it rests on.
"""

from typing import NamedTuple

from qmpi.content.counter import Draw
from qmpi.content.english.prose import Prose
from qmpi.content.level import sized
from qmpi.content.mathematics.lemma_words import ASIDE
from qmpi.content.page import Page

Term = str | tuple["Term", ...]
"""A letter; ("~", a); or (a, sign, b) with sign one of > & |."""

_LETTERS = "PQRSTUVWXYZ"
_SIGNS = {
    "words": {"~": "not ", ">": " implies ", "&": " and ", "|": " or "},
    "arrows": {"~": "~", ">": " -> ", "&": " & ", "|": " | "},
    "unicode": {"~": "\u00ac", ">": " \u2192 ", "&": " \u2227 ", "|": " \u2228 "},
}
_MOST_TRIES = 400
_LONGEST = 60


class Line(NamedTuple):
    """A line of a proof.

    Attributes:
        term: what it says.
        rule: name of the rule.
        uses: numbers of the lines it rests on.
    """

    term: Term
    rule: str
    uses: tuple[int, ...]


def write_deduction(page: Page) -> None:
    """A proof with numbered lines.

    Args:
        page: empty.
    """
    page.genre = "proof"
    draw, prose = page.draw, Prose(page, "idea")
    notation = draw.choice(sorted(_SIGNS))
    lines = _trimmed(draw, _walk(draw, page), page.budget.distractors)
    page.world = {
        "notation": notation,
        "lines": [[_code(line.term), line.rule, list(line.uses)] for line in lines],
    }
    page.say(f"{prose.title()}\n\n{prose.paragraph(1 + draw.below(3), ASIDE)}\n\n")
    premises = [line for line in lines if line.rule == "premise"]
    page.say(draw.choice(("Given ", "Suppose ", "From ", "Let us grant ")))
    for number, line in enumerate(premises):
        page.say(", " if number else "")
        page.fact("premise", _shown(line.term, notation), lines.index(line))
    page.say(draw.choice((", show ", ", it follows that ", ", prove ", ". To prove: ")))
    page.fact("theorem", _shown(lines[-1].term, notation))
    page.say(f".\n\n{draw.choice(('Proof.', 'Proof:', 'Here is why.', 'Demonstration.'))}\n")
    _list(page, prose, lines, notation)
    page.say(f"\n{prose.sentence(ASIDE)}\n")


def _list(page: Page, prose: Prose, lines: list[Line], notation: str) -> None:
    draw = page.draw
    for number, line in enumerate(lines):
        page.fact("number", f"{number + 1}.", number)
        page.say(" ")
        page.fact("line", _shown(line.term, notation), number)
        page.say("  [")
        page.fact("reason", _reason(line), number)
        page.say("]")
        page.say(f" {prose.sentence(ASIDE)}\n" if draw.chance(25) else "\n")


def _reason(line: Line) -> str:
    cited = ", ".join(str(use + 1) for use in line.uses)
    return f"{line.rule} {cited}" if cited else line.rule


def _walk(draw: Draw, page: Page) -> list[Line]:
    letters = _LETTERS[: sized(draw, page.budget.entities, 3, 9)]
    depth = 1 + page.budget.structure // 40
    count = sized(draw, page.budget.entities, 2, 7)
    # Premises that came out equal are one.
    terms = dict.fromkeys(_formula(draw, letters, depth) for _ in range(count))
    lines = [Line(term, "premise", ()) for term in terms]
    known = {line.term for line in lines}
    wanted = len(lines) + sized(draw, page.budget.steps, 2, 18)
    for _ in range(_MOST_TRIES):
        if len(lines) >= wanted:
            break
        new = _inferred(draw, lines, letters)
        if new is not None and new.term not in known and len(_code(new.term)) < _LONGEST:
            lines.append(new)
            known.add(new.term)
    return lines


def _formula(draw: Draw, letters: str, depth: int) -> Term:
    if depth == 0 or draw.chance(25):
        letter = draw.choice(letters)
        return ("~", letter) if draw.chance(30) else letter
    sign = draw.choice(">>>&|")
    left, right = _formula(draw, letters, depth - 1), _formula(draw, letters, depth - 1)
    return (left, sign, right)


def _inferred(draw: Draw, lines: list[Line], letters: str) -> Line | None:
    first = draw.below(len(lines))
    term = lines[first].term
    if isinstance(term, tuple) and len(term) == 3 and draw.chance(85):
        return _from_compound(draw, lines, first)
    other = draw.below(len(lines))
    match draw.below(4):
        case 0:
            return Line(("~", ("~", term)), "double negation", (first,))
        case 1:
            added = draw.choice(letters)
            return Line((term, "|", added), "addition", (first,))
        case _:
            return Line((term, "&", lines[other].term), "conjunction", (first, other))


def _from_compound(draw: Draw, lines: list[Line], first: int) -> Line | None:
    term = lines[first].term
    left, sign, right = term[0], term[1], term[2]
    if sign == "&":
        side = draw.below(2)
        return Line((left, right)[side], "simplification", (first,))
    # What is needed beside it, and what follows then.
    if sign == "|":
        wanted = (("~", left), right, "disjunctive syllogism")
    elif draw.chance(50):
        wanted = (left, right, "modus ponens")
    else:
        wanted = (("~", right), ("~", left), "modus tollens")
    for number, line in enumerate(lines):
        if line.term == wanted[0]:
            return Line(wanted[1], str(wanted[2]), (first, number))
    if sign == ">":
        return _chained(draw, lines, first)
    return None


def _chained(draw: Draw, lines: list[Line], first: int) -> Line | None:
    left, _, right = lines[first].term
    for number, line in enumerate(lines):
        term = line.term
        if isinstance(term, tuple) and len(term) == 3 and term[1] == ">" and term[0] == right:
            return Line((left, ">", term[2]), "hypothetical syllogism", (first, number))
    if draw.chance(50):
        return Line((("~", right), ">", ("~", left)), "contraposition", (first,))
    return Line((("~", left), "|", right), "material implication", (first,))


# Keep what the last line needs, and a share of the rest as distractors; numbers move up.
def _trimmed(draw: Draw, lines: list[Line], distractors: int) -> list[Line]:
    needed = {len(lines) - 1}
    for number in range(len(lines) - 1, -1, -1):
        if number in needed or draw.below(250) < distractors:
            needed.add(number)
            needed.update(lines[number].uses)
    places = {number: place for place, number in enumerate(sorted(needed))}
    return [
        Line(lines[n].term, lines[n].rule, tuple(places[use] for use in lines[n].uses))
        for n in sorted(needed)
    ]


def _code(term: Term) -> str:
    if isinstance(term, str):
        return term
    if len(term) == 2:
        return f"~{_code(term[1])}"
    return f"({_code(term[0])}{term[1]}{_code(term[2])})"


def _shown(term: Term, notation: str) -> str:
    signs = _SIGNS[notation]

    def spell(part: Term) -> str:
        if isinstance(part, str):
            return part
        if len(part) == 2:
            return f"{signs['~']}{spell(part[1])}"
        return f"({spell(part[0])}{signs[str(part[1])]}{spell(part[2])})"

    text = spell(term)
    # The outermost brackets say nothing.
    return text[1:-1] if isinstance(term, tuple) and len(term) == 3 else text
