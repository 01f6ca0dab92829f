"""Number theory: Euclid, factors, bases, congruences, inverses, digits."""

from math import gcd

from qmpi.content.counter import Draw
from qmpi.content.exercise import Certificate
from qmpi.content.reasoning.notation import bracketed, listed, signed
from qmpi.content.reasoning.problem import Family, Problem, grown, lay_out
from qmpi.content.reasoning.scenes import THINGS, scene

_PRIMES = tuple(n for n in range(2, 200) if all(n % d for d in range(2, n)))
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_PLACES = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh")

_GCD = (
    "What is the greatest common divisor of {}?",
    "Find the largest whole number that divides {}.",
    "Equal sets are made of {} and nothing is left over. How many sets at most?",
    "Which is the greatest common factor of {}?",
    "The largest square tile that fits lengths of {} exactly: how long is its side?",
    "Use Euclid's method to find the highest common factor of {}.",
)
_LCM = (
    "What is the least common multiple of {}?",
    "Find the smallest positive number that is a multiple of {}.",
    "Bells ring every {} minutes and have just rung together. After how many minutes do they next?",
    "Lamps flash every {} seconds, now all at once. How many seconds until they do so again?",
    "Which is the lowest common multiple of {}?",
)


def euclid(draw: Draw, level: int) -> Problem:
    """Greatest common divisor or least common multiple by Euclid's method.

    Args:
        draw: chance.
        level: 1 to 100; longer and more numbers.

    Returns:
        The problem.
    """
    multiple, count = draw.below(2), grown(draw, level, 2, 5)
    common = draw.between(2, 12 + level)
    largest = 40 + (8 if multiple else 20) * level
    numbers = [common * draw.between(2, largest) for _ in range(count)]
    steps, value = list[str](), numbers[0]
    for number in numbers[1:]:
        lines, divisor = _euclid_lines(value, number)
        steps += lines
        if multiple:
            steps.append(f"lcm({value}, {number}) = {value} * {number} / {divisor}")
            value = value * number // divisor
            steps[-1] += f" = {value}"
        else:
            steps.append(f"gcd({value}, {number}) = {divisor}")
            value = divisor
    question = draw.choice(_LCM if multiple else _GCD).format(listed(list(map(str, numbers))))
    world: Certificate = {
        "numbers": tuple(numbers),
        "multiple": multiple,
        "answer": str(value),
    }
    return lay_out(draw, scene(draw) + question, steps, str(value), world)


def _euclid_lines(left: int, right: int) -> tuple[list[str], int]:
    high, low = max(left, right), min(left, right)
    lines = list[str]()
    while low:
        lines.append(f"{high} = {high // low} * {low} + {high % low}")
        high, low = low, high % low
    return lines, high


_FACTOR = (
    "Write {} as a product of primes.",
    "What is the prime factorisation of {}?",
    "Factor {} into primes.",
    "Break {} down into prime powers.",
    "Which primes multiply to {}?",
)
_DIVISORS = (
    "How many divisors does {} have?",
    "By how many positive whole numbers can {} be divided exactly?",
    "In how many ways can {} things be put into equal rows?",
    "Count the positive divisors of {}.",
)
_PRIME_SUM = (
    "What is the sum of the different primes that divide {}?",
    "Add up the distinct prime factors of {}.",
    "Which number do the different prime divisors of {} add up to?",
)


def prime_factors(draw: Draw, level: int) -> Problem:
    """Factors of a number: written out, counted or added.

    Args:
        draw: chance.
        level: 1 to 100; more and larger primes.

    Returns:
        The problem.
    """
    pool = _PRIMES[: 5 + 40 * level // 100]
    chosen = sorted(draw.choice(pool) for _ in range(grown(draw, level, 3, 9)))
    number = rest = _product(chosen)
    divided, steps = draw.below(2), list[str]()
    for prime in chosen[:-1]:
        rest //= prime
        whole = rest * prime
        steps.append(f"{whole} / {prime} = {rest}" if divided else f"{whole} = {prime} * {rest}")
    powers = [(prime, chosen.count(prime)) for prime in sorted(set(chosen))]
    written = " * ".join(f"{p}^{n}" if n > 1 else str(p) for p, n in powers)
    steps.append(f"{number} = {written}")
    kind = draw.below(4)
    if kind == 0:
        answer, ask = str(_product([n + 1 for _, n in powers])), draw.choice(_DIVISORS)
        steps.append(" * ".join(f"({n} + 1)" for _, n in powers) + f" = {answer}")
    elif kind == 1:
        answer, ask = str(sum(p for p, _ in powers)), draw.choice(_PRIME_SUM)
        steps.append(" + ".join(str(p) for p, _ in powers) + f" = {answer}")
    else:
        answer, ask = written, draw.choice(_FACTOR)
    world: Certificate = {"number": number, "answer": answer}
    return lay_out(draw, scene(draw) + ask.format(number), steps, answer, world)


def _product(numbers: list[int]) -> int:
    product = 1
    for number in numbers:
        product *= number
    return product


_CONVERT = (
    "Write {} (base {}) in base {}.",
    "The numeral {} is in base {}. What is it in base {}?",
    "Convert {} from base {} to base {}.",
    "A counter shows {} in base {}. What would it show in base {}?",
    "How is {} (base {}) spelled in base {}?",
    "Someone who counts in another base reads {} in base {}; turn it into base {}.",
)


def base_conversion(draw: Draw, level: int) -> Problem:
    """A number from one base into another, by way of ten.

    Args:
        draw: chance.
        level: 1 to 100; longer numbers and larger bases.

    Returns:
        The problem.
    """
    source, target = draw.sample(range(2, 10 + level // 5), 2)
    value = draw.between(10**2, 10 ** (3 + level // 12))
    digits, shown = _spelled(value, source)
    _, answer = _spelled(value, target)
    steps = list[str]()
    if source != 10:
        tails = [f" * {source}^{n}" for n in range(len(digits) - 1, 1, -1)] + [f" * {source}", ""]
        terms = [f"{digit}{tail}" for digit, tail in zip(digits, tails, strict=True) if digit]
        steps.append(f"{' + '.join(terms)} = {value}")
    rest = value
    while rest and target != 10:
        steps.append(f"{rest} = {rest // target} * {target} + {rest % target}")
        rest //= target
    question = draw.choice(_CONVERT).format(shown, source, target)
    world: Certificate = {"source": source, "target": target, "value": value, "answer": answer}
    return lay_out(draw, scene(draw) + question, steps, answer, world)


def _spelled(value: int, base: int) -> tuple[list[int], str]:
    digits = list[int]()
    while value:
        value, digit = divmod(value, base)
        digits.append(digit)
    digits.reverse()
    return digits, "".join(map(_DIGITS.__getitem__, digits))


_LEFT_OVER = (
    "packed by {} there are {} left",
    "put into groups of {} there remain {}",
    "in rows of {} there are {} too many",
    "counted by {} there are {} over",
)
_CLUE = (
    "x leaves {1} when divided by {0}",
    "x = {1} (mod {0})",
    "the remainder of x by {0} is {1}",
    "division of x by {0} gives remainder {1}",
)


def chinese_remainder(draw: Draw, level: int) -> Problem:
    """The smallest number with given remainders, found by one congruence after the other.

    Args:
        draw: chance.
        level: 1 to 100; more and larger moduli.

    Returns:
        The problem.
    """
    moduli, tops = list[int](), 13 + level // 9
    for _ in range(grown(draw, level, 2, 5)):
        modulus = draw.between(5, tops)
        while any(gcd(modulus, other) > 1 for other in moduli):
            modulus = draw.between(5, tops + 9)
        moduli.append(modulus)
    span = _product(moduli)
    root = draw.between(1, span - 1)
    rests = [root % modulus for modulus in moduli]
    found, period, steps = rests[0], moduli[0], [f"x = {rests[0]} (mod {moduli[0]})"]
    for modulus, rest in zip(moduli[1:], rests[1:], strict=True):
        turns = next(t for t in range(modulus) if (found + t * period) % modulus == rest)
        if turns:
            reached = found + turns * period
            steps.append(f"{found} + {turns} * {period} = {reached} = {rest} (mod {modulus})")
        found += turns * period
        steps.append(f"{period} * {modulus} = {period * modulus}")
        period *= modulus
        steps.append(f"x = {found} (mod {period})")
    world: Certificate = {"moduli": tuple(moduli), "rests": tuple(rests), "answer": str(root)}
    question = _remainder_question(draw, moduli, rests)
    return lay_out(draw, scene(draw) + question, steps, str(root), world)


def _remainder_question(draw: Draw, moduli: list[int], rests: list[int]) -> str:
    pairs = list(zip(moduli, rests, strict=True))
    if draw.below(2):
        thing, form = draw.choice(THINGS), draw.choice(_LEFT_OVER)
        told = listed([form.format(*pair) for pair in pairs])
        return f"There are some {thing}; {told}. What is the smallest possible number of {thing}?"
    told = listed([draw.choice(_CLUE).format(*pair) for pair in pairs])
    opened = told if told[0] == "x" else told[0].upper() + told[1:]
    return f"{opened}. Find the smallest x from zero up."


_INVERSE = (
    "Which x from 1 to {last} satisfies {a}x = {b} (mod {m})?",
    "Solve {a}x = {b} (mod {m}) with x between 1 and {last}.",
    "Find x, at least 1 and at most {last}, with {a}x = {b} (mod {m}).",
    "A wheel of {m} teeth is turned by {a} teeth x times and stands {b} past its start. "
    "What is x, from 1 to {last}?",
)


def modular_inverse(draw: Draw, level: int) -> Problem:
    """A linear congruence by the extended method of Euclid.

    Args:
        draw: chance.
        level: 1 to 100; larger moduli, other right sides than 1.

    Returns:
        The problem.
    """
    modulus = draw.between(11, 90 + 40 * level)
    factor = draw.between(3, modulus - 2)
    while gcd(factor, modulus) > 1:
        factor += 1
    steps, high, low = list[str](), (modulus, 0), (factor, 1)
    while low[0] > 1:
        turns, rest = divmod(high[0], low[0])
        steps.append(f"{high[0]} = {turns} * {low[0]} + {rest}")
        high, low = low, (rest, high[1] - turns * low[1])
        steps.append(f"{rest} = {factor} * {bracketed(low[1])} (mod {modulus})")
    inverse = low[1] % modulus
    steps.append(f"{factor} * {inverse} = {factor * inverse} = 1 (mod {modulus})")
    wanted = 1 if draw.below(100) > level else draw.between(2, modulus - 1)
    root = inverse * wanted % modulus
    if wanted > 1:
        steps.append(f"{inverse} * {wanted} = {inverse * wanted} = {root} (mod {modulus})")
    question = draw.choice(_INVERSE).format(a=factor, b=wanted, m=modulus, last=modulus - 1)
    world: Certificate = {
        "factor": factor,
        "wanted": wanted,
        "modulus": modulus,
        "answer": str(root),
    }
    return lay_out(draw, scene(draw) + question, steps, str(root), world)


_PADLOCKS = (
    "The code of a lock has {} digits.",
    "A house number has {} digits.",
    "Think of a number with {} digits.",
    "A ticket carries a number of {} digits.",
    "The year in question has {} digits.",
    "Some number has {} digits.",
)
_COUNTED = {2: "two", 3: "three", 4: "four", 5: "five", 6: "six", 7: "seven"}


def digit_puzzle(draw: Draw, level: int) -> Problem:
    """A number from what is told of its digits.

    Args:
        draw: chance.
        level: 1 to 100; more digits.

    Returns:
        The problem.
    """
    count = grown(draw, level, 3, 7)
    digits = [draw.between(1, 9)] + [draw.below(10) for _ in range(count - 1)]
    clues, terms = list[str](), [(1, 0)]
    for place in range(1, count):
        clue, term = _digit_clue(draw, place, digits, terms[-1])
        clues.append(clue)
        terms.append(term)
    slope, shift = sum(s for s, _ in terms), sum(c for _, c in terms)
    total = sum(digits)
    if slope:
        clues.append(f"All digits add up to {total}.")
        steps = [
            " + ".join(f"({_term(*term)})" if term[1] else _term(*term) for term in terms)
            + f" = {total}"
        ]
        steps.append(f"{_term(slope, shift)} = {total}")
        if slope != 1:
            steps.append(f"a = {total - shift} / {bracketed(slope)} = {digits[0]}")
    else:
        # The sum then says nothing: every first digit gives the same.
        clues.append(f"The first digit times {count} is {count * digits[0]}.")
        steps = [f"{count}a = {count * digits[0]}", f"a = {digits[0]}"]
    steps += [f"{_term(*t)} = {digit}" for t, digit in zip(terms[1:], digits[1:], strict=True)]
    draw.shuffle(clues)
    answer = "".join(map(str, digits))
    opening = draw.choice(_PADLOCKS).format(_COUNTED[count])
    question = f"{opening} {' '.join(clues)} {draw.choice(('Which number is it?', 'Find it.'))}"
    world: Certificate = {"digits": tuple(digits), "answer": answer}
    return lay_out(draw, scene(draw) + question, steps, answer, world)


def _digit_clue(
    draw: Draw, place: int, digits: list[int], term: tuple[int, int]
) -> tuple[str, tuple[int, int]]:
    here, before = digits[place], digits[place - 1]
    slope, shift = term
    if draw.below(3) == 0:
        together = draw.choice(("add up to", "together make", "have the sum"))
        clue = f"The {_PLACES[place - 1]} and {_PLACES[place]} digits {together} {here + before}."
        return clue, (-slope, here + before - shift)
    term = (slope, shift + here - before)
    if here == before:
        return f"The {_PLACES[place]} digit equals the {_PLACES[place - 1]}.", term
    size, more = abs(here - before), "more" if here > before else "less"
    return f"The {_PLACES[place]} digit is {size} {more} than the {_PLACES[place - 1]}.", term


def _term(slope: int, shift: int) -> str:
    head = "a" if slope == 1 else "-a" if slope == -1 else f"{slope}a"
    return head + signed(shift) if shift else head


FAMILIES: dict[str, Family] = {
    "euclid": euclid,
    "prime_factors": prime_factors,
    "base_conversion": base_conversion,
    "chinese_remainder": chinese_remainder,
    "modular_inverse": modular_inverse,
    "digit_puzzle": digit_puzzle,
}
"""Families by name."""
