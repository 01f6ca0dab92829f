"""Which ranks have been silent for too long.

A rank that is gone is usually reported by the transport at once; this finds those that live but
hang. A fixed limit is used, not an accrual detector: beats come from a loop of their own that
computing does not delay, so their gaps say nothing about load, and an operator can reason about one
number.
"""

from collections.abc import Iterable

from msgspec import Struct

from qmpi.units import Rank, Seconds


class Silence(Struct, frozen=True):
    """A rank to be fenced and counted as dead.

    Attributes:
        rank: which rank.
        seconds: time since its last sign of life.
        reason: the judgement in words.
    """

    rank: Rank
    seconds: Seconds
    reason: str


def silent_ranks(
    silent_first: Iterable[tuple[Rank, Seconds]], now: Seconds, dead_seconds: Seconds
) -> tuple[Silence, ...]:
    """Judge ranks by their last sign of life.

    Args:
        silent_first: ranks that should live with the time they were last heard of, the earliest
            first; looked at only as far as somebody is too silent.
        now: same clock.
        dead_seconds: longest silence that is still taken for life.

    Returns:
        One entry for each rank silent for longer, ascending by rank.
    """
    found: list[Silence] = []
    for rank, seen in silent_first:
        silent = Seconds(now - seen)
        if silent <= dead_seconds:
            break
        reason = f"no sign of life for {silent:.1f} s (limit {dead_seconds:g} s)"
        found.append(Silence(rank, silent, reason))
    return tuple(sorted(found, key=lambda silence: silence.rank))
