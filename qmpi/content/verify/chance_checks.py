"""Solvers of counting and chance: adding up case by case what the writers compute by formulas."""

import re
from collections.abc import Callable
from fractions import Fraction

from qmpi.content.exercise import Exercise, question_of, steps_of
from qmpi.content.verify.formula import numbers_of, steps_fault


def _told(exercise: Exercise, key: str, found: tuple[int, ...] | int) -> None:
    if exercise.certificate[key] != found:
        raise ValueError(f"the certificate has other {key} than {found}")


def _pascal(row: int) -> list[int]:
    numbers = [1]
    for _ in range(row):
        numbers = [1, *map(int.__add__, numbers, numbers[1:]), 1]
    return numbers


def check_arrangements(exercise: Exercise, answer: str) -> str | None:
    """Check a number of orders by Pascal's triangle.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    counts = numbers_of(question_of(exercise.text))
    _told(exercise, "counts", tuple(counts))
    ways, places = 1, 0
    for count in counts:
        places += count
        ways *= _pascal(places)[count]
    if str(ways) != answer:
        return f"there are {ways} orders, not {answer}"
    steps = steps_of(exercise.text)
    chosen = [int(count) for count in re.findall(r"C\(\d+, (\d+)\)", "\n".join(steps))]
    if chosen and chosen != counts:
        return f"the steps place {chosen}, not {counts}"
    return steps_fault(steps)


def check_committees(exercise: Exercise, answer: str) -> str | None:
    """Check a number of committees by taking people in one by one.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    question = question_of(exercise.text)
    rule = re.search(r"with (at least|at most|exactly) (\d+) (\w+?)s?\b", question)
    groups = re.search(r"(\d+) (\w+)s and (\d+) (\w+)s\b", question)
    size = re.search(r"(?:committee|team|groups|delegation) of (\d+)", question)
    if rule is None or groups is None or size is None or rule[3] != groups[2]:
        return "the question lacks the groups, the size or the rule"
    first, second, bound = int(groups[1]), int(groups[3]), int(rule[2])
    _told(exercise, "groups", (first, second))
    if (int(size[1]), bound) != (exercise.certificate["size"], exercise.certificate["bound"]):
        return "the certificate has another size or bound"
    ways = {(0, 0): 1}
    for kind in (0,) * first + (1,) * second:
        before = dict(ways)
        for (a, b), number in before.items():
            taken = (a + 1, b) if kind == 0 else (a, b + 1)
            if a + b < int(size[1]):
                ways[taken] = ways.get(taken, 0) + number
    ways = {taken: number for taken, number in ways.items() if sum(taken) == int(size[1])}
    fits = {"at least": int.__ge__, "at most": int.__le__, "exactly": int.__eq__}[rule[1]]
    total = sum(number for (a, _), number in ways.items() if fits(a, bound))
    if str(total) != answer:
        return f"there are {total} committees, not {answer}"
    steps = steps_of(exercise.text)
    for step in steps:
        chosen = [int(number) for pair in re.findall(r"C\((\d+), (\d+)\)", step) for number in pair]
        split = chosen[1::2]
        if chosen and (chosen[::2] != [first, second] or sum(split) != int(size[1])):
            return f"the step {step!r} chooses from other groups"
    return steps_fault(steps)


def check_urn(exercise: Exercise, answer: str) -> str | None:
    """Check a chance by following every draw from the urn.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    question = question_of(exercise.text)
    told = dict[str, int]()
    for count, colour in re.findall(r"(\d+) ([a-z]+)(?=, | and | \w+[ ,;.])", question):
        told.setdefault(colour, int(count))
    drawn = re.search(r"(\d+) are drawn|(\d+) of the|(\d+) come out", question)
    if drawn is None:
        return "the question does not say how many are drawn"
    size = int(drawn[1] or drawn[2] or drawn[3])
    counts = {c: n for c, n in told.items() if c not in ("are", "of", "come")}
    _told(exercise, "counts", tuple(counts.values()))
    if size != exercise.certificate["drawn"]:
        return "the certificate draws another number"
    order = re.search(r"in order, ([a-z, ]+)\?", question)
    wanted = order[1].split(", ") if order else None
    back = "with putting back" in question
    chance = _followed(counts, size, wanted, back=back)
    if str(chance) != answer or (wanted is not None and len(wanted) != size):
        return f"the chance is {chance}, not {answer}"
    return steps_fault(steps_of(exercise.text))


def _followed(
    counts: dict[str, int], size: int, wanted: list[str] | None, *, back: bool
) -> Fraction:
    if size == 0:
        return Fraction(1)
    chance = Fraction(0)
    for colour, count in counts.items():
        if count > 0 and (wanted is None or wanted[0] == colour):
            rest = counts if back else {**counts, colour: count - 1}
            after = [colour] * (size - 1) if wanted is None else wanted[1:]
            share = Fraction(count, sum(counts.values()))
            chance += share * _followed(rest, size - 1, after, back=back)
    return chance


def check_dice(exercise: Exercise, answer: str) -> str | None:
    """Check a chance by throwing every pair of faces.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    question = question_of(exercise.text)
    first, second = (
        [int(face) for face in row.split(", ")] for row in re.findall(r"\d+(?:, \d+)+", question)
    )
    _told(exercise, "first", tuple(first))
    _told(exercise, "second", tuple(second))
    event = re.search(r"a sum (above|below|of exactly) (\d+)", question)
    if event is None:
        return "the question names no event"
    _told(exercise, "bound", int(event[2]))
    fits = {"above": int.__gt__, "below": int.__lt__, "of exactly": int.__eq__}[event[1]]
    counts = [sum(fits(a + b, int(event[2])) for b in second) for a in first]
    chance = Fraction(sum(counts), len(first) * len(second))
    if str(chance) != answer:
        return f"the chance is {chance}, not {answer}"
    steps = steps_of(exercise.text)
    for step in steps:
        label, _, line = step.partition(": ")
        if label.startswith("pairs that fit") and numbers_of(line)[:-1] != counts:
            return f"the step {step!r} does not count {counts}"
        if not line and "/" not in step:
            a, b = numbers_of(step)[:2]
            if a not in first or b not in second or not fits(a + b, int(event[2])):
                return f"the step {step!r} is no pair that fits"
    return steps_fault(steps)


def check_expected_value(exercise: Exercise, answer: str) -> str | None:
    """Check an expected gain by playing each equally likely case once.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    question = question_of(exercise.text)
    prizes = [
        tuple(map(int, p)) for p in re.findall(r"(\d+) points with chance (\d+)/(\d+)", question)
    ]
    fee = re.search(r"(?:costs|lottery is|asks) (\d+) points", question)
    if not prizes or fee is None:
        return "the question lacks the prizes or the price"
    _told(exercise, "prizes", tuple(prize for prize, _, _ in prizes))
    _told(exercise, "shares", tuple(share for _, share, _ in prizes))
    cases = [prize - int(fee[1]) for prize, share, _ in prizes for _ in range(share)]
    if any(whole != len(cases) for _, _, whole in prizes):
        return "the chances do not add up to one"
    if str(Fraction(sum(cases), len(cases))) != answer:
        return f"the mean gain is {Fraction(sum(cases), len(cases))}, not {answer}"
    steps = steps_of(exercise.text)
    won = [p for p in prizes if p[0]]
    for (prize, share, whole), step in zip(won, steps, strict=False):
        if numbers_of(step) != [prize, share, whole, prize * share, whole]:
            return f"the step {step!r} is not about {prize} points"
    return steps_fault(steps)


def check_inclusion_exclusion(exercise: Exercise, answer: str) -> str | None:
    """Check sizes of unions by building the sets.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    question = question_of(exercise.text)
    head, *rest = question.partition(". How many")[0].split("; ")
    total, *sizes = numbers_of(head)
    both = [n for part in rest if "all three" not in part for n in numbers_of(part)]
    every = sum(n for part in rest if "all three" in part for n in numbers_of(part))
    _told(exercise, "sizes", tuple(sizes))
    _told(exercise, "both", tuple(both))
    _told(exercise, "total", total)
    _told(exercise, "every", every)
    used = [int(a) for a in _people(sizes, both, every)]
    if min(used, default=0) < 0:
        return "no such sets exist"
    asked = {"none": total - sum(map(bool, used)), "at least one": sum(map(bool, used))}
    asked["exactly one"] = used.count(1)
    kind = re.search(r"How many use (none|at least one|exactly one)", question)
    if kind is None or str(asked[kind[1]]) != answer:
        return f"the sets give {asked}, not {answer}"
    return steps_fault(steps_of(exercise.text))


def _people(sizes: list[int], both: list[int], every: int) -> list[int]:
    # How many things each person uses, person by person; -1 stands for an impossible one.
    pairs = [(a, b) for a in range(len(sizes)) for b in range(a + 1, len(sizes))]
    people = [3] * every
    alone = list(sizes)
    for (a, b), number in zip(pairs, both, strict=True):
        people += [2] * (number - every) if number >= every else [-1]
        alone[a] -= number - every
        alone[b] -= number - every
    for number in alone:
        people += [1] * (number - every) if number >= every else [-1]
    return people


def check_data_summary(exercise: Exercise, answer: str) -> str | None:
    """Check a statistic of data by pairs of values.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    question = question_of(exercise.text)
    data = numbers_of(question)
    _told(exercise, "data", tuple(data))
    size, steps = len(data), steps_of(exercise.text)
    if "variance" in question:
        value = Fraction(sum((a - b) ** 2 for a in data for b in data), 2 * size * size)
    elif "median" in question:
        value = next(
            m for m in sorted({Fraction(a + b, 2) for a in data for b in data}) if _mid(data, m)
        )
    elif "differ" in question:
        value = Fraction(max(abs(a - b) for a in data for b in data))
    else:
        value = sum(Fraction(n, size) for n in data)
    if str(value) != answer:
        return f"the data give {value}, not {answer}"
    for step in steps:
        if step.startswith("in order: ") and sorted(numbers_of(step)) != sorted(data):
            return f"the step {step!r} lists other data"
    return steps_fault(steps)


def _mid(data: list[int], value: Fraction) -> bool:
    # The median: as many values below as above, and it is the middle one or midway between two.
    below, above = [n for n in data if n < value], [n for n in data if n > value]
    if value in data:
        return (
            len(below) * 2 <= len(data)
            and len(above) * 2 <= len(data)
            and (len(data) % 2 == 1 or max(len(below), len(above)) * 2 < len(data))
        )
    return len(below) == len(above) and max(below) + min(above) == 2 * value


def check_sequence_next(exercise: Exercise, answer: str) -> str | None:
    """Check a term by every rule that fits the terms shown.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    question = question_of(exercise.text)
    named = re.findall(r"(\d+)th", question)
    if len(named) != 1:
        return "the question names no place"
    place, terms = int(named[0]), numbers_of(re.sub(r"\d+th", "", question))
    _told(exercise, "terms", tuple(terms))
    found = [row for rule in _RULES if (row := _extended(rule, terms, place)) is not None]
    if not found or any(str(row[-1]) != answer for row in found):
        return f"the rules that fit give {[row[-1] for row in found]}, not {answer}"
    steps = steps_of(exercise.text)
    ends = [int(step.rpartition(" = ")[2]) for step in steps]
    if steps and ends != [int(n) for n in found[0][-len(ends) :]]:
        return "the steps give other terms"
    return steps_fault(steps)


def _affine(row: list[Fraction]) -> Fraction:
    if row[1] == row[0]:
        return row[-1]
    factor = (row[2] - row[1]) / (row[1] - row[0])
    return row[-1] * factor + row[1] - row[0] * factor


_RULES: tuple[Callable[[list[Fraction]], Fraction], ...] = (
    lambda row: row[-1] + row[1] - row[0],
    lambda row: row[-1] * row[1] / row[0],
    lambda row: 2 * row[-1] - row[-2] + row[2] - 2 * row[1] + row[0],
    _affine,
    lambda row: row[-1] + row[-2],
)


def _extended(
    rule: Callable[[list[Fraction]], Fraction], terms: list[int], place: int
) -> list[Fraction] | None:
    row = [Fraction(term) for term in terms]
    if any(rule(row[:n]) != row[n] for n in range(3, len(row))):
        return None
    if rule is _RULES[0] and row[2] != row[1] + row[1] - row[0]:
        return None
    if rule is _RULES[1] and row[2] * row[0] != row[1] * row[1]:
        return None
    if rule is _RULES[-1] and row[2] != row[1] + row[0]:
        return None
    while len(row) < place:
        row.append(rule(row))
    return row


def check_series_sum(exercise: Exercise, answer: str) -> str | None:
    """Check a sum term by term.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    if str(exercise.certificate["shown"]) not in question_of(exercise.text):
        return "the question has another series than the certificate"
    first, second, third, fourth, last = numbers_of(question_of(exercise.text))
    step, factor = second - first, Fraction(second, first)
    arithmetic = third - second == step and fourth - third == step
    if not arithmetic and (third != second * factor or fourth != third * factor):
        return "the terms follow no rule"
    total, term = 0, Fraction(first)
    while term <= last:
        total += term
        if term == last:
            break
        term = term + step if arithmetic else term * factor
    if term != last or str(total) != answer:
        return f"the terms add up to {total}, not {answer}"
    return steps_fault(steps_of(exercise.text))


CHECKS: dict[str, Callable[[Exercise, str], str | None]] = {
    "arrangements": check_arrangements,
    "committees": check_committees,
    "urn": check_urn,
    "dice": check_dice,
    "expected_value": check_expected_value,
    "inclusion_exclusion": check_inclusion_exclusion,
    "data_summary": check_data_summary,
    "sequence_next": check_sequence_next,
    "series_sum": check_series_sum,
}
"""Solvers by family."""
