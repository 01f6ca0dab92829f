"""Reports of reviewers and corrections.

Theory of operation. A reviewer works out means again from the printed data and says of each claim
whether it is right; the advice follows from that. A correction names the value that was printed
wrongly, and says whether the verdict of the test stands with the right one.
"""

from typing import Any

from qmpi.content.english.prose import Said
from qmpi.content.scientific.grammar import BACKGROUND, CITED, DOUBT, METHODS, RESULT, SPREAD, STEP
from qmpi.content.scientific.papers import furnish
from qmpi.content.scientific.puzzles import ask_about_data
from qmpi.content.scientific.sections import tabulate
from qmpi.content.scientific.statistics import mean, p_text, rank_sum_p
from qmpi.content.scientific.study import Study


def reviewer_report(study: Study) -> None:
    """Write a reviewer's report.

    Args:
        study: new.
    """
    draw, page, holes = study.draw, study.page, study.holes
    furnish(study, study.size("entities", 2, 5))
    claims: list[list[Any]] = []
    for number, row in enumerate(study.groups):
        slip = 0 if draw.chance(60) else draw.between(1, 40) * draw.choice((-1, 1))
        claims.append([number, sum(row["values"]) + slip * len(row["values"])])
    study.world["claims"] = claims
    study.title()
    study.tell(draw.choice((
        "the authors ask whether {given} {act3} {subjects}",
        "this paper is about {given} and the {measure}",
        "the manuscript claims that {given} {act3} the {organ}",
        "I have read this study of {subjects} {how}",
    )))  # fmt: skip
    study.talk(study.size("structure", 1, 4), BACKGROUND, "\n\n")
    study.heading("Major points", "Main comments", "On the numbers", "")
    wrong = 0
    for place, (number, total) in enumerate(claims):
        values = study.groups[number]["values"]
        study.compare(number, 0 if number else 1)
        right = total == sum(values)
        wrong += not right
        claimed = study.amount(mean([total]) / len(values))
        holes["claimed"] = Said(claimed, "claimed", (place,))
        holes["right"] = Said("right" if right else "wrong", "rightness", (place,))
        holes["listed"] = Said(_listed(study, values), "values", (number,))
        page.fact("point", f"{place + 1}.", place)
        page.say(" ")
        study.tell(draw.choice(_CLAIMED))
        study.tell(draw.choice(_AGAIN), "")
        study.more(study.size("structure", 0, 3), DOUBT)
        page.say("\n\n")
    study.heading("Minor points", "Further", "Details", "")
    for number in range(len(study.references)):
        study.cite(number)
        study.tell(CITED)
    study.talk(study.size("structure", 1, 4), STEP, "\n\n")
    holes["slips"] = Said(str(wrong), "slips")
    holes["advice"] = Said("accept" if not wrong else "revise", "advice")
    study.tell(draw.choice((
        "means that are wrong: {slips}, so I advise to {advice}",
        "with {slips} wrong, my advice is to {advice}",
        "I count {slips} wrong means; please {advice}", "{advice}: {slips} of the means are wrong",
    )), "\n\n")  # fmt: skip
    if draw.chance(30):
        ask_about_data(study)
    study.list_references()


_CLAIMED = (
    "for {ga} a mean of {claimed} is claimed", "the text gives {claimed} for {ga}",
    "the authors print {claimed} as the mean with {ga}",
    "with {ga} the mean is said to be {claimed}",
)  # fmt: skip
_AGAIN = (
    "from {listed} I get {ma}, so this is {right}",
    "the values are {listed}; their mean is {ma}, it is {right}",
    "worked out again from {listed}: {ma}. That is {right}",
    "{listed} average to {ma}, hence {right}",
)  # fmt: skip


def _listed(study: Study, values: list[int]) -> str:
    return ", ".join(study.amount(value, 0).removesuffix(f" {study.unit}") for value in values)


def correction(study: Study) -> None:
    """Write a correction of a printed value.

    Args:
        study: new.
    """
    draw, holes = study.draw, study.holes
    furnish(study, study.size("entities", 2, 4))
    number = 1 + draw.below(len(study.groups) - 1)
    values = study.groups[number]["values"]
    place = draw.below(len(values))
    taken = {value for row in study.groups for value in row["values"]}
    printed = max(1, values[place] * draw.choice((10, 3, 2)) // draw.choice((1, 4, 5)))
    while printed in taken:
        printed += 1
    study.world["erratum"] = {"group": number, "place": place, "printed": printed}
    before = [*values[:place], printed, *values[place + 1 :]]
    control = study.groups[0]["values"]
    study.title()
    study.cite(0)
    study.tell(draw.choice((
        "this corrects a value in {cite}", "in {cite} a value was printed wrongly",
        "readers of {cite} found a slip", "[F] wrote to us about a number in {cite}",
    )))  # fmt: skip
    for other in range(1, len(study.references)):
        study.cite(other)
        study.tell(CITED)
    study.talk(study.size("structure", 1, 4), METHODS, "\n\n")
    study.compare(number, 0)
    holes["printed"] = Said(study.amount(printed, 0), "printed", ())
    holes["true"] = Said(study.amount(values[place], 0), "true", ())
    holes["old"] = Said(study.amount(mean(before)), "old_mean", ())
    old_p = rank_sum_p(before, control)
    old = "significant" if old_p <= study.alpha else "not significant"
    holes["old_p"], holes["old_verdict"] = Said(p_text(old_p), "old_p"), Said(old, "old_verdict")
    stands = old == holes["verdict"].text
    holes["stands"] = Said("stands" if stands else "falls", "stands")
    study.tell(draw.choice((
        "with {ga}, {printed} should read {true}", "one value with {ga} is {true}, not {printed}",
        "{printed} stood where {true} was {opn} ({ga})", "for {printed} under {ga} read {true}",
    )))  # fmt: skip
    study.tell(draw.choice((
        "the mean was given as {old}; it is {ma}", "this moves the mean from {old} to {ma}",
        "instead of {old}, the mean is {ma}",
    )))  # fmt: skip
    study.tell(draw.choice((
        "before, the difference from {gb} was {old_verdict} ({old_p}); now it is {verdict} ({p})",
        "the test gave {old_p}, {old_verdict}, and gives {p}, {verdict}",
        "against {gb} it was {old_verdict} ({old_p}) and is {verdict} ({p})",
    )))  # fmt: skip
    study.tell(draw.choice((
        "so the conclusion {stands} at {alpha}", "at {alpha}, what was concluded {stands}",
        "the main claim {stands} (level {alpha})",
    )), "\n\n")  # fmt: skip
    tabulate(study)
    for group in range(1, len(study.groups)):
        study.compare(group, 0)
        study.tell(RESULT if draw.chance(50) else SPREAD)
    study.talk(study.size("structure", 1, 5), DOUBT, "\n\n")
    if draw.chance(35):
        ask_about_data(study)
    study.list_references()
