"""Checks of drills: each is solved once more, from its question, in another way.

Theory of operation. A question is read back into symbols. Where the writer counts on, the solver
begins anew for each symbol; sums are those of whole numbers, brackets are taken out in pairs until
none is left. A document is nothing but drills of its family.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise

from qmpi.content.document import Document
from qmpi.content.exercise import Exercise, question_of, steps_of

Symbols = Sequence[str]

_DIGITS = "0123456789"
_CLOSED = ("[]", "{}", "<>")


def check_drills(document: Document) -> list[str]:
    """Check a document of type drills.

    Args:
        document: with its certificate.

    Returns:
        Faults in words; what each drill says is checked by its family.
    """
    faults = [
        f"a drill of {problem.family} among those of {document.genre}"
        for problem in document.problems
        if problem.family != document.genre
    ]
    told = "".join(document.text[problem.start : problem.end] for problem in document.problems)
    if told != document.text:
        faults.append("the text is not its drills, one behind the other")
    return faults


def _copied(asked: Symbols, answer: Symbols) -> bool:
    return all(asked[place : place + 1] == [said] for place, said in enumerate(answer))


def _reversed(asked: Symbols, answer: Symbols) -> bool:
    left = list(asked)
    return all(left and left.pop() == said for said in answer)


def _sorted(asked: Symbols, answer: Symbols) -> bool:
    return Counter(asked) == Counter(answer) and all(a <= b for a, b in pairwise(map(int, answer)))


def _largest(asked: Symbols, answer: Symbols) -> bool:
    return _each(answer, lambda place: max(int(symbol) for symbol in asked[: place + 1]))


def _summed(asked: Symbols, answer: Symbols) -> bool:
    return _each(answer, lambda place: sum(int(symbol) for symbol in asked[: place + 1]) % 10)


def _counted(asked: Symbols, answer: Symbols) -> bool:
    return _each(answer, lambda place: asked[: place + 1].count(asked[place]))


def _each(answer: Symbols, value: Callable[[int], int]) -> bool:
    return all(said == str(value(place)) for place, said in enumerate(answer))


def _added(asked: Symbols, answer: Symbols) -> bool:
    middle = asked.index("+")
    one, other = asked[:middle], asked[middle + 1 :]
    return len(one) == len(other) == len(answer) - 1 and _number(one) + _number(other) == _number(
        answer
    )


def _number(ones_first: Symbols) -> int:
    return int("".join(reversed(ones_first)))


def _bracketed(asked: Symbols, answer: Symbols) -> bool:
    left = "".join(asked) + "".join(answer)
    while any(pair in left for pair in _CLOSED):
        for pair in _CLOSED:
            left = left.replace(pair, "")
    return not left and set(answer) <= {"]", "}", ">"}


def _found(asked: Symbols, answer: Symbols) -> bool:
    middle = asked.index(":")
    keys, values, wanted = asked[:middle:2], asked[1:middle:2], asked[middle + 1 :]
    if len(set(keys)) != len(keys) or len(wanted) != len(answer):
        return False
    return all(values[keys.index(key)] == said for key, said in zip(wanted, answer, strict=True))


def _shifted(asked: Symbols, answer: Symbols) -> bool:
    by, colon, *given = asked
    turned = _DIGITS[int(by) :] + _DIGITS[: int(by)]
    table = str.maketrans(_DIGITS, turned)
    return colon == ":" and "".join(given).translate(table) == "".join(answer)


_AS_LONG = ("copy", "reverse", "sort", "maximum", "sums", "count")
"""Families whose answer has as many symbols as what is asked."""

_SOLVERS: dict[str, Callable[[Symbols, Symbols], bool]] = {
    "copy": _copied,
    "reverse": _reversed,
    "sort": _sorted,
    "maximum": _largest,
    "sums": _summed,
    "addition": _added,
    "brackets": _bracketed,
    "needle": _found,
    "count": _counted,
    "shift": _shifted,
}


def _check(exercise: Exercise, answer: str) -> str | None:
    name, *asked = question_of(exercise.text).split(" ")
    said = answer.split(" ")
    if name != exercise.family:
        return f"the question asks for {name!r}, not {exercise.family!r}"
    if any(len(symbol) != 1 for symbol in (*asked, *said)):
        return "a symbol is not one sign between single spaces"
    if len(asked) != exercise.certificate.get("symbols"):
        return f"the question has {len(asked)} symbols, the certificate says otherwise"
    if steps_of(exercise.text):
        return "a drill has no worked steps"
    if name in _AS_LONG and len(asked) != len(said):
        return f"{len(said)} symbols answer {len(asked)}"
    return None if _SOLVERS[name](asked, said) else f"{answer!r} is not the answer"


CHECKS: dict[str, Callable[[Exercise, str], str | None]] = dict.fromkeys(_SOLVERS, _check)
"""Solvers by family."""
