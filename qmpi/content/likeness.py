"""Documents that say almost the same as an earlier one.

Theory of operation. A document is the set of its runs of five words. MinHash estimates how much two
such sets overlap: under each of 128 random orders of all runs, two documents have the same least
run with just that probability. Signatures are cut into 32 bands of four; documents that agree in
some band are compared in full, which finds 99.98 % of pairs at an overlap of 0.7. All of it is
arithmetic modulo 2^64 on hashes of words, so it depends on no seed of the process.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

U64 = np.ndarray[Any, np.dtype[np.uint64]]

RUN_WORDS = 5
ORDERS = 128
BANDS = 32
_ROWS = ORDERS // BANDS
SIMILAR = 0.7
_COMPARED = 64
"""Earlier documents of one band that a document is compared with; in a crowd, the first ones."""


def hashed_runs(words: U64, length: int) -> U64:
    """Hash every run of neighbouring words.

    Args:
        words: a hash of each word of a text, in order.
        length: words in a run.

    Returns:
        A hash of each run; none if the text is shorter.
    """
    count = max(0, words.size - length + 1)
    runs = np.zeros(count, np.uint64)
    for place in range(length):
        runs = _mixed(runs + words[place : place + count])
    return runs


def signature(words: U64) -> U64:
    """Return the signature of a document.

    Args:
        words: a hash of each word, in order.

    Returns:
        The least run under each order, [128]. A text without a run is one run of its own.
    """
    runs = np.unique(hashed_runs(words, min(RUN_WORDS, max(1, words.size))))
    if not runs.size:
        return np.zeros(ORDERS, np.uint64)
    return np.min(_mixed(runs[:, None] ^ _SALTS[None, :]), axis=0)


def repeated(signatures: Sequence[U64]) -> list[bool]:
    """Tell which documents are similar to an earlier one.

    Args:
        signatures: of the documents, in order.

    Returns:
        True for each document that overlaps one before it by more than 0.7.
    """
    if not signatures:
        return []
    table = np.stack(signatures)
    found = np.zeros(len(table), bool)
    for band in range(BANDS):
        rows = table[:, band * _ROWS : (band + 1) * _ROWS]
        key = hashed_runs(rows.reshape(-1), _ROWS)[::_ROWS]
        order = np.argsort(key, kind="stable")
        edges = np.flatnonzero(np.diff(key[order])) + 1
        for group in np.split(order, edges):
            if group.size > 1:
                _compare(table, group, found)
    return found.tolist()


def _compare(table: U64, group: np.ndarray[Any, Any], found: np.ndarray[Any, Any]) -> None:
    for place in range(1, group.size):
        document = group[place]
        if found[document]:
            continue
        earlier = group[:place][:_COMPARED]
        overlap = np.mean(table[earlier] == table[document], axis=1)
        found[document] = bool(np.any(overlap > SIMILAR))


def _mixed(values: U64) -> U64:
    # The last steps of splitmix64: each bit of the input turns half of the output.
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


_SALTS: U64 = _mixed(np.arange(1, ORDERS + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))
