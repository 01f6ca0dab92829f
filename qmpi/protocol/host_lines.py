"""How the members of a line lie on hosts: the lines within hosts and across them."""

from collections.abc import Sequence
from typing import NamedTuple

from qmpi.protocol.teams import Line


class HostLines(NamedTuple):
    """Lines of one member of a longer line; each host has as many members.

    Attributes:
        scatter: members of its host, in order; each gives the others parts of a sum.
        across: of each host the member at its place, in order of hosts.
        gather: as `scatter`; whole sums come together there.
    """

    scatter: Line
    across: Line
    gather: Line


def host_lines(hosts: Sequence[int], index: int, name: str) -> HostLines | None:
    """Choose whether a line sums within hosts first.

    Args:
        hosts: of each member, in order of index; equal numbers are one host.
        index: of the member whose lines are wanted.
        name: of the line.

    Returns:
        Its lines; None where there is nothing to gain, or no even cut: one host, one member on
        each, or not as many on all.
    """
    members = dict[int, list[int]]()
    for member, host in enumerate(hosts):
        members.setdefault(host, []).append(member)
    counts = {len(own) for own in members.values()}
    if len(members) == 1 or len(counts) > 1 or counts == {1}:
        return None
    order = list(members)
    own = members[hosts[index]]
    place, number = own.index(index), order.index(hosts[index])
    return HostLines(
        Line("scatter", f"{name}/scatter/{number}", place, len(own)),
        Line("across", f"{name}/across/{place}", number, len(order)),
        Line("gather", f"{name}/gather/{number}", place, len(own)),
    )
