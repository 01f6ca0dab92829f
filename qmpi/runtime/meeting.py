"""The ranks of a job meet: who is where, and whether the run can start at all.

Theory of operation. Every rank tells rank 0 its host and failure domain and hears of all. Then rank
0 opens the run and tells the others its identity, or why it cannot be opened; everybody leaves in
that case, and nothing was written. A rank that is further on may speak to one that is still here:
its messages wait for the roles.

Ranks of an earlier start may have outlived it, on any host, and are known by the files that they
wrote. Only rank 0 knows that the run is this job's, and only their own host can kill them: rank 0
reads who they were, and tells the lowest rank of each host which of them to end.
"""

import os
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Generic, Protocol, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from qmpi.errors import ExitCode, InputError, MachineError, QmpiError
from qmpi.protocol.envelope import Address
from qmpi.roles.facts import RankFacts
from qmpi.runtime.clock import Clock
from qmpi.runtime.leftovers import clear_leftovers, end_processes
from qmpi.runtime.processes import HostProcesses
from qmpi.storage.rank_files import RankProcess, read_rank_files, write_rank_file
from qmpi.storage.run_directory import RunDirectory
from qmpi.transport.gathering import StartingTransport, await_root, exchange_hosts, host_name
from qmpi.units import Rank, Seconds

START_SECONDS = 300.0
FAREWELL_SECONDS = 2.0
COORDINATOR = Rank(0)
"""The rank that opens the run; a farm's dealer is there too."""

BETWEEN = "\t"
"""Stands between host and domain; neither can hold it."""


class Introduction(Struct, frozen=True):
    """What rank 0 tells every other rank.

    Attributes:
        run_id: identity of the run.
        fault: why the run cannot start; "" if it can.
        exit_code: with which all leave then.
        leftovers: ranks of an earlier start that the receiver shall end, if they live.
    """

    run_id: str
    fault: str = ""
    exit_code: int = 0
    leftovers: tuple[RankProcess, ...] = ()


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
    environ: MutableMapping[str, str]
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
        domains: failure domain of each rank.
    """

    rank: Rank
    hosts: tuple[str, ...]
    run_id: str
    opened: Opened | None
    domains: tuple[str, ...] = ()

    @property
    def ranks(self) -> tuple[Rank, ...]:
        """All ranks of the job."""
        return tuple(Rank(rank) for rank in range(len(self.hosts)))


def meet(
    world: Surroundings,
    directory: RunDirectory,
    open_run: Callable[[], Opened],
    domain_of: Callable[[str], str] = str,
) -> Meeting[Opened]:
    """Meet the other ranks.

    Args:
        world: of this process.
        directory: of the run; this rank is written down there.
        open_run: called on rank 0 alone; what it returns holds the lock of the run.
        domain_of: gives the failure domain of this rank's host.

    Returns:
        Who is there.

    Raises:
        QmpiError: the run cannot start; raised on every rank alike.
        MachineError: a rank died or did not come.
    """
    transport, clock = world.transport, world.clock
    deadline = Seconds(clock.now() + START_SECONDS)
    mine = host_name()
    domain = domain_of(mine)
    place = mine if domain == mine else f"{mine}{BETWEEN}{domain}"
    places = exchange_hosts(transport, place, clock.now, clock.sleep, deadline)
    hosts = tuple(place.partition(BETWEEN)[0] for place in places)
    rank = Rank(transport.rank)
    opened = _introduce(world, directory, open_run, hosts) if rank == COORDINATOR else None
    run_id = opened.run_id if opened is not None else _introduced(world, directory)
    world.entered()
    write_rank_file(directory.ranks, rank, hosts[rank])
    domains = tuple(place.rpartition(BETWEEN)[2] for place in places)
    return Meeting(rank, hosts, run_id, opened, domains)


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
    world: Surroundings,
    directory: RunDirectory,
    open_run: Callable[[], Opened],
    hosts: Sequence[str],
) -> Opened:
    clock = world.clock
    try:
        opened = open_run()
        earlier = read_rank_files(directory.ranks)
        clear_leftovers(directory, clock.began, clock.now())
    except QmpiError as error:
        _tell(world, Introduction("", str(error), int(error.exit_code)), {})
        world.transport.flush(Seconds(clock.now() + FAREWELL_SECONDS))
        raise
    _tell(world, Introduction(opened.run_id), _by_lowest_rank(earlier, hosts))
    return opened


def _by_lowest_rank(
    earlier: Sequence[RankProcess], hosts: Sequence[str]
) -> dict[int, tuple[RankProcess, ...]]:
    """Return which ranks of an earlier start each rank shall end; rank 0 has ended its own."""
    lowest = {host: rank for rank, host in reversed(list(enumerate(hosts)))}
    found: dict[int, tuple[RankProcess, ...]] = {}
    for process in earlier:
        rank = lowest.get(process.host, COORDINATOR)
        if rank != COORDINATOR:
            found[rank] = (*found.get(rank, ()), process)
    return found


def _tell(
    world: Surroundings,
    introduction: Introduction,
    leftovers: Mapping[int, tuple[RankProcess, ...]],
) -> None:
    usual = msgspec.msgpack.encode(introduction)
    for other in range(1, world.transport.size):
        own = leftovers.get(other, ())
        word = msgspec.msgpack.encode(replace(introduction, leftovers=own)) if own else usual
        world.transport.send(Rank(other), word, ())


def _introduced(world: Surroundings, directory: RunDirectory) -> str:
    clock = world.clock
    deadline = Seconds(clock.now() + START_SECONDS)
    data = await_root(world.transport, clock.now, clock.sleep, deadline)
    introduction = msgspec.msgpack.decode(data, type=Introduction)
    if introduction.fault:
        kind = InputError if introduction.exit_code == ExitCode.USER else MachineError
        raise kind(introduction.fault)
    end_processes(introduction.leftovers, directory.ranks)
    return introduction.run_id
