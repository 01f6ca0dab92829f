"""Is a scientific text true of its study?

Theory of operation. Every number is computed again from the stored data by the oracles, every
verdict and direction follows from them, every citation leads to an entry and every entry is cited.
Facts of records, reviews and corrections stand in `scientific_records_checks`.
"""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from qmpi.content.document import Document
from qmpi.content.verify.fact_checks import (
    MALFORMED,
    Expected,
    World,
    fact_faults,
    layout_faults,
    world_of,
)
from qmpi.content.verify.scientific_cause_facts import effect_told
from qmpi.content.verify.scientific_oracles import (
    average,
    decimal_text,
    deviation_text,
    fitted,
    kendall,
    middle,
    probability_text,
    rank_sum,
)
from qmpi.content.verify.scientific_record_facts import RECORD_FACTS, record_faults
from qmpi.content.verify.scientific_solvers import given_text, solve_study
from qmpi.content.verify.scientific_units import alpha_of, as_said, quantity

Args = tuple[Any, ...]
_FINDINGS = {-1: "a fall", 0: "no change", 1: "a rise"}
_UNCITED = ("notebook", "protocol")
_FEW = 2


def check_scientific(document: Document) -> list[str]:
    """Check a scientific text.

    Args:
        document: with its certificate.

    Returns:
        Faults in words; empty if all it says is true.
    """
    faults = layout_faults(document) + fact_faults(document, _EXPECTED)
    try:
        faults += _data_faults(document.world)
        faults += _citation_faults(document)
        faults += record_faults(document)
    except MALFORMED as error:
        faults.append(f"the world cannot be read: {error!r}")
    return faults


def _values(world: World, number: int) -> list[int]:
    return world["groups"][number]["values"]


def _mean(world: World, _: str, args: Args) -> str:
    return quantity(world, average(_values(world, args[0])))


def _deviation(world: World, _: str, args: Args) -> str:
    scale = world["scale"]
    return f"{deviation_text(_values(world, args[0]), scale, scale + 1)} {world['unit']}"


def _difference(world: World, _: str, args: Args) -> str:
    first, second = (average(_values(world, number)) for number in args)
    return quantity(world, max(first, second) - min(first, second))


def _percent(world: World, _: str, args: Args) -> str:
    ratio = average(_values(world, args[0])) / average(_values(world, args[1]))
    return f"{decimal_text(abs(ratio - 1) * 100, 1)}%"


def _test(world: World, args: Args) -> Fraction:
    return rank_sum(_values(world, args[0]), _values(world, args[1]))


def _outcome(world: World, first: int, second: int) -> int:
    if _test(world, (first, second)) > alpha_of(world):
        return 0
    return 1 if average(_values(world, first)) > average(_values(world, second)) else -1


def _significant(p: Fraction, world: World) -> str:
    return "significant" if p <= alpha_of(world) else "not significant"


def _direction(world: World, shown: str, args: Args) -> str:
    first, second = (average(_values(world, number)) for number in args)
    word = "no different" if first == second else "higher" if first > second else "lower"
    return as_said(shown, word)


def _cite(world: World, shown: str, args: Args) -> str:
    number = args[0]
    row = world["references"][number]
    authors = row["authors"]
    names = {1: authors[0], _FEW: " and ".join(authors)}.get(len(authors), f"{authors[0]} et al.")
    numbered = world["style"] == "number"
    if shown.startswith("[") or (not numbered and "(" not in shown):
        return f"[{number + 1}]" if numbered else f"{names} {row['year']}"
    return f"{names} [{number + 1}]" if numbered else f"{names} ({row['year']})"


def _entry(world: World, _: str, args: Args) -> str:
    row = world["references"][args[0]]
    first, last = row["pages"]
    if first >= last:
        raise ValueError("pages run backwards")
    parts = [
        ", ".join(row["authors"]) + f" ({row['year']})",
        row["title"],
        f"{row['journal']} {row['volume']}, {first}-{last}",
    ]
    label = f"[{args[0] + 1}] " if world["style"] == "number" else ""
    return label + ". ".join(parts) + "."


def _agreement(world: World, _: str, args: Args) -> str:
    number, first, second = args
    same = world["references"][number]["finding"] == _outcome(world, first, second)
    return "agrees" if same else "disagrees"


def _replicates(world: World, shown: str, _: Args) -> str:
    same = _outcome(world, 1, 0) == _outcome(world, 3, 2)
    return as_said(shown, "replicates" if same else "does not replicate")


def _slope(world: World, _: str, __: Args) -> str:
    slope = fitted(world["pairs"]["points"])[0] / 10 ** world["scale"]
    return f"{decimal_text(slope, world['scale'] + 2)} {world['unit']} per {world['pairs']['unit']}"


def _trend(world: World, _: str, __: Args) -> str:
    slope = fitted(world["pairs"]["points"])[0]
    return "rests" if slope == 0 else "rises" if slope > 0 else "falls"


def _pairs(world: World, _: str, __: Args) -> str:
    scale = world["scale"]
    return ", ".join(
        f"{x}: {decimal_text(Fraction(y, 10**scale), scale)}" for x, y in world["pairs"]["points"]
    )


def _main(world: World, _: str, args: Args) -> str:
    neither, one, other, both = world["cells"]["means"]
    twice = (one - neither) + (both - other) if args[0] == 0 else (other - neither) + (both - one)
    return quantity(world, Fraction(twice, 2))


def _interaction(world: World) -> int:
    neither, one, other, both = world["cells"]["means"]
    return (both - other) - (one - neither)


def _interplay(world: World, _: str, __: Args) -> str:
    both = _interaction(world)
    return "add up" if both == 0 else "reinforce each other" if both > 0 else "weaken each other"


def _rates(world: World, place: int) -> Fraction:
    hits = sum(rows[place][0] for rows in world["strata"])
    return Fraction(hits, sum(rows[place][1] for rows in world["strata"]))


def _reversal(world: World, _: str, __: Args) -> str:
    signs = set()
    for (hits, total), (others, size) in world["strata"]:
        if not (0 <= hits <= total and 0 <= others <= size):
            raise ValueError("more recovered than there were")
        signs.add(hits * size > others * total)
    overall = _rates(world, 0) > _rates(world, 1)
    turned = len(signs) == 1 and overall not in signs
    return "turns around" if turned else "does not turn around"


def _total(world: World) -> list[int]:
    return [value for row in world["groups"] for value in row["values"]]


_EXPECTED: Mapping[str, Expected] = {
    **RECORD_FACTS,
    "edge": effect_told,
    "node": lambda world, shown, args: as_said(shown, world["nodes"][args[0]]),
    "alpha": lambda world, _, __: decimal_text(alpha_of(world), 2),
    "group": lambda world, shown, args: as_said(shown, world["groups"][args[0]]["name"]),
    "mean": _mean,
    "n": lambda world, _, args: str(len(_values(world, args[0]))),
    "deviation": _deviation,
    "median": lambda world, _, args: quantity(world, middle(_values(world, args[0]))),
    "least": lambda world, _, args: quantity(world, sorted(_values(world, args[0]))[0], 0),
    "most": lambda world, _, args: quantity(world, sorted(_values(world, args[0]))[-1], 0),
    "difference": _difference,
    "percent": _percent,
    "p": lambda world, _, args: probability_text(_test(world, args)),
    "verdict": lambda world, shown, args: as_said(shown, _significant(_test(world, args), world)),
    "direction": _direction,
    "total": lambda world, _, __: str(len(_total(world))),
    "groups": lambda world, _, __: str(len(world["groups"])),
    "grand": lambda world, _, __: quantity(world, average(_total(world))),
    "cite": _cite,
    "entry": _entry,
    "finding": lambda world, shown, args: as_said(
        shown, _FINDINGS[world["references"][args[0]]["finding"]]
    ),
    "agreement": _agreement,
    "replicates": _replicates,
    "points": lambda world, _, __: str(len(world["pairs"]["points"])),
    "slope": _slope,
    "intercept": lambda world, _, __: quantity(world, fitted(world["pairs"]["points"])[1]),
    "explained": lambda world, _, __: (
        f"{decimal_text(fitted(world['pairs']['points'])[2] * 100, 1)}%"
    ),
    "score": lambda world, _, __: str(kendall(world["pairs"]["points"])[0]),
    "order": lambda world, _, __: probability_text(kendall(world["pairs"]["points"])[1]),
    "order_verdict": lambda world, _, __: _significant(kendall(world["pairs"]["points"])[1], world),
    "trend": _trend,
    "pairs": _pairs,
    "cell": lambda world, _, args: quantity(world, world["cells"]["means"][args[0]], 0),
    "factor": lambda world, shown, args: as_said(shown, world["cells"]["factors"][args[0]]),
    "main": _main,
    "interaction": lambda world, _, __: quantity(world, _interaction(world), 0),
    "interplay": _interplay,
    "stratum": lambda world, _, args: "{} of {}".format(*world["strata"][args[0]][args[1]]),
    "pooled": lambda world, _, args: f"{decimal_text(_rates(world, args[0]) * 100, 1)}%",
    "reversal": _reversal,
    "given": lambda world, _, args: given_text(world, *args),
    "step": lambda world, _, args: solve_study(world, args[0])[0][args[1]],
    "answer": lambda world, _, args: solve_study(world, args[0])[1],
}


def _data_faults(world: World) -> list[str]:
    faults: list[str] = []
    values = _total(world)
    if len(set(values)) < len(values) or any(value < 1 for value in values):
        faults.append("values are tied or not positive")
    if not 0 < alpha_of(world) < 1:
        faults.append("the level of significance is no share")
    return faults


def _citation_faults(document: Document) -> list[str]:
    if document.genre in _UNCITED:
        return []
    rows = world_of(document)["references"]
    listed = [fact.args[0] for fact in document.facts if fact.kind == "entry"]
    cited = {str(fact.args[0]) for fact in document.facts if fact.kind == "cite"}
    faults = [] if listed == list(range(len(rows))) else ["the list is not that of the references"]
    wrong = [number for number in range(len(rows)) if str(number) not in cited]
    return faults + [f"{rows[number]['authors'][0]} is listed and not cited" for number in wrong]
