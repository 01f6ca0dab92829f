"""The home of a block or of generated rows: which rank serves it (rendezvous hashing).

Theory of operation. Each (block, rank) pair has a hash; the rank with the largest one is the
block's home. Everyone computes the same home from the list of live ranks, without asking. When a
rank is lost only its own blocks move, spread over all others; when one joins it takes an equal
share from each. Modulo hashing was rejected (one loss moves nearly all blocks); a hash ring was
rejected (uneven shares without many points).
"""

from collections.abc import Sequence
from hashlib import blake2b

from qmpi.errors import InvariantError
from qmpi.units import Rank

ROWS_TOGETHER = 256
"""Neighbouring rows of a generated source that one generator makes."""


def home_of(first: int, second: int, ranks: Sequence[Rank]) -> Rank:
    """Return the rank that serves a block, or a group of generated rows.

    Args:
        first: step of the block, or number of the source; >= 0.
        second: lane of the block, or number of the group; >= 0.
        ranks: live ranks of the serving role, in any order.

    Returns:
        One of `ranks`; the cost is one short hash a rank.

    Raises:
        InvariantError: there are no ranks.
    """
    if not ranks:
        raise InvariantError(f"no live rank can be the home of ({first}, {second})")
    block = blake2b(first.to_bytes(8, "little") + second.to_bytes(8, "little"), digest_size=16)
    salt = block.digest()
    return max(ranks, key=lambda rank: (_weight(salt, rank), rank))


def _weight(salt: bytes, rank: Rank) -> bytes:
    return blake2b(rank.to_bytes(8, "little"), digest_size=8, salt=salt).digest()
