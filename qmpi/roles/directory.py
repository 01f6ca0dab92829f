"""The directory of data roles: its differences, and word of a new one to the roles of a rank."""

from collections.abc import Iterable
from itertools import takewhile

from qmpi.ports.base import Event
from qmpi.protocol.envelope import RoleName
from qmpi.protocol.pulse import Directory, DirectoryChange
from qmpi.units import Rank

DATA_ROLES = (RoleName.GENERATOR, RoleName.MEMORY, RoleName.REPLICA)
"""Roles that the directory lists."""

Pair = tuple[RoleName, Rank]


class DirectoryChanged(Event, frozen=True):
    """The herald of this rank holds a newer directory."""

    directory: Directory


def pairs_of(directory: Directory) -> set[Pair]:
    """Return the (role, rank) pairs that a directory lists.

    Args:
        directory: any.

    Returns:
        One pair an entry.
    """
    listed = (directory.generators, directory.memories, directory.replicas)
    return {(role, rank) for role, ranks in zip(DATA_ROLES, listed, strict=True) for rank in ranks}


def difference(old: Directory, new: Directory) -> DirectoryChange:
    """Return what makes one directory another; both name and propose the same sources.

    Args:
        old: the one before.
        new: the one after.

    Returns:
        The change.
    """
    before, after = pairs_of(old), pairs_of(new)
    alike = takewhile(lambda both: both[0] == both[1], zip(old.recipes, new.recipes, strict=False))
    kept = len(list(alike))
    return DirectoryChange(
        old.revision,
        new.revision,
        tuple(sorted(after - before)),
        tuple(sorted(before - after)),
        new.reason,
        kept,
        new.recipes[kept:],
    )


def changed(old: Directory, change: DirectoryChange) -> Directory:
    """Return the directory after a change.

    Args:
        old: that of `change.base`.
        change: as from `difference`.

    Returns:
        The new one.
    """
    joined, gone = set(change.joined), set(change.gone)
    return Directory(
        revision=change.revision,
        generators=_merged(RoleName.GENERATOR, old.generators, joined, gone),
        memories=_merged(RoleName.MEMORY, old.memories, joined, gone),
        replicas=_merged(RoleName.REPLICA, old.replicas, joined, gone),
        sources=old.sources,
        reason=change.reason,
        recipes=(*old.recipes[: change.kept], *change.recipes),
        added=old.added,
        proposal=old.proposal,
    )


def _merged(
    role: RoleName, ranks: Iterable[Rank], joined: set[Pair], gone: set[Pair]
) -> tuple[Rank, ...]:
    kept = {rank for rank in ranks if (role, rank) not in gone}
    return tuple(sorted(kept | {rank for name, rank in joined if name == role}))
