"""Counting and chance: arrangements, committees, urns, dice, games, sets, data."""

from math import comb, factorial, gcd

from qmpi.content.counter import Draw
from qmpi.content.exercise import Certificate
from qmpi.content.reasoning.notation import listed, ratio, summed
from qmpi.content.reasoning.problem import Family, Problem, grown, lay_out
from qmpi.content.reasoning.scenes import THINGS, TRADES, scene

_COLOURS = (
    "red", "blue", "green", "white", "black", "yellow", "brown", "grey", "pink", "purple",
    "orange", "silver", "golden", "violet",
)  # fmt: skip


def _lowest(top: int, bottom: int) -> str:
    common = gcd(top, bottom)
    return ratio(top // common, bottom // common)


_ARRANGE = (
    "In how many orders can {} stand in a row?",
    "How many different rows can be laid with {}?",
    "Count the arrangements of {} in a line.",
    "{} are put on a shelf one beside the other. In how many ways?",
    "How many distinct sequences use up {}?",
)


def arrangements(draw: Draw, level: int) -> Problem:
    """Orders of things of which some are alike.

    Args:
        draw: chance.
        level: 1 to 100; more colours and things.

    Returns:
        The problem.
    """
    colours = draw.sample(_COLOURS, grown(draw, level, 3, 8))
    counts = [draw.between(2, 4 + level // 20) for _ in colours]
    thing, total = draw.choice(THINGS), sum(counts)
    told = [f"{n} {colour}" for n, colour in zip(counts, colours, strict=True)]
    steps, left, answer = [f"{summed(counts)} = {total}"], total, 1
    if draw.below(2):
        bottom = 1
        for n in counts:
            bottom *= factorial(n)
        answer = factorial(total) // bottom
        below = " * ".join(f"{n}!" for n in counts)
        steps.append(f"{total}! / ({below}) = {factorial(total)} / {bottom} = {answer}")
    else:
        for n, colour in zip(counts, colours, strict=True):
            ways = comb(left, n)
            steps.append(
                f"places for {colour}: C({left}, {n}) = {ways}; {answer} * {ways} = {answer * ways}"
            )
            left, answer = left - n, answer * ways
    question = draw.choice(_ARRANGE).format(f"{listed(told)} {thing}")
    world: Certificate = {"counts": tuple(counts), "answer": str(answer)}
    return lay_out(draw, scene(draw) + question, steps, str(answer), world)


_CHOOSE = (
    "A committee of {k} is chosen from {told}, with {rule}. How many committees are possible?",
    "From {told} a team of {k} is formed, with {rule}. In how many ways?",
    "There are {told}. How many groups of {k} can be picked with {rule}?",
    "A delegation of {k} shall come from {told}, with {rule}. Count the choices.",
)


def committees(draw: Draw, level: int) -> Problem:
    """Choices from two groups with a bound on one of them.

    Args:
        draw: chance.
        level: 1 to 100; larger groups.

    Returns:
        The problem.
    """
    first, second = draw.sample(TRADES, 2)
    a, b = draw.between(5, 9 + level // 5), draw.between(5, 9 + level // 5)
    size = draw.between(3, min(4 + level // 12, a, b))
    kind, bound = draw.choice(("at least", "at most", "exactly")), draw.between(1, size - 1)
    spans = {"at least": range(bound, size + 1), "at most": range(bound + 1)}
    taken = spans.get(kind, range(bound, bound + 1))
    steps, ways = list[str](), list[int]()
    for n in taken:
        ways.append(comb(a, n) * comb(b, size - n))
        split = f"C({a}, {n}) * C({b}, {size - n})"
        steps.append(f"{split} = {comb(a, n)} * {comb(b, size - n)} = {ways[-1]}")
    answer = str(sum(ways))
    if len(ways) > 1:
        steps.append(f"{summed(ways)} = {answer}")
    told = f"{a} {_plural(first)} and {b} {_plural(second)}"
    rule = f"{kind} {bound} {_plural(first) if bound > 1 else first}"
    question = draw.choice(_CHOOSE).format(k=size, told=told, rule=rule)
    world: Certificate = {"groups": (a, b), "size": size, "bound": bound, "answer": answer}
    return lay_out(draw, scene(draw) + question, steps, answer, world)


def _plural(noun: str) -> str:
    return f"{noun}s"


_URN = (
    "A bag holds {told} {thing}. {k} are drawn {how}. What is the chance that {event}?",
    "{k} of the {thing} in a box, {told}, are taken {how}. How likely is it that {event}?",
    "An urn contains {told} {thing}; {k} come out {how}. With what probability does it happen that "
    "{event}?",
)
_WAYS = (("without putting back", 0), ("and kept out", 0), ("with putting back each time", 1))


def urn(draw: Draw, level: int) -> Problem:
    """The chance of a draw from an urn, as a fraction.

    Args:
        draw: chance.
        level: 1 to 100; more colours and draws.

    Returns:
        The problem.
    """
    colours = draw.sample(_COLOURS, grown(draw, level, 3, 6))
    counts = [draw.between(6, 14 + level // 4) for _ in colours]
    total, thing = sum(counts), draw.choice(THINGS)
    drawn = grown(draw, level, 2, 5)
    how, back = draw.choice(_WAYS)
    same = draw.below(2)
    order = [draw.below(len(colours)) for _ in range(drawn)] if not same else []
    cases = [[n] * drawn for n in range(len(colours))] if same else [order]
    steps, tops, bottom = [f"{summed(counts)} = {total}"], list[int](), 1
    for n in range(drawn):
        bottom *= total - (0 if back else n)
    for case in cases:
        factors = [
            counts[n] - (0 if back else case[:place].count(n)) for place, n in enumerate(case)
        ]
        top = 1
        for factor in factors:
            top *= max(factor, 0)
        tops.append(top)
        parts = [f"({f}/{total - (0 if back else place)})" for place, f in enumerate(factors)]
        steps.append(f"{' * '.join(parts)} = {top}/{bottom}")
    answer = _lowest(sum(tops), bottom)
    steps.append(f"{' + '.join(f'{top}/{bottom}' for top in tops)} = {answer}")
    event = "all have one colour" if same else "the colours are, in order, "
    told = listed([f"{n} {colour}" for n, colour in zip(counts, colours, strict=True)])
    question = draw.choice(_URN).format(
        told=told, thing=thing, k=drawn, how=how, event=event + ", ".join(colours[n] for n in order)
    )
    world: Certificate = {"counts": tuple(counts), "drawn": drawn, "answer": answer}
    return lay_out(draw, scene(draw) + question, steps, answer, world)


_DICE = (
    "Two fair dice, one with faces {} and one with faces {}, are thrown. How likely is {}?",
    "One spinner shows {} and another {}, all equally likely. What is the chance of {}?",
    "A card is drawn from {} and one from {}. With what probability is there {}?",
    "Somebody rolls a die marked {} and a die marked {}. Give the chance of {}.",
)


def dice(draw: Draw, level: int) -> Problem:
    """The chance of a sum of two dice with unusual faces.

    Args:
        draw: chance.
        level: 1 to 100; more faces, larger numbers.

    Returns:
        The problem.
    """
    sides = [grown(draw, level, 4, 9), grown(draw, level, 4, 9)]
    faces = [[draw.between(1, 9 + level // 4) for _ in range(n)] for n in sides]
    lowest, highest = min(faces[0]) + min(faces[1]), max(faces[0]) + max(faces[1])
    kind, bound = draw.choice(("above", "below", "of exactly")), draw.between(lowest, highest)
    if kind == "of exactly" or bound == (highest if kind == "above" else lowest):
        # Some pair must fit; an impossible event is no exercise.
        kind, bound = "of exactly", draw.choice(faces[0]) + draw.choice(faces[1])
    counts, steps = list[int](), list[str]()
    for face in faces[0]:
        fitting = [b for b in faces[1] if _fits(kind, face + b, bound)]
        counts.append(len(fitting))
        steps += [f"{face} + {b} = {face + b}" for b in fitting[:2]]
    whole = sides[0] * sides[1]
    answer = _lowest(sum(counts), whole)
    steps.append(f"pairs that fit, by first number: {summed(counts)} = {sum(counts)}")
    steps.append(f"all pairs: {sides[0]} * {sides[1]} = {whole}")
    steps.append(f"{sum(counts)}/{whole} = {answer}")
    shown = [", ".join(map(str, row)) for row in faces]
    question = draw.choice(_DICE).format(*shown, f"a sum {kind} {bound}")
    world: Certificate = {
        "first": tuple(faces[0]),
        "second": tuple(faces[1]),
        "bound": bound,
        "answer": answer,
    }
    return lay_out(draw, scene(draw) + question, steps, answer, world)


def _fits(kind: str, value: int, bound: int) -> bool:
    return (
        value > bound if kind == "above" else value < bound if kind == "below" else value == bound
    )


_GAME = (
    "A game costs {fee} points and pays {told}. What is the expected gain, in points?",
    "One ticket of a lottery is {fee} points; the prizes: {told}. What is the average gain?",
    "{told}: so a wheel pays, and it asks {fee} points a turn. Find the mean gain of a turn.",
)


def expected_value(draw: Draw, level: int) -> Problem:
    """The expected gain of a game.

    Args:
        draw: chance.
        level: 1 to 100; more prizes, larger numbers.

    Returns:
        The problem.
    """
    shares = [draw.between(1, 9) for _ in range(grown(draw, level, 2, 8))]
    whole, fee = sum(shares), draw.between(2, 20 + level)
    prizes = [draw.between(2, 40 + 2 * level) for _ in shares]
    told = listed(
        [f"{p} points with chance {n}/{whole}" for p, n in zip(prizes, shares, strict=True)]
    )
    steps = [f"{p} * {n}/{whole} = {p * n}/{whole}" for p, n in zip(prizes, shares, strict=True)]
    tops = [p * n for p, n in zip(prizes, shares, strict=True)]
    steps.append(f"{' + '.join(f'{top}/{whole}' for top in tops)} = {_lowest(sum(tops), whole)}")
    answer = _lowest(sum(tops) - fee * whole, whole)
    steps.append(f"{_lowest(sum(tops), whole)} - {fee} = {answer}")
    question = draw.choice(_GAME).format(fee=fee, told=told)
    world: Certificate = {
        "prizes": tuple(prizes),
        "shares": tuple(shares),
        "fee": fee,
        "answer": answer,
    }
    return lay_out(draw, scene(draw) + question, steps, answer, world)


_ASKED_SETS = (
    ("How many use none of them?", "none"),
    ("How many use at least one?", "any"),
    ("How many use exactly one?", "one"),
)


def inclusion_exclusion(draw: Draw, level: int) -> Problem:
    """Sizes of unions of two or three sets.

    Args:
        draw: chance.
        level: 1 to 100; larger sets, a third set.

    Returns:
        The problem.
    """
    things = draw.sample(THINGS, 3 if draw.below(100) < level + 10 else 2)
    regions = [draw.between(3, 20 + level) for _ in range(1 << len(things))]
    bits = range(len(things))
    sizes = [sum(r for m, r in enumerate(regions) if m >> n & 1) for n in bits]
    pairs = [(a, b) for a in bits for b in bits if a < b]
    both = [sum(r for m, r in enumerate(regions) if m >> a & m >> b & 1) for a, b in pairs]
    every = regions[7] if len(things) == 3 else 0
    people, total = draw.choice(TRADES) + "s", sum(regions)
    users = [f"{n} use {thing}" for n, thing in zip(sizes, things, strict=True)]
    told = [f"Of {total} {people}, {listed(users)}"]
    told += [f"{n} use {things[a]} and {things[b]}" for n, (a, b) in zip(both, pairs, strict=True)]
    told += [f"{every} use all three"] if every else []
    union = sum(sizes) - sum(both) + every
    line = summed([*sizes, *(-n for n in both), *([every] if every else [])])
    steps = [f"at least one: {line} = {union}"]
    ask, kind = draw.choice(_ASKED_SETS)
    answer = {"any": union, "none": total - union}.get(kind, 0)
    if kind == "none":
        steps.append(f"none: {total} - {union} = {answer}")
    if kind == "one":
        answer = sum(sizes) - 2 * sum(both) + 3 * every
        doubled = "".join(f" - 2 * {n}" for n in both) + (f" + 3 * {every}" if every else "")
        steps = [f"exactly one: {summed(sizes)}{doubled} = {answer}"]
    question = f"{'; '.join(told)}. {ask}"
    world: Certificate = {
        "total": total,
        "sizes": tuple(sizes),
        "both": tuple(both),
        "every": every,
        "answer": str(answer),
    }
    return lay_out(draw, scene(draw) + question, steps, str(answer), world)


_DATA = (
    ("What is the mean of {}?", "mean"),
    ("Find the average of the readings {}.", "mean"),
    ("What is the median of {}?", "median"),
    ("The values are {}. Which is their median?", "median"),
    ("Find the variance (mean squared distance from the mean) of {}.", "variance"),
    ("Readings: {}. What is their variance, dividing by how many there are?", "variance"),
    ("By how much do the largest and smallest of {} differ?", "range"),
)


def data_summary(draw: Draw, level: int) -> Problem:
    """Mean, median, variance or range of some data.

    Args:
        draw: chance.
        level: 1 to 100; more and larger values.

    Returns:
        The problem.
    """
    count, largest = grown(draw, level, 5, 20), 40 + 4 * level
    data = [draw.between(2, largest) for _ in range(count)]
    ask, kind = draw.choice(_DATA)
    total, ordered = sum(data), sorted(data)
    mean = _lowest(total, count)
    steps = [f"{summed(data)} = {total}", f"{total} / {count} = {mean}"]
    answer = mean
    if kind == "range":
        answer = str(ordered[-1] - ordered[0])
        steps = [f"{ordered[-1]} - {ordered[0]} = {answer}"]
    elif kind == "median":
        low, high = ordered[(count - 1) // 2], ordered[count // 2]
        answer = _lowest(low + high, 2)
        steps = [f"in order: {' <= '.join(map(str, ordered))}", f"({low} + {high}) / 2 = {answer}"]
    elif kind == "variance":
        squares = sum(n * n for n in data)
        steps.append(" + ".join(f"{n}^2" for n in data) + f" = {squares}")
        answer = _lowest(squares * count - total * total, count * count)
        steps.append(f"{squares} / {count} - ({mean})^2 = {answer}")
    world: Certificate = {"data": tuple(data), "answer": answer}
    question = ask.format(", ".join(map(str, data)))
    return lay_out(draw, scene(draw) + question, steps, answer, world)


FAMILIES: dict[str, Family] = {
    "arrangements": arrangements,
    "committees": committees,
    "urn": urn,
    "dice": dice,
    "expected_value": expected_value,
    "inclusion_exclusion": inclusion_exclusion,
    "data_summary": data_summary,
}
"""Families by name."""
