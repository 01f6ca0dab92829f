"""The ranks of a large job, for people: by role, by host, the exceptions by name.

Nobody reads eight thousand lines. Hosts that are whole are one line together; a host that is not
stands by itself, the worst first.
"""

from collections import Counter
from collections.abc import Mapping

from qmpi.monitor.paint import Cell, paint, table
from qmpi.protocol.status import Summary, Tally

SHOWN_HOSTS = 12


def role_table(summary: Summary, *, colour: bool) -> list[str]:
    """Return how many instances of each role live.

    Args:
        summary: of the status.
        colour: paint it.

    Returns:
        Lines.
    """
    rows = [[Cell(name, "bold") for name in ("role", "alive", "starting", "dead")]]
    for role, tally in summary.roles.items():
        teams = f" in {summary.teams:,} teams" if role == "trainer" and summary.teams else ""
        rows.append([Cell(role + teams), *_counts(tally)])
    return table(rows, right=(1, 2, 3), colour=colour)


def host_lines(hosts: Mapping[str, Tally], *, colour: bool) -> list[str]:
    """Return the hosts in a few lines.

    Args:
        hosts: counts by host.
        colour: paint them.

    Returns:
        Lines.
    """
    whole = Counter(t.alive for t in hosts.values() if not t.dead and not t.starting)
    hurt = {name: t for name, t in hosts.items() if t.dead or t.starting}
    lines = [
        paint(f"{count:,} hosts whole", "green", colour=colour) + f", {alive} role instances each"
        for alive, count in whole.most_common()
    ]
    worst = sorted(hurt, key=lambda name: (-hurt[name].dead, -hurt[name].starting, name))
    for name in worst[:SHOWN_HOSTS]:
        tally = hurt[name]
        lines.append(
            paint(name, "red", colour=colour)
            + f": {tally.dead} dead, {tally.starting} starting, {tally.alive} alive"
        )
    if len(worst) > SHOWN_HOSTS:
        lines.append(f"and {len(worst) - SHOWN_HOSTS:,} more hosts with exceptions")
    return lines


def _counts(tally: Tally) -> tuple[Cell, Cell, Cell]:
    dead = Cell(f"{tally.dead:,}", "red" if tally.dead else "")
    return Cell(f"{tally.alive:,}"), Cell(f"{tally.starting:,}"), dead
