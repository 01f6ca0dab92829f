"""Who takes on a role that nobody plays any more."""

from collections.abc import Collection, Mapping

from qmpi.protocol.envelope import RoleName
from qmpi.units import Rank

LIGHT = frozenset({RoleName.GENERATOR, RoleName.MEMORY, RoleName.REPLICA})


def choose_understudy(
    live: Mapping[Rank, tuple[RoleName, ...]], avoid: Rank, near: Collection[Rank] = ()
) -> Rank | None:
    """Choose the rank that takes on a light role.

    Light ranks come first, since they have time to spare; then spares, then trainers. The
    coordinator's rank comes last: what it hosts could take it along. Before all that: a replica
    shall not share the failure domain of the copy that it doubles.

    Args:
        live: roles of each live rank.
        avoid: rank of the coordinator.
        near: ranks that would be lost together with what they shall double.

    Returns:
        A rank, or None when nobody lives.
    """

    def cost(rank: Rank) -> tuple[bool, bool, int, int, Rank]:
        roles = set(live[rank])
        kind = 0 if roles <= LIGHT else 1 if roles == {RoleName.SPARE} else 2
        return (rank in near, rank == avoid, kind, len(roles), rank)

    return min(live, key=cost, default=None)
