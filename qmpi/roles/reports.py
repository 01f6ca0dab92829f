"""What the status says of the ranks: each of them in a small job, counts and exceptions in a large.

Theory of operation. Up to `NAMED_RANKS` ranks each role instance has a line. Beyond that the status
holds counts by role and by host, and lines for the exceptions: instances that are dead, or that
have not said hello. So the file stays small, and is put together in a time that grows with hosts.
"""

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from qmpi.protocol.envelope import RoleName
from qmpi.protocol.level_use import reported
from qmpi.protocol.status import RankReport, StatusReport, Summary, Tally
from qmpi.roles.roster import Entry, Roster
from qmpi.units import Rank

NAMED_RANKS = 512
"""Largest job whose ranks are all named."""

NAMED_EXCEPTIONS = 256
"""Most exceptions that are named in a larger one."""

ENDED = ("finished", "stopped", "failed")
LEFT = "left"
"""Activity of a rank that has lived to the end."""

Seats = Mapping[Rank, tuple[int, int]]
"""(team, position) of each rank that trains."""


class Reporter:
    """Puts the ranks' part of the status together.

    Invariants: tallies are counted anew only after somebody came, went or said hello.
    """

    def __init__(self, roster: Roster) -> None:
        """Report on a roster.

        Args:
            roster: who is there.
        """
        self._roster = roster
        self._counted_at = -1
        self._roles: dict[str, Tally] = {}
        self._hosts: dict[str, Tally] = {}

    def complete(
        self, report: StatusReport, *, name: str, run_id: str, reason: str, seats: Seats, teams: int
    ) -> StatusReport:
        """Complete a status by who is there.

        Args:
            report: what is known of the work.
            name: of the run.
            run_id: identity of the run directory.
            reason: why it is in its state, in words.
            seats: who trains where.
            teams: teams that train.

        Returns:
            The whole report.
        """
        ranks = self.ranks(seats)
        if report.state in ENDED:
            # What each was doing when it was told to leave is nothing that it does now.
            ranks = tuple(replace(rank, activity=LEFT) if rank.alive else rank for rank in ranks)
        return replace(
            report,
            name=name,
            run_id=run_id,
            reason=reason,
            ranks=ranks,
            summary=self.summary(teams),
            levels=reported(self._roster.level_uses()),
        )

    def ranks(self, seats: Seats) -> tuple[RankReport, ...]:
        """Return the lines of the ranks, or of the exceptions in a large job.

        Args:
            seats: who trains where.

        Returns:
            Lines by rank and role.
        """
        roster = self._roster
        if len(roster.hosts) <= NAMED_RANKS:
            return tuple(_line(e, seats) for _, e in sorted(roster.entries.items()))
        return tuple(_line(entry, seats) for entry in self._exceptions()[:NAMED_EXCEPTIONS])

    def summary(self, teams: int) -> Summary | None:
        """Return the counts of a large job.

        Args:
            teams: teams that train.

        Returns:
            None for a job whose ranks are all named.
        """
        roster = self._roster
        if len(roster.hosts) <= NAMED_RANKS:
            return None
        if self._counted_at != roster.changes:
            self._count()
        left_out = max(0, len(self._exceptions()) - NAMED_EXCEPTIONS)
        return Summary(
            ranks=len(roster.hosts),
            roles=self._roles,
            hosts=self._hosts,
            teams=teams,
            exceptions_left_out=left_out,
        )

    def _exceptions(self) -> list[Entry]:
        roster = self._roster
        found = [entry for rank in roster.dead for entry in roster.on(rank)]
        found += [roster.entries[address] for address in roster.missing()]
        return sorted(found, key=lambda entry: entry.address)

    def _count(self) -> None:
        self._counted_at = self._roster.changes
        roles: dict[str, list[int]] = {}
        hosts: dict[str, list[int]] = {}
        for entry in self._roster.entries.values():
            kind = 2 if not entry.alive else 1 if entry.hello is None else 0
            roles.setdefault(str(entry.address.role), [0, 0, 0])[kind] += 1
            hosts.setdefault(entry.host, [0, 0, 0])[kind] += 1
        self._roles = {name: Tally(*counts) for name, counts in sorted(roles.items())}
        self._hosts = {name: Tally(*counts) for name, counts in hosts.items()}


def _line(entry: Entry, seats: Seats) -> RankReport:
    rank, role = entry.address.rank, entry.address.role
    team, position = seats.get(rank, (None, None)) if role == RoleName.TRAINER else (None, None)
    return RankReport(
        rank=int(rank),
        role=str(role),
        host=entry.host,
        pid=entry.hello.pid if entry.hello else 0,
        alive=entry.alive,
        activity=entry.activity,
        team=team,
        position=position,
        levels=reported(entry.pulse.levels) if entry.pulse is not None else (),
    )


def ranks_text(ranks: Iterable[Rank]) -> str:
    """Return "rank 3" or "ranks 3, 5".

    Args:
        ranks: one or more.

    Returns:
        Text for people.
    """
    names = [str(rank) for rank in sorted(ranks)]
    return f"rank {names[0]}" if len(names) == 1 else f"ranks {', '.join(names)}"
