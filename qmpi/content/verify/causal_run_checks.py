"""Solvers of runs that did not happen, and of reports by liars: both colours are tried."""

from qmpi.content.exercise import Exercise
from qmpi.content.verify.reading import (
    Check,
    Values,
    certificate_fault,
    first_fault,
    listed,
    only,
    sorted_out,
    steps_fault,
)

_COUNTER = {
    "rule": (
        "The {key:w} key adds (?P<add>\\d+) if the number is under {under:d}, else it does nothing",
        "If the number is under {under:d}, the {key:w} key raises it by (?P<add>\\d+); if not, "
        "nothing happens",
        "The {key:w} key takes (?P<take>\\d+) away if the number is over {over:d}, else it does "
        "nothing",
        "If the number is over {over:d}, the {key:w} key lowers it by (?P<take>\\d+); if not, "
        "nothing happens",
        "The {key:w} key halves an even number and adds {odd:d} to an odd one",
        "By the {key:w} key an even number is halved, and {odd:d} is added to an odd one",
        "The {key:w} key adds {add:d}",
        "Whoever hits the {key:w} key raises the number by {add:d}",
        "By the {key:w} key the number grows by {add:d}",
        "The {key:w} key takes {take:d} away",
        "Whoever hits the {key:w} key lowers the number by {take:d}",
        "By the {key:w} key the number falls by {take:d}",
        "The {key:w} key {double:w} the number",
        "Whoever hits the {key:w} key makes the number {double:w} as large",
    ),
    "head": (
        r"A counter in \w+, kept by \w+, shows {start:d}",
        r"\w+, an? \w+ in \w+, sets a counter to {start:d}",
        r"In the hall of \w+ a counter of \w+ stands at {start:d}",
    ),
    "end": (
        "In the end it shows {number:d}",
        "So the last number is {number:d}",
        "At closing time one reads {number:d}",
    ),
    "asked": (
        "What would it show if {who:w} had not touched it",
        "Had {who:w} stayed away, what would the last number be",
        "Without what {who:w} did, which number would stand there at the end",
        "Suppose {who:w} had not come, all else being the same",
    ),
    "press": (
        "{who:w} hits the {key:w} key",
        "Then {who:w} uses the {key:w} key",
        "The {key:w} key is hit by {who:w}",
        "{who:w} comes by and strikes {key:w}",
        "Next {who:w} tries {key:w}",
    ),
}
_COUNTER_STEPS = (
    "{who:w}: {number:d}",
    r"After {who:w} it shows {number:d}\.",
    r"{who:w} makes it {number:d}\.",
    r"{number:d} \({who:w}\)",
)


def check_counterfactual(exercise: Exercise, answer: str) -> str | None:
    """Check what a counter would show without one press.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    found = sorted_out(exercise, _COUNTER)
    rules = {v["key"]: v for v in found["rule"]}
    start = int(only(found["head"], "the counter")["start"])
    without = only(found["asked"], "what is asked")["who"]
    presses = [(v["who"], v["key"]) for v in found["press"]]
    if without not in dict(presses):
        return f"{without} did not touch it"
    real = _run(start, presses, rules)
    if [str(real[-1])] != [v["number"] for v in found["end"]]:
        return f"the counter really shows {real[-1]}"
    rest = [press for press in presses if press[0] != without]
    numbers = _run(start, rest, rules)
    if str(numbers[-1]) != answer:
        return f"the counter would show {numbers[-1]}, not {answer}"
    expected = [
        {"who": who, "number": str(number)}
        for (who, _), number in zip(rest, numbers[1:], strict=True)
    ]
    return first_fault(
        certificate_fault(
            exercise,
            start=start,
            without=without,
            numbers=sorted(
                int(v[slot])
                for v in found["rule"]
                for slot in ("add", "take", "odd", "under", "over")
                if slot in v
            ),
        ),
        steps_fault(exercise, _COUNTER_STEPS, expected),
    )


def _run(start: int, presses: list[tuple[str, str]], rules: dict[str, Values]) -> list[int]:
    numbers = [start]
    for _, key in presses:
        numbers.append(_pressed(numbers[-1], rules[key]))
    return numbers


def _pressed(number: int, rule: Values) -> int:
    if "double" in rule:
        return number + number
    if "odd" in rule:
        return number + int(rule["odd"]) if number & 1 else number >> 1
    if "under" in rule and not number < int(rule["under"]):
        return number
    if "over" in rule and not number > int(rule["over"]):
        return number
    return number + int(rule.get("add", 0)) - int(rule.get("take", 0))


_WHISPERS = {
    "head": (
        r"{who:w} of \w+ knows whether the {what:w} is {one:w} or {two:w}",
        r"In \w+ {who:w} alone has seen the {what:w}, which is {one:w} or {two:w}",
        r"The {what:w} of \w+ is either {one:w} or {two:w}, and {who:w} has looked at it",
    ),
    "word": (
        "{a:w} tells {b:w} which it is",
        "{b:w} hears about it from {a:w}",
        "Then {a:w} reports the colour to {b:w}",
        "From {a:w} the word goes on to {b:w}",
        "{b:w} asks {a:w} and gets an answer",
    ),
    "liars": (
        "Whatever they heard or saw, {who} always say the opposite, and the others pass on "
        "the truth",
        "The opposite of what they know is told by {who}; everybody else is honest",
        "Among them {who} turn each report into its opposite; nobody else does",
        "Whatever was heard or seen, {who} always says the opposite, and all others pass on the "
        "truth",
        "The opposite of what is known is told by {who}; everybody else is honest",
        "Among them {who} turns each report into its opposite; nobody else does",
    ),
    "honest": (
        "All of them are honest",
        "Nobody among them lies",
        "Each passes on what was heard",
    ),
    "heard": (
        "In the end {who:w} hears that it is {colour:w}",
        "What reaches {who:w} is the word {colour:w}",
        "{who:w} is told {colour:w}",
    ),
    "asked": (
        "What is the {what:w} in truth",
        "Which colour does the {what:w} have",
        "So what colour is the {what:w}",
    ),
}
_WHISPER_STEPS = (
    r"{who:w} says {said:w}, so {who:w} knows {knew:w}\.",
    "{who:w}: said {said:w}, knew {knew:w}",
    "{knew:w} <- {who:w} <- {said:w}",
)


def check_whispers(exercise: Exercise, answer: str) -> str | None:
    """Check the truth behind a chain of reports.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    found = sorted_out(exercise, _WHISPERS)
    head, heard = only(found["head"], "the thing"), only(found["heard"], "what is heard")
    if only(found["asked"], "what is asked")["what"] != head["what"]:
        return "another thing is asked for"
    after = {v["a"]: v["b"] for v in found["word"]}
    chain = [head["who"]]
    while chain[-1] in after and len(chain) < 50:
        chain.append(after[chain[-1]])
    if chain[-1] != heard["who"] or len(chain) != len(after) + 1:
        return "the reports are no chain to who hears the last one"
    only(found["liars"] + found["honest"], "the liars")
    liars = listed(found["liars"][0]["who"]) if found["liars"] else []
    colours = (head["one"], head["two"])
    truths: dict[str, list[str]] = {}
    for colour in colours:
        known = [colour]
        for who in chain[:-1]:
            known.append(_other(known[-1], colours) if who in liars else known[-1])
        if known[-1] == heard["colour"]:
            truths[colour] = known
    if list(truths) != [answer]:
        return f"the colour is {list(truths)}, not {answer}"
    known = truths[answer]
    expected = [
        {"who": chain[n], "said": known[n + 1], "knew": known[n]}
        for n in reversed(range(len(chain) - 1))
    ]
    return first_fault(
        certificate_fault(exercise, thing=head["what"], people=chain),
        steps_fault(exercise, _WHISPER_STEPS, expected),
    )


def _other(colour: str, colours: tuple[str, str]) -> str:
    return colours[1] if colour == colours[0] else colours[0]


CHECKS: dict[str, Check] = {
    "counterfactual": check_counterfactual,
    "whispers": check_whispers,
}
"""Solvers by family."""
