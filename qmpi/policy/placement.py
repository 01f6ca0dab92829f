"""Placement: which roles each rank plays, from the counts asked for and the hosts there are.

Theory of operation. First the counts. With as many ranks as asked for, each count holds. Surplus
ranks become trainers, up to one a lane, then spares. With too few ranks: spares go first; then
every count above 1 shrinks in proportion (light roles take their share, trainers all the rest, up
to what was asked); once each light role is down to one process, light roles share processes rather
than take ranks from the trainers, but the coordinator keeps a process of its own from four ranks
on, so that no other role can take it along.

    1 rank            coordinator + generator + memory + trainer + replica
    2 ranks           coordinator + generator + memory + replica | trainer
    3, two trainers   the same with two trainers
    3, one trainer    coordinator | generator + memory + replica | trainer
    4 and more        coordinator | generator + memory + replica | trainers...
    trainers served   coordinator | generator + memory | trainers... | replica

Trainers count in whole teams. Trainer ranks that make no whole team become spares, and there are at
most as many teams as lanes. A job whose ranks reach for one team has one: light roles share fewer
processes for it. With teams of several ranks, read "one trainer" above as one team.

Then the hosts. Rank 0 coordinates. On one host the roles lie in the order of the table above,
spares last. On several, the first trainer, which keeps the RAM copy, gets the lowest free rank, and
replicas go to other failure domains than its (`domains`), or else to other hosts, one each, first
to domains without a replica; memory, generators and spares are dealt evenly, each
to the host with the most free ranks, so that trainers, who take what is left, are even too. Where
a team has several ranks, hosts whose free ranks make no whole teams come before the others, since a
team across hosts is slow. A host's trainers make teams among themselves in the order of their
ranks; those left over make teams with those of the next hosts.
Rejected: an optimal assignment by matching; it costs more than linear time at 100,000 ranks and
nobody could predict it.

Invariants: every role but the spare is played; rank 0 coordinates and nobody else does; a spare's
rank has no other role; every trainer sits in one team, and there are from one to `lanes` teams;
equal input gives equal output.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction
from heapq import heapify, heappop, heappush

from msgspec import Struct
from msgspec.structs import replace

from qmpi.config.settings import RoleCount, RoleSettings
from qmpi.errors import ConfigError, InvariantError
from qmpi.protocol.envelope import RoleName
from qmpi.units import Rank

Process = tuple[RoleName, ...]
"""Roles of one rank."""

C, G, M = RoleName.COORDINATOR, RoleName.GENERATOR, RoleName.MEMORY
T, R, S = RoleName.TRAINER, RoleName.REPLICA, RoleName.SPARE

SHARED: tuple[tuple[Process, ...], ...] = (
    ((C, G, M, R),),
    ((C,), (G, M, R)),
    ((C,), (G, M), (R,)),
    ((C,), (G,), (M,), (R,)),
)
"""How the light roles share 1, 2, 3 and 4 processes."""

ALONE_FROM = 4
"""From this many ranks on the coordinator has a process of its own."""

LIGHT_ROLES = 4
"""Roles that every job plays beside the trainer."""


class Placement(Struct, frozen=True):
    """Roles of each rank.

    Attributes:
        roles: roles of rank 0, 1, ..., in the order coordinator, generator, memory, trainer,
            replica, spare.
        reason: what was dealt and why, in words.
        teams: ranks of each team by position; teams ascend by their lowest rank.
    """

    roles: tuple[tuple[RoleName, ...], ...]
    reason: str
    teams: tuple[tuple[Rank, ...], ...]


class _Counts(Struct, frozen=True, kw_only=True):
    """Ranks of each role beside the one coordinator; trainers in whole teams."""

    generator: int
    memory: int
    trainer: int
    replica: int
    spare: int

    @property
    def total(self) -> int:
        return 1 + self.generator + self.memory + self.trainer + self.replica + self.spare


class _Hosts:
    """Free ranks of each host, dealt from the lowest on; domains by host."""

    def __init__(self, hosts: Sequence[str], domains: Sequence[str]) -> None:
        self.names = list(dict.fromkeys(hosts))
        number = {name: index for index, name in enumerate(self.names)}
        self.of_rank = [number[name] for name in hosts]
        named = dict(zip(reversed(hosts), reversed(domains), strict=True))
        self.domains = [named[name] for name in self.names]
        self._free: list[list[int]] = [[] for _ in self.names]
        for rank in range(len(hosts) - 1, -1, -1):
            self._free[self.of_rank[rank]].append(rank)

    def room(self, host: int) -> int:
        """Return the number of free ranks."""
        return len(self._free[host])

    def take(self, host: int) -> int:
        """Return the lowest free rank, which is free no more."""
        return self._free[host].pop()


def place(
    hosts: Sequence[str],
    roles: RoleSettings,
    lanes: int,
    team_size: int = 1,
    domains: Sequence[str] = (),
) -> Placement:
    """Decide the roles of each rank; O(ranks x log hosts).

    Args:
        hosts: host of each rank, in rank order; at least one.
        roles: counts of ranks asked for; a percentage is a share of all ranks. Roles that every job
            needs count as 1, or as one team, if less is asked for; there is exactly one
            coordinator.
        lanes: lanes of a step, >= 1.
        team_size: ranks of a team, >= 1.
        domains: failure domain of each rank's host; empty: each host is one.

    Returns:
        The placement.

    Raises:
        ConfigError: there are fewer ranks than a team has.
        InvariantError: there are no ranks.
    """
    size = len(hosts)
    if size < 1:
        raise InvariantError("a job without ranks cannot be placed")
    if size < team_size:
        raise ConfigError(
            f"a team of {team_size} ranks does not fit on {_number(size, 'rank')}: start at least "
            f"{team_size} ranks, or make the axes of [parallel] smaller"
        )
    asked = _asked(roles, size, lanes, team_size)
    counts = _fit(asked, size, lanes, team_size)
    light, counts = _share(asked, counts, size, team_size)
    processes = _processes(light, counts, size)
    table = _Hosts(hosts, domains or hosts)
    dealt = _spread(table, processes, team_size) if len(table.names) > 1 else processes
    teams = _teams(hosts, dealt, team_size)
    reason = _reason(_plain(roles, size), dealt, len(table.names), team_size, lanes)
    return Placement(tuple(dealt), reason, teams)


def _plain(roles: RoleSettings, size: int) -> _Counts:
    """Return the counts as they were asked for; trainers are not yet in whole teams."""
    return _Counts(
        generator=max(1, _count(roles.generator, size)),
        memory=max(1, _count(roles.memory, size)),
        trainer=max(1, _count(roles.trainer, size)),
        replica=max(1, _count(roles.replica, size)),
        spare=_count(roles.spare, size),
    )


def _asked(roles: RoleSettings, size: int, lanes: int, team_size: int) -> _Counts:
    plain = _plain(roles, size)
    trainer = max(team_size, plain.trainer)
    seated = min(trainer - trainer % team_size, lanes * team_size)
    return replace(plain, trainer=seated, spare=plain.spare + trainer - seated)


def _count(asked: RoleCount, size: int) -> int:
    if isinstance(asked, int):
        return asked
    return int(Fraction(asked.removesuffix("%")) * size / 100 + Fraction(1, 2))


def _fit(asked: _Counts, size: int, lanes: int, team_size: int) -> _Counts:
    """Return counts that sum to `size`, or what `_share` shall fit in if there are too few."""
    free = size - asked.total
    if free >= 0:
        more = min(free - free % team_size, lanes * team_size - asked.trainer)
        return replace(asked, trainer=asked.trainer + more, spare=asked.spare + free - more)
    if free + asked.spare >= 0:
        return replace(asked, spare=asked.spare + free)
    if size < LIGHT_ROLES + team_size:
        return replace(asked, generator=1, memory=1, replica=1, spare=0)
    return _shrink(asked, size, team_size)


def _shrink(asked: _Counts, size: int, team_size: int) -> _Counts:
    required = LIGHT_ROLES + team_size
    light = {M: asked.memory, G: asked.generator, R: asked.replica}
    room, surplus = size - required, asked.total - asked.spare - required
    kept = {role: 1 + (count - 1) * room // surplus for role, count in light.items()}
    trainer = min(asked.trainer, size - 1 - sum(kept.values()))
    # Rounding down leaves at most three ranks over.
    for _ in range(size - 1 - sum(kept.values()) - trainer):
        kept[max(kept, key=lambda role: light[role] - kept[role])] += 1
    spare = trainer % team_size
    return _Counts(
        generator=kept[G], memory=kept[M], trainer=trainer - spare, replica=kept[R], spare=spare
    )


def _share(
    asked: _Counts, counts: _Counts, size: int, team_size: int
) -> tuple[list[Process], _Counts]:
    """Return the light processes, and the counts with the trainers that those leave room for."""
    single = counts.generator == counts.memory == counts.replica == 1
    reaches = size >= LIGHT_ROLES + team_size
    if reaches and not (single and counts.trainer < asked.trainer):
        many = [(C,), *[(G,)] * counts.generator, *[(M,)] * counts.memory]
        return [*many, *[(R,)] * counts.replica], counts
    if size == team_size:
        return [(C, G, M, T, R)], replace(counts, trainer=size)
    least = min(2 if size >= ALONE_FROM else 1, size - team_size)
    trainer = min(asked.trainer, size - least)
    trainer -= trainer % team_size
    light = SHARED[min(len(SHARED), size - trainer) - 1]
    spare = size - len(light) - trainer
    return list(light), replace(counts, trainer=trainer, spare=spare)


def _processes(light: Sequence[Process], counts: _Counts, size: int) -> list[Process]:
    first = [process for process in light if process != (R,)]
    last = [process for process in light if process == (R,)]
    trainers = size - len(light) - counts.spare
    return [*first, *[(T,)] * trainers, *last, *[(S,)] * counts.spare]


def _spread(table: _Hosts, processes: Sequence[Process], team_size: int) -> list[Process]:
    """Return the processes in rank order, spread over several hosts."""
    home, lead = table.of_rank[0], table.of_rank[1]
    dealt: list[Process] = [(T,)] * len(table.of_rank)
    dealt[table.take(home)] = processes[0]
    table.take(lead)

    turns = _turns(table)

    def away(count: int, host: int) -> tuple[int, ...]:
        near = table.domains[host] == table.domains[lead]
        return count, int(near), int(host == lead), turns[host], int(host == home), -host

    def even(count: int, host: int) -> tuple[int, ...]:
        trainers = table.room(host) + int(host == lead)
        return int(trainers % team_size == 0), count, -table.room(host), host

    rest = processes[1:]
    _deal(table, dealt, [p for p in rest if R in p], away)
    _deal(table, dealt, [p for p in rest if M in p and R not in p], even)
    _deal(table, dealt, [p for p in rest if p == (G,)], even)
    _deal(table, dealt, [p for p in rest if p == (S,)], even)
    return dealt


def _turns(table: _Hosts) -> list[int]:
    """Return which of its domain each host is, from the last on: all domains come in turns."""
    seen: Counter[str] = Counter()
    turns = [0] * len(table.names)
    for host in range(len(table.names) - 1, -1, -1):
        turns[host] = seen[table.domains[host]]
        seen[table.domains[host]] += 1
    return turns


def _deal(
    table: _Hosts,
    dealt: list[Process],
    processes: Sequence[Process],
    order: Callable[[int, int], tuple[int, ...]],
) -> None:
    """Give each process to the host that comes first in `order(processes it got so far, host)`."""
    queue = [(order(0, host), host, 0) for host in range(len(table.names)) if table.room(host)]
    heapify(queue)
    for process in processes:
        _, host, count = heappop(queue)
        dealt[table.take(host)] = process
        if table.room(host):
            heappush(queue, (order(count + 1, host), host, count + 1))


def _teams(
    hosts: Sequence[str], dealt: Sequence[Process], team_size: int
) -> tuple[tuple[Rank, ...], ...]:
    """Return the teams: each host's trainers in the order of ranks, those left over together."""
    trainers: dict[str, list[Rank]] = {}
    for rank, process in enumerate(dealt):
        if T in process:
            trainers.setdefault(hosts[rank], []).append(Rank(rank))
    within = {host: len(ranks) - len(ranks) % team_size for host, ranks in trainers.items()}
    order = [rank for host, ranks in trainers.items() for rank in ranks[: within[host]]]
    order += [rank for host, ranks in trainers.items() for rank in ranks[within[host] :]]
    firsts = range(0, len(order), team_size)
    return tuple(sorted((tuple(order[i : i + team_size]) for i in firsts), key=min))


def _reason(
    asked: _Counts, dealt: Sequence[Process], hosts: int, team_size: int, lanes: int
) -> str:
    size = len(dealt)
    got = {role: sum(role in process for process in dealt) for role in RoleName}
    wanted = {C: 1, G: asked.generator, M: asked.memory, T: asked.trainer, R: asked.replica}
    wanted[S] = asked.spare
    named = {role: _number(got[role], role) for role in RoleName if got[role]}
    if team_size > 1:
        named[T] += f" in {_number(got[T] // team_size, 'team')} of {team_size}"
    said = ", ".join(named.values())
    notes = [
        f"{_number(abs(got[role] - count), role)} {'more' if got[role] > count else 'fewer'}"
        for role, count in wanted.items()
        if got[role] != count
    ]
    notes += [f"rank {rank} hosts {' + '.join(p)}" for rank, p in enumerate(dealt) if len(p) > 1]
    told = f"{asked.total} asked for, so {', '.join(notes)}" if notes else "as asked for"
    odd = _odd(asked.trainer, got[T], team_size, lanes)
    return f"{_number(size, 'rank')} on {_number(hosts, 'host')}: {said}; {told}{odd}"


def _odd(asked: int, got: int, team_size: int, lanes: int) -> str:
    """Return why as many trainers as were asked for cannot be, if that is so and they are not."""
    if got == asked:
        return ""
    if asked % team_size:
        make = "makes" if asked == 1 else "make"
        return f"; {_number(asked, 'trainer')} {make} no whole teams of {team_size}"
    if asked > lanes * team_size:
        return f"; {_number(lanes, 'lane')}, one {'team' if team_size > 1 else 'trainer'} each"
    return ""


def _number(count: int, noun: str) -> str:
    plural = {"memory": "memories"}.get(noun, f"{noun}s")
    return f"{count} {noun if count == 1 else plural}"
