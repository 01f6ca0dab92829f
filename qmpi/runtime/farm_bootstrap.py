"""From a bare MPI process to a rank of a work farm.

Rank 0 deals. With one or two ranks it works besides; with more, it keeps free for the others, who
then never wait for an answer.
"""

import os
import secrets
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from qmpi.config.settings import Settings
from qmpi.errors import QmpiError
from qmpi.protocol.envelope import RoleName
from qmpi.roles.farm_dealer import Dealer
from qmpi.roles.farm_tally import FarmFacts
from qmpi.roles.farm_worker import FarmWorker
from qmpi.roles.host import RoleHost
from qmpi.roles.interface import Role
from qmpi.roles.member import RankFacts
from qmpi.runtime.bootstrap import COORDINATOR, START_SECONDS, Introduction, await_introduction
from qmpi.runtime.clock import Clock
from qmpi.runtime.farm_launch import WorkFile, open_plan
from qmpi.runtime.farm_perform import FarmPerformer
from qmpi.runtime.leftovers import clear_leftovers
from qmpi.runtime.loop import Loop
from qmpi.runtime.processes import write_rank_file
from qmpi.runtime.workers import Inbox
from qmpi.storage.run_directory import RunDirectory, RunLock
from qmpi.transport.interface import Transport
from qmpi.transport.mpi import exchange_hosts
from qmpi.units import Rank, Seconds

SMALL_FARM = 2
"""Most ranks of a farm whose dealer works besides."""


class FarmContext(Struct):
    """One rank, ready to run; `lock` is held on rank 0 as long as this lives."""

    loop: Loop
    performer: FarmPerformer
    roles: tuple[RoleName, ...]
    lock: RunLock | None


def build_farm_rank(
    transport: Transport,
    work: WorkFile,
    run: Path,
    clock: Clock,
    housekeeping: Callable[[], str | None],
    entered: Callable[[], None],
) -> FarmContext:
    """Meet the other ranks and build this one.

    Args:
        transport: connected.
        work: what shall be done.
        run: the work directory.
        clock: the clock.
        housekeeping: for the loop.
        entered: called once the directory has let this rank in.

    Returns:
        The rank, ready to run.
    """
    hosts = exchange_hosts(transport, clock.now, clock.sleep, clock.now() + START_SECONDS)
    rank, directory = Rank(transport.rank), RunDirectory(run)
    lock: RunLock | None = None
    if rank == COORDINATOR:
        lock = _introduce(transport, directory, clock)
    else:
        await_introduction(transport, clock)
    entered()
    write_rank_file(directory.ranks, rank, hosts[rank])
    plan = open_plan(work, run)
    facts = RankFacts(rank, hosts[rank], os.getpid(), COORDINATOR)
    expected = workers_of(transport.size)
    farm = FarmFacts(work.name, secrets.token_hex(8), plan.stages, expected)
    settings = Settings(failure=work.failure)

    def build(name: RoleName) -> Role:
        if name == RoleName.COORDINATOR:
            return Dealer(settings, facts, farm)
        return FarmWorker(settings, facts)

    inbox = Inbox()
    performer = FarmPerformer(run, plan, inbox, clock)
    loop = Loop(transport, RoleHost(rank, build), performer, clock, inbox, housekeeping)
    return FarmContext(loop, performer, roles_of(rank, transport.size), lock)


def workers_of(size: int) -> tuple[Rank, ...]:
    """Return the ranks that do units.

    Args:
        size: ranks of the job.

    Returns:
        All of them in a small farm, else all but the dealer's.
    """
    return tuple(Rank(rank) for rank in range(0 if size <= SMALL_FARM else 1, size))


def roles_of(rank: Rank, size: int) -> tuple[RoleName, ...]:
    """Return the roles of a rank.

    Args:
        rank: which.
        size: ranks of the job.

    Returns:
        One or two roles.
    """
    dealer = (RoleName.COORDINATOR,) if rank == COORDINATOR else ()
    worker = (RoleName.GENERATOR,) if rank in workers_of(size) else ()
    return (*dealer, *worker)


def _introduce(transport: Transport, directory: RunDirectory, clock: Clock) -> RunLock:
    """Lock the work directory, and tell every rank that the farm begins, or why not.

    Returns:
        The lock.

    Raises:
        QmpiError: the directory is in use, or takes no data.
    """
    try:
        directory.create()
        lock = RunLock(directory.lock)
        clear_leftovers(directory, clock.began, clock.now())
    except QmpiError as error:
        _tell(transport, Introduction("", str(error), int(error.exit_code)))
        transport.flush(Seconds(clock.now() + 2.0))
        raise
    _tell(transport, Introduction("farm"))
    return lock


def _tell(transport: Transport, introduction: Introduction) -> None:
    for other in range(1, transport.size):
        transport.send(Rank(other), msgspec.msgpack.encode(introduction), ())
