"""Branches of a run: each time the user goes back to an earlier step, a new one begins.

Copies of the state say on which branch they were made. Those of an older branch stand up to the
step where the newer ones left it; beyond, they are of a story that was given up. They may still lie
in the RAM of a host that was away, so it is the reader who tells them apart.
"""

from collections.abc import Sequence

from qmpi.protocol.membership import SnapshotFact
from qmpi.units import Step


def stands(fact: SnapshotFact, branches: Sequence[Step]) -> bool:
    """Return whether a copy belongs to the story of the run as it stands.

    Args:
        fact: the copy.
        branches: step that each branch after the first went back to, in order.
    """
    return all(fact.step <= step for step in branches[fact.branch :])
