"""Which verified copies of the state exist, and where. Part of the coordinator."""

from collections.abc import Sequence

from qmpi.policy.recovery import KeptCopy
from qmpi.protocol.journal import SnapshotKept
from qmpi.protocol.membership import SnapshotFact
from qmpi.protocol.retention import kept_steps
from qmpi.roles.roster import Roster
from qmpi.units import Rank, Seconds, Step


class CopyBook:
    """Copies by (rank that wrote them, place, step, position).

    Invariants: `keep` steps are listed for each rank and place, and the one that is spared for a
    rescue (`qmpi.protocol.retention`); other files are pruned by their owners.
    """

    def __init__(self, keep: int, team_size: int) -> None:
        """Start empty.

        Args:
            keep: snapshots that a rank keeps in one place.
            team_size: parts that make up a whole state.
        """
        self.keep = keep
        self.team_size = team_size
        self._facts: dict[tuple[Rank, str], dict[tuple[Step, int], SnapshotFact]] = {}
        self._on_disk: dict[Step, set[int]] = {}

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
            mine = self._facts.setdefault((rank, fact.place), {})
            mine[(fact.step, fact.position)] = fact
            older = (step for step, _ in mine if step != fact.step)
            stay = {fact.step} | kept_steps(older, self.keep - 1, fact.skipped, fact.step)
            for key in [key for key in mine if key[0] not in stay]:
                del mine[key]
            if fact.place == "disk":
                self._on_disk.setdefault(fact.step, set()).add(fact.position)
        for step in sorted(self._on_disk)[: -2 * self.keep]:
            del self._on_disk[step]
        return tuple(
            SnapshotKept(now, f.step, f.digest, f.place, rank, f.path, f.position) for f in facts
        )

    def on_disk(self, step: Step) -> bool:
        """Say whether a whole checkpoint of `step` is on disk.

        Args:
            step: weights before this step.

        Returns:
            True once every position's part was verified and reported.
        """
        return len(self._on_disk.get(step, ())) == self.team_size

    def readable(self, roster: Roster, committed: Step) -> list[KeptCopy]:
        """List the copies that recovery may use.

        RAM files outlive the process that wrote them, so copies of the dead count too.

        Args:
            roster: tells the host of each rank.
            committed: copies of later steps are left out.

        Returns:
            Copies with the host they can be read on.
        """
        return [
            KeptCopy(rank, roster.host(rank), fact)
            for (rank, _), mine in sorted(self._facts.items())
            for _, fact in sorted(mine.items())
            if fact.step <= committed
        ]
