"""Adding up what was measured, by source, content type and band of levels.

Theory of operation. A mean of a group is the sum of its values over the sum of what they count.
The overall loss weighs each source as the job does, whatever was measured of it, so that it can be
held against the loss of training.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from qmpi.protocol.evaluation import (
    NATS,
    Evaluation,
    Group,
    LevelMarks,
    Marks,
    RowLoss,
    Scores,
)

TEN = 10
"""Levels that are told together."""


class Label(Struct, frozen=True):
    """What a row or a problem belongs to.

    Attributes:
        source: name of the source.
        type: content type; "" for text that was not generated.
        band: band of levels; "" likewise.
        level: of a problem, 1 to 100; 0: of a row.
    """

    source: str
    type: str = ""
    band: str = ""
    level: int = 0


class LevelScore(Struct, frozen=True):
    """Problems of neighbouring levels.

    Attributes:
        first, last: levels.
        right: answered rightly.
        problems: asked, at least one.
    """

    first: int
    last: int
    right: int
    problems: int


LN2 = math.log(2)

Sums = tuple[dict[str, float], dict[str, float], dict[str, float]]
"""By source, by type, by band."""

Measured = Iterable[tuple[Label, float, float]]
"""What it belongs to, a value, and what the value counts: its tokens, bytes, or 1."""


def row_marks(label: Label, loss: RowLoss, tokens: int, size: int) -> Marks:
    """Return what one held-out row gives.

    Args:
        label: what it belongs to.
        loss: of it.
        tokens: its targets.
        size: bytes of their text.
    """
    finite = math.isfinite(loss.nats)
    counted, answers = (
        round(nats * NATS) if finite else 0 for nats in (loss.nats, loss.answer_nats)
    )
    return Marks(
        label.source,
        label.type,
        label.band,
        counted,
        tokens,
        size,
        undefined=int(not finite),
        answer_nats=answers,
        answers=loss.answers,
    )


def answer_marks(label: Label, *, right: bool) -> Marks:
    """Return what one problem gives.

    Args:
        label: what it belongs to.
        right: whether the answer is.
    """
    kind = (label.source, label.type, label.band)
    return Marks(*kind, right=int(right), problems=1, level=label.level)


def added_up(marks: Iterable[Marks]) -> tuple[Marks, ...]:
    """Add marks up.

    Args:
        marks: in any order.

    Returns:
        One entry for each source, type, band and level, in their order; the same for the same
        marks.
    """
    sums: dict[tuple[str, str, str, int], list[int]] = {}
    for mark in marks:
        name = (mark.source, mark.type, mark.band, mark.level)
        counted = sums.setdefault(name, [0] * 8)
        rows = (mark.nats, mark.tokens, mark.bytes, mark.undefined)
        numbers = (*rows, mark.right, mark.problems, mark.answer_nats, mark.answers)
        sums[name] = [a + b for a, b in zip(counted, numbers, strict=True)]
    return tuple(Marks(*name[:3], *sums[name], level=name[3]) for name in sorted(sums))


def evaluation_of(
    step: int,
    marks: Iterable[Marks],
    weights: Mapping[str, float],
    left_out: Sequence[str] = (),
) -> Evaluation:
    """Return the result of an evaluation.

    Args:
        step: weights are those before this step.
        marks: of all rows and problems; added up or not, in any order.
        weights: of the job's sources.
        left_out: sources of which nothing is held out.

    Returns:
        Scores by source, type and band.
    """
    whole = [(Label(m.source, m.type, m.band), m) for m in added_up(marks)]
    read = [(label, m) for label, m in whole if m.tokens]
    asked = [(label, m) for label, m in whole if m.problems]
    told = [(label, m) for label, m in whole if m.answers]
    nats = means(((label, _nats(m, m.nats), m.tokens) for label, m in read), weights)
    size = means(((label, m.bytes, m.tokens) for label, m in read), weights)
    return Evaluation(
        step=step,
        loss=nats,
        bits_per_byte=bits_per_byte(nats, size),
        accuracy=means(((label, m.right, m.problems) for label, m in asked), {}),
        tokens=counts((label, m.nats, m.tokens) for label, m in read),
        problems=counts((label, m.right, m.problems) for label, m in asked),
        left_out=tuple(left_out),
        levels=_by_level(m for _, m in asked),
        answer_loss=means(
            ((label, _nats(m, m.answer_nats), m.answers) for label, m in told), weights
        ),
        answers=counts((label, m.answer_nats, m.answers) for label, m in told),
    )


def _by_level(marks: Iterable[Marks]) -> tuple[LevelMarks, ...]:
    sums: dict[tuple[str, int], tuple[int, int]] = {}
    for mark in marks:
        right, many = sums.get((mark.type, mark.level), (0, 0))
        sums[mark.type, mark.level] = (right + mark.right, many + mark.problems)
    return tuple(LevelMarks(*name, *sums[name]) for name in sorted(sums) if name[1])


def by_tens(levels: Iterable[LevelMarks]) -> tuple[LevelScore, ...]:
    """Add problems up by ten levels.

    Args:
        levels: of an evaluation; all types or one.

    Returns:
        Levels 1 to 10, 11 to 20 and so on, as far as problems were asked.
    """
    sums: dict[int, tuple[int, int]] = {}
    for told in levels:
        first = (told.level - 1) // TEN * TEN + 1
        right, many = sums.get(first, (0, 0))
        sums[first] = (right + told.right, many + told.problems)
    return tuple(LevelScore(first, first + TEN - 1, *sums[first]) for first in sorted(sums))


def _nats(marks: Marks, counted: int) -> float:
    return math.nan if marks.undefined else counted / NATS


def means(measured: Measured, weights: Mapping[str, float]) -> Scores:
    """Return mean values.

    Args:
        measured: values that add up, as nats over tokens.
        weights: share of each source in the overall mean, > 0; empty: as much as was measured.

    Returns:
        Sum of values over sum of counts, group by group; groups that count nothing are left out.
    """
    values, counts = _sums(measured)
    by_source = _ratios(values[0], counts[0])
    return Scores(
        overall=_overall(by_source, weights or counts[0]),
        source=by_source,
        type=_ratios(values[1], counts[1]),
        band=_ratios(values[2], counts[2]),
    )


def counts(measured: Measured) -> Scores:
    """Return how much was measured.

    Args:
        measured: as of `means`; the values are not looked at.

    Returns:
        Sums of the counts, group by group.
    """
    _, (source, kind, band) = _sums(measured)
    return Scores(sum(source.values()), {**source}, {**kind}, {**band})


def bits_per_byte(nats: Scores, size: Scores) -> Scores:
    """Turn losses by token into losses by byte.

    Args:
        nats: mean nats per token.
        size: mean bytes per token of the same groups.

    Returns:
        Bits per byte.
    """
    return Scores(
        overall=_bits(nats.overall, size.overall),
        source=_each_in_bits(nats.source, size.source),
        type=_each_in_bits(nats.type, size.type),
        band=_each_in_bits(nats.band, size.band),
    )


def _sums(measured: Measured) -> tuple[Sums, Sums]:
    values: Sums = ({}, {}, {})
    totals: Sums = ({}, {}, {})
    for label, value, count in measured:
        names = (label.source, label.type, label.band)
        for name, kept, counted in zip(names, values, totals, strict=True):
            if name:
                kept[name] = kept.get(name, 0.0) + value
                counted[name] = counted.get(name, 0.0) + count
    return values, totals


def _ratios(values: Mapping[str, float], totals: Mapping[str, float]) -> Group:
    return {name: _finite(value / totals[name]) for name, value in values.items() if totals[name]}


def _overall(means_of: Group, weights: Mapping[str, float]) -> float | None:
    total = sum(weights[name] for name in means_of)
    if not total:
        return None
    weighed = [math.nan if m is None else m * weights[name] for name, m in means_of.items()]
    return _finite(sum(weighed) / total)


def _bits(nats: float | None, size: float | None) -> float | None:
    return None if nats is None or not size else nats / (LN2 * size)


def _each_in_bits(nats: Group, size: Group) -> Group:
    return {name: _bits(nats[name], size[name]) for name in nats if size.get(name)}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
