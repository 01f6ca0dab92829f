"""Are the arguments of a text what it says they are?

Theory of operation. Premises and conclusions are parsed back from their words into formulas and
compared with the certificate. Validity is decided by a truth table over the claims, and the
standing arguments by the labelling of the attack graph: both without a look at the writer's forms.
"""

from itertools import product
from typing import Any

from qmpi.content.document import Document, Fact

_NUMERALS = ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X"]
_FALSE = "it is false that "


def check_philosophy(document: Document) -> list[str]:
    """Check a document of type philosophy.

    Args:
        document: with its certificate.

    Returns:
        Faults in words.
    """
    try:
        world: dict[str, Any] = document.world
        faults = _validity_faults(world)
        for fact in document.facts:
            said = document.text[fact.start : fact.end]
            expected = _expected(world, fact, said)
            if expected is not None and said != expected:
                faults.append(f"{fact.kind} {list(fact.args)}: says {said!r}, not {expected!r}")
        return faults + _coverage_faults(document, world)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        return [f"the certificate cannot be read: {error!r}"]


def _validity_faults(world: dict[str, Any]) -> list[str]:
    faults: list[str] = []
    for number, argument in enumerate(world["arguments"]):
        if _follows(argument["premises"], argument["conclusion"]) != argument["valid"]:
            faults.append(f"argument {number}: its validity is not {argument['valid']}")
    return faults


def _follows(premises: list[str], conclusion: str) -> bool:
    names = sorted({digit for text in (*premises, conclusion) for digit in _claims(text)})
    for values in product((False, True), repeat=len(names)):
        model = dict(zip(names, values, strict=True))
        if all(_true(text, model) for text in premises) and not _true(conclusion, model):
            return False
    return True


def _claims(formula: str) -> list[str]:
    spaced = "".join(sign if sign.isdigit() else " " for sign in formula)
    return spaced.split()


def _true(formula: str, model: dict[str, bool]) -> bool:
    if formula.isdigit():
        return model[formula]
    if formula.startswith("~"):
        return not _true(formula[1:], model)
    left, sign, right = _split(formula)
    first, second = _true(left, model), _true(right, model)
    return {">": not first or second, "&": first and second, "|": first or second}[sign]


def _split(formula: str) -> tuple[str, str, str]:
    if not (formula.startswith("(") and formula.endswith(")")):
        raise ValueError(f"{formula} is no formula")
    inner, depth = formula[1:-1], 0
    for place, sign in enumerate(inner):
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if depth == 0 and sign in ">&|":
            return inner[:place], sign, inner[place + 1 :]
    raise ValueError(f"{formula} has no main sign")


# From words back to a formula: the longest claims first, since one may begin like another.
def _read(words: str, claims: list[str]) -> str:
    for number, claim in enumerate(claims):
        if words == claim:
            return str(number)
    if words.startswith(_FALSE):
        return "~" + _read(words.removeprefix(_FALSE), claims)
    shapes = (
        ("if ", ", then ", "({}>{})"),
        ("not both: ", ", and ", "~({}&{})"),
        ("both ", ", and ", "({}&{})"),
        ("either ", ", or ", "({}|{})"),
    )
    for before, between, shape in shapes:
        if words.startswith(before):
            rest = words.removeprefix(before)
            for place in _places(rest, between):
                try:
                    left = _read(rest[:place], claims)
                    right = _read(rest[place + len(between) :], claims)
                except ValueError:
                    continue
                return shape.format(left, right)
    raise ValueError(f"{words!r} is no statement of this world")


def _places(words: str, between: str) -> list[int]:
    return [p for p in range(len(words)) if words.startswith(between, p)]


def _stands(world: dict[str, Any]) -> list[int]:
    count = len(world["arguments"])
    against: dict[int, list[int]] = {n: [] for n in range(count)}
    for by, hit in world["attacks"]:
        against[hit].append(by)
    label: dict[int, str] = {}
    changed = True
    while changed:
        changed = False
        for number in range(count):
            if number in label:
                continue
            marks = [label.get(by) for by in against[number]]
            if "in" in marks:
                label[number] = "out"
            elif all(mark == "out" for mark in marks):
                label[number] = "in"
            changed = changed or number in label
    return [number for number in range(count) if label.get(number) == "in"]


def _expected(world: dict[str, Any], fact: Fact, said: str) -> str | None:
    args: Any = fact.args
    if fact.kind == "standing":
        return ", ".join(_NUMERALS[number] for number in _stands(world))
    if fact.kind == "voice":
        name = world["voices"][args[0]]
        return name if said == name else name.split(" ")[1]
    if fact.kind == "number":
        return _NUMERALS[args[0]]
    if fact.kind == "attack":
        return _voices(world, args, said)
    return _of_argument(world, fact.kind, args, said)


def _of_argument(world: dict[str, Any], kind: str, args: Any, said: str) -> str | None:
    argument = world["arguments"][args[0]]
    match kind:
        case "premise":
            return _same(world, said, argument["premises"][args[1]])
        case "conclusion":
            return _same(world, said, argument["conclusion"])
        case "form":
            return _capital(argument["form"], said)
        case "verdict":
            return _capital("valid" if argument["valid"] else "a fallacy", said)
        case "answer":
            follows = _follows(argument["premises"], argument["conclusion"])
            return "yes" if follows else "no"
        case "attacks":
            known = [args[0], args[1]] in world["attacks"]
            words = f"{_NUMERALS[args[0]]} against {_NUMERALS[args[1]]}"
            return words if known else "an attack of this world"
        case _:
            raise ValueError(f"no fact is called {kind}")


def _same(world: dict[str, Any], said: str, formula: str) -> str | None:
    try:
        read = _read(said, world["claims"])
    except ValueError:
        try:
            read = _read(said[:1].lower() + said[1:], world["claims"])
        except ValueError as error:
            return str(error)
    return None if read == formula else f"words for {formula}"


def _capital(expected: str, said: str) -> str:
    return said if said[:1].lower() + said[1:] == expected else expected


def _voices(world: dict[str, Any], args: Any, said: str) -> str | None:
    if [args[0], args[1]] not in world["attacks"]:
        return "an attack of this world"
    voices = [world["voices"][world["arguments"][number]["voice"]] for number in args]
    missing = [name for name in voices if name.split(" ")[1] not in said]
    return f"a sentence with {missing[0]}" if missing else None


def _coverage_faults(document: Document, world: dict[str, Any]) -> list[str]:
    wanted: set[tuple[int, ...]] = set()
    for number, argument in enumerate(world["arguments"]):
        wanted.add((number,))
        wanted.update((number, premise) for premise in range(len(argument["premises"])))
    kinds = ("premise", "conclusion")
    told = sorted(str(list(fact.args)) for fact in document.facts if fact.kind in kinds)
    complete = told == sorted(str(list(part)) for part in wanted)
    faults = [] if complete else ["not every part of each argument is told"]
    if not any(fact.kind in ("answer", "standing") for fact in document.facts):
        faults.append("there is no answer")
    return faults
