"""Muon's part of a step: its products, and how trainers on CPUs share them.

Theory of operation. The engine deals batches of matrices to its members, the largest first, each to
the member with the least to do. A member's load is then an equal share, but never less than the
largest batch: with more trainers than batches some have nothing to do.
"""

from collections import Counter

from qmpi.planning.shape import Shape, matrix_counts

BATCH_ELEMENTS = {"cpu": 1 << 17, "cuda": 1 << 24}
"""Elements of the matrices that are orthogonalised together, at most, but one matrix at least."""


def muon_share(shape: Shape, trainers: int, *, on_gpus: bool) -> float:
    """Return the share of Muon's work that the busiest trainer has.

    Args:
        shape: of the model.
        trainers: that there are.
        on_gpus: where each does all of it.
    """
    if on_gpus or trainers == 1:
        return 1.0
    sides: Counter[tuple[int, int]] = Counter()
    for pair, many in matrix_counts(shape).items():
        sides[min(pair), max(pair)] += many
    largest = total = 0.0
    for (rows, cols), matrices in sides.items():
        together = max(1, BATCH_ELEMENTS["cpu"] // (rows * cols))
        each = float(rows * rows * (2 * cols + rows))
        total += matrices * each
        largest = max(largest, min(together, matrices) * each)
    return max(1 / trainers, largest / total)


def direction_bytes(shape: Shape, elements: int, size: int, *, on_gpus: bool) -> int:
    """Return what Muon holds: the directions, and a batch of them in the making.

    Args:
        shape: of the model.
        elements: of the matrices of its blocks.
        size: bytes of an element.
        on_gpus: where a batch is larger.
    """
    most = max(rows * cols for rows, cols in matrix_counts(shape))
    batch = max(most, BATCH_ELEMENTS["cuda" if on_gpus else "cpu"])
    # The batch, its Gram matrix and the next iterate, and a few matrices in float32 before.
    return size * (elements + 4 * min(batch, elements))
