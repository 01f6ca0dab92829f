"""Which verified copies of the state exist, and where. Part of the coordinator."""

from collections.abc import Sequence

from qmpi.policy.recovery import ReplicaCopy
from qmpi.protocol.journal import SnapshotKept
from qmpi.protocol.membership import SnapshotFact
from qmpi.roles.roster import Roster
from qmpi.units import Rank, Seconds, Step


class CopyBook:
    """Copies by (rank that wrote them, step, place).

    Invariants: at most `keep` + 1 steps are listed for each rank and place; older files are pruned
    by their owners, one late report allowed for.
    """

    def __init__(self, keep: int) -> None:
        """Start empty.

        Args:
            keep: copies that a rank keeps in one place.
        """
        self.keep = keep
        self.facts: dict[tuple[Rank, Step, str], SnapshotFact] = {}

    def note(
        self, rank: Rank, facts: Sequence[SnapshotFact], now: Seconds
    ) -> tuple[SnapshotKept, ...]:
        """Take in a report.

        Args:
            rank: who holds them.
            facts: verified copies.
            now: clock.

        Returns:
            The records to append.
        """
        for fact in facts:
            self.facts[(rank, fact.step, fact.place)] = fact
            mine = sorted(k for k in self.facts if k[0] == rank and k[2] == fact.place)
            for old in mine[: -self.keep]:
                del self.facts[old]
        return tuple(SnapshotKept(now, f.step, f.digest, f.place, rank, f.path) for f in facts)

    def on_disk(self, step: Step) -> bool:
        """Say whether a checkpoint of `step` is on disk.

        Args:
            step: weights before this step.

        Returns:
            True once a rank has verified and reported it.
        """
        return any(s == step and place == "disk" for _, s, place in self.facts)

    def readable(self, roster: Roster, committed: Step) -> list[ReplicaCopy]:
        """List the copies that recovery may use.

        RAM files outlive the process that wrote them, so copies of the dead count too.

        Args:
            roster: tells the host of each rank.
            committed: copies of later steps are left out.

        Returns:
            Copies with the host they can be read on.
        """
        return [
            ReplicaCopy(rank, roster.host(rank), fact)
            for (rank, _, _), fact in sorted(self.facts.items(), key=lambda item: item[0])
            if fact.step <= committed
        ]
