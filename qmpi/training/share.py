"""How one member's state comes to those that lack it."""

import torch

from qmpi.training.comm import Comm, look_on
from qmpi.training.flat_state import FlatState


def share(comm: Comm, state: FlatState, root: int, *, receives: bool) -> bool:
    """Give the root's state to those that need it; every member of the line calls this.

    A member that is cut off keeps what it had.

    Args:
        comm: the group.
        state: of this member; overwritten if it receives.
        root: index of the member whose state counts.
        receives: this member takes it.

    Returns:
        Whether another state than before is held now.

    Raises:
        PeerLost: a member is gone.
    """
    if comm.index == root:
        comm.broadcast(state.buffer, root)
        return False
    if not receives:
        look_on(comm, state.buffer, root)
        return False
    staging = torch.empty_like(state.buffer)
    comm.broadcast(staging, root)
    state.take(staging)
    return True
