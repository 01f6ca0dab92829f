"""The home of a block: which memory or generator rank serves it (rendezvous hashing).

Theory of operation. Each (block, rank) pair has a hash; the rank with the largest one is the
block's home. Everyone computes the same home from the list of live ranks, without asking. When a
rank is lost only its own blocks move, spread over all others; when one joins it takes an equal
share from each. Modulo hashing was rejected (one loss moves nearly all blocks); a hash ring was
rejected (uneven shares without many points).
"""

from collections.abc import Sequence
from hashlib import blake2b

from qmpi.errors import InvariantError
from qmpi.units import Lane, Rank, Step


def home_of(step: Step, lane: Lane, ranks: Sequence[Rank]) -> Rank:
    """Return the rank that serves the block of (step, lane).

    Args:
        step: step of the block.
        lane: lane of the block.
        ranks: live ranks of the serving role, in any order.

    Returns:
        One of `ranks`; the cost is one short hash a rank.

    Raises:
        InvariantError: there are no ranks.
    """
    if not ranks:
        raise InvariantError(f"no live rank can be the home of the block of step {step}")
    block = blake2b(step.to_bytes(8, "little") + lane.to_bytes(8, "little"), digest_size=16)
    salt = block.digest()
    return max(ranks, key=lambda rank: (_weight(salt, rank), rank))


def _weight(salt: bytes, rank: Rank) -> bytes:
    return blake2b(rank.to_bytes(8, "little"), digest_size=8, salt=salt).digest()
