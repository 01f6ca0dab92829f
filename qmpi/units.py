"""Units as types, so that bytes never pass for tokens and a step never passes for a rank.

Floor 0. Each name is a `NewType`: free at run time, checked by the type checker.
"""

from typing import NewType

Rank = NewType("Rank", int)
"""Rank of a process in MPI_COMM_WORLD, 0 <= rank < world size."""

Step = NewType("Step", int)
"""Optimizer step, counted from 0. 'Weights at step s' are the weights before step s is applied."""

Lane = NewType("Lane", int)
"""Index of one fixed share of the global batch, 0 <= lane < lanes."""

Generation = NewType("Generation", int)
"""Number of the agreed trainer group; raised by the coordinator alone, never reused."""

Tokens = NewType("Tokens", int)
"""A count of tokens, or a token's offset in a stream (up to 10**18, fits in int64)."""

Bytes = NewType("Bytes", int)
"""A size in bytes."""

Seconds = NewType("Seconds", float)
"""A duration, or a moment on the clock that the driver passes as `now`."""

Digest = NewType("Digest", str)
"""Lower-case hexadecimal digest; empty when there is none."""


def brief(digest: Digest) -> str:
    """Return the start of a digest, enough for people to tell two apart.

    Args:
        digest: any.

    Returns:
        Eight digits; "none" if there is no digest.
    """
    return digest[:8] or "none"
