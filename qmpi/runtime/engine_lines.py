"""How a member of a generation meets the others: the lines of its seat."""

from typing import TYPE_CHECKING

from qmpi.ports.engine import Condemned, JoinGroup
from qmpi.protocol.teams import DATA, TEAM, TIE, Layout, Seat, every_line_of, tie_of

if TYPE_CHECKING:
    from qmpi.training.comm.line import Comm, Gpu
    from qmpi.training.comm.store import Store
    from qmpi.training.parallel.team import TeamLines

JOIN_SECONDS = 60.0
"""Time-out of a rendezvous: the last resort, since a dead member is heard of and aborts it."""


def connect(
    layout: Layout,
    work: JoinGroup,
    store: "Store | None",
    condemned: Condemned,
    gpu: "Gpu | None" = None,
    host: str = "",
) -> "tuple[Comm, TeamLines | None]":
    """Connect the lines of a seat.

    Args:
        layout: shape of a team.
        work: the seat and the generation.
        store: of this process, which serves if it is the lead's.
        condemned: says why the rendezvous shall end, or None.
        gpu: that this rank computes on.
        host: that it is on; "": sums over the data line do not look at hosts.

    Returns:
        Ranks of this position in all teams, and the lines within the team; None: it is one rank.

    Raises:
        PeerLost: a member did not come, or `condemned` says so.
        NoConnection: this machine has no room for a connection.
    """
    from qmpi.training.comm.hosts import meet_by_host
    from qmpi.training.comm.lines import Lines, Meeting
    from qmpi.training.comm.store import connect_store
    from qmpi.training.parallel.team import TeamLines

    seat = Seat(work.team, work.position)
    wanted = [*every_line_of(layout, seat, work.teams), tie_of(layout, seat)]
    if not work.is_lead and any(line.size > 1 for line in wanted):
        store = connect_store(work.store_address, JOIN_SECONDS, condemned)
    meeting = Meeting(store, f"g{work.generation}", JOIN_SECONDS, condemned, gpu)
    lines = Lines(wanted, meeting)
    # Libraries of GPUs know hosts by themselves.
    if host and gpu is None:
        lines[DATA].by_host = meet_by_host(lines[DATA], wanted[0].name, host, meeting)
    if layout.size == 1:
        return lines[DATA], None
    within = ("tensor", "context", "expert", "pipeline", TIE, TEAM)
    return lines[DATA], TeamLines(*(lines[axis] for axis in within))
