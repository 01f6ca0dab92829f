"""The same scenario with larger teams.

Trainers and spares are as many times more as a team has ranks; other roles stay. A fault that names
a rank strikes the rank that stands in its place: the same team at some position, the same spare,
the same memory rank. Positions go by the rank's number, so that all of them are struck somewhere.
"""

from collections.abc import Callable

from msgspec.structs import replace

from qmpi.config.settings import Settings
from qmpi.errors import InputError
from qmpi.policy.domains import domain_of
from qmpi.policy.placement import Placement, place
from qmpi.protocol.envelope import RoleName
from qmpi.simulator.faults import (
    Break,
    Corrupt,
    CrashEngine,
    CutGroup,
    Deed,
    Exhaust,
    Fault,
    Fill,
    Free,
    Hang,
    Kill,
    LoseFiles,
    OnEvent,
    Partition,
    Profile,
    Trigger,
)
from qmpi.simulator.scenario import Scenario
from qmpi.units import Rank

Moved = Callable[[Rank], Rank]


def widen(scenario: Scenario, size: int) -> Scenario:
    """Return a scenario with larger teams.

    Args:
        scenario: with teams of one rank.
        size: ranks of a team.

    Returns:
        The scenario itself if `size` is 1.

    Raises:
        InputError: the scenario has larger teams, or shares of ranks instead of counts.
    """
    if size == 1:
        return scenario
    if scenario.settings.parallel.team_size != 1:
        raise InputError("the scenario has teams of its own")
    settings = _wide_settings(scenario.settings, size)
    hosts = -(-scenario.ranks // scenario.ranks_per_host)
    old = _placed(scenario.settings, scenario.ranks, scenario.ranks_per_host)
    more = sum(RoleName.TRAINER in roles or RoleName.SPARE in roles for roles in old.roles)
    ranks = scenario.ranks + (size - 1) * more
    per_host = -(-ranks // hosts)
    moved = _moved(old, _placed(settings, ranks, per_host), size)
    return replace(
        scenario,
        settings=settings,
        ranks=ranks,
        ranks_per_host=per_host,
        faults=tuple(
            Fault(_trigger(fault.trigger, moved), _deed(fault.deed, moved))
            for fault in scenario.faults
        ),
    )


def _wide_settings(settings: Settings, size: int) -> Settings:
    trainer, spare = settings.roles.trainer, settings.roles.spare
    if not isinstance(trainer, int) or not isinstance(spare, int):
        raise InputError("a scenario with shares of ranks cannot be widened")
    roles = replace(settings.roles, trainer=trainer * size, spare=spare * size)
    return replace(settings, roles=roles, parallel=replace(settings.parallel, tensor=size))


def _placed(settings: Settings, ranks: int, per_host: int) -> Placement:
    hosts = [f"host{rank // per_host}" for rank in range(ranks)]
    domains = [domain_of(host, settings.hosts.domain) for host in hosts]
    return place(hosts, settings.roles, settings.train.lanes, settings.parallel.team_size, domains)


def _moved(old: Placement, new: Placement, size: int) -> Moved:
    """Return what names the rank that stands in another's place."""

    def moved(rank: Rank) -> Rank:
        if rank >= len(old.roles):
            return Rank(rank + len(new.roles) - len(old.roles))
        role = next(r for r in (RoleName.TRAINER, *RoleName) if r in old.roles[rank])
        number = _players(old, role).index(rank)
        if role == RoleName.TRAINER:
            return new.teams[number][rank % size]
        if role == RoleName.SPARE:
            number = number * size + rank % size
        return _players(new, role)[number]

    return moved


def _players(placement: Placement, role: RoleName) -> list[Rank]:
    return [Rank(rank) for rank, roles in enumerate(placement.roles) if role in roles]


def _trigger(trigger: Trigger, moved: Moved) -> Trigger:
    if isinstance(trigger, OnEvent) and trigger.rank is not None:
        return replace(trigger, rank=moved(trigger.rank))
    return trigger


def _deed(deed: Deed, moved: Moved) -> Deed:
    match deed:
        case Partition(ranks):
            return replace(deed, ranks=tuple(moved(rank) for rank in ranks))
        case Kill() | Hang() | Break() | CrashEngine() | CutGroup() | Exhaust() | Profile():
            return replace(deed, rank=moved(deed.rank))
        case Corrupt() | Fill() | Free() | LoseFiles() if deed.rank is not None:
            return replace(deed, rank=moved(deed.rank))
        case _:
            return deed
