"""Solvers of deduction: truth tables as long integers, counts by brute force, cases one by one."""

import re

from qmpi.content.exercise import Exercise, question_of
from qmpi.content.verify.reading import (
    Check,
    Values,
    certificate_fault,
    first_fault,
    listed,
    only,
    sentences,
    sorted_out,
    steps_any_order_fault,
    steps_fault,
)

_ATOM = r"[Tt]he \w+ \w+ is (?:not )?\w+"


def _atom(name: str) -> str:
    return f"(?P<{name}>{_ATOM})"


_A, _B, _C = _atom("a"), _atom("b"), _atom("c")
_CLAUSES = {
    "both": (
        f"If both {_A} and {_B}, then {_C}",
        f"From the facts that {_A} and that {_B} it follows that {_C}",
    ),
    "if": (
        f"If {_A}, then {_B}",
        f"Whenever {_A}, {_B}",
        f"{_A} only if {_B}",
        f"{_B}, provided that {_A}",
        f"It cannot be that {_A} unless {_B}",
    ),
    "or": (f"{_A}, or {_B}, or both", f"At least one holds, that {_A} or that {_B}"),
    "iff": (f"{_A} exactly if {_B}", f"{_A} if and only if {_B}"),
    "asked": (
        f"Is it true that {_A}",
        f"Can one tell whether {_A}",
        f"Does it hold that {_A}",
    ),
    "fact": (
        f"It is known that {_A}",
        f"Indeed {_A}",
        f"We see that {_A}",
        f"For certain, {_A}",
    ),
}
_DERIVED = (f"So {_A}\\.", f"Hence it holds that {_A}\\.", f"It follows that {_A}\\.", _A)


def check_entailment(exercise: Exercise, answer: str) -> str | None:
    """Check whether a sentence follows.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    found = sorted_out(exercise, _CLAUSES)
    asked = only(found["asked"], "what is asked")["a"]
    stated = [v["a"] for v in found["fact"]]
    texts = [text for values in found.values() for v in values for text in v.values()]
    atoms = sorted({_positive(text) for text in texts})
    if len(atoms) > 16:
        return "too many atoms for a table"
    # One bit for each row of the truth table; atom n changes every 2**n rows.
    full = (1 << (1 << len(atoms))) - 1
    columns = {
        atom: full // ((1 << (2 << n)) - 1) * (((1 << (1 << n)) - 1) << (1 << n))
        for n, atom in enumerate(atoms)
    }
    worlds = full
    for kind, values in found.items():
        for v in values:
            worlds &= _rows(kind, [_mask(v[slot], columns, full) for slot in sorted(v)], full)
    if not worlds:
        return "the sentences contradict each other"
    settled = {
        text
        for atom in atoms
        for text in (atom, atom.replace(" is ", " is not ", 1))
        if worlds & ~_mask(text, columns, full) == 0
    }
    negated = asked.replace(" is not ", " is ", 1)
    negated = asked.replace(" is ", " is not ", 1) if negated == asked else negated
    right = "yes" if asked in settled else "no" if negated in settled else "not known"
    if right != answer:
        return f"that is {right}, not {answer}"
    expected = [{"a": text} for text in sorted(settled - {_low(text) for text in stated})]
    return first_fault(
        certificate_fault(exercise, asked=asked, known=len(settled)),
        steps_any_order_fault(exercise, _DERIVED, expected),
    )


def _low(text: str) -> str:
    return text[0].lower() + text[1:]


def _positive(text: str) -> str:
    return _low(text).replace(" is not ", " is ", 1)


def _mask(text: str, columns: dict[str, int], full: int) -> int:
    column = columns[_positive(text)]
    return full & ~column if " is not " in text else column


def _rows(kind: str, masks: list[int], full: int) -> int:
    match kind:
        case "fact":
            return masks[0]
        case "if":
            return full & ~masks[0] | masks[1]
        case "both":
            return full & ~(masks[0] & masks[1]) | masks[2]
        case "or":
            return masks[0] | masks[1]
        case "iff":
            return full & ~(masks[0] ^ masks[1])
        case _:
            return full


_THINGS = r"(?P<things>[Aa]n? \w+ \w+(?:(?:, | and )an? \w+ \w+)*)"
_MARKET = {
    "own": (
        rf"{{who:w}} has {_THINGS}",
        rf"{_THINGS} belongs? to {{who:w}}",
        rf"In the bag of {{who:w}} there (?:is|are) {_THINGS}",
    ),
    "none": ("Is no {noun:w} {colour:w}", "Are all {noun:w}s something else than {colour:w}"),
    "some": ("Is there a {noun:w} that is {colour:w}", "Is any {noun:w} {colour:w}"),
    "all": ("Is every {noun:w} {colour:w}", "Are all {noun:w}s {colour:w}"),
    "count": (
        "How many {noun:w}s are {colour:w}",
        "What is the number of {noun:w}s that are {colour:w}",
    ),
    "each": (
        "Does everyone with a {noun:w} have something {colour:w} as well",
        "Has each owner of a {noun:w} also something {colour:w}",
    ),
}
_MARKET_STEPS = (
    "{who:w}: {hit:d} of {n:d}, {every:d} {colour:w} in all",
    "{who:w}: {n:d} and of these {hit:d}; {every:d} {colour:w}",
)


def check_quantifiers(exercise: Exercise, answer: str) -> str | None:
    """Check a quantified sentence over a list.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    found = sorted_out(exercise, _MARKET)
    kinds = [kind for kind in ("all", "some", "none", "count", "each") if found[kind]]
    asked = only([v for kind in kinds for v in found[kind]], "what is asked")
    noun, colour = asked["noun"], asked["colour"]
    owned = {v["who"]: re.findall(r"\ban? (\w+ \w+)", v["things"].lower()) for v in found["own"]}
    flat = [thing for things in owned.values() for thing in things]
    nouns = [thing for thing in flat if thing.split()[1] == noun]
    hits = nouns.count(f"{colour} {noun}")
    lacking = [
        who
        for who, things in owned.items()
        if any(thing.endswith(f" {noun}") for thing in things)
        and not any(thing.startswith(f"{colour} ") for thing in things)
    ]
    right = {
        "count": str(hits),
        "all": "no" if len(nouns) - hits else "yes",
        "some": "yes" if hits else "no",
        "none": "no" if hits else "yes",
        "each": "no" if lacking else "yes",
    }[kinds[0]]
    if right != answer:
        return f"the answer is {right}, not {answer}"
    expected: list[Values] = []
    for who, things in owned.items():
        pairs = [thing.split() for thing in things]
        counts = {
            "hit": pairs.count([colour, noun]),
            "n": sum(pair[1] == noun for pair in pairs),
            "every": sum(pair[0] == colour for pair in pairs),
        }
        shown = {key: str(number) for key, number in counts.items()}
        expected.append({"who": who, "colour": colour, **shown})
    return first_fault(
        certificate_fault(exercise, noun=noun, colour=colour),
        steps_fault(exercise, _MARKET_STEPS, expected),
    )


_FACTS = r"(?P<facts>the \w+ is (?:not )?\w+ and the \w+ is (?:not )?\w+)"
_CASES = {
    "case": (
        rf"In case {{case:w}} {_FACTS}",
        rf"{{case:w}} is the case in which {_FACTS}",
        rf"Case {{case:w}} means that {_FACTS}",
    ),
    "blur": (
        "{who:w} cannot tell {cases} apart",
        "To {who:w} the cases {cases} look the same",
        "{who:w} sees no difference between {cases}",
    ),
    "suppose": ("Suppose it is case {case:w}",),
    "asked": (
        "In case {case:w}, is it true that {claim}",
        "Does it hold in case {case:w} that {claim}",
        "Is it so that {claim}",
    ),
}
_CASE_STEPS = (
    "(?P<claim>[^:,]+ is [^:,]+): (?P<cases>[^:]+)",
    "(?P<cases>[^:]+): (?P<claim>[^:,]+ is [^:,]+)",
    "(?P<claim>[^:,]+), in (?P<cases>[^:]+)",
)
_KNOWS = re.compile(r"(\w+) (knows|does not know|holds it possible) that (.+)")


def check_knowledge(exercise: Exercise, answer: str) -> str | None:
    """Check who knows that who knows.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    found = sorted_out(exercise, _CASES)
    facts = {v["case"].lower(): v["facts"].split(" and ") for v in found["case"]}
    asked = only(found["asked"], "what is asked")
    case = asked.get("case") or only(found["suppose"], "the case")["case"]
    same: dict[str, list[list[str]]] = {}
    for v in found["blur"]:
        same.setdefault(v["who"], []).append(listed(v["cases"]))
    claim = asked["claim"]
    right = "yes" if _true(claim, case, facts, same) else "no"
    if right != answer:
        return f"that is {right}, not {answer}"
    claims = [claim]
    while inner := _KNOWS.fullmatch(claims[-1]):
        claims.append(inner[3])
    expected: list[Values] = []
    for part in reversed(claims):
        where = [c for c in _order(exercise, facts) if _true(part, c, facts, same)] or ["no case"]
        shown = ", ".join(where[:-1]) + " and " + where[-1] if len(where) > 1 else where[0]
        expected.append({"claim": part, "cases": shown})
    return first_fault(
        certificate_fault(exercise, case=case, claim=claim),
        steps_fault(exercise, _CASE_STEPS, expected),
    )


def _order(exercise: Exercise, facts: dict[str, list[str]]) -> list[str]:
    head = next((s for s in sentences(question_of(exercise.text)) if " the cases " in s), "")
    order = [word for word in re.findall(r"\w+", head) if word in facts]
    if sorted(order) != sorted(facts):
        raise ValueError("the cases are not all named at first")
    return order


def _true(
    claim: str, case: str, facts: dict[str, list[str]], same: dict[str, list[list[str]]]
) -> bool:
    found = _KNOWS.fullmatch(claim)
    if found is None:
        opposite = claim.replace(" is not ", " is ")
        opposite = claim.replace(" is ", " is not ") if opposite == claim else opposite
        if (claim in facts[case]) == (opposite in facts[case]):
            raise ValueError(f"{claim!r} is neither told nor denied")
        return claim in facts[case]
    seen = next((group for group in same.get(found[1], []) if case in group), [case])
    inner = [_true(found[3], other, facts, same) for other in seen]
    return {
        "knows": all(inner),
        "does not know": not all(inner),
        "holds it possible": any(inner),
    }[found[2]]


CHECKS: dict[str, Check] = {
    "entailment": check_entailment,
    "quantifiers": check_quantifiers,
    "knowledge": check_knowledge,
}
"""Solvers by family."""
