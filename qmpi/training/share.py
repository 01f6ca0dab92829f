"""How one member's state comes to those that lack it."""

import torch

from qmpi.training.comm.line import Comm
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
        for buffer in state.buffers:
            comm.broadcast(buffer, root)
        return False
    if not receives:
        for buffer in state.buffers:
            comm.look_on(buffer, root)
        return False
    staging = [torch.empty_like(buffer) for buffer in state.buffers]
    for buffer in staging:
        comm.broadcast(buffer, root)
    state.take(staging)
    return True
