"""Which of a host's GPUs a rank computes on."""

from collections.abc import Sequence

from qmpi.protocol.envelope import RoleName
from qmpi.units import Rank

COMPUTING = (RoleName.TRAINER, RoleName.SPARE)


def device_number(hosts: Sequence[str], roles: Sequence[Sequence[RoleName]], rank: Rank) -> int:
    """Return the number of a rank among those of its host that compute, or may come to.

    A spare counts: it takes a dead trainer's place, not its GPU, which may be on another host or
    still be held by what is left of the dead process.

    Args:
        hosts: host of each rank, in rank order.
        roles: roles of each rank.
        rank: of the job.

    Returns:
        From 0, in the order of ranks; 0 for a rank that does not compute.
    """
    if not set(roles[rank]) & set(COMPUTING):
        return 0
    return sum(
        bool(set(roles[other]) & set(COMPUTING))
        for other in range(rank)
        if hosts[other] == hosts[rank]
    )
