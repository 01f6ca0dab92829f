"""Solvers about time: minutes as sets, the library's calendar, one clock for all, closures."""

import re
from datetime import date, timedelta

from qmpi.content.exercise import Exercise, question_of
from qmpi.content.verify.reading import (
    Check,
    Values,
    certificate_fault,
    first_fault,
    only,
    sorted_out,
    steps_any_order_fault,
    steps_fault,
    told,
)

_SPANS = {
    "clock": (
        "The {what:w} lasts from {start:t} to {end:t}",
        "From {start:t} until {end:t} there is the {what:w}",
        "The {what:w} begins at {start:t} and ends at {end:t}",
    ),
    "end": (
        "The {what:w} begins {gap:d} minutes after the {base:w} ends and lasts {long:d} minutes",
        "For {long:d} minutes, from {gap:d} minutes past the end of the {base:w}, there is the "
        "{what:w}",
        "The {what:w} begins the moment the {base:w} ends and lasts {long:d} minutes",
        "Straight after the {base:w} comes the {what:w}, for {long:d} minutes",
    ),
    "start": (
        "The {what:w} begins {gap:d} minutes after the {base:w} begins and lasts {long:d} minutes",
        "For {long:d} minutes, from {gap:d} minutes past the beginning of the {base:w}, there is "
        "the {what:w}",
        "The {what:w} and the {base:w} begin together, and the {what:w} lasts {long:d} minutes",
        "Together with the {base:w} starts the {what:w}, for {long:d} minutes",
    ),
    "asked": (
        "How does the {a:w} relate to the {b:w}",
        "Which holds of the {a:w} with regard to the {b:w}",
        "Choose what is true of the {a:w} in relation to the {b:w}",
    ),
}
_SPAN_STEPS = (
    "{what:w}: {start:t} to {end:t}",
    r"The {what:w} runs from {start:t} to {end:t}\.",
    "{start:t}-{end:t} {what:w}",
)


def check_allen(exercise: Exercise, answer: str) -> str | None:
    """Check the relation of two intervals.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    found = sorted_out(exercise, _SPANS)
    asked = only(found["asked"], "the intervals")
    first = only(found["clock"], "the clock")
    spans = {first["what"]: (_minutes(first["start"]), _minutes(first["end"]))}
    relative = [(kind, v) for kind in ("start", "end") for v in found[kind]]
    for _ in relative:
        for kind, v in relative:
            if v["base"] in spans:
                start = spans[v["base"]][kind == "end"] + int(v.get("gap", 0))
                spans[v["what"]] = (start, start + int(v["long"]))
    right = _allen(spans[asked["a"]], spans[asked["b"]])
    options = question_of(exercise.text).rpartition(": ")[2].rstrip("?")
    if right != answer or right not in re.split(", | or ", options):
        return f"the relation is {right}, not {answer}"
    expected = [
        {"what": what, "start": _clock(start), "end": _clock(end)}
        for what, (start, end) in spans.items()
    ]
    return first_fault(
        certificate_fault(exercise, first=asked["a"], second=asked["b"]),
        steps_any_order_fault(exercise, _SPAN_STEPS, expected),
    )


def _minutes(time: str) -> int:
    return int(time[:2]) * 60 + int(time[3:])


def _clock(minutes: int) -> str:
    return "{:02d}:{:02d}".format(*divmod(minutes % 1440, 60))


# Signs of the four differences of the ends name each relation.
def _allen(a: tuple[int, int], b: tuple[int, int]) -> str:
    def sign(one: int, other: int) -> str:
        return "<" if one < other else "=" if one == other else ">"

    signs = "".join(sign(x, y) for x, y in ((a[0], b[0]), (a[0], b[1]), (a[1], b[0]), (a[1], b[1])))
    return {
        "<<<<": "before",
        "<<=<": "meets",
        "<<><": "overlaps",
        "<<>=": "finished by",
        "<<>>": "contains",
        "=<><": "starts",
        "=<>=": "equal",
        "=<>>": "started by",
        "><><": "during",
        "><>=": "finishes",
        "><>>": "overlapped by",
        ">=>>": "met by",
        ">>>>": "after",
    }[signs]


_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September",
           "October", "November", "December")  # fmt: skip
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_DATE = r"(?P<date>\d+ [A-Z][a-z]+ \d+)"
_DATES = {
    "begin": (
        r"\w+ begins the {what:w} in \w+ on " + _DATE,
        "On " + _DATE + r" the {what:w} of \w+ starts in \w+",
        r"In \w+, on " + _DATE + r", \w+ sets about the {what:w}",
    ),
    "days": (
        "The {what:w} begins {days:d} days later",
        "After {days:d} more days comes the {what:w}",
        "{days:d} days on, it is time for the {what:w}",
    ),
    "weeks": (
        "The {what:w} begins {days:d} weeks later",
        "After {days:d} more weeks comes the {what:w}",
        "{days:d} weeks on, it is time for the {what:w}",
    ),
    "date": (
        "On which date does the {what:w} begin",
        "What is the date when the {what:w} starts",
        "Give the date of the beginning of the {what:w}",
    ),
    "weekday": (
        "If " + _DATE + " is a {day:w}, on which day of the week does the {what:w} begin",
        "Which day of the week is it when the {what:w} starts, given that " + _DATE
        + " is a {day:w}",
    ),
}  # fmt: skip
_DATE_STEPS = (
    r"The {what:w} is on " + _DATE + r"\.",
    "{what:w}: " + _DATE,
    _DATE + r" \({what:w}\)",
)


def check_calendar(exercise: Exercise, answer: str) -> str | None:
    """Check a date or a day of the week.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    begin, total, expected, right = "", 0, list[Values](), ""
    for kind, v in told(exercise, _DATES):
        if kind == "begin":
            begin = v["date"]
        elif kind in ("days", "weeks"):
            total += int(v["days"]) * (7 if kind == "weeks" else 1)
            expected.append({"what": v["what"], "date": _after(begin, total)})
        elif not expected or v["what"] != expected[-1]["what"]:
            return "another beginning is asked for"
        elif kind == "date":
            right = expected[-1]["date"]
        elif v["date"] == begin:
            right = _DAYS[(_DAYS.index(v["day"]) + total) % 7]
            weeks, rest = divmod(total, 7)
            expected = [{"n": str(total), "weeks": str(weeks), "rest": str(rest)}]
    if right != answer:
        return f"it is {right}, not {answer}"
    patterns = _DATE_STEPS
    if right in _DAYS:
        patterns = (r"{n:d} days later, and {n:d} = 7 \* {weeks:d} \+ {rest:d}",)
    return first_fault(
        certificate_fault(exercise, begin=begin, days=total),
        steps_fault(exercise, patterns, expected),
    )


def _after(begin: str, days: int) -> str:
    day, month, year = begin.split()
    # Eight periods of 400 years lie within the library's calendar; no year here is near its end.
    then = date(int(year), _MONTHS.index(month) + 1, int(day)) + timedelta(days=min(days, 10**6))
    return f"{then.day} {_MONTHS[then.month - 1]} {then.year}"


_LENGTH = r"(?P<long>\d+ hours?(?: and \d+ minutes)?|\d+ minutes)"
_ZONES = {
    "zone": (
        f"Clocks in {{ahead:w}} are {_LENGTH} ahead of those in {{behind:w}}",
        f"When it is noon in {{behind:w}}, clocks of {{ahead:w}} are {_LENGTH} further",
        f"{{behind:w}} is {_LENGTH} behind {{ahead:w}}",
    ),
    "leave": (
        "{who:w} leaves {town:w} at {time:t} local time",
        "At {time:t} by the clocks of {town:w} {who:w} takes off there",
        "In {town:w} it is {time:t} when {who:w} departs",
    ),
    "leg": (
        f"The flight to {{town:w}} takes {_LENGTH}",
        f"Next comes {{town:w}}, after {_LENGTH} in the air",
        f"{_LENGTH} later, by any clock, the plane lands in {{town:w}}",
    ),
    "stay": (
        f"There {{who:w}} stays for {_LENGTH}",
        f"{{who:w}} waits {_LENGTH} there",
        f"A halt of {_LENGTH} follows for {{who:w}}",
    ),
    "asked": (
        r"Which time do the clocks of {town:w} show when \w+ arrives",
        "What is the local time on landing in {town:w}",
        r"At what time, by local clocks, does \w+ reach {town:w}",
    ),
}
_ZONE_STEPS = (
    "{town:w}: {time:t}",
    r"It is {time:t} in {town:w}\.",
    r"Arrival in {town:w} at {time:t}\.",
)


def check_time_zones(exercise: Exercise, answer: str) -> str | None:
    """Check the local time on arrival.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    found = sorted_out(exercise, _ZONES)
    leave = only(found["leave"], "the departure")
    ahead = {leave["town"]: 0}
    for _ in found["zone"]:
        for v in found["zone"]:
            if v["behind"] in ahead:
                ahead[v["ahead"]] = ahead[v["behind"]] + _span(v["long"])
            elif v["ahead"] in ahead:
                ahead[v["behind"]] = ahead[v["ahead"]] - _span(v["long"])
    elapsed, towns, expected = _minutes(leave["time"]), [leave["town"]], list[Values]()
    for kind, v in told(exercise, {key: _ZONES[key] for key in ("leg", "stay")}):
        elapsed += _span(v["long"])
        if kind == "leg":
            towns.append(v["town"])
            expected.append({"town": v["town"], "time": _clock(elapsed + ahead[v["town"]])})
    if only(found["asked"], "the arrival")["town"] != towns[-1]:
        return "another arrival is asked for"
    if expected[-1]["time"] != answer:
        return f"the clocks show {expected[-1]['time']}, not {answer}"
    return first_fault(
        certificate_fault(exercise, towns=towns, who=leave["who"]),
        steps_fault(exercise, _ZONE_STEPS, expected),
    )


def _span(words: str) -> int:
    numbers = [int(number) for number in re.findall(r"\d+", words)]
    return 60 * numbers[0] + sum(numbers[1:]) if "hour" in words else numbers[0]


_OLDER = {
    "older": (
        "The {old} was made before the {young}",
        "The {young} is younger than the {old}",
        "When the {young} was made the {old} existed already",
        "The {old} is older than the {young}",
        "After the {old} came the {young}",
    ),
    "asked": (
        "Was the {a} made before the {b}",
        "Is the {a} older than the {b}",
        "Does the {a} come before the {b} in time",
    ),
}
_OLDER_STEPS = (
    r"The {old} is older than the {young}\.",
    "{old} < {young}",
    "{old}, then {young}",
    r"No chain joins the {a} and the {b} in either direction\.",
)


def check_before(exercise: Exercise, answer: str) -> str | None:
    """Check whether a thing is older than another.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    found = sorted_out(exercise, _OLDER)
    asked = only(found["asked"], "the things")
    pairs = [(v["old"], v["young"]) for v in found["older"]]
    a, b = asked["a"], asked["b"]
    yes, no = _chain(pairs, a, b), _chain(pairs, b, a)
    right = "yes" if yes else "no" if no else "not known"
    if right != answer or (yes and no):
        return f"it is {right}, not {answer}"
    # From the younger one back, as the chain is followed.
    expected = [{"old": o, "young": y} for o, y in reversed(yes or no)] or [{"a": a, "b": b}]
    return first_fault(
        certificate_fault(exercise, first=a, second=b),
        steps_fault(exercise, _OLDER_STEPS, expected),
    )


def _chain(pairs: list[tuple[str, str]], old: str, young: str) -> list[tuple[str, str]]:
    ways: dict[str, list[tuple[str, str]]] = {old: []}
    for _ in pairs:
        for first, second in pairs:
            if first in ways and second not in ways:
                ways[second] = [*ways[first], (first, second)]
    return ways.get(young, [])


CHECKS: dict[str, Check] = {
    "allen": check_allen,
    "dates": check_calendar,
    "time_zones": check_time_zones,
    "before": check_before,
}
"""Solvers by family."""
