"""Notebooks, protocols, descriptions of data, and applications for money.

Theory of operation. A notebook is dated readings, some of them corrected later: the mean so far is
of what was believed that day, the last one of what holds. A protocol's volumes follow from the
stock, its time is the sum of its steps. A description prints the data themselves. An application
adds up, and its sample size follows from the spread and the difference it wants to see.
"""

from datetime import date
from fractions import Fraction
from typing import Any

from qmpi.content.english.prose import Said
from qmpi.content.scientific.grammar import (
    BACKGROUND,
    CITED,
    CLAIM,
    DOUBT,
    HYPOTHESIS,
    METHODS,
    NOTE,
    SPREAD,
    STEP,
    TITLES,
)
from qmpi.content.scientific.papers import furnish
from qmpi.content.scientific.puzzles import ask_about_data, dilution
from qmpi.content.scientific.statistics import mean, rounded
from qmpi.content.scientific.study import Study

_FIRST_DAY = date(1990, 1, 1).toordinal()


def notebook(study: Study) -> None:
    """Write a laboratory notebook.

    Args:
        study: new.
    """
    draw, page, holes = study.draw, study.page, study.holes
    count = study.size("entities", 3, 9)
    day = _FIRST_DAY + draw.below(13_000)
    base = draw.between(200, 3000)
    entries: list[dict[str, Any]] = []
    for number in range(count):
        entry: dict[str, Any] = {
            "day": date.fromordinal(day).isoformat(), "value": base + draw.between(-150, 150),
            "mends": None, "to": 0,
        }  # fmt: skip
        mended = {row["mends"] for row in entries}
        free = [k for k in range(number) if k not in mended]
        if free and draw.chance(15 + page.budget.distance // 4):
            entry["mends"], entry["to"] = draw.choice(free), base + draw.between(-150, 150)
        entries.append(entry)
        day += 1 + draw.below(9)
    study.world["entries"] = entries
    page.say(draw.choice(("# ", "", "Notebook: ", "Log. ")))
    study.tell(TITLES, "\n\n")
    study.tell(HYPOTHESIS, "\n\n")
    held: list[int] = []
    for number, entry in enumerate(entries):
        page.say(draw.choice(("", "## ", "")))
        page.fact("day", entry["day"], number)
        page.say(draw.choice((". ", ": ", "\n\n")))
        held.append(entry["value"])
        holes["reading"] = Said(study.amount(entry["value"], 0), "reading", (number,))
        study.tell(draw.choice(_READINGS))
        study.talk(study.size("structure", 1, 3), NOTE, " ")
        if entry["mends"] is not None:
            held[entry["mends"]] = entry["to"]
            holes["then"] = Said(entries[entry["mends"]]["day"], "mended_day", (number,))
            holes["wrong"] = Said(
                study.amount(entries[entry["mends"]]["value"], 0), "mended_value", (number,)
            )
            holes["right"] = Said(study.amount(entry["to"], 0), "mended_to", (number,))
            study.tell(draw.choice(_MENDINGS))
        holes["so_far"] = Said(study.amount(mean(held)), "so_far", (number,))
        study.tell(draw.choice(_SO_FAR), "\n\n")
    if draw.chance(35):
        ask_about_data(study)
    study.talk(1 + draw.below(3), DOUBT, "\n")


_READINGS = (
    "{measure} {reading}", "read {reading}", "the {tool} shows {reading}", "{reading} today",
    "{opd} the {organ}, {reading}", "[F] reads {reading}", "{trait} {subject}: {reading}",
    "{reading} by the {tool}",
)  # fmt: skip
_MENDINGS = (
    "the reading of {then} is wrong: not {wrong} but {right}",
    "correction to {then}: {right}, not {wrong}",
    "[F] saw that {then} should read {right} ({wrong} was a slip)",
    "{wrong} on {then} was {right} in truth",
)  # fmt: skip
_SO_FAR = (
    "mean so far {so_far}", "so far {so_far}", "average now {so_far}",
    "that makes {so_far} on average", "with this the mean is {so_far}",
    "mean of what holds: {so_far}",
)  # fmt: skip


def protocol(study: Study) -> None:
    """Write a protocol.

    Args:
        study: new.
    """
    draw, page, holes = study.draw, study.page, study.holes
    count = study.size("entities", 3, 10)
    target = draw.between(1, 50)
    data: dict[str, Any] = {
        "stock": target * draw.between(2, 30) + draw.below(9), "target": target,
        "volume": draw.between(4, 90) * 10, "minutes": [draw.between(1, 90) for _ in range(count)],
        "samples": draw.between(2, 48),
    }  # fmt: skip
    study.world["protocol"] = data
    study.title()
    study.tell(CLAIM)
    study.talk(study.size("structure", 1, 4), METHODS, "\n\n")
    study.heading("Solution", "Before you start", "Preparation", "")
    need = Fraction(target * data["volume"], data["stock"])
    holes["stock"] = Said(f"{data['stock']} mg/l", "stock")
    holes["target"] = Said(f"{target} mg/l", "target")
    holes["volume"] = Said(f"{data['volume']} ml", "volume")
    holes["need"] = Said(f"{rounded(need, 2)} ml", "need")
    holes["rest"] = Said(f"{rounded(data['volume'] - need, 2)} ml", "rest")
    study.tell(draw.choice((
        "dilute {need} of {given} ({stock}) with {rest} of water to get {volume} of {target}",
        "for {volume} at {target}, take {need} of the stock ({stock}) and {rest} of water",
        "{need} of {stock} {given} and {rest} of water make {volume} of {target}",
    )), "\n\n")  # fmt: skip
    study.heading("Steps", "Procedure", "What to do", "")
    for number, minutes in enumerate(data["minutes"]):
        page.fact("step_number", f"{number + 1}.", number)
        page.say(" ")
        study.tell(STEP)
        holes["minutes"] = Said(f"{minutes} min", "minutes", (number,))
        study.tell(draw.choice(_TIMES), "")
        study.more(study.size("structure", 0, 2), STEP)
        page.say("\n")
    page.say("\n")
    holes["whole"] = Said(f"{sum(data['minutes'])} min", "whole")
    holes["samples"] = Said(str(data["samples"]), "samples")
    holes["all"] = Said(f"{sum(data['minutes']) * data['samples']} min", "all_minutes")
    study.tell(draw.choice((
        "one run takes {whole}; {samples} runs, one after another, {all}",
        "all steps take {whole}, {samples} samples {all}",
        "plan {whole} a sample and {all} for {samples}",
    )))  # fmt: skip
    study.talk(study.size("structure", 1, 3), DOUBT, "\n\n")
    if draw.chance(35):
        dilution(study)
    study.talk(1, STEP, "\n")


_TIMES = (
    "allow {minutes}", "this takes {minutes}", "{minutes} {how}", "leave it for {minutes}",
    "wait {minutes} in {atrait} {tool}", "after {minutes}, go on", "time: {minutes}",
)  # fmt: skip


def descriptor(study: Study) -> None:
    """Write a description of a data set, with the data.

    Args:
        study: new.
    """
    draw, page, holes = study.draw, study.page, study.holes
    furnish(study, study.size("entities", 2, 5))
    study.title()
    study.talk(study.size("structure", 1, 3), BACKGROUND, " ")
    for number in range(len(study.references)):
        study.cite(number)
        study.tell(CITED)
    holes["total"] = Said(str(sum(len(row["values"]) for row in study.groups)), "total")
    holes["groups"] = Said(str(len(study.groups)), "groups")
    holes["unit"] = Said(study.unit, "unit")
    study.tell(draw.choice((
        "the file holds {total} values of the {measure} in {unit}, in {groups} groups",
        "{total} rows, {groups} groups, the {measure} in {unit}",
        "in {unit}, {total} values of {groups} groups",
    )), "\n\n")  # fmt: skip
    study.heading("Methods", "Collection", "How it was taken", "")
    study.talk(study.size("structure", 2, 6), METHODS, "\n\n")
    study.heading("Columns", "Variables", "Contents", "")
    for number in range(len(study.groups)):
        study.compare(number, (number + 1) % len(study.groups))
        page.say(draw.choice(("- ", "* ", "")))
        study.tell(SPREAD, "\n")
    page.say("\n")
    lines = [
        f"{number + 1},{rounded(value, study.scale, study.scale)}"
        for number, row in enumerate(study.groups)
        for value in row["values"]
    ]
    draw.shuffle(lines)
    page.say("```csv\n")
    page.fact("csv", "group,value\n" + "\n".join(lines))
    page.say("\n```\n\n")
    if draw.chance(45):
        ask_about_data(study)
    study.list_references()


def application(study: Study) -> None:
    """Write an application for money.

    Args:
        study: new.
    """
    draw, page, holes = study.draw, study.page, study.holes
    study.add_references(study.size("entities", 1, 4))
    items = [
        [study.prose.word("ns thing"), draw.between(2, 400) * 50]
        for _ in range(study.size("entities", 2, 7))
    ]
    years = 1 + draw.below(5)
    data = {
        "items": items, "years": years, "share": draw.between(5, 40), "spread": draw.between(4, 60),
        "seen": draw.between(2, 30),
    }  # fmt: skip
    study.world["budget"] = data
    study.title()
    study.heading("Summary", "Aim", "Goal", "")
    study.tell(HYPOTHESIS)
    study.talk(study.size("structure", 1, 4), BACKGROUND, "\n\n")
    study.heading("State of knowledge", "Before us", "Background", "")
    for number in range(len(study.references)):
        study.cite(number)
        study.tell(CITED)
    study.talk(1, DOUBT, "\n\n")
    study.heading("Plan", "Work", "Methods", "")
    # Sixteen times the squared ratio of spread and difference: a rule of thumb for two groups.
    size = -(-16 * data["spread"] ** 2 // data["seen"] ** 2)
    holes["spread"] = Said(f"{data['spread']} {study.unit}", "planned_spread")
    holes["seen"] = Said(f"{data['seen']} {study.unit}", "planned_difference")
    holes["size"] = Said(str(size), "sample_size")
    study.tell(draw.choice((
        "to see {seen} at an SD of {spread}, sixteen squared ratios ask for {size} a group",
        "with an SD of {spread} and a difference of {seen}, the rule of sixteen is {size}",
        "we need {size} {subjects} a group (rule of sixteen, SD {spread}, difference {seen})",
    )))  # fmt: skip
    study.talk(study.size("structure", 2, 6), METHODS, "\n\n")
    study.heading("Budget", "Costs", "Money", "")
    for number, (name, cost) in enumerate(items):
        page.say(draw.choice(("- ", "* ", "")))
        page.say(f"{name}: ")
        page.fact("cost", f"{cost} a year", number)
        page.say(". ")
        study.tell(STEP, "\n")
    page.say("\n")
    yearly = sum(cost for _, cost in items)
    extra = Fraction(yearly * years * data["share"], 100)
    holes["yearly"] = Said(str(yearly), "yearly")
    holes["years"] = Said(f"{years} year{'s' if years > 1 else ''}", "years")
    holes["costs"] = Said(str(yearly * years), "costs")
    holes["rate"] = Said(f"{data['share']}%", "overhead_rate")
    holes["sum"] = Said(rounded(yearly * years + extra, 2), "asked")
    study.tell(draw.choice((
        "that is {yearly} a year and {costs} in {years}; with {rate} overhead we ask for {sum}",
        "{years} at {yearly} make {costs}, and {rate} on top {sum}",
        "we ask for {sum}: {yearly} for each of {years}, {costs} in all, and {rate} overhead",
    )), "\n\n")  # fmt: skip
    if draw.chance(40):
        ask_about_data(study)
    study.list_references()
