"""Who sits where in the next group: whole teams stay, broken ones are repaired or dissolved.

Theory of operation. A rank that trained sits where it sat. A team all of whose seats are taken
stays. Of the others, as many are repaired as all hands together can fill, those first that miss
least; the rest are dissolved. Ranks that wait for a seat (spares, and trainers that never had one)
fill the gaps, those on the team's host first; the ranks of dissolved teams fill what is then still
empty, each at its own position if it can, since it brings the state with it. A team of one is whole
or gone, and this becomes: trainers stay, spares fill up.

Afterwards single ranks may be moved by `bring`, when a part of the state would be lost otherwise.

Rejected: an optimal assignment of ranks to seats. It would move ranks between living teams to spare
a transfer, and nobody could predict it.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from fractions import Fraction

from qmpi.policy.candidates import NOWHERE, Candidate
from qmpi.units import Rank

Row = list[Candidate | None]
"""Seats of a team by position; None: empty."""


Worth = Callable[[Candidate, int], tuple[int | Fraction, ...]]
"""Of a rank that has a seat, given its team's number: whoever has least gives way."""


class Seating:
    """The seats of a group while it is put together.

    Invariants: nobody sits twice; every team is whole; who sits nowhere is idle.

    Attributes:
        teams: ranks of each team by position.
        idle: ranks without a seat, best first.
    """

    def __init__(self, teams: list[list[Candidate]], idle: list[Candidate]) -> None:
        """Start from seats.

        Args:
            teams: ranks of each team by position, best team first.
            idle: the others, best first.
        """
        self.teams = teams
        self.idle = idle

    @property
    def team_size(self) -> int:
        """Ranks of a team."""
        return len(self.teams[0])

    def settle(self) -> None:
        """Bring the teams in the order of the group: by the lowest rank that trained before."""
        self.teams.sort(key=_anchor)

    def members(self) -> Iterator[tuple[Candidate, int]]:
        """Yield each member with its position, team by team."""
        for team in self.teams:
            yield from zip(team, range(self.team_size), strict=True)

    def bring(
        self,
        c: Candidate,
        position: int,
        worth: Callable[[Candidate, int], tuple[int | Fraction, ...]],
    ) -> None:
        """Seat a rank at a position: by an exchange within its team, or for one who gives way.

        Args:
            c: the rank.
            position: where it is needed.
            worth: whoever has least, given its team's number, loses the seat at that position.
        """
        for team in self.teams:
            if c in team:
                old = team.index(c)
                team[old], team[position] = team[position], team[old]
                return
        number = min(range(len(self.teams)), key=lambda n: worth(self.teams[n][position], n))
        self.idle[self.idle.index(c)] = self.teams[number][position]
        self.teams[number][position] = c

    def add_team(self, needed: dict[int, Candidate]) -> None:
        """Seat one more team of idle ranks.

        Args:
            needed: who must sit at a position; all idle.
        """
        rest = [c for c in self.idle if c not in needed.values()]
        free = [p for p in range(self.team_size) if p not in needed]
        seated = {**needed, **dict(zip(free, rest, strict=False))}
        self.teams.append([seated[p] for p in range(self.team_size)])
        self.idle = rest[len(free) :]


class _Pool:
    """Ranks to fill seats with, found by a key; each is given once.

    The best rank for a key is given first.
    """

    def __init__(
        self, ranks: Sequence[Candidate], keys: Callable[[Candidate], Sequence[Hashable]]
    ) -> None:
        self._given: set[Rank] = set()
        self._queues: dict[Hashable, list[Candidate]] = {}
        for c in reversed(ranks):
            for key in keys(c):
                self._queues.setdefault(key, []).append(c)

    def take(self, *keys: Hashable) -> Candidate | None:
        """Return a rank for the first key that has one left."""
        for key in keys:
            queue = self._queues.get(key, [])
            while queue:
                c = queue.pop()
                if c.rank not in self._given:
                    self._given.add(c.rank)
                    return c
        return None


def seat(ordered: Sequence[Candidate], *, team_size: int, wanted: int, lanes: int) -> Seating:
    """Seat the ranks in as many teams as are wanted, or as their number allows.

    Args:
        ordered: ranks that can train, best first: with the newest state, and spares last.
        team_size: ranks of a team, >= 1 and no more than there are ranks.
        wanted: broken teams are repaired and new ones made up to this number, >= 1.
        lanes: there are never more teams than this, >= wanted.

    Returns:
        At least one team.
    """
    order = {c.rank: number for number, c in enumerate(ordered)}

    def behind(row: Row) -> int:
        return max(order[c.rank] for c in row if c is not None)

    rows, newcomers = _homes(ordered, team_size)
    whole = sorted((row for row in rows if None not in row), key=behind)
    broken = sorted(
        (row for row in rows if None in row), key=lambda row: (row.count(None), behind(row))
    )
    kept, dropped = whole[:lanes], whole[lanes:]
    hands = len(ordered) - len(kept) * team_size
    more = min(max(0, wanted - len(kept)), hands // team_size)
    repaired = broken[:more]
    repaired += [_empty(team_size) for _ in range(more - len(repaired))]
    leavers = [c for row in (*broken[more:], *dropped) for c in row if c is not None]
    _fill(repaired, newcomers, sorted(leavers, key=lambda c: order[c.rank]), team_size)
    teams = [[c for c in row if c is not None] for row in (*kept, *repaired)]
    seated = {c.rank for team in teams for c in team}
    return Seating(teams, [c for c in ordered if c.rank not in seated])


def _empty(team_size: int) -> Row:
    return [None] * team_size


def _homes(ordered: Sequence[Candidate], team_size: int) -> tuple[list[Row], list[Candidate]]:
    """Return the teams as they were, with gaps, and those who sat nowhere."""
    rows: dict[int, Row] = {}
    newcomers: list[Candidate] = []
    for c in ordered:
        position = c.place(team_size)
        # A spare with state is what is left of a group, hence as good as a survivor.
        if position == NOWHERE or (c.is_spare and c.state_step < 0):
            newcomers.append(c)
            continue
        # Whoever shares a seat with a better one, or sat in no team, is the rest of a team of its
        # own.
        alone = -1 - c.rank
        key = alone if c.is_spare or c.team < 0 else c.team
        if key in rows and rows[key][position] is not None:
            key = alone
        rows.setdefault(key, _empty(team_size))[position] = c
    return list(rows.values()), newcomers


def _fill(
    rows: Sequence[Row],
    newcomers: Sequence[Candidate],
    leavers: Sequence[Candidate],
    team_size: int,
) -> None:
    """Fill the gaps: newcomers as far as they go, then leavers, at their own positions first."""
    gaps = [(row, position) for row in rows for position, c in enumerate(row) if c is None]
    short = len(gaps) - len(newcomers)
    leaving = _Pool(
        leavers, lambda c: (c.host, c.place(team_size), (c.host, c.place(team_size)), "")
    )
    for row, position in gaps:
        if short > 0:
            row[position] = leaving.take((_host(row), position), position)
            short -= row[position] is not None
    waiting = _Pool(newcomers, lambda c: (c.host, ""))
    for row, position in gaps:
        if row[position] is None:
            host = _host(row)
            row[position] = waiting.take(host, "") or leaving.take(host, "")


def _host(row: Row) -> str:
    """Return the host that most of a team's ranks are on; "" if none is known."""
    hosts = Counter(c.host for c in row if c is not None and c.host)
    return max(hosts, key=lambda host: (hosts[host], host), default="")


def _anchor(team: Sequence[Candidate]) -> Rank:
    trained = [c.rank for c in team if not c.is_spare]
    return min(trained or [c.rank for c in team])
