"""Everyday quantities: interest, mixtures, work, prices in per cent, units, powers, bounds."""

from math import gcd

from qmpi.content.counter import Draw
from qmpi.content.exercise import Certificate
from qmpi.content.reasoning.notation import bracketed, listed, ratio
from qmpi.content.reasoning.problem import Family, Problem, grown, lay_out
from qmpi.content.reasoning.scenes import THINGS, person, scene


def _lowest(top: int, bottom: int) -> str:
    common = gcd(top, bottom)
    return ratio(top // common, bottom // common)


def _decimal(value: int, places: int) -> str:
    # A number of 10**-places, without zeros at its end.
    if places == 0:
        return str(value)
    text = f"{value // 10**places}.{value % 10**places:0{places}d}"
    return text.rstrip("0").rstrip(".")


_INTEREST = (
    "{who} puts {sum} crowns into a bank at {told}. How many crowns are there at the end?",
    "A loan of {sum} crowns to {who} grows by {told}. What is owed in the end, in crowns?",
    "{who} lends {sum} crowns; interest each year: {told}. To how many crowns does it grow?",
    "{sum} crowns of {who} bear interest each year: {told}. What is their final worth in crowns?",
)


def interest(draw: Draw, level: int) -> Problem:
    """Compound interest at rates that change from year to year.

    Args:
        draw: chance.
        level: 1 to 100; more years.

    Returns:
        The problem.
    """
    rates = [draw.between(1, 19) for _ in range(grown(draw, level, 2, 9))]
    start = draw.between(11, 99 + 9 * level) * 100
    steps, value, places = list[str](), start, 0
    for rate in rates:
        before = _decimal(value, places)
        value, places = value * (100 + rate), places + 2
        steps.append(f"{before} * {_decimal(100 + rate, 2)} = {_decimal(value, places)}")
    answer = _decimal(value, places)
    told = listed([f"{rate}%" for rate in rates], "and finally")
    question = draw.choice(_INTEREST).format(who=person(draw), sum=start, told=told)
    world: Certificate = {"start": start, "rates": tuple(rates), "answer": answer}
    return lay_out(draw, scene(draw) + question, steps, answer, world)


_CHANGES = (
    "The price of the {thing} of {who} was {start} cents. It {told}. What is it now, in cents?",
    "{who} sells {thing} for {start} cents. The price then {told}. How many cents is it at last?",
    "{who} has {start} {thing} in store. The stock {told}. How large would it be, exactly?",
    "A town counts {start} {thing}, says {who}. Their number {told}. What does that give, exactly?",
)


def percent_chain(draw: Draw, level: int) -> Problem:
    """A value that rises and falls by per cents, one after the other.

    Args:
        draw: chance.
        level: 1 to 100; more changes.

    Returns:
        The problem.
    """
    changes = [
        draw.between(1, 18) * 5 * (1 if draw.below(2) else -1)
        for _ in range(grown(draw, level, 2, 8))
    ]
    start = draw.between(2, 60 + 9 * level) * 20
    steps, top, bottom, told = list[str](), start, 1, list[str]()
    for change in changes:
        verb = draw.choice(("rises", "grows", "goes up") if change > 0 else ("falls", "sinks"))
        told.append(f"{verb} by {abs(change)}%")
        before = _lowest(top, bottom)
        top, bottom = top * (100 + change), bottom * 100
        common = gcd(top, bottom)
        top, bottom = top // common, bottom // common
        shown = f"({before})" if "/" in before else before
        sign = "+" if change > 0 else "-"
        steps.append(f"{shown} * (100% {sign} {abs(change)}%) = {_lowest(top, bottom)}")
    answer = _lowest(top, bottom)
    question = draw.choice(_CHANGES).format(
        thing=draw.choice(THINGS), who=person(draw), start=start, told=listed(told, "and then")
    )
    world: Certificate = {"start": start, "changes": tuple(changes), "answer": answer}
    return lay_out(draw, scene(draw) + question, steps, answer, world)


_LIQUIDS = (
    "syrup", "brine", "juice", "vinegar", "dye", "ink", "acid", "broth", "lotion", "cider",
    "glaze", "varnish", "milk", "tonic", "soap", "sauce",
)  # fmt: skip
_MIX = (
    "{who} pours together {told}. Which share of the whole is {stuff}, in per cent?",
    "A vat receives {told}; {who} stirs. How many per cent of {stuff} does the mixture hold?",
    "{who} mixes {told}. What is the strength of the mixture, in per cent of {stuff}?",
    "{told} go into one cask of {who}. At how many per cent of {stuff} does it end?",
)


def mixture(draw: Draw, level: int) -> Problem:
    """The strength of a mixture of solutions.

    Args:
        draw: chance.
        level: 1 to 100; more solutions.

    Returns:
        The problem.
    """
    parts = [
        (draw.between(2, 60 + level), draw.between(2, 95)) for _ in range(grown(draw, level, 2, 8))
    ]
    stuff = draw.choice(_LIQUIDS)
    volume, pure = sum(v for v, _ in parts), sum(v * s for v, s in parts)
    steps = [f"{v} * {s}% = {_lowest(v * s, 100)}" for v, s in parts]
    steps.append(
        f"all {stuff}: {' + '.join(_lowest(v * s, 100) for v, s in parts)} = {_lowest(pure, 100)}"
    )
    steps.append(f"all together: {' + '.join(str(v) for v, _ in parts)} = {volume}")
    answer = _lowest(pure, volume)
    steps.append(f"{_lowest(pure, 100)} * 100 / {volume} = {answer}")
    told = listed([f"{v} litres of {s}% {stuff}" for v, s in parts])
    question = draw.choice(_MIX).format(who=person(draw), told=told, stuff=stuff)
    world: Certificate = {
        "volumes": tuple(v for v, _ in parts),
        "strengths": tuple(s for _, s in parts),
        "answer": answer,
    }
    return lay_out(draw, scene(draw) + question, steps, answer, world)


_WORK = (
    "{told}. How long do they need together, in hours?",
    "{told}. All start at once on one such job: after how many hours is it done?",
    "One job of the same kind is shared. {told}. In how many hours do they finish it jointly?",
)
_ALONE = (
    "{} needs {} hours alone",
    "{} would take {} hours",
    "{} does the job in {} hours",
    "{} finishes after {} hours",
)


def work_rate(draw: Draw, level: int) -> Problem:
    """How long several people need together for a job.

    Args:
        draw: chance.
        level: 1 to 100; more people.

    Returns:
        The problem.
    """
    hours = [draw.between(2, 30 + level // 3) for _ in range(grown(draw, level, 2, 7))]
    told = [draw.choice(_ALONE).format(person(draw), n) for n in hours]
    steps, top, bottom = list[str](), 1, hours[0]
    for n in hours[1:]:
        before = f"{top}/{bottom} + 1/{n}"
        top, bottom = top * n + bottom, bottom * n
        steps.append(f"{before} = {top}/{bottom}")
        common = gcd(top, bottom)
        if common > 1:
            top, bottom = top // common, bottom // common
            steps[-1] += f" = {top}/{bottom}"
    answer = _lowest(bottom, top)
    steps.append(f"1 / ({top}/{bottom}) = {answer}")
    question = draw.choice(_WORK).format(told="; ".join(told))
    world: Certificate = {"hours": tuple(hours), "answer": answer}
    return lay_out(draw, scene(draw) + question, steps, answer, world)


_UNITS: tuple[tuple[tuple[str, int], ...], ...] = (
    (("weeks", 7), ("days", 24), ("hours", 60), ("minutes", 60), ("seconds", 1)),
    (("kilometres", 1000), ("metres", 100), ("centimetres", 10), ("millimetres", 1)),
    (("miles", 1760), ("yards", 3), ("feet", 12), ("inches", 1)),
    (("tonnes", 1000), ("kilograms", 1000), ("grams", 1000), ("milligrams", 1)),
    (("gallons", 4), ("quarts", 2), ("pints", 2), ("cups", 16), ("tablespoons", 1)),
    (("gross", 12), ("dozens", 12), ("pieces", 1)),
)
_MEASURED = (
    "{who} measures {told}. How many {last} is that?",
    "Express {told} in {last}, asks {who}.",
    "The sum of {told} is to be given in {last}. What does {who} write?",
    "{who} adds {told}. State it in {last}.",
)


def unit_conversion(draw: Draw, level: int) -> Problem:
    """Several units brought to the smallest one.

    Args:
        draw: chance.
        level: 1 to 100; more terms, larger numbers.

    Returns:
        The problem.
    """
    chain = draw.choice(_UNITS)
    last, parts = chain[-1][0], list[tuple[int, int]]()
    for _ in range(grown(draw, level, 3, 8)):
        parts.append((draw.between(2, 60 + 3 * level), draw.below(len(chain))))
    steps, values = list[str](), list[int]()
    for number, unit in parts:
        value, line = number, str(number)
        for _, factor in chain[unit:-1]:
            value, line = value * factor, f"{line} * {factor}"
        values.append(value)
        if unit < len(chain) - 1:
            steps.append(f"{chain[unit][0]}: {line} = {value}")
    steps.append(f"{' + '.join(map(str, values))} = {sum(values)}")
    answer = f"{sum(values)} {last}"
    told = listed([f"{number} {chain[unit][0]}" for number, unit in parts])
    question = draw.choice(_MEASURED).format(who=person(draw), told=told, last=last)
    world: Certificate = {"numbers": tuple(number for number, _ in parts), "answer": answer}
    return lay_out(draw, scene(draw) + question, steps, answer, world)


_LOGS = (
    "What is {}?",
    "Evaluate {}.",
    "Work out the exact value of {}.",
    "Which whole number equals {}?",
    "Simplify {}, where log_b is the logarithm to base b.",
)


def powers_logs(draw: Draw, level: int) -> Problem:
    """A sum of logarithms and powers with whole values.

    Args:
        draw: chance.
        level: 1 to 100; more terms, larger powers.

    Returns:
        The problem.
    """
    shown, steps, values = list[str](), list[str](), list[int]()
    for _ in range(grown(draw, level, 3, 8)):
        base, power = draw.between(2, 12), draw.between(2, 4 + level // 14)
        times = draw.between(2, 9 + level // 4)
        whole = base**power
        if draw.below(2):
            values.append(times * power)
            shown.append(f"{times} log_{base}({whole})")
            steps.append(f"{base}^{power} = {whole}, hence {times} * {power} = {times * power}")
        else:
            values.append(times * base)
            shown.append(f"{times} root_{power}({whole})")
            steps.append(f"{base}^{power} = {whole}, hence {times} * {base} = {times * base}")
    answer = str(sum(values))
    steps.append(f"{' + '.join(map(str, values))} = {answer}")
    question = draw.choice(_LOGS).format(" + ".join(shown))
    world: Certificate = {"values": tuple(values), "answer": answer}
    return lay_out(draw, scene(draw) + question, steps, answer, world)


_BOUNDS = (
    "Measured to the nearest whole number, {told}. What is the least that {asked} can be?",
    "All numbers are rounded to whole ones: {told}. Give the lower bound of {asked}.",
    "{told}, each rounded to the nearest whole number. How small may {asked} be at the least?",
)
_BOUNDS_HIGH = (
    "Measured to the nearest whole number, {told}. What bound can {asked} not exceed?",
    "All numbers are rounded to whole ones: {told}. Give the upper bound of {asked}.",
    "{told}, each rounded to the nearest whole number. What is the upper limit of {asked}?",
)
_NAMED = "pqrst"


def estimation(draw: Draw, level: int) -> Problem:
    """Bounds of a sum of products of rounded numbers.

    Args:
        draw: chance.
        level: 1 to 100; more and larger numbers.

    Returns:
        The problem.
    """
    names = _NAMED[: grown(draw, level, 3, 5)]
    values = [draw.between(3, 90 + 5 * level) for _ in names]
    factors = [draw.between(2, 9 + level // 5) * (-1 if draw.below(3) == 0 else 1) for _ in names]
    high = draw.below(2)
    steps, ends = list[str](), list[int]()
    for name, value, factor in zip(names, values, factors, strict=True):
        up = (factor > 0) == bool(high)
        end = 2 * value + (1 if up else -1)
        ends.append(factor * end * 5)
        sign = "+" if up else "-"
        product = _signed_decimal(factor * end * 5)
        steps.append(f"for {name}: {value} {sign} 0.5 = {_decimal(end * 5, 1)}")
        steps.append(f"{bracketed(factor)} * {_decimal(end * 5, 1)} = {product}")
    answer = _signed_decimal(sum(ends))
    steps.append(" + ".join(f"({_signed_decimal(end)})" for end in ends) + f" = {answer}")
    told = listed([f"{n} is {v}" for n, v in zip(names, values, strict=True)])
    asked = " + ".join(
        f"({f}){n}" if f < 0 else f"{f}{n}" for f, n in zip(factors, names, strict=True)
    )
    question = draw.choice(_BOUNDS_HIGH if high else _BOUNDS).format(told=told, asked=asked)
    world: Certificate = {"values": tuple(values), "factors": tuple(factors), "answer": answer}
    return lay_out(draw, scene(draw) + question, steps, answer, world)


def _signed_decimal(tenths: int) -> str:
    return _decimal(tenths, 1) if tenths >= 0 else f"-{_decimal(-tenths, 1)}"


FAMILIES: dict[str, Family] = {
    "interest": interest,
    "percent_chain": percent_chain,
    "mixture": mixture,
    "work_rate": work_rate,
    "unit_conversion": unit_conversion,
    "powers_logs": powers_logs,
    "estimation": estimation,
}
"""Families by name."""
