"""Held-out text that a run has trained on all the same: copies inside a corpus, or a fault.

Theory of operation. Addresses are apart by arithmetic; texts need not be, for a corpus may hold a
page twice and easy problems repeat. So all that the steps trained on is built again, and each run
of `WINDOW` tokens of it, at any offset, is looked up among those of the held-out rows. Runs are
compared by a hash that slides: sums of powers of an odd number modulo 2**64, over all rows at once.
Equal runs have equal hashes; unequal ones do not in practice.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from msgspec import Struct

from qmpi.config.settings import Settings
from qmpi.corpora.sources import Sources
from qmpi.policy.added_sources import facts_of, sources_of
from qmpi.policy.hyperparameters import block_of, first_hyperparameters, lanes_of
from qmpi.policy.stream import numbered_rows
from qmpi.protocol.journal import RunOpened
from qmpi.storage.shard_layout import dtype_name

WINDOW = 32
"""Tokens: longer than what everybody writes alike, shorter than a paragraph."""

_BASE = 0x9E3779B97F4A7C15
_WORD = 1 << 64

Rows = np.ndarray[Any, Any]


class Overlap(Struct, frozen=True):
    """How much of held-out text the trained text holds.

    Attributes:
        shares: of each row, the share of its windows that were trained on, 0 to 1.
        first: (step, lane) of the first block that holds a window of the row; None if none does.
    """

    shares: tuple[float, ...]
    first: tuple[tuple[int, int] | None, ...]


def overlap_with(
    sources: Sources,
    settings: Settings,
    opened: RunOpened,
    steps: int,
    held: bytes,
    progress: Callable[[int], None],
) -> Overlap:
    """Look for held-out text in what a run has trained on.

    Args:
        sources: of the run, open.
        settings: the job.
        opened: newest opening of the run: facts, added sources, and the recipe log and the
            hyperparameter log as they stand.
        steps: steps that were trained.
        held: held-out rows, as a lane's block has them.
        progress: told how many more steps are done.

    Returns:
        The overlap, row by row.

    Raises:
        StorageError: a shard is damaged, or cannot be read.
    """
    search = _Search(_unpacked(held, settings))
    sources.add(sources_of(opened.added))
    facts = facts_of(opened)
    train = settings.train
    log = opened.hyperparameters or (first_hyperparameters(settings),)
    for step in range(steps):
        for lane in range(lanes_of(log, step, train.lanes)):
            rows = numbered_rows(
                opened.recipes,
                facts,
                block_of(log, step, lane, train.lanes),
                train.microbatches * train.sequences,
            )
            block = sources.build_all(rows)[1]
            search.through(_unpacked(block, settings), (step, lane))
        progress(1)
    return search.overlap()


def _unpacked(block: bytes, settings: Settings) -> Rows:
    kind = np.dtype(dtype_name(settings.model.vocab_size)).newbyteorder("<")
    return np.frombuffer(block, kind).reshape(-1, settings.train.sequence_tokens + 1)


class _Search:
    def __init__(self, held: Rows) -> None:
        self._window = min(WINDOW, held.shape[1])
        hashes = window_hashes(held, self._window)
        self._known, place = np.unique(hashes, return_inverse=True)
        self._place = place.reshape(hashes.shape)
        self._seen = np.full(len(self._known), -1, np.int64)
        self._blocks: list[tuple[int, int]] = []

    def through(self, rows: Rows, block: tuple[int, int]) -> None:
        found = np.intersect1d(self._known, window_hashes(rows, self._window), return_indices=True)[
            1
        ]
        new = found[self._seen[found] < 0]
        if new.size:
            self._seen[new] = len(self._blocks)
            self._blocks.append(block)

    def overlap(self) -> Overlap:
        seen = self._seen[self._place]
        shares = (seen >= 0).mean(axis=1).tolist()
        first = [int(row[row >= 0].min()) if (row >= 0).any() else -1 for row in seen]
        return Overlap(tuple(shares), tuple(self._blocks[n] if n >= 0 else None for n in first))


def window_hashes(rows: Rows, window: int) -> Rows:
    """Return the hash of each run of tokens.

    Args:
        rows: ids, [rows, columns].
        window: tokens of a run, 1 to columns.

    Returns:
        uint64 [rows, columns - window + 1]; equal for equal runs, wherever they stand.
    """
    columns = rows.shape[1]
    powers = _powers(_BASE, columns)
    sums = np.zeros((rows.shape[0], columns + 1), np.uint64)
    np.cumsum((rows.astype(np.uint64) + np.uint64(1)) * powers, axis=1, out=sums[:, 1:])
    # A run that stands k places later is a factor of base**k larger.
    back = _powers(pow(_BASE, -1, _WORD), columns - window + 1)
    return (sums[:, window:] - sums[:, :-window]) * back


def _powers(base: int, count: int) -> Rows:
    powers = [1]
    for _ in range(count - 1):
        powers.append(powers[-1] * base % _WORD)
    return np.array(powers, np.uint64)


def leaked(overlap: Overlap) -> Sequence[int]:
    """Return the rows that were trained on as a whole.

    Args:
        overlap: of the rows.

    Returns:
        Their numbers.
    """
    return [number for number, share in enumerate(overlap.shares) if share == 1.0]
