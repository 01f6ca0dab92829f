"""From a bare MPI process to a rank with roles.

Theory of operation. Rank 0 hosts the coordinator. It locks the run directory, reads the journal,
and tells every other rank the few facts they cannot know (`Introduction`): over point-to-point
messages, like all else. If it cannot, it says why and everybody leaves; no rank waits for ever.
"""

import logging
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from qmpi.config.load import settings_digest
from qmpi.config.settings import Settings
from qmpi.errors import ConfigError, ExitCode, InputError, MachineError, QmpiError
from qmpi.policy.placement import place
from qmpi.policy.stream import first_recipe
from qmpi.protocol.envelope import Address, RoleName
from qmpi.protocol.journal import JournalRecord, RunOpened
from qmpi.roles.build import Assignment, build_role
from qmpi.roles.host import RoleHost
from qmpi.roles.member import RankFacts
from qmpi.roles.run_facts import RunFacts
from qmpi.runtime.clock import Clock
from qmpi.runtime.copy_service import CopyService
from qmpi.runtime.data_service import DataService
from qmpi.runtime.engine_service import EngineService
from qmpi.runtime.leftovers import clear_leftovers
from qmpi.runtime.loop import Loop
from qmpi.runtime.perform import EffectPerformer
from qmpi.runtime.processes import write_rank_file
from qmpi.runtime.same_run import check_same_run, keep_settings, refusal
from qmpi.runtime.workers import Inbox
from qmpi.storage.builtin import default_cache
from qmpi.storage.journal import JournalWriter
from qmpi.storage.run_directory import RunDirectory, RunLock
from qmpi.storage.snapshot_file import read_payload
from qmpi.transport.interface import Transport
from qmpi.transport.mpi import exchange_hosts
from qmpi.units import Rank, Seconds

logger = logging.getLogger(__name__)

START_SECONDS = 300.0
COORDINATOR = Rank(0)


class Start(Struct, frozen=True):
    """What every rank of a start is told on its command line.

    Attributes:
        settings: the job.
        run: directory of the run.
        from_scratch: begin at step 0 if no snapshot of the run can be read.
    """

    settings: Settings
    run: Path
    from_scratch: bool = False


class Introduction(Struct, frozen=True):
    """What rank 0 tells every other rank; `fault` is set if the run cannot start."""

    run_id: str
    fault: str = ""
    exit_code: int = 0


class CoordinatorFiles(Struct):
    """What only rank 0 opens."""

    lock: RunLock
    journal: JournalWriter
    history: tuple[JournalRecord, ...]
    run_id: str


class RankContext(Struct):
    """One rank, ready to run.

    Attributes:
        files: lock and journal of the run, on rank 0 only; the lock is held as long as this lives.
    """

    loop: Loop
    performer: EffectPerformer
    roles: tuple[RoleName, ...]
    files: CoordinatorFiles | None


def build_rank(
    transport: Transport,
    start: Start,
    environ: Mapping[str, str],
    clock: Clock,
    housekeeping: Callable[[], str | None],
    entered: Callable[[], None],
) -> RankContext:
    """Meet the other ranks and build this one.

    Args:
        transport: connected.
        start: the job and its run.
        environ: environment of the process.
        clock: the clock.
        housekeeping: for the loop.
        entered: called once the run has let this rank in; before that nothing is written there.

    Returns:
        The rank, ready to run.

    Raises:
        QmpiError: the run cannot start; raised on every rank alike.
    """
    hosts = exchange_hosts(transport, clock.now, clock.sleep, clock.now() + START_SECONDS)
    rank, settings = Rank(transport.rank), start.settings
    directory = RunDirectory(start.run)
    files: CoordinatorFiles | None = None
    if rank == COORDINATOR:
        files, introduction, fault = _introduce(directory, settings, clock)
        for other in range(1, transport.size):
            transport.send(Rank(other), msgspec.msgpack.encode(introduction), ())
        if fault is not None:
            transport.flush(Seconds(clock.now() + 2.0))
            raise fault
    else:
        introduction = await_introduction(transport, clock)
    entered()
    write_rank_file(directory.ranks, rank, hosts[rank])
    placement = place(hosts, settings.roles, settings.train.lanes)
    facts = RankFacts(rank, hosts[rank], os.getpid(), COORDINATOR)
    recipes = (first_recipe([s.weight for s in settings.data.sources], settings.job.seed),)
    run_facts = RunFacts(
        run_id=introduction.run_id,
        settings_digest=settings_digest(settings),
        recipes=recipes,
        expected=tuple(
            Address(Rank(r), role) for r, roles in enumerate(placement.roles) for role in roles
        ),
        placement=placement.reason,
        history=files.history if files else (),
        checkpoints=directory.checkpoint_names() if files else (),
        from_scratch=start.from_scratch,
    )
    assignment = Assignment(settings, facts, run_facts)
    inbox = Inbox()
    copies = CopyService(settings.snapshot, introduction.run_id, rank, directory)
    performer = EffectPerformer(
        run=start.run,
        journal=files.journal if files else None,
        data=DataService(settings, default_cache(environ)),
        engine=EngineService(
            settings, _reachable(hosts), clock.now, lambda path: read_payload(Path(path))
        ),
        copies=copies,
        inbox=inbox,
    )
    host = RoleHost(rank, lambda name: build_role(assignment, name))
    loop = Loop(transport, host, performer, clock, inbox, housekeeping)
    return RankContext(loop, performer, placement.roles[rank], files)


def _introduce(
    directory: RunDirectory, settings: Settings, clock: Clock
) -> tuple[CoordinatorFiles | None, Introduction, QmpiError | None]:
    try:
        files = _open_run(directory, settings)
        clear_leftovers(directory, clock.began, clock.now())
    except QmpiError as error:
        return None, Introduction("", str(error), int(error.exit_code)), error
    return files, Introduction(files.run_id), None


def _open_run(directory: RunDirectory, settings: Settings) -> CoordinatorFiles:
    directory.create()
    lock = RunLock(directory.lock)
    check_same_run(directory, settings)
    history: list[JournalRecord] = []
    journal = JournalWriter.open(directory.journal, visit=history.append)
    openings = [record for record in history if isinstance(record, RunOpened)]
    run_id = openings[0].run_id if openings else secrets.token_hex(8)
    if openings and openings[0].settings_digest != settings_digest(settings):
        raise ConfigError(refusal(directory, ()))
    keep_settings(directory, settings, is_new=not openings)
    return CoordinatorFiles(lock, journal, tuple(history), run_id)


def await_introduction(transport: Transport, clock: Clock) -> Introduction:
    """Wait for what rank 0 tells every other rank.

    Args:
        transport: connected; no other message may be under way.
        clock: the clock.

    Returns:
        The introduction.

    Raises:
        QmpiError: rank 0 cannot start the job; says why.
        MachineError: rank 0 is gone, or says nothing.
    """
    deadline = clock.now() + START_SECONDS
    while clock.now() < deadline:
        for delivery in transport.poll(1):
            introduction = msgspec.msgpack.decode(delivery.data, type=Introduction)
            if introduction.fault:
                kind = InputError if introduction.exit_code == ExitCode.USER else MachineError
                raise kind(introduction.fault)
            return introduction
        if transport.lost():
            break
        clock.sleep(0.005)
    raise MachineError("rank 0 did not introduce the run; see its log")


def _reachable(hosts: list[str]) -> str:
    # One host: the loopback, so that a laptop without a network, or behind a firewall, trains all
    # the same.
    return "127.0.0.1" if len(set(hosts)) == 1 else ""
