"""Lines by host: made where the members of a line lie evenly on several hosts."""

from hashlib import blake2b

import torch

from qmpi.protocol.host_lines import host_lines
from qmpi.training.comm.line import ByHost, Comm
from qmpi.training.comm.lines import Lines, Meeting

LEAST_MEMBERS = 4
"""Two hosts of two: fewer cannot lie so."""


def meet_by_host(line: Comm, name: str, host: str, meeting: Meeting) -> ByHost | None:
    """Find out where the members of a line are, and connect its lines by host if that helps.

    Args:
        line: connected; every member calls this.
        name: of the line within the generation.
        host: that this member is on.
        meeting: where and how.

    Returns:
        The lines; None: sums go over the line itself.

    Raises:
        PeerLost: a member is gone, or this one is told to leave.
    """
    if line.size < LEAST_MEMBERS:
        return None
    mark = int.from_bytes(blake2b(host.encode(), digest_size=8).digest(), "little", signed=True)
    marks = line.allgather(torch.tensor([mark], dtype=torch.int64)).tolist()
    wanted = host_lines(marks, line.index, name)
    if wanted is None:
        return None
    lines = Lines(wanted, meeting)
    return ByHost(*(lines[each.axis] for each in wanted))
