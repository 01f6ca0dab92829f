"""How many ranks each living host gets."""

from collections.abc import Sequence

from msgspec import Struct

from qmpi.errors import ConfigError
from qmpi.launch.allocation.hosts import Allocation, HostSlots

MOST_A_HOST = 1024
"""Ranks of one host; each is a process with an interpreter of its own, some 50 MB at least."""


class Wanted(Struct, frozen=True):
    """Ranks that are wanted.

    Attributes:
        ranks: in all, if the user says so; None: nobody does.
        per_host: on each host, if the user says so; None likewise.
        asked: what the job asks for by its counts; None: it gives shares.
    """

    ranks: int | None = None
    per_host: int | None = None
    asked: int | None = None


def deal_ranks(found: Allocation, living: Sequence[str], wanted: Wanted) -> tuple[HostSlots, ...]:
    """Deal ranks to the hosts that live.

    A host that is gone takes its ranks along: those that are left do not have to hold more than
    they were meant to. In this order: what the user says for each host, what he says in all, what
    the batch system says, what the job asks for.

    Args:
        found: the allocation.
        living: names of hosts in it that answer; at least one.
        wanted: ranks that are wanted.

    Returns:
        This machine first, since rank 0 lives best beside mpirun; hosts that get none are left out.

    Raises:
        ConfigError: nobody says how many ranks, or too many for the hosts.
    """
    order = sorted(living, key=lambda name: name != found.here)
    said = {host.name: host.slots for host in found.hosts}
    if wanted.per_host is None and wanted.ranks is None and all(said.values()):
        return tuple(HostSlots(name, said[name]) for name in order)
    total = wanted.ranks if wanted.ranks is not None else wanted.asked
    if wanted.per_host is not None:
        most = wanted.per_host * len(order)
        return _evenly(order, most if wanted.ranks is None else min(wanted.ranks, most))
    if total is None:
        raise ConfigError(
            "[roles] gives shares, so say how many ranks to start: -n N, or --ranks-per-host K"
        )
    return _evenly(order, min(total, -(-total // len(found.hosts)) * len(order)))


def _evenly(names: Sequence[str], total: int) -> tuple[HostSlots, ...]:
    each, more = divmod(total, len(names))
    if each + bool(more) > MOST_A_HOST:
        raise ConfigError(
            f"{total} ranks on {len(names)} host{'s' * (len(names) > 1)} are more than "
            f"{MOST_A_HOST} on one: start fewer, or name more hosts"
        )
    dealt = (HostSlots(name, each + (at < more)) for at, name in enumerate(names))
    return tuple(host for host in dealt if host.slots)
