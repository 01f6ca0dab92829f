"""Solvers of plans in time: longest paths counted backwards, scans, minutes tried one by one."""

import re

from qmpi.content.exercise import Exercise, question_of
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

_UNITS = "(?:hours|days|minutes|weeks)"
_WAITS = (
    "The {job:w} cannot begin before the {need:w} is over",
    "The {need:w} must be finished before the {job:w}",
    "The {job:w} waits for the {need:w}",
    "Without the {need:w} nobody can start the {job:w}",
    "First comes the {need:w}, later the {job:w}",
)
_SCHEDULE = {
    "takes": (
        "The {job:w} (?:takes|is done in|lasts) {time:d} " + _UNITS,
        "{time:d} " + _UNITS + " go into the {job:w}",
        "For the {job:w} one needs {time:d} " + _UNITS,
    ),
    "waits": _WAITS,
    "end": (
        f"After how many {_UNITS} is everything done",
        f"How many {_UNITS} does the whole work last",
        f"What is the shortest time, in {_UNITS}, for all of it",
    ),
    "start": (
        f"How many {_UNITS} after the start does the {{job:w}} begin",
        f"At which time, in {_UNITS} from the start, can the {{job:w}} begin",
        f"When does the {{job:w}} start, in {_UNITS} after the beginning",
    ),
}
_SCHEDULE_STEPS = (
    r"The {job:w} runs from {start:d} to {end:d}\.",
    "{job:w}: {start:d} to {end:d}",
    "{start:d} to {end:d}: {job:w}",
    r"The {job:w} starts at {start:d} and ends at {end:d}\.",
)


def check_schedule(exercise: Exercise, answer: str) -> str | None:
    """Check when jobs begin and end.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    found = sorted_out(exercise, _SCHEDULE)
    lasts = {v["job"]: int(v["time"]) for v in found["takes"]}
    asked = only(found["end"] + found["start"], "what is asked").get("job", "all")
    # Starts are raised until none is too early: relaxation, not an order of the jobs.
    start = dict.fromkeys(lasts, 0)
    for _ in lasts:
        for v in found["waits"]:
            start[v["job"]] = max(start[v["job"]], start[v["need"]] + lasts[v["need"]])
    right = max(start[j] + lasts[j] for j in lasts) if asked == "all" else start[asked]
    if str(right) != answer:
        return f"the time is {right}, not {answer}"
    expected = [
        {"job": job, "start": str(start[job]), "end": str(start[job] + lasts[job])}
        for job in sorted(lasts, key=lambda job: (start[job], job))
    ]
    return first_fault(
        certificate_fault(exercise, asked=asked, jobs=len(lasts)),
        steps_fault(exercise, _SCHEDULE_STEPS, expected),
    )


_COUNTED = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth",
            "tenth", "eleventh", "twelfth")  # fmt: skip
_WORKLIST = {
    "waits": _WAITS,
    "jobs": (r"(?P<jobs>[a-z]+(?:, [a-z]+)* and [a-z]+)",),
    "asked": (
        "Which job is done {place:w}",
        "What comes {place:w}",
        "Name the job that is the {place:w} to be done",
        "Which one is {place:w} in line",
    ),
}
_WORKLIST_STEPS = (
    r"{n:d}\. {job:w}",
    "{n:d}: {job:w}",
    r"Number {n:d} is the {job:w}\.",
    r"Then {job:w} \({n:d}\)",
)


def check_worklist(exercise: Exercise, answer: str) -> str | None:
    """Check which job is done at a place.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    found = sorted_out(exercise, _WORKLIST)
    jobs = listed(only(found["jobs"], "the jobs")["jobs"])
    place = _COUNTED.index(only(found["asked"], "what is asked")["place"]) + 1
    edges = {(v["need"], v["job"]) for v in found["waits"]}
    if not {job for edge in edges for job in edge} <= set(jobs):
        return "a job that is waited for is not in the list"
    order: list[str] = []
    left = set(jobs)
    while left:
        blocked = {job for need, job in edges if need in left}
        if not left - blocked:
            return "the jobs wait for each other"
        order.append(min(left - blocked))
        left.remove(order[-1])
    if order[place - 1] != answer:
        return f"the job is {order[place - 1]}, not {answer}"
    expected = [{"n": str(n), "job": job} for n, job in enumerate(order[:place], 1)]
    return first_fault(
        certificate_fault(exercise, place=place, jobs=jobs),
        steps_fault(exercise, _WORKLIST_STEPS, expected),
    )


_MEETING = {
    "busy": (
        "{who:w} is busy from {start:t} to {end:t}",
        "From {start:t} to {end:t} {who:w} cannot come",
        "{who:w} has an appointment, {start:t} to {end:t}",
        "Between {start:t} and {end:t} {who:w} teaches",
        "{who:w} travels from {start:t} until {end:t}",
    ),
    "head": (
        r"{people} want to meet in \w+ for {need:d} minutes, between {opens:t} and {ends:t}",
        r"A talk of {need:d} minutes is planned by {people} in \w+, not before {opens:t} and over"
        " by {ends:t}",
        r"In \w+ {people} need {need:d} minutes together, at some time from {opens:t} to {ends:t}",
    ),
}
_MEETING_STEPS = (
    r"All are free from {start:t} to {end:t}, {long:d} minutes\.",
    "{start:t} to {end:t}: {long:d} minutes",
    r"{start:t}-{end:t} \({long:d}\)",
    r"There is no moment when all are free\.",
)
_START_ASKED = re.compile("earliest|first slot|first possible")


def check_meeting(exercise: Exercise, answer: str) -> str | None:
    """Check the earliest time at which all are free.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    found = sorted_out(exercise, _MEETING)
    head = only(found["head"], "the meeting")
    who, need = listed(head["people"]), int(head["need"])
    if not _START_ASKED.search(question_of(exercise.text)):
        return "the question does not ask for the first start"
    if not {v["who"] for v in found["busy"]} <= set(who):
        return "somebody who is not invited is busy"
    opens, ends = _minutes(head["opens"]), _minutes(head["ends"])
    free = [True] * (ends - opens) + [False]
    for v in found["busy"]:
        for minute in range(_minutes(v["start"]), _minutes(v["end"])):
            if opens <= minute < ends:
                free[minute - opens] = False
    right, expected = "never", list[Values]()
    for start, end in _stretches(free):
        shown = {"start": _written(opens + start), "end": _written(opens + end)}
        expected.append({**shown, "long": str(end - start)})
        if end - start >= need:
            right = shown["start"]
            break
    if right != answer:
        return f"they can start at {right}, not {answer}"
    return first_fault(
        certificate_fault(
            exercise,
            people=who,
            minutes=need,
            busy=sorted(f"{v['start']}-{v['end']}" for v in found["busy"]),
        ),
        steps_fault(exercise, _MEETING_STEPS, expected or [{}]),
    )


def _stretches(free: list[bool]) -> list[tuple[int, int]]:
    edges = [n for n in range(len(free)) if free[n] != (n > 0 and free[n - 1])]
    return list(zip(edges[::2], edges[1::2], strict=True))


def _minutes(time: str) -> int:
    return int(time[:2]) * 60 + int(time[3:])


def _written(minutes: int) -> str:
    return "{:02d}:{:02d}".format(*divmod(minutes, 60))


CHECKS: dict[str, Check] = {
    "schedule": check_schedule,
    "worklist": check_worklist,
    "meeting": check_meeting,
}
"""Solvers by family."""
