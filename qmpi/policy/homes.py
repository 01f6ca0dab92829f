"""The home of a block or of generated rows: which rank serves it (rendezvous hashing).

Theory of operation. Each (block, rank) pair has a hash; the rank with the largest one is the
block's home. Everyone computes the same home from the list of live ranks, without asking. When a
rank is lost only its own blocks move, spread over all others; when one joins it takes an equal
share from each. Modulo hashing was rejected (one loss moves nearly all blocks); a hash ring was
rejected (uneven shares without many points).
"""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b

from qmpi.errors import InvariantError
from qmpi.units import Rank

ROWS_TOGETHER = 256
"""Neighbouring rows of a generated source that one generator makes."""

WORD = (1 << 64) - 1


def home_of(first: int, second: int, ranks: Sequence[Rank]) -> Rank:
    """Return the rank that serves a block, or a group of generated rows.

    Args:
        first: step of the block, or number of the source; >= 0.
        second: lane of the block, or number of the group; >= 0.
        ranks: live ranks of the serving role, in any order.

    Returns:
        One of `ranks`; the cost is one multiplication a rank.

    Raises:
        InvariantError: there are no ranks.
    """
    if not ranks:
        raise InvariantError(f"no live rank can be the home of ({first}, {second})")
    block = blake2b(first.to_bytes(8, "little") + second.to_bytes(8, "little"), digest_size=16)
    drawn = int.from_bytes(block.digest(), "little")
    salt, odd = drawn & WORD, drawn >> 64 | 1
    marks = _marks(tuple(ranks))
    weights = [(mark ^ salt) * odd & WORD for mark in marks]
    best = max(weights)
    return max(rank for rank, weight in zip(ranks, weights, strict=True) if weight == best)


@lru_cache(maxsize=64)
def _marks(ranks: tuple[Rank, ...]) -> tuple[int, ...]:
    # A hash for each pair of block and rank would take ten times as long, felt at hundreds.
    words = [blake2b(rank.to_bytes(8, "little"), digest_size=8).digest() for rank in ranks]
    return tuple(int.from_bytes(word, "little") for word in words)
