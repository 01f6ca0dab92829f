"""The ranks of a large job, for people: by role, by host, the exceptions by name.

Nobody reads eight thousand lines. Hosts that are whole are one line together; a host that is not
stands by itself, the worst first.
"""

from collections import Counter
from collections.abc import Mapping

from rich.markup import escape
from rich.table import Table

from qmpi.protocol.status import Summary, Tally

SHOWN_HOSTS = 12


def role_table(summary: Summary) -> Table:
    """Return how many instances of each role live.

    Args:
        summary: of the status.

    Returns:
        A table.
    """
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("role", "alive", "starting", "dead"):
        table.add_column(name, justify="left" if name == "role" else "right")
    for role, tally in summary.roles.items():
        teams = f" in {summary.teams:,} teams" if role == "trainer" and summary.teams else ""
        table.add_row(role + teams, *_counts(tally))
    return table


def host_lines(hosts: Mapping[str, Tally]) -> str:
    """Return the hosts in a few lines.

    Args:
        hosts: counts by host.

    Returns:
        Text with markup.
    """
    whole = Counter(t.alive for t in hosts.values() if not t.dead and not t.starting)
    hurt = {name: t for name, t in hosts.items() if t.dead or t.starting}
    lines = [
        f"[green]{count:,} hosts whole[/], {alive} role instances each"
        for alive, count in whole.most_common()
    ]
    worst = sorted(hurt, key=lambda name: (-hurt[name].dead, -hurt[name].starting, name))
    for name in worst[:SHOWN_HOSTS]:
        tally = hurt[name]
        lines.append(
            f"[red]{escape(name)}[/]: {tally.dead} dead, {tally.starting} starting, "
            f"{tally.alive} alive"
        )
    if len(worst) > SHOWN_HOSTS:
        lines.append(f"and {len(worst) - SHOWN_HOSTS:,} more hosts with exceptions")
    return "\n".join(lines)


def _counts(tally: Tally) -> tuple[str, str, str]:
    dead = f"[red]{tally.dead:,}[/]" if tally.dead else "0"
    return f"{tally.alive:,}", f"{tally.starting:,}", dead
