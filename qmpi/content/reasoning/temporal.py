"""Times: relations of intervals, days of the calendar, time zones, before and after."""

from itertools import pairwise

from qmpi.content.counter import Draw
from qmpi.content.exercise import Certificate
from qmpi.content.reasoning.problem import Family, Problem, grown, lay_out
from qmpi.content.reasoning.scene_words import (
    JOBS,
    TASKS,
    numbered,
    one,
    people,
    places,
    things,
    woven,
)

_SPAN = {
    "clock": (
        "The {0} lasts from {1} to {2}.",
        "From {1} until {2} there is the {0}.",
        "The {0} begins at {1} and ends at {2}.",
    ),
    "after": (
        "The {0} begins {2} minutes after the {1} ends and lasts {3} minutes.",
        "For {3} minutes, from {2} minutes past the end of the {1}, there is the {0}.",
    ),
    "with": (
        "The {0} begins {2} minutes after the {1} begins and lasts {3} minutes.",
        "For {3} minutes, from {2} minutes past the beginning of the {1}, there is the {0}.",
    ),
    "at_end": (
        "The {0} begins the moment the {1} ends and lasts {3} minutes.",
        "Straight after the {1} comes the {0}, for {3} minutes.",
    ),
    "at_start": (
        "The {0} and the {1} begin together, and the {0} lasts {3} minutes.",
        "Together with the {1} starts the {0}, for {3} minutes.",
    ),
}
_DAY_HEAD = (
    "{0} notes down a day in the workshop of {1}.",
    "This was the day of {0}, {2} in {1}.",
    "In {1} {0} keeps a diary of the day.",
)
_ALLEN_ASK = (
    "How does the {0} relate to the {1}: {2}?",
    "Which holds of the {0} with regard to the {1}: {2}?",
    "Choose what is true of the {0} in relation to the {1}: {2}?",
)
_ALLEN = ("before", "after", "meets", "met by", "overlaps", "overlapped by", "during", "contains",
          "starts", "started by", "finishes", "finished by", "equal")  # fmt: skip


def allen(draw: Draw, level: int) -> Problem:
    """Intervals told by clock or by each other; which of the thirteen relations holds of two?

    Args:
        draw: chance.
        level: 1 to 100; more intervals, longer chains.

    Returns:
        The problem.
    """
    names = draw.sample(TASKS, grown(draw, level, 2, 10))
    first = 5 * draw.between(84, 110)
    spans = [(first, first + 5 * draw.between(4, 30))]
    told = [draw.choice(_SPAN["clock"]).format(names[0], _clock(spans[0][0]), _clock(spans[0][1]))]
    for n in range(1, len(names)):
        base = n - 1 if draw.below(2) else draw.below(n)
        kind = draw.choice(("after", "with", "at_end", "at_start"))
        gap = 5 * draw.between(1, 12)
        anchor = spans[base][0] if kind in ("with", "at_start") else spans[base][1]
        start = anchor if kind.startswith("at_") else anchor + gap
        # Now and then the end falls on the end of the other, which has a relation of its own.
        end = start + 5 * draw.between(1, 30)
        if draw.below(5) == 0 and spans[base][1] > start:
            end = spans[base][1]
        spans.append((start, end))
        told.append(draw.choice(_SPAN[kind]).format(names[n], names[base], gap, end - start))
    draw.shuffle(told)
    a, b = draw.sample(range(len(names)), 2)
    head = draw.choice(_DAY_HEAD).format(
        people(draw, 1)[0], places(draw, 1)[0], one(draw.choice(JOBS))
    )
    told = [head, *woven(draw, level, told)]
    answer = _relation(spans[a], spans[b])
    options = draw.sample([word for word in _ALLEN if word != answer], 3)
    options.insert(draw.below(4), answer)
    shown = f"{', '.join(options[:-1])} or {options[-1]}"
    told.append(draw.choice(_ALLEN_ASK).format(names[a], names[b], shown))
    style = draw.choice(("{0}: {1} to {2}", "The {0} runs from {1} to {2}.", "{1}-{2} {0}"))
    steps = [
        style.format(name, _clock(start), _clock(end))
        for name, (start, end) in zip(names, spans, strict=True)
    ]
    world: Certificate = {"first": names[a], "second": names[b], "answer": answer}
    return lay_out(draw, " ".join(told), steps, answer, world)


def _clock(minutes: int) -> str:
    return f"{minutes // 60 % 24:02d}:{minutes % 60:02d}"


def _relation(a: tuple[int, int], b: tuple[int, int]) -> str:
    if a == b:
        return "equal"
    if a[1] <= b[0]:
        return "meets" if a[1] == b[0] else "before"
    if b[1] <= a[0]:
        return "met by" if b[1] == a[0] else "after"
    if a[0] == b[0]:
        return "starts" if a[1] < b[1] else "started by"
    if a[1] == b[1]:
        return "finishes" if a[0] > b[0] else "finished by"
    if a[0] > b[0]:
        return "during" if a[1] < b[1] else "overlapped by"
    return "contains" if a[1] > b[1] else "overlaps"


_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September",
           "October", "November", "December")  # fmt: skip
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_BEGIN = (
    "{0} begins the {2} in {1} on {3}.",
    "On {3} the {2} of {0} starts in {1}.",
    "In {1}, on {3}, {0} sets about the {2}.",
)
_THEN = (
    "The {0} begins {1} days later.",
    "After {1} more days comes the {0}.",
    "{1} days on, it is time for the {0}.",
)
_THEN_WEEKS = (
    "The {0} begins {1} weeks later.",
    "After {1} more weeks comes the {0}.",
    "{1} weeks on, it is time for the {0}.",
)
_DATE_ASK = (
    "On which date does the {0} begin?",
    "What is the date when the {0} starts?",
    "Give the date of the beginning of the {0}.",
)
_WEEKDAY_ASK = (
    "If {1} is a {2}, on which day of the week does the {0} begin?",
    "Which day of the week is it when the {0} starts, given that {1} is a {2}?",
)


def calendar(draw: Draw, level: int) -> Problem:
    """A chain of dates, days and weeks apart; which date or day of the week is the last?

    Args:
        draw: chance.
        level: 1 to 100; more dates, longer spans.

    Returns:
        The problem.
    """
    names = draw.sample(TASKS, 1 + grown(draw, level, 1, 9))
    year, month = draw.between(1850, 2150), draw.below(12)
    day = draw.between(1, 28)
    begin = _date(year, month, day)
    head = draw.choice(_BEGIN).format(people(draw, 1)[0], places(draw, 1)[0], names[0], begin)
    told: list[str] = []
    total, shown = 0, [begin]
    steps: list[str] = []
    style = draw.choice(("The {0} is on {1}.", "{0}: {1}", "{1} ({0})"))
    for name in names[1:]:
        weeks = draw.below(3) == 0
        count = draw.between(2, 6 + level // 10 if weeks else 20 + 2 * level)
        told.append(draw.choice(_THEN_WEEKS if weeks else _THEN).format(name, count))
        total += 7 * count if weeks else count
        year, month, day = _later(year, month, day, 7 * count if weeks else count)
        shown.append(_date(year, month, day))
        steps.append(style.format(name, shown[-1]))
    told = [head, *woven(draw, level, told)]
    if draw.below(2):
        told.append(draw.choice(_DATE_ASK).format(names[-1]))
        answer = shown[-1]
    else:
        first = draw.below(7)
        told.append(draw.choice(_WEEKDAY_ASK).format(names[-1], begin, _DAYS[first]))
        answer = _DAYS[(first + total) % 7]
        steps = [f"{total} days later, and {total} = 7 * {total // 7} + {total % 7}"]
    world: Certificate = {"begin": begin, "days": total, "answer": answer}
    return lay_out(draw, " ".join(told), steps, answer, world)


def _date(year: int, month: int, day: int) -> str:
    return f"{day} {_MONTHS[month]} {year}"


def _later(year: int, month: int, day: int, days: int) -> tuple[int, int, int]:
    day += days
    while True:
        leap = month == 1 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        length = 29 if leap else _LENGTHS[month]
        if day <= length:
            return year, month, day
        day -= length
        month += 1
        if month == 12:
            year, month = year + 1, 0


_ZONE = (
    "Clocks in {0} are {1} ahead of those in {2}.",
    "When it is noon in {2}, clocks of {0} are {1} further.",
    "{2} is {1} behind {0}.",
)
_LEG = (
    "The flight to {0} takes {1}.",
    "Next comes {0}, after {1} in the air.",
    "{1} later, by any clock, the plane lands in {0}.",
)
_STAY = (
    "There {0} stays for {1}.",
    "{0} waits {1} there.",
    "A halt of {1} follows for {0}.",
)
_LEAVE = (
    "{0} leaves {1} at {2} local time.",
    "At {2} by the clocks of {1} {0} takes off there.",
    "In {1} it is {2} when {0} departs.",
)
_ZONE_ASK = (
    "Which time do the clocks of {0} show when {1} arrives?",
    "What is the local time on landing in {0}?",
    "At what time, by local clocks, does {1} reach {0}?",
)


def time_zones(draw: Draw, level: int) -> Problem:
    """A journey by air across time zones; the local time on arrival.

    Args:
        draw: chance.
        level: 1 to 100; more legs, zones of half hours.

    Returns:
        The problem.
    """
    towns = places(draw, 1 + grown(draw, level, 1, 7))
    who = people(draw, 1)[0]
    grain = 30 if level > 30 else 60
    zones = [0] + [grain * draw.between(-480 // grain, 480 // grain) for _ in towns[1:]]
    told: list[str] = []
    for n in range(1, len(towns)):
        m = draw.below(n)
        ahead, behind = (n, m) if zones[n] >= zones[m] else (m, n)
        told.append(
            draw.choice(_ZONE).format(
                towns[ahead], _length(zones[ahead] - zones[behind]), towns[behind]
            )
        )
    draw.shuffle(told)
    now = 5 * draw.below(288)
    told.append(draw.choice(_LEAVE).format(who, towns[0], _clock(now)))
    steps: list[str] = []
    style = draw.choice(("{0}: {1}", "It is {1} in {0}.", "Arrival in {0} at {1}."))
    for n in range(1, len(towns)):
        if n > 1:
            stay = 5 * draw.between(6, 60)
            told.append(draw.choice(_STAY).format(who, _length(stay)))
            now += stay
        flight = 5 * draw.between(9, 150)
        told.append(draw.choice(_LEG).format(towns[n], _length(flight)))
        now += flight
        steps.append(style.format(towns[n], _clock((now + zones[n]) % 1440)))
    told = woven(draw, level, told)
    told.append(draw.choice(_ZONE_ASK).format(towns[-1], who))
    answer = _clock((now + zones[-1]) % 1440)
    world: Certificate = {"towns": tuple(towns), "who": who, "answer": answer}
    return lay_out(draw, " ".join(told), steps, answer, world)


def _length(minutes: int) -> str:
    hours, rest = divmod(minutes, 60)
    if not hours and rest:
        return f"{rest} minutes"
    words = f"{hours} hour{'s' if hours != 1 else ''}"
    return f"{words} and {rest} minutes" if rest else words


_BEFORE = (
    "The {0} was made before the {1}.",
    "The {1} is younger than the {0}.",
    "When the {1} was made the {0} existed already.",
    "The {0} is older than the {1}.",
    "After the {0} came the {1}.",
)
_AGE_HEAD = (
    "{0} sorts the museum of {1}.",
    "In the museum of {1} {0} studies old things.",
    "{0}, {2}, writes the catalogue of {1}.",
)
_AGE_ASK = (
    "Was the {0} made before the {1}: yes, no, or not known?",
    "Is the {0} older than the {1}: yes, no, or not known?",
    "Does the {0} come before the {1} in time: yes, no, or not known?",
)


def before(draw: Draw, level: int) -> Problem:
    """Things of which some are known to be older than others; is one older than another?

    Args:
        draw: chance.
        level: 1 to 100; more things, longer chains.

    Returns:
        The problem.
    """
    count = grown(draw, level, 4, 14)
    names = things(draw, count)
    older: list[int] = []
    below = [1 << n for n in range(count)]
    for n in range(1, count):
        m = n - 1 if draw.below(3) else draw.below(n)
        older.append(m)
        below[n] |= below[m]
    told = [draw.choice(_BEFORE).format(names[m], names[n]) for n, m in enumerate(older, 1)]
    draw.shuffle(told)
    a, b = draw.sample(range(count), 2)
    head = draw.choice(_AGE_HEAD).format(
        people(draw, 1)[0], places(draw, 1)[0], one(draw.choice(JOBS))
    )
    told = [head, *woven(draw, level, told), draw.choice(_AGE_ASK).format(names[a], names[b])]
    young, old = (b, a) if below[b] >> a & 1 else (a, b)
    if below[young] >> old & 1:
        chain = [young]
        while chain[-1] != old:
            chain.append(older[chain[-1] - 1])
        style = draw.choice(("The {0} is older than the {1}.", "{0} < {1}", "{0}, then {1}"))
        steps = [style.format(names[m], names[n]) for n, m in pairwise(chain)]
        answer = "yes" if young == b else "no"
    else:
        steps = [f"No chain joins the {names[a]} and the {names[b]} in either direction."]
        answer = "not known"
    world: Certificate = {"first": names[a], "second": names[b], "answer": answer}
    return lay_out(draw, " ".join(told), numbered(draw, steps), answer, world)


FAMILIES: dict[str, Family] = {
    "allen": allen,
    "dates": calendar,
    "time_zones": time_zones,
    "before": before,
}
"""Families of this module by name."""
