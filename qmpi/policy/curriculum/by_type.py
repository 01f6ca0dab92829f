"""Losses by type of text, in whichever sources a job has the type.

Theory of operation. Two runs are compared by what they lose on the same text. A type is a mixture
of levels and languages; a job has it in one source or in several, as arms, and draws them as often
as it likes. So the losses of sources are weighed: each level and language of a type counts as much
as in the job that is compared with, however often it was drawn. A source draws its own levels
evenly, so where the other job does not, no weights make up for it.

A corpus is a type of its own, without levels.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import fsum
from statistics import fmean

from msgspec import Struct

from qmpi.config.arms import pool_of
from qmpi.config.data import ContentSource, Source
from qmpi.config.settings import Settings
from qmpi.errors import InputError
from qmpi.policy.curriculum.rule import LEAST_ANSWERS
from qmpi.policy.source_losses import summed
from qmpi.protocol.progress import LOSS_GRID, SourceLoss

Weights = Mapping[str, Mapping[int, float]]
"""By type, the weight of each of its sources; those of a type add up to 1."""

Key = tuple[int, str]
"""Level, 0 of a corpus, and languages."""

Span = tuple[int, int, str]
"""Easiest and hardest level, and languages."""

ROUNDING = 1e-9


class Part(Struct, frozen=True):
    """What a source draws.

    Attributes:
        type: of its text; of a corpus a type of its own.
        levels: easiest and hardest; 0 of a corpus.
        languages: main languages, "" for all or where there is no choice.
        share: of all sequences, that the job gives it; >= 0.
    """

    type: str
    levels: tuple[int, int]
    languages: str
    share: float

    @property
    def span(self) -> Span:
        """Which text it is."""
        return (*self.levels, self.languages)

    @property
    def keys(self) -> Iterator[Key]:
        """What it draws, each as often as another; nothing without a share."""
        low, high = self.levels
        return ((level, self.languages) for level in range(low, high + 1) if self.share > 0.0)


def parts_of(settings: Settings) -> tuple[Part, ...]:
    """Return what the sources of a job draw.

    Args:
        settings: the job.

    Returns:
        One for each source, in their order.
    """
    total = fsum(source.weight for source in settings.data.sources)
    return tuple(_part(source, source.weight / total) for source in settings.data.sources)


def _part(source: Source, share: float) -> Part:
    if not isinstance(source, ContentSource):
        return Part(pool_of(source), (0, 0), "", share)
    levels = (source.min_level, source.max_level)
    return Part(pool_of(source), levels, " ".join(sorted(source.languages)), share)


def weights_like(own: Sequence[Part], like: Sequence[Part]) -> Weights:
    """Weigh the sources of a job so that each type is the mixture that it is in another job.

    Args:
        own: of the job, in the order of its sources.
        like: of the other job.

    Returns:
        Weights by type.

    Raises:
        InputError: they do not draw the same levels and languages of the same types, or a source
            mixes levels otherwise.
    """
    there, wanted = _densities(own), _densities(like)
    names = sorted(
        name
        for name in {**there, **wanted}
        if there.get(name, {}).keys() != wanted.get(name, {}).keys()
    )
    if names:
        raise InputError(f"they draw other levels or languages of {', '.join(names)}")
    weights: dict[str, dict[int, float]] = {}
    for name in wanted:
        ours = {n: part for n, part in enumerate(own) if part.type == name and part.share > 0.0}
        theirs = [part for part in like if part.type == name]
        found = _as_cut(ours, theirs) or _as_drawn(ours, wanted[name], there[name])
        whole = fsum(found.values())
        weights[name] = {number: weight / whole for number, weight in found.items()}
    return weights


def _as_cut(own: Mapping[int, Part], like: Sequence[Part]) -> dict[int, float]:
    """Return how often the other job draws each source; nothing if it cuts the type otherwise."""
    here, there = _by_span(own.values()), _by_span(like)
    if here.keys() != there.keys():
        return {}
    return {n: there[part.span] * part.share / here[part.span] for n, part in own.items()}


def _by_span(parts: Iterable[Part]) -> dict[Span, float]:
    shares: dict[Span, float] = {}
    for part in parts:
        if part.share > 0.0:
            shares[part.span] = shares.get(part.span, 0.0) + part.share
    return shares


def _as_drawn(
    own: Mapping[int, Part], wanted: Mapping[Key, float], there: Mapping[Key, float]
) -> dict[int, float]:
    """Return how often the other job draws what each source draws.

    Raises:
        InputError: it mixes the levels of a source otherwise.
    """
    found: dict[int, float] = {}
    for number, part in own.items():
        ratios = [wanted[key] / there[key] for key in part.keys]
        if max(ratios) - min(ratios) > ROUNDING * max(ratios):
            low, high = part.levels
            raise InputError(
                f"a source draws levels {low} to {high} of {part.type} evenly, and the other job "
                "does not"
            )
        found[number] = part.share * fmean(ratios)
    return found


def _densities(parts: Sequence[Part]) -> dict[str, dict[Key, float]]:
    """Return by type how often each level and language is drawn."""
    found: dict[str, dict[Key, float]] = {}
    for part in parts:
        keys = list(part.keys)
        for key in keys:
            density = found.setdefault(part.type, {})
            density[key] = density.get(key, 0.0) + part.share / len(keys)
    return found


def cells(
    steps: Iterable[tuple[int, Sequence[SourceLoss]]], ends: Sequence[int]
) -> tuple[tuple[SourceLoss, ...], ...]:
    """Add up what steps tell, by how far training was.

    Args:
        steps: tokens, or steps, that were trained on behind each, and what it tells; in order.
        ends: of the cells, ascending; steps behind the last are left out.

    Returns:
        Losses by source of each cell.
    """
    found: list[list[Sequence[SourceLoss]]] = [[] for _ in ends]
    for seen, told in steps:
        place = bisect_left(ends, seen)
        if place < len(ends):
            found[place].append(told)
    return tuple(map(summed, found))


def type_losses(
    cell: Sequence[SourceLoss], weights: Weights, *, is_whole: bool = True
) -> dict[str, float]:
    """Return what each type costs.

    Args:
        cell: losses by source, an entry a source.
        weights: of the sources.
        is_whole: leave a type out if one of its sources was not seen.

    Returns:
        Nats a token.
    """
    return _means(cell, weights, _loss, is_whole=is_whole)


def type_answer_losses(cell: Sequence[SourceLoss], weights: Weights) -> dict[str, float]:
    """Return what the answers of each type cost.

    Args:
        cell: losses by source, an entry a source.
        weights: of the sources.

    Returns:
        Nats a token; of types whose sources all have `LEAST_ANSWERS` tokens of answers.
    """
    return _means(cell, weights, _answer_loss, is_whole=True)


def _loss(told: SourceLoss) -> float | None:
    return told.loss / (LOSS_GRID * told.tokens) if told.tokens else None


def _answer_loss(told: SourceLoss) -> float | None:
    enough = told.answers >= LEAST_ANSWERS
    return told.answer_loss / (LOSS_GRID * told.answers) if enough else None


def _means(
    cell: Sequence[SourceLoss],
    weights: Weights,
    figure: Callable[[SourceLoss], float | None],
    *,
    is_whole: bool,
) -> dict[str, float]:
    known = {told.source: loss for told in cell if (loss := figure(told)) is not None}
    found: dict[str, float] = {}
    for name, own in weights.items():
        seen = [source for source in own if source in known]
        if seen and (len(seen) == len(own) or not is_whole):
            whole = fsum(own[source] for source in seen)
            found[name] = fsum(own[source] * known[source] for source in seen) / whole
    return found
