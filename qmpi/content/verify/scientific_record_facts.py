"""Facts of reviews, notebooks, protocols, data sets, applications, reports and corrections.

Theory of operation. As in `scientific_checks`: each entry computes from the world what must stand
in the text. A notebook is replayed day by day; a data set is read back from its very characters.
"""

import csv
from collections.abc import Mapping
from datetime import date
from fractions import Fraction
from typing import Any

from qmpi.content.document import Document
from qmpi.content.verify.fact_checks import Expected, World, world_of
from qmpi.content.verify.scientific_oracles import (
    average,
    decimal_text,
    probability_text,
    rank_sum,
    signs,
)
from qmpi.content.verify.scientific_units import alpha_of, as_said, quantity

Args = tuple[Any, ...]


# Reviews.
def _pooled(world: World, _: str, __: Args) -> str:
    effects = [effect for weight, effect in world["effects"] for _ in range(weight)]
    return quantity(world, average(effects))


def _rises(world: World) -> tuple[int, int]:
    up = len([effect for _, effect in world["effects"] if effect > 0])
    return up, len(world["effects"]) - up


def _significant(world: World, p: Fraction) -> str:
    return "not significant" if p > alpha_of(world) else "significant"


# Notebooks.
def _entry(world: World, number: int) -> Mapping[str, Any]:
    return world["entries"][number]


def _mended(world: World, number: int) -> Mapping[str, Any]:
    place = _entry(world, number)["mends"]
    if place is None or not 0 <= place < number:
        raise ValueError("this entry corrects nothing before it")
    return _entry(world, place)


def _so_far(world: World, _: str, args: Args) -> str:
    held: dict[int, int] = {}
    for number in range(args[0] + 1):
        row = _entry(world, number)
        held[number] = row["value"]
        if row["mends"] is not None:
            held[row["mends"]] = row["to"]
    return quantity(world, average(list(held.values())))


# Protocols.
def _need(world: World) -> Fraction:
    row = world["protocol"]
    need = Fraction(row["target"], row["stock"]) * row["volume"]
    if not 0 < need <= row["volume"]:
        raise ValueError("the stock cannot give that solution")
    return need


def _all_minutes(world: World, _: str, __: Args) -> str:
    row = world["protocol"]
    return f"{sum(minutes * row['samples'] for minutes in row['minutes'])} min"


def _in_protocol(name: str, unit: str) -> Expected:
    return lambda world, _, __: f"{world['protocol'][name]} {unit}".strip()


# Data sets.
def _csv(world: World, shown: str, _: Args) -> str:
    head, *rows = csv.reader(shown.split("\n"))
    scale = world["scale"]
    wanted = [
        [str(number), decimal_text(Fraction(value, 10**scale), scale)]
        for number, row in enumerate(world["groups"], 1)
        for value in row["values"]
    ]
    fits = head == ["group", "value"] and sorted(rows) == sorted(wanted)
    return shown if fits else f"rows {wanted}"


# Applications.
def _yearly(world: World) -> int:
    return sum(cost for _, cost in world["budget"]["items"])


def _asked(world: World, _: str, __: Args) -> str:
    row = world["budget"]
    costs = Fraction(_yearly(world) * row["years"])
    return decimal_text(costs * (100 + row["share"]) / 100, 2)


def _years(world: World, _: str, __: Args) -> str:
    years = world["budget"]["years"]
    return "1 year" if years == 1 else f"{years} years"


def _sample_size(world: World, _: str, __: Args) -> str:
    row = world["budget"]
    size = 16 * Fraction(row["spread"], row["seen"]) ** 2
    return str(size.numerator // size.denominator + (size.denominator > 1))


def _planned(name: str) -> Expected:
    return lambda world, _, __: f"{world['budget'][name]} {world['unit']}"


# Reviewers' reports.
def _claimed(world: World, _: str, args: Args) -> str:
    number, total = world["claims"][args[0]]
    return quantity(world, Fraction(total, len(world["groups"][number]["values"])))


def _is_right(world: World, place: int) -> bool:
    number, total = world["claims"][place]
    return sum(world["groups"][number]["values"]) == total


def _rightness(world: World, shown: str, args: Args) -> str:
    return as_said(shown, "right" if _is_right(world, args[0]) else "wrong")


def _slips(world: World) -> int:
    return sum(not _is_right(world, place) for place in range(len(world["claims"])))


def _listed(world: World, _: str, args: Args) -> str:
    scale = world["scale"]
    values = world["groups"][args[0]]["values"]
    return ", ".join(decimal_text(Fraction(value, 10**scale), scale) for value in values)


# Corrections.
def _printed(world: World) -> list[int]:
    row = world["erratum"]
    values = list(world["groups"][row["group"]]["values"])
    if values[row["place"]] == row["printed"]:
        raise ValueError("nothing was printed wrongly")
    values[row["place"]] = row["printed"]
    return values


def _old_p(world: World) -> Fraction:
    return rank_sum(_printed(world), world["groups"][0]["values"])


def _true(world: World, _: str, __: Args) -> str:
    row = world["erratum"]
    return quantity(world, world["groups"][row["group"]]["values"][row["place"]], 0)


def _stands(world: World, shown: str, _: Args) -> str:
    row, control = world["erratum"], world["groups"][0]["values"]
    now = rank_sum(world["groups"][row["group"]]["values"], control)
    same = (now <= alpha_of(world)) == (_old_p(world) <= alpha_of(world))
    return as_said(shown, "stands" if same else "falls")


RECORD_FACTS: Mapping[str, Expected] = {
    "weight": lambda world, _, args: str(world["effects"][args[0]][0]),
    "effect": lambda world, _, args: quantity(world, world["effects"][args[0]][1], 0),
    "total_weight": lambda world, _, __: str(sum(weight for weight, _ in world["effects"])),
    "pooled_effect": _pooled,
    "rises": lambda world, _, __: str(_rises(world)[0]),
    "studies": lambda world, _, __: str(len(world["effects"])),
    "sign": lambda world, _, __: probability_text(signs(*_rises(world))),
    "sign_verdict": lambda world, _, __: _significant(world, signs(*_rises(world))),
    "day": lambda world, _, args: _entry(world, args[0])["day"],
    "reading": lambda world, _, args: quantity(world, _entry(world, args[0])["value"], 0),
    "mended_day": lambda world, _, args: _mended(world, args[0])["day"],
    "mended_value": lambda world, _, args: quantity(world, _mended(world, args[0])["value"], 0),
    "mended_to": lambda world, _, args: quantity(world, _entry(world, args[0])["to"], 0),
    "so_far": _so_far,
    "stock": _in_protocol("stock", "mg/l"),
    "target": _in_protocol("target", "mg/l"),
    "volume": _in_protocol("volume", "ml"),
    "samples": _in_protocol("samples", ""),
    "need": lambda world, _, __: f"{decimal_text(_need(world), 2)} ml",
    "rest": lambda world, _, __: (
        f"{decimal_text(world['protocol']['volume'] - _need(world), 2)} ml"
    ),
    "step_number": lambda _, __, args: f"{args[0] + 1}.",
    "minutes": lambda world, _, args: f"{world['protocol']['minutes'][args[0]]} min",
    "whole": lambda world, _, __: f"{sum(world['protocol']['minutes'])} min",
    "all_minutes": _all_minutes,
    "unit": lambda world, _, __: world["unit"],
    "csv": _csv,
    "cost": lambda world, _, args: f"{world['budget']['items'][args[0]][1]} a year",
    "yearly": lambda world, _, __: str(_yearly(world)),
    "years": _years,
    "costs": lambda world, _, __: str(_yearly(world) * world["budget"]["years"]),
    "overhead_rate": lambda world, _, __: f"{world['budget']['share']}%",
    "asked": _asked,
    "planned_spread": _planned("spread"),
    "planned_difference": _planned("seen"),
    "sample_size": _sample_size,
    "claimed": _claimed,
    "rightness": _rightness,
    "values": _listed,
    "point": lambda _, __, args: f"{args[0] + 1}.",
    "slips": lambda world, _, __: str(_slips(world)),
    "advice": lambda world, shown, _: as_said(shown, "revise" if _slips(world) else "accept"),
    "printed": lambda world, _, __: quantity(world, world["erratum"]["printed"], 0),
    "true": _true,
    "old_mean": lambda world, _, __: quantity(world, average(_printed(world))),
    "old_p": lambda world, _, __: probability_text(_old_p(world)),
    "old_verdict": lambda world, _, __: _significant(world, _old_p(world)),
    "stands": _stands,
}
"""What must stand in the text, by kind of fact."""


def record_faults(document: Document) -> list[str]:
    """Check what holds of a whole document of these forms.

    Args:
        document: scientific.

    Returns:
        Faults in words.
    """
    faults: list[str] = []
    world = world_of(document)
    days = [date.fromisoformat(row["day"]) for row in world.get("entries", ())]
    if days != sorted(set(days)):
        faults.append("the notebook's days are out of order")
    wanted = (
        ("day", len(days)),
        ("minutes", len(world.get("protocol", {}).get("minutes", ()))),
        ("cost", len(world.get("budget", {}).get("items", ()))),
        ("claimed", len(world.get("claims", ()))),
        ("effect", len(world.get("effects", ()))),
    )
    for kind, count in wanted:
        shown = [fact.args[0] for fact in document.facts if fact.kind == kind]
        if shown != list(range(count)):
            faults.append(f"facts of the kind {kind!r} are missing or out of order")
    return faults
