"""Problems that a study sets: means and medians by hand, pooling, dilution, signs, budgets.

Theory of operation. Numbers of a problem are drawn for it or taken from the data; the worked steps
are those a student writes; every number is a fact of the problem.
"""

from collections.abc import Callable
from fractions import Fraction

from qmpi.content.english.posing import Puzzle
from qmpi.content.scientific.causes import ask_chain
from qmpi.content.scientific.statistics import mean, median, p_text, rounded, sign_p
from qmpi.content.scientific.study import Study

_LISTS = (
    "{trait} {subjects} gave {values}", "[F] read {values} from the {tool}",
    "the {tool} showed {values}", "in [P] the {measure} was {values}", "{values} were read {how}",
    "for {trait} {organs}: {values}",
)  # fmt: skip


def _values(study: Study, kind: str, count: int) -> tuple[Puzzle, list[int]]:
    draw = study.draw
    values = [draw.between(11, 400) for _ in range(count)]
    puzzle = Puzzle(study, kind, {"values": values})
    puzzle.give_text("values", ", ".join(map(str, values)))
    study.tell(draw.choice(_LISTS))
    return puzzle, values


def average(study: Study) -> None:
    """Ask for a mean.

    Args:
        study: any.
    """
    puzzle, values = _values(study, "mean", study.size("steps", 3, 9))
    puzzle.ask(("what is the mean?", "what is their mean to two digits?", "average these",
                "what does the average {subject} show?"))  # fmt: skip
    puzzle.put("sum", sum(values))
    puzzle.show(("the sum is {sum}", "sum: {sum}", "together they make {sum}"))
    puzzle.put("count", len(values))
    puzzle.show(("there are {count}", "{count} values", "n = {count}"))
    puzzle.answer(rounded(mean(values), 2))


def middle(study: Study) -> None:
    """Ask for a median.

    Args:
        study: any.
    """
    puzzle, values = _values(study, "median", study.size("steps", 3, 10))
    puzzle.ask(("what is the median?", "which value lies in the middle?", "find the median"))
    puzzle.put("sorted", ", ".join(map(str, sorted(values))))
    puzzle.show(("in order: {sorted}", "sorted: {sorted}", "ordered, {sorted}"))
    puzzle.answer(rounded(median(values), 1))


def pooling(study: Study) -> None:
    """Ask for the mean of two groups together.

    Args:
        study: any.
    """
    draw = study.draw
    data = {
        "n": draw.between(3, 40), "m": draw.between(10, 300), "k": draw.between(3, 40),
        "l": draw.between(10, 300),
    }  # fmt: skip
    puzzle = Puzzle(study, "pooling", data)
    for name in data:
        puzzle.give(name)
    study.tell(draw.choice((
        "{n} {trait} {subjects} have a mean of {m}, {k} others one of {l}",
        "one group ({n}) averages {m}, another ({k}) {l}",
        "with {given} the mean of {n} {subjects} is {m}; without, that of {k} is {l}",
    )))  # fmt: skip
    puzzle.ask(
        ("what is the mean of all?", "what do they average together?", "what is the pooled mean?")
    )
    puzzle.put("first", data["n"] * data["m"])
    puzzle.show(("{n} times {m} is {first}", "first group: {first}", "{first} from {n} {subjects}"))
    puzzle.put("second", data["k"] * data["l"])
    puzzle.show(("{k} times {l} is {second}", "second group: {second}", "{second} from the rest"))
    total = data["n"] * data["m"] + data["k"] * data["l"]
    puzzle.put("sum", total)
    puzzle.put("count", data["n"] + data["k"])
    puzzle.show(("{sum} over {count}", "divide {sum} by {count}", "{sum} in {count} {subjects}"))
    puzzle.answer(rounded(Fraction(total, data["n"] + data["k"]), 2))


def dilution(study: Study) -> None:
    """Ask how much stock a dilution needs.

    Args:
        study: any.
    """
    draw = study.draw
    target = draw.between(1, 60)
    data = {"stock": target * draw.between(2, 25) + draw.below(10), "target": target,
            "volume": draw.between(5, 90) * 10}  # fmt: skip
    puzzle = Puzzle(study, "dilution", data)
    for name, unit in (("stock", "mg/l"), ("target", "mg/l"), ("volume", "ml")):
        puzzle.give(name, unit)
    study.tell(draw.choice((
        "the stock of {given} has {stock}", "{given} is kept at {stock}",
        "a bottle of {given} holds {stock}",
    )))  # fmt: skip
    puzzle.ask((
        "how much of it makes {volume} of {target}?",
        "{volume} at {target} are needed: how much stock is that?",
        "which volume, filled up to {volume}, gives {target}?",
    ))  # fmt: skip
    puzzle.put("product", target * data["volume"])
    puzzle.show(
        (
            "{target} times {volume}: {product}",
            "target by volume is {product}",
            "product: {product}",
        )
    )
    puzzle.answer(f"{rounded(Fraction(target * data['volume'], data['stock']), 2)} ml")


def signs(study: Study) -> None:
    """Ask for the exact p-value of a sign test.

    Args:
        study: any.
    """
    draw = study.draw
    up, down = draw.between(0, 12), draw.between(1, 12)
    puzzle = Puzzle(study, "signs", {"up": up, "down": down})
    puzzle.give("up")
    puzzle.give("down")
    study.tell(draw.choice((
        "{given} raised the {measure} in {up} {subjects} and lowered it in {down}",
        "of the pairs, {up} rose and {down} fell", "{up} {subjects} gained, {down} lost",
    )))  # fmt: skip
    puzzle.ask(("what does the two-sided sign test give?", "what is p by signs, on both sides?",
                "is that chance? Give p of the sign test, two-sided"))  # fmt: skip
    puzzle.put("every", 2 ** (up + down))
    puzzle.show(
        ("there are {every} ways to place the signs", "{every} outcomes are equally likely")
    )
    puzzle.answer(p_text(sign_p(up, down)))


def growth(study: Study) -> None:
    """Ask for a count after some doublings.

    Args:
        study: any.
    """
    draw = study.draw
    data = {"start": draw.between(3, 300), "span": draw.between(2, 40)}
    doublings = study.size("steps", 2, 7)
    data["time"] = data["span"] * doublings
    puzzle = Puzzle(study, "growth", data)
    puzzle.give("start")
    puzzle.give("span", "h")
    puzzle.give("time", "h")
    study.tell(draw.choice((
        "{start} cells of the {organ} double every {span}", "a colony of {start} doubles in {span}",
        "every {span}, {start} {subjects} in culture become twice as many",
    )))  # fmt: skip
    puzzle.ask(("how many are there after {time}?", "what is their number {time} later?",
                "count them {time} on"))  # fmt: skip
    now = data["start"]
    for _ in range(doublings):
        now *= 2
        puzzle.put("now", now)
        puzzle.show(("then {now}", "doubled: {now}", "next, {now}", "after another {span}: {now}"))
    puzzle.answer(str(now))


_ASKED: tuple[Callable[[Study], None], ...] = (
    ask_chain,
    ask_chain,
    average,
    middle,
    pooling,
    dilution,
    signs,
    growth,
)


def ask_about_data(study: Study) -> None:
    """Set one problem.

    Args:
        study: any.
    """
    study.draw.choice(_ASKED)(study)
