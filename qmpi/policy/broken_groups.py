"""What follows when trainers' groups break again and again, and nothing is done in between.

Theory of operation. A group that breaks is formed anew: a link was cut, a peer had left, and the
next one works. Where the cause stays, such as a limit that leaves no room for the threads of a
connection, the next group would break like the last, without end. So the tries are counted and
spaced. The first ones follow at once, since most causes are gone by then; each later one waits
twice as long, so that a shortage of some seconds is outlived.

A member that says again and again that its own machine refuses it a connection is unfit: the others
do better without it. If nobody can be spared, or nobody says so of itself, the job ends once there
were enough tries and they have lasted long enough. Both, since a try may fail in a moment or only
after a minute; a try ends by itself, so enough of them take minutes at most.

Whoever asks begins a new series with each committed step, death and new member.
"""

from collections import Counter
from collections.abc import Collection, Sequence

from msgspec import Struct

from qmpi.units import Rank, Seconds

AT_ONCE = 2
"""Broken groups in a row after which the next is formed at once."""

FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 8.0

UNFIT_TRIES = 8
UNFIT_SECONDS = 15.0
"""Bounds of a series after which a member counts as unfit, if it reported half of it, of itself."""

UNFIT_LEAST = 2
"""So many reports are enough where the job would end otherwise."""

MOST_TRIES = 10
LEAST_SECONDS = 30.0
"""Bounds of a series after which the job ends."""


class BrokenGroup(Struct, frozen=True):
    """A group that broke before it had done anything.

    Attributes:
        at: when; clock of the coordinator.
        rank: member that reported it.
        reason: in its words.
        own_fault: its own machine refuses it a connection.
    """

    at: Seconds
    rank: Rank
    reason: str
    own_fault: bool


class AfterBroken(Struct, frozen=True):
    """What follows from a series of broken groups.

    Attributes:
        wait_seconds: the next group is formed so long after the last one broke.
        unfit: member to go on without, at once; None: nobody.
        ends: the job ends.
    """

    wait_seconds: Seconds = Seconds(0.0)
    unfit: Rank | None = None
    ends: bool = False


def after_broken(series: Sequence[BrokenGroup], spared: Collection[Rank]) -> AfterBroken:
    """Decide what follows when a group has broken.

    Args:
        series: groups that broke in a row, the newest last; at least one.
        spared: ranks that the job can go on without.

    Returns:
        The decision.
    """
    tries, lasted = len(series), series[-1].at - series[0].at
    ends = tries >= MOST_TRIES and lasted >= LEAST_SECONDS
    if tries >= UNFIT_TRIES and lasted >= UNFIT_SECONDS:
        own = Counter(group.rank for group in series if group.own_fault and group.rank in spared)
        worst = max(own, key=lambda rank: (own[rank], -rank), default=None)
        enough = UNFIT_LEAST if ends else tries / 2
        if worst is not None and own[worst] >= enough:
            return AfterBroken(unfit=worst)
    return AfterBroken(ends=True) if ends else AfterBroken(_wait(tries))


def _wait(tries: int) -> Seconds:
    if tries <= AT_ONCE:
        return Seconds(0.0)
    # The cap on the exponent keeps a very long series from overflowing.
    doublings = min(tries - AT_ONCE - 1, 16)
    return Seconds(min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2.0**doublings))
