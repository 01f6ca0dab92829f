"""Sections that scientific texts share: methods, tables, results, and what they mean.

Theory of operation. A section speaks of groups one comparison at a time, always of a treated group
against the control, and every number it prints is a fact of the data. At higher levels a section
adds a line through pairs, a design of two factors, or strata whose pooled rates turn around.
"""

from fractions import Fraction

from qmpi.content.english.prose import Said
from qmpi.content.scientific.grammar import (
    AGREES,
    BACKGROUND,
    CITED,
    DOUBT,
    FOUND,
    HYPOTHESIS,
    METHODS,
    RESULT,
    SPREAD,
)
from qmpi.content.scientific.statistics import line, mean, order_p, p_text, rounded
from qmpi.content.scientific.study import Study
from qmpi.content.scientific.words import DOSES, given


def introduce(study: Study) -> None:
    """Write what was known, citing every reference, and what is asked.

    Args:
        study: with references.
    """
    draw = study.draw
    study.heading("Introduction", "Background", "Why this matters", "")
    study.talk(study.size("structure", 1, 3), BACKGROUND, " ")
    for number in range(len(study.references)):
        study.cite(number)
        study.tell(FOUND if draw.chance(45) else CITED)
        if draw.chance(study.page.budget.distractors // 2):
            study.tell(BACKGROUND)
    study.tell(HYPOTHESIS, "\n\n")


def explain_methods(study: Study) -> None:
    """Write how data were taken.

    Args:
        study: with groups.
    """
    draw, holes = study.draw, study.holes
    study.heading("Methods", "Materials and methods", "Design", "Procedure", "")
    holes["total"] = Said(str(sum(len(row["values"]) for row in study.groups)), "total")
    holes["groups"] = Said(str(len(study.groups)), "groups")
    study.tell(draw.choice(_DESIGNS))
    study.talk(study.size("structure", 1, 5), METHODS, " ")
    if draw.chance(70):
        study.compare(len(study.groups) - 1, 0)
        study.tell(SPREAD)
    study.tell(draw.choice(LEVELS), "\n\n")


_DESIGNS = (
    "{total} {subjects} from [P] were put into {groups} groups", "we {opd} {total} {subjects}",
    "in all, {total} {subjects} were {opn}, in {groups} groups", "{total} {subjects} took part",
    "of {total} {subjects}, each was in one of {groups} groups", "the design had {groups} groups",
    "{groups} groups of {subjects} ({total} in all) were {opn} {how}",
)  # fmt: skip
LEVELS = (
    "groups were compared by rank sums at a level of {alpha}",
    "we call p of {alpha} or less significant", "the level of significance was {alpha}",
    "tests were exact and two-sided, at {alpha}",
    "significance was set at {alpha} before any {subject} was {opn}", "the level was {alpha}",
)  # fmt: skip


def tabulate(study: Study) -> None:
    """Write a table of all groups, with a last line for all values.

    Args:
        study: with groups.
    """
    page, draw = study.page, study.draw
    page.say(draw.choice(("| group | n | mean | SD |\n", "| given | n | mean | s |\n",
                          "| | n | average | SD |\n")) + "|---|---|---|---|\n")  # fmt: skip
    for number, row in enumerate(study.groups):
        page.say("| ")
        page.fact("group", row["name"], number)
        page.say(" | ")
        page.fact("n", str(len(row["values"])), number)
        page.say(" | ")
        page.fact("mean", study.amount(mean(row["values"])), number)
        page.say(" | ")
        page.fact("deviation", study.spread_of(number), number)
        page.say(" |\n")
    values = [value for row in study.groups for value in row["values"]]
    page.say(draw.choice(("| all | ", "| together | ", "| total | ")))
    page.fact("total", str(len(values)))
    page.say(" | ")
    page.fact("grand", study.amount(mean(values)))
    page.say(" | |\n\n")


def report(study: Study) -> None:
    """Write what was found.

    Args:
        study: with groups.
    """
    draw = study.draw
    study.heading("Results", "Findings", "What we found", "")
    table_first = draw.chance(50)
    if table_first:
        tabulate(study)
    for number in range(1, len(study.groups)):
        study.compare(number, 0)
        study.tell(RESULT, "")
        study.more(study.size("structure", 0, 2), SPREAD)
        study.page.say(" " if draw.chance(60) else "\n\n")
    study.tell(draw.choice(_EXTREMES), "\n\n")
    if not table_first and draw.chance(60):
        tabulate(study)
    extras = (relate, cross, stratify)
    for extra in draw.sample(extras, study.size("structure", 0, 2)):
        extra(study)


_EXTREMES = (
    "no further {subject} was {opn}", "{trait} {subjects} were left out",
    "the {tool} stayed {trait}", "two observers {opd} the same {subjects} {how}",
    "every {subject} was {opn} to the end",
)  # fmt: skip


def discuss(study: Study) -> None:
    """Write whether it agrees with earlier work, and how far it reaches.

    Args:
        study: with groups and references.
    """
    draw, groups = study.draw, len(study.groups)
    study.heading("Discussion", "What it means", "Conclusions", "")
    order = list(range(len(study.references)))
    draw.shuffle(order)
    for number in order[: study.size("distance", 1, 4)]:
        group = 1 + draw.below(groups - 1)
        study.compare(group, 0)
        study.cite(number)
        agrees = study.references[number]["finding"] == study.outcome(group, 0)
        study.holes["agrees"] = Said(
            "agrees" if agrees else "disagrees", "agreement", (number, group, 0)
        )
        study.tell(draw.choice(_AS_TO))
        study.tell(AGREES)
    study.talk(study.size("structure", 1, 4), DOUBT, "\n\n")


_AS_TO = (
    "the change under {ga} was {verdict}", "{ga} and {gb} differ in a way that is {verdict}",
    "{ga} being {higher} is {verdict} ({p})", "with {ga} the difference was {verdict}",
    "for {ga} the test says: {verdict}", "the {measure} with {ga} was {higher}, which is {verdict}",
)  # fmt: skip


def relate(study: Study) -> None:
    """Write a line through pairs of a dose and the measure.

    Args:
        study: any.
    """
    draw, holes = study.draw, study.holes
    count = study.size("steps", 4, 9)
    doses = sorted(draw.sample(range(1, 60), count))
    slope, base = draw.between(-9, 9), draw.between(600, 1500)
    taken: set[int] = set()
    pairs: list[tuple[int, int]] = []
    for dose in doses:
        value = base + slope * dose + draw.below(120)
        while value in taken:
            value += 1
        taken.add(value)
        pairs.append((dose, value))
    unit = draw.choice(DOSES)
    study.world["pairs"] = {"unit": unit, "points": [list(pair) for pair in pairs]}
    fitted, start, share = line(pairs)
    score, p = order_p(pairs)
    rate = rounded(fitted, study.scale + 2, study.scale)
    holes["points"] = Said(str(count), "points")
    holes["slope"] = Said(f"{rate} {study.unit} per {unit}", "slope")
    holes["start"] = Said(study.amount(start), "intercept")
    holes["share"] = Said(f"{rounded(share * 100, 1)}%", "explained")
    holes["score"] = Said(str(score), "score")
    holes["p"] = Said(p_text(p), "order")
    word = "significant" if p <= study.alpha else "not significant"
    holes["verdict"] = Said(word, "order_verdict")
    holes["trend"] = Said("rises" if fitted > 0 else "falls" if fitted else "rests", "trend")
    study.tell(draw.choice((
        "over {points} doses of {given} the {measure} {trend} by {slope}, from {start} at none",
        "a line through {points} {subjects} {trend} with {slope} and begins at {start}",
        "with more {given} the {measure} {trend}: {slope}, intercept {start}, {points} doses",
    )))  # fmt: skip
    study.tell(draw.choice((
        "it explains {share} of the variance", "{share} of the variance lie on the line",
        "the line accounts for {share}",
    )))  # fmt: skip
    study.tell(draw.choice((
        "as an order it is {verdict} (score {score}, {p})",
        "Kendall's score is {score}: {verdict} ({p})",
        "the trend is {verdict}, {p}, with a score of {score}",
    )), "\n\n")  # fmt: skip
    study.page.say(
        draw.choice(("Pairs of dose and value: ", "Points: ", "Data: ", "Dose and value: "))
    )
    shown = ", ".join(
        f"{dose}: {rounded(value, study.scale, study.scale)}" for dose, value in pairs
    )
    study.page.fact("pairs", shown)
    study.page.say("\n\n")


def cross(study: Study) -> None:
    """Write a design of two factors with their effects and interaction.

    Args:
        study: any.
    """
    draw, holes = study.draw, study.holes
    other = given()[draw.below(800)]
    base = draw.between(300, 2000)
    cells = [base, *(max(1, base + draw.between(-250, 400)) for _ in range(3))]
    study.world["cells"] = {"factors": [study.given, other], "means": cells}
    first = Fraction(cells[1] + cells[3] - cells[0] - cells[2], 2)
    second = Fraction(cells[2] + cells[3] - cells[0] - cells[1], 2)
    both = cells[3] - cells[2] - cells[1] + cells[0]
    for number, value in enumerate(cells):
        holes[f"cell{number}"] = Said(study.amount(value, 0), "cell", (number,))
    holes["other"] = Said(other, "factor", (1,))
    holes["main0"] = Said(study.amount(first), "main", (0,))
    holes["main1"] = Said(study.amount(second), "main", (1,))
    holes["both"] = Said(study.amount(both, 0), "interaction")
    kind = "add up" if both == 0 else "reinforce each other" if both > 0 else "weaken each other"
    holes["kind"] = Said(kind, "interplay")
    study.tell(draw.choice((
        "with neither {cell0}, with {given} {cell1}, with {other} {cell2}, {cell3} with both",
        "bare: {cell0}; {given} alone: {cell1}; {other} alone: {cell2}; both: {cell3}",
        "the bare cell had {cell0}, {given} {cell1}, {other} {cell2}, and both {cell3}",
    )))  # fmt: skip
    study.tell(draw.choice((
        "the main effect of {given} is {main0}, that of {other} {main1}",
        "over {other}, {given} makes {main0}; over {given}, {other} makes {main1}",
        "main effects: {main0} for {given}, {main1} for {other}",
    )))  # fmt: skip
    study.tell(draw.choice((
        "the interaction is {both}, so they {kind}", "they {kind}, with an interaction of {both}",
        "since both together differ from the sum by {both}, they {kind}",
    )), "\n\n")  # fmt: skip


def stratify(study: Study) -> None:
    """Write rates in two strata and pooled, which may turn around.

    Args:
        study: any.
    """
    draw, holes = study.draw, study.holes
    strata: list[list[list[int]]] = []
    for easy in (True, False):
        rows: list[list[int]] = []
        for treated in (True, False):
            many = treated != easy
            total = draw.between(60, 240) if many else draw.between(10, 40)
            rate = (80 if easy else 25) + (8 if treated else 0) + draw.below(9)
            rows.append([total * rate // 100, total])
        strata.append(rows)
    study.world["strata"] = strata
    pooled = [[sum(s[k][0] for s in strata), sum(s[k][1] for s in strata)] for k in (0, 1)]
    for number, rows in enumerate(strata):
        for place, letter in ((0, "t"), (1, "c")):
            text = f"{rows[place][0]} of {rows[place][1]}"
            holes[f"{letter}{number}"] = Said(text, "stratum", (number, place))
    for place, letter in ((0, "tp"), (1, "cp")):
        share = rounded(Fraction(100 * pooled[place][0], pooled[place][1]), 1)
        holes[letter] = Said(f"{share}%", "pooled", (place,))
    within = [Fraction(*rows[0]) > Fraction(*rows[1]) for rows in strata]
    overall = Fraction(*pooled[0]) > Fraction(*pooled[1])
    turned = within[0] == within[1] != overall
    holes["turn"] = Said("turns around" if turned else "does not turn around", "reversal")
    study.tell(draw.choice((
        "{t0} with {given} and {c0} without recovered early on; later, {t1} and {c1}",
        "light cases: {t0} treated, {c0} not; heavy cases: {t1} treated, {c1} not",
        "in one stratum {given} helped {t0}, its lack {c0}; in the other {t1} and {c1}",
    )))  # fmt: skip
    study.tell(draw.choice((
        "pooled, it is {tp} with and {cp} without, so the direction {turn}",
        "together the shares are {tp} and {cp}: the comparison {turn}",
        "without strata one sees {tp} against {cp}, and the comparison {turn}",
    )), "\n\n")  # fmt: skip
