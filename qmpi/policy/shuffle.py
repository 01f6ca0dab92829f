"""Shuffle without a table: a keyed permutation of [0, rows) that is evaluated one index at a time.

Theory of operation. A four-round Feistel network over Z_a x Z_b, where a * b is the smallest grid
of nearly square shape that covers `rows`; each round adds a keyed hash of one half to the other, so
it can be undone and the whole is a bijection of the grid. Indices that land outside [0, rows) are
sent through again (cycle walking); less than one in sqrt(rows) does. Four rounds of a strong hash
are indistinguishable from a random permutation (Luby and Rackoff). A shuffled list was rejected:
its memory grows with the corpus and it must be rebuilt each epoch; a linear congruence was rejected
because neighbours stay correlated.
"""

from functools import lru_cache
from hashlib import blake2b
from math import isqrt

ROUNDS = 4
"""Rounds of the network; even, so that both halves are changed equally often."""


@lru_cache(maxsize=1024)
def shuffle_key(seed: int, source: int, epoch: int) -> bytes:
    """Derive the key of one epoch of one source.

    Args:
        seed: seed of the recipe.
        source: number of the source.
        epoch: pass over the source, from 0.

    Returns:
        16 bytes, for `permute` and `unpermute`.
    """
    text = f"{seed}/{source}/{epoch}".encode()
    return blake2b(text, digest_size=16, person=b"qmpi shuffle").digest()


def permute(index: int, rows: int, key: bytes) -> int:
    """Return the row at place `index` of the shuffled order.

    Args:
        index: place, 0 <= index < rows.
        rows: size of the domain, >= 1.
        key: from `shuffle_key`.

    Returns:
        A row in [0, rows); each row is returned for exactly one index.
    """
    high, low = _grid(rows)
    while True:
        left, right = divmod(index, low)
        for turn in range(0, ROUNDS, 2):
            left = (left + _mix(key, turn, right)) % high
            right = (right + _mix(key, turn + 1, left)) % low
        index = left * low + right
        if index < rows:
            return index


def unpermute(row: int, rows: int, key: bytes) -> int:
    """Return the place of `row` in the shuffled order; the inverse of `permute`.

    Args:
        row: 0 <= row < rows.
        rows: size of the domain, >= 1.
        key: from `shuffle_key`.

    Returns:
        The index for which `permute` returns `row`.
    """
    high, low = _grid(rows)
    while True:
        left, right = divmod(row, low)
        for turn in range(ROUNDS - 2, -1, -2):
            right = (right - _mix(key, turn + 1, left)) % low
            left = (left - _mix(key, turn, right)) % high
        row = left * low + right
        if row < rows:
            return row


def _grid(rows: int) -> tuple[int, int]:
    high = isqrt(rows - 1) + 1 if rows > 1 else 1
    return high, -(-rows // high)


def _mix(key: bytes, turn: int, half: int) -> int:
    # The key goes in as salt, not as `key=`: a keyed hash costs a second compression.
    word = (half << 3 | turn).to_bytes(9, "little")
    return int.from_bytes(blake2b(word, digest_size=8, salt=key).digest(), "little")
