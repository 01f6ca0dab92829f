"""Which rank can read which snapshot, and whether the ranks can read a whole state between them.

Theory of operation. A state is whole when each position's part can be read by a rank of its own; a
snapshot in RAM can be read on its own host only, even after its writer died, one on disk by
everyone. Who reads what is a matching of positions with ranks, found by augmenting paths. A team
has few positions, and the ranks that already sit where they should read come first, so nearly
always nobody moves.
"""

from collections.abc import Callable, Iterable, Sequence

from qmpi.policy.candidates import Candidate, KeptCopy
from qmpi.protocol.membership import SnapshotFact
from qmpi.units import Rank, Step

Readers = Callable[[int], Iterable[Candidate]]
"""Ranks that might read a position's part, those that need not move first."""


class _Shelf:
    """Copies of one position at one step; only the best of each place is kept.

    Thousands of ranks report the same files on disk.
    """

    def __init__(self) -> None:
        self.disk: SnapshotFact | None = None
        self.ram: dict[str, SnapshotFact] = {}
        # A rank reaches its own RAM files even while nobody knows the name of its host.
        self.own: dict[Rank, SnapshotFact] = {}

    def add(self, fact: SnapshotFact, host: str, owner: Rank | None) -> None:
        if fact.place == "disk":
            self.disk = _first(fact, self.disk)
        elif host:
            self.ram[host] = _first(fact, self.ram.get(host))
        elif owner is not None:
            self.own[owner] = _first(fact, self.own.get(owner))

    def read(self, reader: Candidate) -> SnapshotFact | None:
        near = self.ram.get(reader.host) if reader.host else self.own.get(reader.rank)
        return near or self.disk


class Library:
    """The snapshots of committed steps, by step and position.

    Attributes:
        steps: steps of which every position has a copy somewhere, newest first.
    """

    def __init__(
        self,
        candidates: Sequence[Candidate],
        copies: Sequence[KeptCopy],
        committed: int,
        team_size: int,
    ) -> None:
        """Sort the snapshots.

        Args:
            candidates: ranks that can train.
            copies: what replicas reported.
            committed: snapshots of later steps are left out: the journal does not know how they
                came about.
            team_size: ranks of a team, >= 1.
        """
        self._shelves: dict[int, dict[int, _Shelf]] = {}
        self._size = team_size
        own = ((fact, c.host, c.rank) for c in candidates for fact in c.snapshots)
        for fact, host, owner in (*own, *((copy.fact, copy.host, None) for copy in copies)):
            if fact.step <= committed and 0 <= fact.position < team_size:
                parts = self._shelves.setdefault(fact.step, {})
                parts.setdefault(fact.position, _Shelf()).add(fact, host, owner)
        whole = (step for step, parts in self._shelves.items() if len(parts) == team_size)
        self.steps = tuple(Step(step) for step in sorted(whole, reverse=True))

    def read(self, reader: Candidate, step: Step, position: int) -> SnapshotFact | None:
        """Return the copy that a rank would read.

        Args:
            reader: the rank.
            step: weights before this step.
            position: whose part.

        Returns:
            RAM before disk, then by path; None if no copy is within its reach.
        """
        shelf = self._shelves.get(step, {}).get(position)
        return None if shelf is None else shelf.read(reader)

    def newest_steps(self, candidates: Sequence[Candidate], most: Step) -> dict[Rank, int]:
        """Return the newest step of which each rank can read a part.

        Args:
            candidates: the ranks.
            most: later steps do not count.

        Returns:
            Step by rank; -1 if nothing is within its reach.
        """
        disk, ram, own = -1, dict[str, int](), dict[Rank, int]()
        for step in sorted(step for step in self._shelves if step <= most):
            for shelf in self._shelves[step].values():
                disk = disk if shelf.disk is None else step
                ram |= dict.fromkeys(shelf.ram, step)
                own |= dict.fromkeys(shelf.own, step)
        return {
            c.rank: max(disk, ram.get(c.host, -1) if c.host else own.get(c.rank, -1))
            for c in candidates
        }

    def match(self, step: Step, readers: Readers) -> tuple[Candidate, ...] | None:
        """Find a rank for each position that can read its part, no rank twice.

        Args:
            step: weights before this step.
            readers: whom to ask for a position, in this order.

        Returns:
            The reader of each position; None if the parts cannot all be read.
        """
        able: list[list[Candidate]] = []
        for position in range(self._size):
            found: list[Candidate] = []
            for c in readers(position):
                if self.read(c, step, position) is not None:
                    found.append(c)
                # With as many readers as positions one is always free: more are not needed.
                if len(found) == self._size:
                    break
            able.append(found)
        taken: dict[Rank, int] = {}
        if not all(_augment(position, able, taken, set()) for position in range(self._size)):
            return None
        by_position = {position: rank for rank, position in taken.items()}
        return tuple(
            next(c for c in able[position] if c.rank == by_position[position])
            for position in range(self._size)
        )


def _augment(
    position: int, able: Sequence[Sequence[Candidate]], taken: dict[Rank, int], seen: set[Rank]
) -> bool:
    """Return True once the position has a reader; others change theirs if need be."""
    # A free reader first: nobody moves without need.
    for c in sorted(able[position], key=lambda c: c.rank in taken):
        if c.rank in seen:
            continue
        seen.add(c.rank)
        holder = taken.get(c.rank)
        if holder is None or _augment(holder, able, taken, seen):
            taken[c.rank] = position
            return True
    return False


def _first(fact: SnapshotFact, other: SnapshotFact | None) -> SnapshotFact:
    return fact if other is None else min(fact, other, key=lambda f: (f.path, f.digest))
