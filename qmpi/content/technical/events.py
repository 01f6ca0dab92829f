"""Incident reports and ticket threads: what happened when, and what holds in the end.

Theory of operation. An incident is a start and the minutes between its six moments; every duration
in the report is a difference of two of them, every loss a rate times a duration. A thread is a list
of comments that claim a value or withdraw an earlier comment; the last claim that nobody withdrew
holds.
"""

from typing import Any

from qmpi.content.english.posing import Puzzle
from qmpi.content.english.prose import Said
from qmpi.content.technical.grammar import FAILURE, PLAIN, PLAIN_PAST, REASON, REMEDY, TASK, TITLES
from qmpi.content.technical.reference import furnish
from qmpi.content.technical.world import Site, spelled, value_for

MOMENTS = ("began", "noticed", "declared", "explained", "eased", "resolved")
_TOLD = {
    "began": ("{mod} began to {op} {trait} {items}", "the first {item} was lost", "<trouble>"),
    "noticed": (
        "[F] noticed that {items} were {trait}", "an alert of the {part} reached [F]",
        "users saw {trait} {items}", "[F] saw {code} in the {part}",
    ),
    "declared": (
        "[F] declared an incident", "[F] called [F] and [F]", "the {part} was handed to [F]",
        "[F] took over as lead",
    ),
    "explained": (
        "[F] found {key} at {wrong}", "it became clear that {flag} was {wrong}",
        "[F] traced {code} to {key}, set to {wrong}", "{key} turned out to be {wrong}",
    ),
    "eased": (
        "[F] restarted {mod} {how}", "[F] {opd} the {part}, and fewer {items} failed",
        "{mod} {opd} {items} again, {how}", "half of the {parts} were {opn}",
    ),
    "resolved": (
        "{key} was {default} again", "[F] set {key} back to {default} and closed the incident",
        "with {flag} at {default}, {items} were {opn} as before", "the {part} was {trait} again",
    ),
}  # fmt: skip


def incident(site: Site) -> None:
    """Write a report of an incident.

    Args:
        site: new.
    """
    page, draw = site.page, site.draw
    furnish(site, settings=site.size("entities", 2, 5))
    world: dict[str, Any] = page.world
    gaps = [draw.between(1, 20 + 2 * page.budget.distance) for _ in MOMENTS[1:]]
    minutes = [0]
    for gap in gaps:
        minutes.append(minutes[-1] + gap)
    start = draw.below(1440 - minutes[-1])
    number = draw.below(len(site.settings))
    row = site.settings[number]
    wrong = value_for(draw, row)
    if wrong == row["default"]:
        wrong = next(v for v in _all_values(row) if v != wrong)
    world["incident"] = {
        "start": start, "minutes": minutes, "rate": draw.between(2, 900), "setting": number,
        "wrong": wrong,
    }  # fmt: skip
    page.say(draw.choice(("# ", "", "Incident: ")))
    site.turn(number)
    site.tell(TITLES, "\n\n")
    parts = [_summary, _timeline, _cause, _actions]
    order = [0, 1, 2, 3] if draw.chance(50) else [1, 0, 2, 3] if draw.chance(50) else [0, 2, 1, 3]
    for place in order:
        site.turn(number)
        site.holes["wrong"] = Said(spelled(row, wrong), "value", (number, wrong))
        parts[place](site)
    if draw.chance(60):
        _ask_outage(site)
    site.turn()
    site.talk(2, PLAIN, "\n")


def _all_values(row: dict[str, Any]) -> list[Any]:
    return row.get("choices") or ([False, True] if "high" not in row else [row["low"], row["high"]])


def _incident(site: Site) -> dict[str, Any]:
    world: dict[str, Any] = site.page.world
    return world["incident"]


def _clock(site: Site, moment: int) -> Said:
    data = _incident(site)
    hour, minute = divmod(data["start"] + data["minutes"][moment], 60)
    return Said(f"{hour:02}:{minute:02}", "clock", (moment,))


def _span(site: Site, first: int, last: int) -> Said:
    minutes = _incident(site)["minutes"]
    return Said(f"{minutes[last] - minutes[first]} min", "span", (first, last))


def _summary(site: Site) -> None:
    data, holes, draw = _incident(site), site.holes, site.draw
    site.page.say(draw.choice(("## Summary\n\n", "", "Summary. ", "What happened: ", "In short. ")))
    holes["from"], holes["to"] = _clock(site, 0), _clock(site, 5)
    holes["span"] = _span(site, 0, 5)
    holes["rate"] = Said(str(data["rate"]), "rate", ())
    holes["lost"] = Said(str(data["rate"] * data["minutes"][4]), "lost", ())
    site.tell(draw.choice((
        "from {from} to {to}, {span} in all, {mod} could not {op} {items}",
        "for {span}, beginning at {from}, {items} were {trait}; it ended at {to}",
        "{mod} {opd} {trait} {items} between {from} and {to} ({span})",
        "{items} failed for {span}: {from} until {to}",
    )))  # fmt: skip
    site.tell(draw.choice((
        "{rate} {items} a minute were lost until it was eased, {lost} together",
        "at {rate} {items} per minute, {lost} were lost before {mod} was eased",
        "{lost} {items} never reached the {part} ({rate} a minute until it was eased)",
    )))  # fmt: skip
    site.talk(site.size("structure", 1, 4), PLAIN_PAST, "\n\n")


def _timeline(site: Site) -> None:
    page, draw = site.page, site.draw
    page.say(draw.choice(("## Timeline\n\n", "Timeline\n\n", "When:\n\n", "## Log\n\n", "")))
    dash = draw.choice(("- ", "* ", ""))
    for number, moment in enumerate(MOMENTS):
        page.say(dash)
        site.put(_clock(site, number))
        page.say(f" {moment}: ")
        frame = draw.choice(_TOLD[moment])
        site.tell(FAILURE if frame == "<trouble>" else frame, "")
        if number and draw.chance(40):
            site.holes["since"] = _span(site, number - 1, number)
            page.say(" ")
            site.tell(draw.choice(("{since} had passed", "it took {since}", "{since} later")), "")
        site.more(site.size("distractors", 0, 2), PLAIN_PAST)
        page.say("\n")
    page.say("\n")


def _cause(site: Site) -> None:
    draw, holes = site.draw, site.holes
    site.page.say(draw.choice(("## Cause\n\n", "Cause: ", "Why: ", "", "## Root cause\n\n")))
    site.tell(draw.choice((
        "{key} stood at {wrong} instead of {default}",
        "someone had set {flag} to {wrong}, not {default}",
        "{env} carried {wrong} where {default} is usual",
        "{key} was {wrong}; the default is {default}",
    )))  # fmt: skip
    site.tell(REASON)
    holes["span"] = _span(site, 1, 3)
    site.tell(draw.choice((
        "finding that took {span} after it was noticed",
        "{span} went by between alert and explanation",
        "from the first notice to this insight: {span}",
    )))  # fmt: skip
    site.talk(site.size("structure", 1, 4), PLAIN_PAST, "\n\n")


def _actions(site: Site) -> None:
    page, draw = site.page, site.draw
    page.say(draw.choice(("## Actions\n\n", "To do\n\n", "What we change:\n\n", "Follow-up\n\n")))
    for _ in range(site.size("entities", 2, 5)):
        site.turn()
        page.say(f"- {site.prose.word('F')}: ")
        site.tell(REMEDY if draw.chance(50) else TASK, "\n")
    page.say("\n")


def _ask_outage(site: Site) -> None:
    data, draw = _incident(site), site.draw
    first = draw.below(3)
    last = draw.between(first + 2, 5)
    puzzle = Puzzle(site, "outage", {"first": first, "last": last})
    puzzle.name("from", MOMENTS[first])
    puzzle.name("to", MOMENTS[last])
    puzzle.ask((
        "how many minutes lie between \"{from}\" and \"{to}\"?",
        "how much time passed from \"{from}\" to \"{to}\"?",
        "by the timeline, how far apart are \"{from}\" and \"{to}\"?",
    ))  # fmt: skip
    minutes = data["minutes"]
    for number in range(first, last):
        puzzle.put("more", minutes[number + 1] - minutes[number])
        puzzle.put("total", minutes[number + 1] - minutes[first])
        site.holes["from"], site.holes["to"] = _clock(site, number), _clock(site, number + 1)
        puzzle.show(("{from} to {to} is {more}, in all {total}", "{more} until {to}: {total}",
                     "from {from}, {more} more; {total} so far"))  # fmt: skip
    puzzle.answer(f"{minutes[last] - minutes[first]} min")


def ticket(site: Site) -> None:
    """Write a thread of comments on a ticket that contradict each other.

    Args:
        site: new.
    """
    page, draw = site.page, site.draw
    furnish(site, settings=site.size("entities", 1, 4))
    world: dict[str, Any] = page.world
    number = draw.below(len(site.settings))
    row = site.settings[number]
    people = [site.prose.person() for _ in range(site.size("entities", 2, 5))]
    comments = _comments(site, row)
    world["thread"] = {"setting": number, "comments": comments, "id": draw.between(100, 99_999)}
    site.turn(number)
    page.fact("ticket", f"#{world['thread']['id']}")
    page.say(draw.choice((" ", ": ", " - ")))
    site.tell(TITLES, "\n\n")
    site.tell(FAILURE)
    site.talk(site.size("structure", 1, 4), PLAIN, "\n\n")
    for place, (kind, what) in enumerate(comments):
        site.turn(number)
        site.holes["self"] = Said(f"comment {place + 1}", "comment", (place,))
        site.put(site.holes["self"])
        page.say(f", {draw.choice(people)}: ")
        if kind == "claim":
            site.holes["there"] = Said(spelled(row, what), "claim", (place,))
            site.tell(draw.choice(_CLAIMS), "")
        elif kind == "withdraw":
            site.holes["other"] = Said(f"comment {what + 1}", "withdrawn", (place,))
            site.tell(draw.choice(_WITHDRAWALS), "")
        else:
            site.tell(PLAIN, "")
        site.more(site.size("distractors", 0, 3), PLAIN)
        page.say("\n\n")
    _ask_thread(site, number)
    site.turn()
    site.talk(2, PLAIN_PAST, "\n")


_CLAIMS = (
    "{key} must be {there}", "with {flag} at {there} the {part} stays {trait}",
    "I measured again: {there} is right for {key}",
    "set {key} to {there}, not what was said before",
    "after [F] {opd} the {part}, {there} works for {flag}",
    "{there} it is, for {key} and {trait} {items}", "we agreed on {there} for {env}",
    "only {there} lets {mod} {op} {items}",
)  # fmt: skip
_WITHDRAWALS = (
    "please ignore {other}, the {part} was {trait}", "{other} is wrong: I had {opn} another {part}",
    "I withdraw {other}", "{other} no longer holds, {items} were {trait}",
    "strike {other}; [F] used {atrait} {part}",
)  # fmt: skip


def _comments(site: Site, row: dict[str, Any]) -> list[list[Any]]:
    draw = site.draw
    comments: list[list[Any]] = [["claim", value_for(draw, row)]]
    for _ in range(site.size("steps", 1, 6)):
        standing = [n for n, (kind, _) in enumerate(comments) if kind == "claim"]
        gone = [what for kind, what in comments if kind == "withdraw"]
        free = [n for n in standing if n not in gone]
        if len(free) > 1 and draw.chance(45):
            comments.append(["withdraw", draw.choice(free)])
        elif draw.chance(75):
            comments.append(["claim", value_for(draw, row)])
        else:
            comments.append(["talk", None])
    return comments


def _ask_thread(site: Site, number: int) -> None:
    world: dict[str, Any] = site.page.world
    row, comments = site.settings[number], world["thread"]["comments"]
    puzzle = Puzzle(site, "thread", {})
    site.turn(number)
    puzzle.ask((
        "which value of {key} holds in the end?", "what should {flag} be set to now?",
        "after all comments, what is right for {key}?", "to what is {env} set when this is closed?",
    ))  # fmt: skip
    holding: list[int] = []
    for place, (kind, what) in enumerate(comments):
        if kind == "claim":
            holding.append(place)
        elif kind == "withdraw":
            holding.remove(what)
        else:
            continue
        site.holes["self"] = Said(f"comment {place + 1}", "comment", (place,))
        puzzle.put("there", spelled(row, comments[holding[-1]][1]))
        puzzle.show(("after {self}: {there}", "{self} leaves {there}", "by {self} it is {there}"))
    puzzle.answer(spelled(row, comments[holding[-1]][1]))
