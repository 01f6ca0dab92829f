"""Space, time and induction: areas, right triangles, polygons, clocks, calendars, sums."""

from qmpi.content.counter import Draw
from qmpi.content.exercise import Certificate
from qmpi.content.reasoning.notation import bracketed, listed, polynomial, ratio
from qmpi.content.reasoning.problem import Family, Problem, grown, lay_out
from qmpi.content.reasoning.scenes import person, scene

_FLOORS = (
    "A floor is made of {told}. How large is it in square {unit}?",
    "{told} are painted. What area is that, in square {unit}?",
    "A plot consists of {told}, side by side. Find its area in square {unit}.",
    "Sheets are cut: {told}. How many square {unit} are used?",
)
_SHAPES = (
    "a rectangle {} by {}",
    "a triangle with base {} and height {}",
    "a parallelogram with side {} and height {}",
    "a trapezium with parallel sides {} and {} and height {}",
    "a rhombus with diagonals {} and {}",
    "a square frame of outer side {} and inner side {}",
)


def area(draw: Draw, level: int) -> Problem:
    """The area of several shapes together.

    Args:
        draw: chance.
        level: 1 to 100; more shapes, larger sides.

    Returns:
        The problem.
    """
    told, steps, halves, sides = list[str](), list[str](), list[int](), list[int]()
    for _ in range(grown(draw, level, 2, 8)):
        kind = draw.below(len(_SHAPES))
        lengths = [draw.between(3, 40 + level) for _ in range(3)]
        if kind == 5:
            lengths[0] += lengths[1]
        shape = _SHAPES[kind]
        used = lengths[: shape.count("{}")]
        line, twice = _double_area(kind, lengths)
        halves.append(twice)
        sides += used
        told.append(shape.format(*used))
        steps.append(f"{shape.split()[1]}: {line} = {_half(twice)}")
    answer = _half(sum(halves))
    if len(halves) > 1:
        steps.append(f"{' + '.join(map(_half, halves))} = {answer}")
    unit = draw.choice(("metres", "feet", "centimetres", "inches", "cubits", "paces"))
    joined = listed(told)
    form = draw.choice(_FLOORS)
    question = form.format(
        told=joined[0].upper() + joined[1:] if form.startswith("{") else joined, unit=unit
    )
    world: Certificate = {"sides": tuple(sides), "answer": answer}
    return lay_out(draw, scene(draw) + question, steps, answer, world)


def _double_area(kind: int, lengths: list[int]) -> tuple[str, int]:
    a, b, c = lengths
    if kind in (0, 2):
        return f"{a} * {b}", 2 * a * b
    if kind in (1, 4):
        return f"{a} * {b} / 2", a * b
    if kind == 3:
        return f"({a} + {b}) * {c} / 2", (a + b) * c
    return f"{a} * {a} - {b} * {b}", 2 * (a * a - b * b)


def _half(twice: int) -> str:
    return ratio(twice // 2, 1) if twice % 2 == 0 else f"{twice}/2"


_RIGHT = (
    "A ladder of {who} stands {a} {unit} from a wall and reaches {b} {unit} up. How long is it?",
    "{who} walks {a} {unit} east and {b} {unit} north. How far off, in a straight line, is that?",
    "A field of {who} has sides of {a} and {b} {unit} at a right angle. How long is the diagonal?",
    "A kite of {who} stands {b} {unit} above a spot {a} {unit} away. How long is the taut string?",
)
_LEG = (
    "A rope of {c} {unit}, says {who}, ties a mast's top to a hook {a} {unit} off. How high is it?",
    "{who} has a screen with a diagonal of {c} {unit} and a width of {a} {unit}. How high is it?",
    "A slide of {who} is {c} {unit} long and reaches {a} {unit} out. How high does it begin?",
)


def right_triangle(draw: Draw, level: int) -> Problem:
    """A side of a right triangle with whole sides.

    Args:
        draw: chance.
        level: 1 to 100; larger sides, the result checked.

    Returns:
        The problem.
    """
    n, m = draw.between(1, 7 + level // 8), draw.between(1, 7 + level // 8)
    high, low, times = max(n, m) + 1, min(n, m), draw.between(1, 9 + level)
    legs = [times * (high * high - low * low), times * 2 * high * low]
    draw.shuffle(legs)
    a, b, c = legs[0], legs[1], times * (high * high + low * low)
    whole = draw.below(2)
    unit = draw.choice(("metres", "feet", "yards", "cm", "spans", "paces", "cubits", "miles"))
    squares = f"{a}^2 + {b}^2 = {a * a} + {b * b} = {c * c}"
    steps = [squares, f"{c * c} = {c} * {c}"]
    if not whole:
        steps = [f"{c}^2 - {a}^2 = {c * c} - {a * a} = {b * b}", f"{b * b} = {b} * {b}"]
    if draw.below(100) < level:
        steps.append(f"check: {c * c} - {b * b} = {a * a} = {a} * {a}")
    answer = f"{c if whole else b} {unit}"
    form = draw.choice(_RIGHT if whole else _LEG)
    question = form.format(who=person(draw), a=a, b=b, c=c, unit=unit)
    world: Certificate = {"sides": (a, b, c), "answer": answer}
    return lay_out(draw, scene(draw) + question, steps, answer, world)


_POLYGON = (
    "What is the area of the polygon with the corners {}?",
    "A plot has its corners, in order, at {}. How large is it?",
    "Walk along {} and back to the start: which area is enclosed?",
    "Find the area inside the closed line through {}.",
)


def polygon(draw: Draw, level: int) -> Problem:
    """The area of a polygon from the coordinates of its corners.

    Args:
        draw: chance.
        level: 1 to 100; more corners, larger coordinates.

    Returns:
        The problem.
    """
    count = grown(draw, level, 4, 11)
    # Corners over rising x above a base line: the outline never meets itself.
    width = 9 + level // 5
    xs = [draw.between(-width, 0)]
    for _ in range(count - 1):
        xs.append(xs[-1] + draw.between(1, width))
    base = draw.between(-width, 0)
    tops = [base + draw.between(1, width) for _ in xs[1:-1]]
    corners = [(xs[0], base), (xs[-1], base), *reversed(list(zip(xs[1:-1], tops, strict=True)))]
    steps, values = list[str](), list[int]()
    for (a, b), (c, d) in zip(corners, [*corners[1:], corners[0]], strict=True):
        values.append(a * d - c * b)
        products = f"{a} * {bracketed(d)} - {bracketed(c)} * {bracketed(b)}"
        steps.append(f"{products} = {values[-1]}")
    twice = sum(values)
    answer = _half(twice)
    steps.append(f"({' + '.join(map(bracketed, values))}) / 2 = {answer}")
    shown = ", ".join(f"({a} | {b})" for a, b in corners)
    world: Certificate = {
        "xs": tuple(x for x, _ in corners),
        "ys": tuple(y for _, y in corners),
        "answer": answer,
    }
    return lay_out(draw, scene(draw) + draw.choice(_POLYGON).format(shown), steps, answer, world)


_TASKS = (
    "reading", "digging", "a nap", "lunch", "a lecture", "a swim", "sorting", "a walk", "repairs",
    "rehearsal", "a meeting", "cleaning", "packing", "a film", "a bath", "shopping", "practice",
)  # fmt: skip
_ENDS = (
    "When is all done, on a clock of 24 hours?",
    "What does the 24 hour clock show at the end?",
    "At what time of the 24 hour day does that end?",
)


def clock(draw: Draw, level: int) -> Problem:
    """The time of day after a list of tasks.

    Args:
        draw: chance.
        level: 1 to 100; more tasks.

    Returns:
        The problem.
    """
    start = draw.below(1440)
    names = draw.sample(_TASKS, grown(draw, level, 2, 12))
    spans = [draw.between(4, 50 + 3 * level) for _ in names]
    total = start + sum(spans)
    hour, minute = divmod(start, 60)
    told = [_span(draw, name, n) for name, n in zip(names, spans, strict=True)]
    steps = [f"start: {hour} * 60 + {minute} = {start}"]
    at = start
    for name, n in zip(names, spans, strict=True):
        steps.append(f"after {name}: {at} + {n} = {at + n}")
        at += n
    if total >= 1440:
        steps.append(f"{total} - {total // 1440} * 1440 = {total % 1440}")
    hours, minutes = divmod(total % 1440, 60)
    steps.append(f"{total % 1440} = {hours} * 60 + {minutes}")
    answer = f"{hours:02d}:{minutes:02d}"
    opening = f"{person(draw)} starts at {hour:02d}:{minute:02d} and does, one after the other, "
    question = f"{opening}{listed(told)}. {draw.choice(_ENDS)}"
    world: Certificate = {"start": start, "spans": tuple(spans), "answer": answer}
    return lay_out(draw, scene(draw) + question, steps, answer, world)


def _span(draw: Draw, name: str, minutes: int) -> str:
    if minutes >= 60 and draw.below(2):
        return f"{name} ({minutes // 60} h {minutes % 60} min)"
    return f"{name} ({minutes} min)"


_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    ("January", 31), ("February", 28), ("March", 31), ("April", 30), ("May", 31), ("June", 30),
    ("July", 31), ("August", 31), ("September", 30), ("October", 31), ("November", 30),
    ("December", 31),
)  # fmt: skip
_DATES = (
    "In a year without a leap day, {a} is a {day}. Which day of the week is {b}?",
    "{a} falls on a {day}; February has 28 days. On which weekday does {b} of that year fall?",
    "{who} was born on {a}, a {day}, in a year with 365 days. What weekday was {b} that year?",
)


def calendar(draw: Draw, level: int) -> Problem:
    """The weekday of a later date in the same year.

    Args:
        draw: chance.
        level: 1 to 100; dates farther apart.

    Returns:
        The problem.
    """
    reach = 1 + level * 10 // 100
    first = draw.below(12 - min(reach, 11))
    last = first + draw.between(max(1, reach // 2), min(reach, 11))
    start, end = draw.between(1, _MONTHS[first][1]), draw.between(1, _MONTHS[last][1])
    day = draw.below(7)
    lengths = [n for _, n in _MONTHS[first:last]]
    apart = sum(lengths) - start + end
    steps = [f"rest of {_MONTHS[first][0]}: {lengths[0]} - {start} = {lengths[0] - start}"]
    for n in range(first + 1, last):
        before = sum(lengths[: n - first]) - start
        name, days = _MONTHS[n]
        steps.append(f"with all of {name}: {before} + {days} = {before + days}")
    steps.append(f"days up to then: {apart - end} + {end} = {apart}")
    steps.append(f"weeks and days: {apart} = {apart // 7} * 7 + {apart % 7}")
    answer = _DAYS[(day + apart) % 7]
    question = draw.choice(_DATES).format(
        a=f"{start} {_MONTHS[first][0]}",
        b=f"{end} {_MONTHS[last][0]}",
        day=_DAYS[day],
        who=person(draw),
    )
    world: Certificate = {"apart": apart, "day": _DAYS[day], "answer": answer}
    return lay_out(draw, f"{scene(draw)}{question}", steps, answer, world)


_CLAIM = (
    "The first n numbers of the form {} are added. Which formula in n gives the sum?",
    "Find a polynomial in n for the sum of {} over k from one to n, and test it by induction.",
    "What is the sum of {}, k running from one to n, as a polynomial in n?",
    "Prove by induction what the terms {} with k from one up to n add up to. Name the formula.",
)


def induction(draw: Draw, level: int) -> Problem:
    """A closed formula for a sum, with start and step of the induction.

    Args:
        draw: chance.
        level: 1 to 100; higher powers, larger numbers, more trials.

    Returns:
        The problem.
    """
    degree, largest = grown(draw, level, 2, 4), 30 + 2 * level
    # S(n) is drawn as a polynomial without constant; its term is S(k) - S(k - 1).
    total = [0] + [draw.between(-largest, largest) for _ in range(degree - 1)]
    total.append(draw.between(1, largest))
    before = _shifted(total)
    term = [a - b for a, b in zip(total, before, strict=True)][:-1]
    shown = polynomial(term, "k")
    answer = polynomial(total, "n")
    steps = list[str]()
    value = 0
    for n in range(1, 1 + grown(draw, level, 2, 8)):
        new = sum(a * n**power for power, a in enumerate(term))
        held = f"trial: {value} + {bracketed(new)} = {value + new}"
        value += new
        ends = ["", f" * {n}", *(f" * {n}^{power}" for power in range(2, degree + 1))]
        powers = [
            bracketed(a) + (ends[power] if n > 1 else "") for power, a in enumerate(total) if a
        ]
        steps.append(f"{held} = {' + '.join(powers)}")
    steps.append(f"step: ({polynomial(before, 'k')}) + ({shown}) = {polynomial(total, 'k')}")
    question = draw.choice(_CLAIM).format(shown)
    world: Certificate = {"term": shown, "answer": answer}
    return lay_out(draw, scene(draw) + question, steps, answer, world)


def _shifted(value: list[int]) -> list[int]:
    # The coefficients of p(k - 1), by Horner's scheme.
    shifted = [0] * len(value)
    for number in reversed(value):
        shifted = [b - a for a, b in zip(shifted, [0, *shifted[:-1]], strict=True)]
        shifted[0] += number
    return shifted


FAMILIES: dict[str, Family] = {
    "area": area,
    "right_triangle": right_triangle,
    "polygon": polygon,
    "clock": clock,
    "calendar": calendar,
    "induction": induction,
}
"""Families by name."""
