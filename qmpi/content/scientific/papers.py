"""Papers, abstracts, reports of results, replications and reviews.

Theory of operation. A paper introduces, explains, reports and discusses one study. A replication
holds two data sets against each other. A review weighs effects by the number of subjects and counts
signs; every study in it is a reference in its list.
"""

from fractions import Fraction

from qmpi.content.english.prose import Said
from qmpi.content.scientific.grammar import (
    AGREES,
    BACKGROUND,
    CITED,
    DOUBT,
    HYPOTHESIS,
    METHODS,
    RESULT,
    SPREAD,
)
from qmpi.content.scientific.puzzles import ask_about_data
from qmpi.content.scientific.sections import LEVELS, discuss, explain_methods, introduce, report
from qmpi.content.scientific.statistics import p_text, sign_p
from qmpi.content.scientific.study import Study


def furnish(study: Study, groups: int) -> None:
    """Give a study data and references.

    Args:
        study: new.
        groups: how many, >= 2.
    """
    study.add_groups(groups, study.size("steps", 4, 6))
    study.add_references(study.size("entities", 1, 5))


def paper(study: Study) -> None:
    """Write a whole paper.

    Args:
        study: new.
    """
    furnish(study, study.size("entities", 2, 4))
    study.title()
    if study.draw.chance(60):
        _abstract(study)
    introduce(study)
    explain_methods(study)
    report(study)
    discuss(study)
    if study.draw.chance(25):
        ask_about_data(study)
    study.list_references()


def _abstract(study: Study) -> None:
    study.heading("Abstract", "Summary", "")
    study.tell(HYPOTHESIS)
    study.compare(1, 0)
    study.tell(RESULT)
    study.tell(DOUBT, "\n\n")


def abstract(study: Study) -> None:
    """Write an abstract, plain or structured.

    Args:
        study: new.
    """
    draw, page = study.draw, study.page
    furnish(study, study.size("entities", 2, 3))
    study.title()
    marks = draw.choice((
        ("Background. ", "Methods. ", "Results. ", "Conclusion. "), ("", "", "", ""),
        ("Aim: ", "Design: ", "Findings: ", "Meaning: "),
    ))  # fmt: skip
    end = "\n\n" if marks[0] and draw.chance(60) else " "
    page.say(marks[0])
    study.talk(study.size("structure", 1, 3), BACKGROUND, " ")
    for number in range(len(study.references)):
        study.cite(number)
        study.tell(CITED)
    study.tell(HYPOTHESIS, end)
    page.say(marks[1])
    study.talk(study.size("structure", 1, 4), METHODS, " ")
    study.tell(draw.choice(LEVELS), end)
    page.say(marks[2])
    for number in range(1, len(study.groups)):
        study.compare(number, 0)
        study.tell(RESULT)
        study.tell(SPREAD, end)
    page.say(marks[3])
    study.talk(study.size("structure", 1, 3), DOUBT, "\n\n")
    if draw.chance(35):
        ask_about_data(study)
    study.list_references()


def results(study: Study) -> None:
    """Write a report of results with tables.

    Args:
        study: new.
    """
    furnish(study, study.size("entities", 2, 5))
    study.title()
    parts = [explain_methods, report]
    if study.draw.chance(50):
        parts.reverse()
    for part in parts:
        part(study)
    introduce(study)
    if study.draw.chance(60):
        ask_about_data(study)
    study.list_references()


def replication(study: Study) -> None:
    """Write a note on a study done again.

    Args:
        study: new; groups 0 and 1 are the first study's, 2 and 3 those of the new one.
    """
    draw, holes = study.draw, study.holes
    study.add_groups(4, study.size("steps", 4, 6))
    for number in (2, 3):
        study.groups[number]["name"] = study.groups[number - 2]["name"]
    study.add_references(study.size("entities", 1, 4))
    study.references[0]["finding"] = study.outcome(1, 0)
    study.title()
    study.cite(0)
    study.tell(CITED)
    study.compare(1, 0)
    study.tell(draw.choice(_THEIRS))
    study.tell(RESULT)
    study.talk(study.size("structure", 1, 3), BACKGROUND, "\n\n")
    for number in range(1, len(study.references)):
        study.cite(number)
        study.tell(CITED)
    study.heading("What we did", "Methods", "Ours", "")
    study.talk(study.size("structure", 1, 5), METHODS, " ")
    study.tell(draw.choice(LEVELS), "\n\n")
    study.heading("What came out", "Results", "")
    study.compare(3, 2)
    study.tell(RESULT)
    study.tell(SPREAD)
    same = study.outcome(1, 0) == study.outcome(3, 2)
    holes["replicates"] = Said("replicates" if same else "does not replicate", "replicates")
    study.tell(draw.choice(_TOGETHER))
    study.cite(0)
    agrees = "agrees" if same else "disagrees"
    study.holes["agrees"] = Said(agrees, "agreement", (0, 3, 2))
    study.tell(AGREES)
    study.talk(study.size("structure", 1, 4), DOUBT, "\n\n")
    if draw.chance(40):
        ask_about_data(study)
    study.list_references()


_THEIRS = (
    "their {measure} was read in [P]", "they {opd} {na} {subjects} with {ga}",
    "{na} {subjects} got {ga} there", "{cite} gave {ga} to {na} {subjects}",
    "the first data come from {trait} {subjects}",
)  # fmt: skip
_TOGETHER = (
    "the finding {replicates}", "so the first result {replicates}", "in our hands it {replicates}",
    "what {cite} saw {replicates} here", "with new {subjects} it {replicates}",
)  # fmt: skip


def review(study: Study) -> None:
    """Write a review that pools effects of several studies.

    Args:
        study: new.
    """
    draw, holes = study.draw, study.holes
    count = study.size("entities", 3, 7)
    study.add_references(count)
    lean = draw.choice((-300, 0, 300))
    effects = [(draw.between(6, 90), (draw.between(-500, 500) + lean) or 1) for _ in range(count)]
    study.world["effects"] = [list(pair) for pair in effects]
    for row, (_, effect) in zip(study.references, effects, strict=True):
        row["finding"] = 1 if effect > 0 else -1
    study.title()
    study.talk(study.size("structure", 1, 4), BACKGROUND, "\n\n")
    for number, (subjects, effect) in enumerate(effects):
        study.cite(number)
        holes["many"] = Said(str(subjects), "weight", (number,))
        holes["effect"] = Said(study.amount(effect, 0), "effect", (number,))
        study.tell(draw.choice(_EFFECTS))
        end = "\n\n" if number == count - 1 or draw.chance(50) else " "
        study.tell(CITED if draw.chance(60) else BACKGROUND, end)
    total = sum(subjects for subjects, _ in effects)
    pooled = Fraction(sum(subjects * effect for subjects, effect in effects), total)
    up = sum(effect > 0 for _, effect in effects)
    p = sign_p(up, count - up)
    holes["total"] = Said(str(total), "total_weight")
    holes["pooled"] = Said(study.amount(pooled), "pooled_effect")
    holes["up"] = Said(str(up), "rises")
    holes["studies"] = Said(str(count), "studies")
    holes["p"] = Said(p_text(p), "sign")
    word = "significant" if p <= study.alpha else "not significant"
    holes["verdict"] = Said(word, "sign_verdict")
    study.heading("Together", "Pooling", "Synthesis", "")
    study.tell(draw.choice((
        "weighted by {total} {subjects}, the effect is {pooled}",
        "pooled over {total} {subjects}: {pooled}",
        "the weighted mean of {studies} effects is {pooled}, from {total} {subjects}",
    )))  # fmt: skip
    study.tell(draw.choice((
        "{up} of {studies} studies saw a rise, which is {verdict} by signs ({p}, level {alpha})",
        "signs: {up} rises in {studies}; {p}, {verdict} at {alpha}",
        "at {alpha}, {up} rises among {studies} are {verdict} ({p})",
    )))  # fmt: skip
    study.talk(study.size("structure", 1, 4), DOUBT, "\n\n")
    if draw.chance(60):
        ask_about_data(study)
    study.list_references()


_EFFECTS = (
    "{cite} saw {effect} in {many} {subjects}",
    "{effect} was the effect in {many} {subjects} ({cite_in})",
    "with {many} {subjects}, {cite} measured {effect}", "{cite} ({many} {subjects}): {effect}",
    "in {many} {trait} {subjects} {given} made {effect}, {cite} {sayd}",
    "{cite} had {many} {subjects} and {effect}",
)  # fmt: skip
