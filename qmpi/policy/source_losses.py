"""What training on each source costs, of several steps together."""

from collections.abc import Iterable, Sequence

from msgspec.structs import astuple

from qmpi.protocol.progress import LOSS_GRID, SourceLoss
from qmpi.protocol.recipe import SourceFigures

ADDED = "(added)"
"""Name for all sources that the job file does not have."""


def summed(steps: Iterable[Sequence[SourceLoss]]) -> tuple[SourceLoss, ...]:
    """Add losses by source up.

    Args:
        steps: of each step, as its record has them.

    Returns:
        One entry for each source that had a token, ascending.
    """
    sums: dict[int, list[int]] = {}
    for told in (each for step in steps for each in step):
        numbers = astuple(told)[1:]
        found = sums.setdefault(told.source, [0] * len(numbers))
        sums[told.source] = [a + b for a, b in zip(found, numbers, strict=True)]
    return tuple(SourceLoss(source, *sums[source]) for source in sorted(sums))


def source_figures(
    steps: Iterable[Sequence[SourceLoss]], names: Sequence[str]
) -> dict[str, SourceFigures]:
    """Return losses by source for people.

    Args:
        steps: as of `summed`.
        names: of the sources of the job file.

    Returns:
        Figures by name.
    """
    return {(*names, ADDED)[told.source]: figures(told) for told in summed(steps)}


def figures(told: SourceLoss) -> SourceFigures:
    """Return the means of a source.

    Args:
        told: of it, with at least one token.
    """
    answer = told.answer_loss / (LOSS_GRID * told.answers) if told.answers else None
    solved = told.solved / told.problems if told.problems else None
    loss = told.loss / (LOSS_GRID * told.tokens)
    return SourceFigures(told.tokens, loss, told.answers, answer, told.problems, solved)
