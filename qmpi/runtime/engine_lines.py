"""How a member of a generation meets the others: the lines of its seat."""

from typing import TYPE_CHECKING

from qmpi.policy.teams import DATA, TEAM, TIE, Layout, Line, Seat, inner_lines, lines_of
from qmpi.ports.engine import Condemned, JoinGroup

if TYPE_CHECKING:
    from qmpi.training.comm.line import Comm
    from qmpi.training.comm.store import Store
    from qmpi.training.parallel.team import TeamLines

JOIN_SECONDS = 60.0
"""Time-out of a rendezvous: the last resort, since a dead member is heard of and aborts it."""


def connect(
    layout: Layout, work: JoinGroup, store: "Store | None", condemned: Condemned
) -> "tuple[Comm, TeamLines | None]":
    """Connect the lines of a seat.

    Args:
        layout: shape of a team.
        work: the seat and the generation.
        store: of this process, which serves if it is the lead's.
        condemned: says why the rendezvous shall end, or None.

    Returns:
        Ranks of this position in all teams, and the lines within the team; None: it is one rank.

    Raises:
        PeerLost: a member did not come, or `condemned` says so.
    """
    from qmpi.training.comm.line import Comm
    from qmpi.training.comm.store import connect_store
    from qmpi.training.parallel.team import TeamLines

    seat = Seat(work.team, work.position)
    lines = [*lines_of(layout, seat, work.teams), *inner_lines(layout, seat)]
    if not work.is_lead and any(line.size > 1 for line in lines):
        store = connect_store(work.store_address, JOIN_SECONDS, condemned)

    def met(axis: str) -> Comm:
        line = next((one for one in lines if one.axis == axis), Line(axis, axis, 0, 1))
        return Comm(
            store=store,
            name=f"g{work.generation}/{line.name}",
            index=line.index,
            size=line.size,
            timeout_seconds=JOIN_SECONDS,
            aborted=condemned,
            # Stages, and the two ends of a tied table, send each other messages; others never do.
            reach=int(axis in ("pipeline", TIE)),
        )

    data = met(DATA)
    if layout.size == 1:
        return data, None
    axes = map(met, ("tensor", "context", "pipeline", TIE, TEAM))
    return data, TeamLines(*axes)
