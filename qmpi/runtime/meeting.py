"""The ranks of a job meet: who is where, and whether the run can start at all.

Theory of operation. Every rank tells rank 0 its host and hears of all. Then rank 0 opens the run
and tells the others its identity, or why it cannot be opened; everybody leaves in that case, and
nothing was written. A rank that is further on may speak to one that is still here: its messages
wait for the roles.
"""

import os
from collections.abc import Callable, Mapping
from typing import Generic, Protocol, TypeVar

import msgspec
from msgspec import Struct

from qmpi.errors import ExitCode, InputError, MachineError, QmpiError
from qmpi.protocol.envelope import Address
from qmpi.roles.facts import RankFacts
from qmpi.runtime.clock import Clock
from qmpi.runtime.leftovers import clear_leftovers
from qmpi.runtime.processes import HostProcesses
from qmpi.storage.rank_files import write_rank_file
from qmpi.storage.run_directory import RunDirectory
from qmpi.transport.mpi import StartingTransport, await_root, exchange_hosts
from qmpi.units import Rank, Seconds

START_SECONDS = 300.0
FAREWELL_SECONDS = 2.0
COORDINATOR = Rank(0)
"""The rank that opens the run; a farm's dealer is there too."""


class Introduction(Struct, frozen=True):
    """What rank 0 tells every other rank; `fault` is set if the run cannot start."""

    run_id: str
    fault: str = ""
    exit_code: int = 0


class Surroundings(Struct, frozen=True):
    """What a process has before it meets the others.

    Attributes:
        transport: connected.
        clock: the clock.
        processes: of this host.
        environ: environment of the process.
        entered: called once the run has let this rank in; before that nothing is written there.
    """

    transport: StartingTransport
    clock: Clock
    processes: HostProcesses
    environ: Mapping[str, str]
    entered: Callable[[], None]


class Openable(Protocol):
    """What rank 0 opens and holds while the job runs."""

    @property
    def run_id(self) -> str:
        """Identity of the run."""
        ...


Opened = TypeVar("Opened", bound=Openable)


class Meeting(Struct, Generic[Opened], frozen=True):
    """What came of it.

    Attributes:
        rank: this rank.
        hosts: host of each rank.
        run_id: identity of the run.
        opened: what rank 0 opened; None on the others.
    """

    rank: Rank
    hosts: tuple[str, ...]
    run_id: str
    opened: Opened | None

    @property
    def ranks(self) -> tuple[Rank, ...]:
        """All ranks of the job."""
        return tuple(Rank(rank) for rank in range(len(self.hosts)))


def meet(
    world: Surroundings, directory: RunDirectory, open_run: Callable[[], Opened]
) -> Meeting[Opened]:
    """Meet the other ranks.

    Args:
        world: of this process.
        directory: of the run; this rank is written down there.
        open_run: called on rank 0 alone; what it returns holds the lock of the run.

    Returns:
        Who is there.

    Raises:
        QmpiError: the run cannot start; raised on every rank alike.
        MachineError: a rank died or did not come.
    """
    transport, clock = world.transport, world.clock
    deadline = Seconds(clock.now() + START_SECONDS)
    hosts = tuple(exchange_hosts(transport, clock.now, clock.sleep, deadline))
    rank = Rank(transport.rank)
    opened = _introduce(world, directory, open_run) if rank == COORDINATOR else None
    run_id = opened.run_id if opened is not None else _introduced(world)
    world.entered()
    write_rank_file(directory.ranks, rank, hosts[rank])
    return Meeting(rank, hosts, run_id, opened)


def facts_of(meeting: Meeting[Opened], chief: Address) -> RankFacts:
    """Return what the roles of this rank are told of it.

    Args:
        meeting: who is there.
        chief: the role that decides.

    Returns:
        The facts.
    """
    host = meeting.hosts[meeting.rank]
    mates = tuple(rank for rank in meeting.ranks if meeting.hosts[rank] == host)
    return RankFacts(meeting.rank, host, os.getpid(), chief, mates)


def _introduce(
    world: Surroundings, directory: RunDirectory, open_run: Callable[[], Opened]
) -> Opened:
    clock = world.clock
    try:
        opened = open_run()
        clear_leftovers(directory, clock.began, clock.now())
    except QmpiError as error:
        _tell(world, Introduction("", str(error), int(error.exit_code)))
        world.transport.flush(Seconds(clock.now() + FAREWELL_SECONDS))
        raise
    _tell(world, Introduction(opened.run_id))
    return opened


def _tell(world: Surroundings, introduction: Introduction) -> None:
    data = msgspec.msgpack.encode(introduction)
    for other in range(1, world.transport.size):
        world.transport.send(Rank(other), data, ())


def _introduced(world: Surroundings) -> str:
    clock = world.clock
    deadline = Seconds(clock.now() + START_SECONDS)
    data = await_root(world.transport, clock.now, clock.sleep, deadline)
    introduction = msgspec.msgpack.decode(data, type=Introduction)
    if introduction.fault:
        kind = InputError if introduction.exit_code == ExitCode.USER else MachineError
        raise kind(introduction.fault)
    return introduction.run_id
