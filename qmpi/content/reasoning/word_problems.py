"""Arithmetic in words: journeys, work, ages, money.

Each text is the account of a small world that was simulated first: legs of a journey, people born
in some year, a basket of goods. Distractors state true facts of the same world that the question
does not need.
"""

from qmpi.content.counter import Draw
from qmpi.content.exercise import Certificate
from qmpi.content.reasoning.problem import Problem, grown, lay_out
from qmpi.content.reasoning.words import GOODS, NAMES, VEHICLES

_LATER = ("Then it goes on", "After that it moves", "Next it continues", "It then travels")
_DELAY = "It set out at {} o'clock."


def journey(draw: Draw, level: int) -> Problem:
    """Distance or mean speed of a journey in legs of constant speed.

    Args:
        draw: chance.
        level: 1 to 100; more legs, rests, distractors.

    Returns:
        The problem.
    """
    legs = [
        (draw.between(2, 9 + level), draw.between(1, 9)) for _ in range(grown(draw, level, 1, 9))
    ]
    unit = draw.choice(("km", "miles", "m"))
    clock = draw.choice(("hours", "hours", "minutes"))
    distance = sum(speed * time for speed, time in legs)
    hours = sum(time for _, time in legs)
    # A mean speed is asked only where it is a whole number.
    mean = len(legs) > 1 and distance % hours == 0
    parts = [_leg(draw, number, leg, unit, clock) for number, leg in enumerate(legs)]
    if draw.below(100) < level:
        parts.append(_DELAY.format(draw.between(1, 12)))
    parts.append(_journey_question(draw, unit, clock, mean=mean))
    steps = [f"{speed} * {time} = {speed * time}" for speed, time in legs]
    if len(legs) > 1:
        steps.append(" + ".join(str(speed * time) for speed, time in legs) + f" = {distance}")
    if mean:
        steps.append(" + ".join(str(time) for _, time in legs) + f" = {hours}")
        steps.append(f"{distance} / {hours} = {distance // hours}")
    number = distance // hours if mean else distance
    answer = f"{number} {unit}" + (f" per {clock.removesuffix('s')}" if mean else "")
    world: Certificate = {
        "speeds": tuple(speed for speed, _ in legs),
        "times": tuple(time for _, time in legs),
        "mean": int(mean),
        "answer": answer,
    }
    return lay_out(draw, " ".join(parts), steps, answer, world)


def _leg(draw: Draw, number: int, leg: tuple[int, int], unit: str, clock: str) -> str:
    speed, time = leg
    word = clock.removesuffix("s")
    span = f"{time} {clock if time != 1 else word}"
    if number == 0:
        verb = draw.choice(("travels", "moves", "goes"))
        return f"{draw.choice(VEHICLES)} {verb} at {speed} {unit} per {word} for {span}."
    return f"{draw.choice(_LATER)} at {speed} {unit} per {word} for {span}."


def _journey_question(draw: Draw, unit: str, clock: str, *, mean: bool) -> str:
    if mean:
        word = clock.removesuffix("s")
        return draw.choice(
            (
                f"What is its mean speed in {unit} per {word}?",
                f"How many {unit} per {word} is that on average?",
            )
        )
    return draw.choice(
        (
            "How far does it get?",
            f"How many {unit} does it cover in all?",
            "What distance is that altogether?",
        )
    )


def ages(draw: Draw, level: int) -> Problem:
    """A chain of people whose ages are told by comparison; the sum fixes them all.

    Args:
        draw: chance.
        level: 1 to 100; more people, times, distractors.

    Returns:
        The problem.
    """
    count = 1 + grown(draw, level, 1, 7)
    people = draw.sample(NAMES, count)
    years = [draw.between(3, 30)]
    parts: list[str] = []
    terms = [(1, 0)]
    for number in range(1, count):
        sentence, factor, shift = _relation(draw, people[number], people[number - 1], years[-1])
        years.append(factor * years[-1] + shift)
        # Each age as a multiple of the first person's age plus a number.
        before = terms[-1]
        terms.append((factor * before[0], factor * before[1] + shift))
        parts.append(sentence)
    draw.shuffle(parts)
    total, later = sum(years), draw.between(1, 20)
    asked = draw.below(count)
    together = "Together they are" if count > 2 else "The two together are"
    parts.append(f"{together} {total} years old.")
    parts.append(
        draw.choice(
            (
                f"How old will {people[asked]} be in {later} years?",
                f"What age will {people[asked]} have reached {later} years from now?",
            )
        )
    )
    factor, shift = sum(term[0] for term in terms), sum(term[1] for term in terms)
    steps = [f"{factor} * {years[0]}{_signed(shift)} = {total}, so {people[0]} is {years[0]}."]
    steps += [f"{name} is {age}." for name, age in zip(people[1:], years[1:], strict=True)]
    answer = str(years[asked] + later)
    steps.append(f"{years[asked]} + {later} = {answer}")
    world: Certificate = {
        "people": tuple(people),
        "ages": tuple(years),
        "asked": asked,
        "later": later,
        "answer": answer,
    }
    return lay_out(draw, " ".join(parts), steps, answer, world)


def _signed(number: int) -> str:
    return f" + {number}" if number >= 0 else f" - {-number}"


def _relation(draw: Draw, who: str, than: str, age: int) -> tuple[str, int, int]:
    kind = draw.below(5)
    if kind == 0 and age < 40:
        return f"{who} is twice as old as {than}.", 2, 0
    if kind == 1 and age > 6:
        years = draw.between(2, age - 3)
        if draw.below(2):
            return f"{than} is {years} years older than {who}.", 1, -years
        return f"{who} is {years} years younger than {than}.", 1, -years
    years = draw.between(2, 25)
    if kind == 2:
        return f"{than} is {years} years younger than {who}.", 1, years
    return f"{who} is {years} years older than {than}.", 1, years


def money(draw: Draw, level: int) -> Problem:
    """A purchase: goods by the piece, a discount, the change.

    Args:
        draw: chance.
        level: 1 to 100; more goods, odd prices, a discount.

    Returns:
        The problem.
    """
    goods = draw.sample(GOODS, grown(draw, level, 1, 8))
    step = draw.choice((100, 50, 25, 5, 1)) if level > 5 else draw.choice((100, 50))
    basket = [
        (draw.between(2, 5 + level // 4), step * draw.between(1, 2000 // step)) for _ in goods
    ]
    sign = draw.choice("$€£")
    who, total = draw.choice(NAMES), sum(count * price for count, price in basket)
    off = draw.between(1, total // 100) * 100 // 2 if total > 400 and draw.below(3) == 0 else 0
    paid = (total - off) // 1000 * 1000 + 1000 * draw.between(1, 3)
    listed = [
        f"{count} {name} at {_coins(price, sign)} each"
        for name, (count, price) in zip(goods, basket, strict=True)
    ]
    parts = [f"{who} {draw.choice(('buys', 'orders', 'picks', 'takes'))} {_and(listed)}."]
    if off:
        parts.append(f"A voucher takes {_coins(off, sign)} off the sum.")
    parts.append(f"{who} pays with {_coins(paid, sign)}.")
    parts.append(
        draw.choice(
            (
                "How much change is due?",
                f"What does {who} get back?",
                "How much money comes back?",
            )
        )
    )
    steps = [
        f"{count} * {_coins(price, '')} = {_coins(count * price, '')}" for count, price in basket
    ]
    if len(basket) > 1:
        sums = " + ".join(_coins(count * price, "") for count, price in basket)
        steps.append(f"{sums} = {_coins(total, '')}")
    if off:
        steps.append(f"{_coins(total, '')} - {_coins(off, '')} = {_coins(total - off, '')}")
    change = paid - total + off
    steps.append(f"{_coins(paid, '')} - {_coins(total - off, '')} = {_coins(change, '')}")
    world: Certificate = {
        "counts": tuple(count for count, _ in basket),
        "prices": tuple(price for _, price in basket),
        "off": off,
        "paid": paid,
        "answer": _coins(change, sign),
    }
    return lay_out(draw, " ".join(parts), steps, _coins(change, sign), world)


def _coins(cents: int, sign: str) -> str:
    return f"{sign}{cents // 100}.{cents % 100:02d}"


def _and(items: list[str]) -> str:
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1]
