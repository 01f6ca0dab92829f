"""Plans in time: jobs that wait for others, lists of work, meetings."""

from qmpi.content.counter import Draw
from qmpi.content.exercise import Certificate
from qmpi.content.reasoning.problem import Family, Problem, grown, lay_out
from qmpi.content.reasoning.scene_words import (
    JOBS,
    TASKS,
    joined,
    one,
    people,
    places,
    woven,
)

_TAKES = (
    "The {0} takes {1} {2}.",
    "{1} {2} go into the {0}.",
    "For the {0} one needs {1} {2}.",
    "The {0} is done in {1} {2}.",
    "The {0} lasts {1} {2}.",
)
_WAITS = (
    "The {0} cannot begin before the {1} is over.",
    "The {1} must be finished before the {0}.",
    "The {0} waits for the {1}.",
    "Without the {1} nobody can start the {0}.",
    "First comes the {1}, later the {0}.",
)
_SITE = (
    "{0}, {1} in {2}, plans a piece of work.",
    "A workshop in {2} belongs to {0}, {1}.",
    "In {2} the {3} {0} has work to plan.",
    "{0} of {2} lists what has to be done.",
)
_HANDS = (
    "There are hands enough, so each job starts as soon as it can.",
    "Any number of jobs may run side by side and each starts at once when allowed.",
    "Jobs run in parallel, each from the first moment that it may.",
)
_END_ASK = (
    "After how many {0} is everything done?",
    "How many {0} does the whole work last?",
    "What is the shortest time, in {0}, for all of it?",
)
_START_ASK = (
    "How many {0} after the start does the {1} begin?",
    "At which time, in {0} from the start, can the {1} begin?",
    "When does the {1} start, in {0} after the beginning?",
)


def schedule(draw: Draw, level: int) -> Problem:
    """Jobs with lengths and dependencies: when is all done, or when does one start?

    Args:
        draw: chance.
        level: 1 to 100; more jobs and dependencies.

    Returns:
        The problem.
    """
    count = grown(draw, level, 3, 12)
    jobs = draw.sample(TASKS, count)
    unit = draw.choice(("hours", "days", "minutes", "weeks"))
    lasts = [draw.between(2, 9 + level // 4) for _ in jobs]
    needs = [draw.sample(range(n), min(n, draw.below(2 + level // 35) + 1)) for n in range(count)]
    start: list[int] = []
    for n in range(count):
        start.append(max((start[m] + lasts[m] for m in needs[n]), default=0))
    told = [draw.choice(_TAKES).format(j, t, unit) for j, t in zip(jobs, lasts, strict=True)]
    told += [draw.choice(_WAITS).format(jobs[n], jobs[m]) for n in range(count) for m in needs[n]]
    draw.shuffle(told)
    told.insert(draw.below(2) * len(told), draw.choice(_HANDS))
    told = [_setting(draw), *woven(draw, level, told)]
    if draw.below(2):
        asked, number = "all", max(s + t for s, t in zip(start, lasts, strict=True))
        told.append(draw.choice(_END_ASK).format(unit))
    else:
        last = draw.between(count // 2, count - 1)
        asked, number = jobs[last], start[last]
        told.append(draw.choice(_START_ASK).format(unit, asked))
    style = draw.choice(
        (
            "The {0} runs from {1} to {2}.",
            "{0}: {1} to {2}",
            "{1} to {2}: {0}",
            "The {0} starts at {1} and ends at {2}.",
        )
    )
    order = sorted(range(count), key=lambda n: (start[n], jobs[n]))
    steps = [style.format(jobs[n], start[n], start[n] + lasts[n]) for n in order]
    world: Certificate = {"asked": asked, "jobs": count, "answer": str(number)}
    return lay_out(draw, " ".join(told), steps, str(number), world)


def _setting(draw: Draw) -> str:
    job = draw.choice(JOBS)
    return draw.choice(_SITE).format(people(draw, 1)[0], one(job), places(draw, 1)[0], job)


_RULE = (
    "One job is done at a time; of those that may be done, the first in the alphabet is taken.",
    "Always the alphabetically first of all jobs that are free to begin is done next, one by one.",
    "Jobs are done singly, and whenever there is a choice the alphabet decides.",
)
_PLACES = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth",
           "tenth", "eleventh", "twelfth")  # fmt: skip
_PLACE_ASK = (
    "Which job is done {0}?",
    "What comes {0}?",
    "Name the job that is the {0} to be done.",
    "Which one is {0} in line?",
)


def worklist(draw: Draw, level: int) -> Problem:
    """Jobs that wait for others, one at a time, ties broken by the alphabet.

    Args:
        draw: chance.
        level: 1 to 100; more jobs.

    Returns:
        The problem.
    """
    count = grown(draw, level, 4, 12)
    jobs = draw.sample(TASKS, count)
    waits: dict[str, list[str]] = {
        job: draw.sample(jobs[:n], min(n, draw.below(3))) for n, job in enumerate(jobs)
    }
    if not any(waits.values()):
        waits[jobs[1]] = [jobs[0]]
    told = [draw.choice(_WAITS).format(job, need) for job in jobs for need in waits[job]]
    draw.shuffle(told)
    listed = draw.sample(jobs, count)
    told.insert(0, f"{_setting(draw)[:-1]}: {joined(listed)}.")
    told = [*woven(draw, level, told), draw.choice(_RULE)]
    open_jobs, done = sorted(jobs), list[str]()
    while open_jobs:
        free = next(j for j in open_jobs if not any(need in open_jobs for need in waits[j]))
        open_jobs.remove(free)
        done.append(free)
    place = draw.between(1, count - 1)
    told.append(draw.choice(_PLACE_ASK).format(_PLACES[place]))
    style = draw.choice(("{0}. {1}", "{0}: {1}", "Number {0} is the {1}.", "Then {1} ({0})"))
    steps = [style.format(n, job) for n, job in enumerate(done[: place + 1], 1)]
    world: Certificate = {"place": place + 1, "jobs": tuple(listed), "answer": done[place]}
    return lay_out(draw, " ".join(told), steps, done[place], world)


_BUSY = (
    "{0} is busy from {1} to {2}.",
    "From {1} to {2} {0} cannot come.",
    "{0} has an appointment, {1} to {2}.",
    "Between {1} and {2} {0} teaches.",
    "{0} travels from {1} until {2}.",
)
_MEET_HEAD = (
    "{0} want to meet in {1} for {2} minutes, between {3} and {4}.",
    "A talk of {2} minutes is planned by {0} in {1}, not before {3} and over by {4}.",
    "In {1} {0} need {2} minutes together, at some time from {3} to {4}.",
)
_MEET_ASK = (
    "What is the earliest time they can begin?",
    "When can they start at the earliest?",
    "At what time does the first slot for all begin?",
    "Which is the first possible start?",
)


def meeting(draw: Draw, level: int) -> Problem:
    """The earliest time at which all are free for long enough.

    Args:
        draw: chance.
        level: 1 to 100; more people and appointments.

    Returns:
        The problem.
    """
    who, town = people(draw, grown(draw, level, 2, 6)), places(draw, 1)[0]
    grain = 5 if level > 50 else 15
    opens, ends = 60 * draw.between(7, 10), 60 * draw.between(15, 19)
    slots = (ends - opens) // grain
    taken: list[tuple[int, int]] = []
    told: list[str] = []
    for name in who:
        # Somebody is always busy at first, or the earliest start would be the first moment.
        place = draw.below(3) if name != who[0] else 0
        for _ in range(grown(draw, level, 1, 4)):
            first = place + draw.below(slots // 6) if place else 0
            place = first + draw.between(1, slots // 4)
            if place > slots:
                break
            start, end = opens + grain * first, opens + grain * place
            taken.append((start, end))
            told.append(draw.choice(_BUSY).format(name, _clock(start), _clock(end)))
            place += 1
    draw.shuffle(told)
    gaps = _gaps(sorted(taken), opens, ends)
    # As long as one of the gaps, so that shorter ones before it do not do; now and then longer.
    need = max((end - start for start, end in gaps), default=0) + grain
    if gaps and draw.below(8):
        start, end = draw.choice(gaps)
        need = end - start
    head = draw.choice(_MEET_HEAD).format(joined(who), town, need, _clock(opens), _clock(ends))
    told = [head, *woven(draw, level, told), draw.choice(_MEET_ASK)]
    answer = "never"
    style = draw.choice(
        ("All are free from {0} to {1}, {2} minutes.", "{0} to {1}: {2} minutes", "{0}-{1} ({2})")
    )
    steps: list[str] = []
    for start, end in gaps:
        steps.append(style.format(_clock(start), _clock(end), end - start))
        if end - start >= need:
            answer = _clock(start)
            break
    steps = steps or ["There is no moment when all are free."]
    busy = tuple(sorted(f"{_clock(start)}-{_clock(end)}" for start, end in taken))
    world: Certificate = {"people": tuple(who), "minutes": need, "busy": busy, "answer": answer}
    return lay_out(draw, " ".join(told), steps, answer, world)


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _gaps(taken: list[tuple[int, int]], opens: int, ends: int) -> list[tuple[int, int]]:
    gaps: list[tuple[int, int]] = []
    free = opens
    for start, end in taken:
        if start > free:
            gaps.append((free, start))
        free = max(free, end)
    return [*gaps, (free, ends)] if free < ends else gaps


FAMILIES: dict[str, Family] = {"schedule": schedule, "worklist": worklist, "meeting": meeting}
"""Families of this module by name."""
