"""What the recovery decision looks at: ranks that can train, and copies of the state.

Theory of operation. A rank's state is that of one position of its team, the same in every team. A
rank that is moved to another position keeps its process and loses the use of its state.
"""

from msgspec import Struct

from qmpi.policy.held_parts import HeldPart
from qmpi.protocol.membership import SnapshotFact
from qmpi.protocol.portions import WHOLE, Portions, Spans
from qmpi.units import Rank

NOWHERE = -1
"""Team or position of a rank that sits nowhere."""


class Candidate(Struct, frozen=True):
    """A live rank that can train.

    Attributes:
        rank: which rank.
        host: its machine; "" while unknown.
        is_spare: it waits for a place.
        team: where it sat, or was placed; -1: nowhere.
        position: whose part of the state it holds, or where it was placed; -1: neither.
        state_step: its weights are those before this step; -1: it has none.
        reduced: it also holds the reduced gradient of `state_step`.
        reports_from: first step whose outcome it can still report, up to `state_step`; equal to
            `state_step`: none. Who received its state knows no earlier outcome.
        store_address: rendezvous store that it would serve as lead; "" if it has none.
        snapshots: verified snapshots within its reach.
        portions: of the moments of its position that it holds.
        kept: lanes whose kept part it holds, as in `qmpi.protocol.membership.Holding`.
    """

    rank: Rank
    host: str
    is_spare: bool
    team: int
    position: int
    state_step: int
    reduced: bool
    reports_from: int
    store_address: str
    snapshots: tuple[SnapshotFact, ...] = ()
    portions: Portions = WHOLE
    kept: Spans = ()

    @property
    def part(self) -> HeldPart:
        """What it holds of its position alone, perhaps."""
        return HeldPart(self.portions, self.kept)

    @property
    def knows_from(self) -> int:
        """First step whose outcome it can report once it has applied what it holds."""
        return min(self.reports_from, self.state_step)

    def place(self, team_size: int) -> int:
        """Return the position where this rank's state is of use.

        Args:
            team_size: ranks of a team, >= 1.

        Returns:
            0 <= position < team size, or -1. A team of one has one position only.
        """
        if team_size == 1:
            return 0
        return self.position if 0 <= self.position < team_size else NOWHERE


class KeptCopy(Struct, frozen=True):
    """A verified snapshot of one position that a replica reported; in RAM it outlives the replica.

    Attributes:
        rank: the replica.
        host: its machine; "" while unknown.
        fact: the snapshot.
    """

    rank: Rank
    host: str
    fact: SnapshotFact
