"""Which ranks have been silent for too long.

A rank that is gone is usually reported by the transport at once; this finds those that live but
hang. A fixed limit is used, not an accrual detector: heartbeats come from a loop of their own that
computing does not delay, so their gaps say nothing about load, and an operator can reason about one
number.
"""

from collections.abc import Mapping

from msgspec import Struct

from qmpi.units import Rank, Seconds


class Verdict(Struct, frozen=True):
    """A rank to be fenced and counted as dead.

    Attributes:
        rank: which rank.
        silent_seconds: time since its last sign of life.
        reason: the verdict in words.
    """

    rank: Rank
    silent_seconds: Seconds
    reason: str


def silent_ranks(
    last_seen: Mapping[Rank, Seconds], now: Seconds, dead_seconds: Seconds
) -> tuple[Verdict, ...]:
    """Judge the ranks by their last sign of life.

    Args:
        last_seen: when each rank that should live was last heard of.
        now: same clock.
        dead_seconds: longest silence that is still taken for life.

    Returns:
        A verdict for each rank silent for longer, ascending by rank.
    """
    found: list[Verdict] = []
    for rank, seen in sorted(last_seen.items()):
        silent = Seconds(now - seen)
        if silent > dead_seconds:
            reason = f"no sign of life for {silent:.1f} s (limit {dead_seconds:g} s)"
            found.append(Verdict(rank, silent, reason))
    return tuple(found)
