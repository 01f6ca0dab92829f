"""From a bare MPI process to a rank of a work farm; rank 0 deals."""

import secrets
from pathlib import Path

from msgspec import Struct

from qmpi.config.settings import Settings
from qmpi.driver.ports import UNPLUGGED, Ports
from qmpi.protocol.envelope import Address, RoleName
from qmpi.roles.farm.build import build_farm_role, roles_of, workers_of
from qmpi.roles.farm.tally import FarmFacts
from qmpi.runtime.books import DiskBooks
from qmpi.runtime.meeting import COORDINATOR, Meeting, Surroundings, facts_of, meet
from qmpi.runtime.ownership import own_run
from qmpi.runtime.plans import open_plan
from qmpi.runtime.rank import RankContext, assemble
from qmpi.runtime.units import PlanUnits
from qmpi.storage.run_directory import RunDirectory, RunLock
from qmpi.storage.work_file import WorkFile
from qmpi.units import Seconds


class DealerFiles(Struct):
    """What only rank 0 opens; the lock is held as long as this lives."""

    lock: RunLock
    run_id: str


def build_farm_rank(world: Surroundings, work: WorkFile, run: Path) -> RankContext:
    """Meet the other ranks and build this one.

    Args:
        world: transport, clock, processes and environment.
        work: what shall be done.
        run: the work directory.

    Returns:
        The rank, ready to run.

    Raises:
        QmpiError: the directory is in use, or takes no data; raised on every rank alike.
    """
    directory = RunDirectory(run)
    meeting: Meeting[DealerFiles] = meet(world, directory, lambda: _open(world, directory))
    plan = open_plan(work, run)
    facts = facts_of(meeting, Address(COORDINATOR, RoleName.DEALER))
    size = len(meeting.hosts)
    farm = FarmFacts(work.name, meeting.run_id, plan.stages, workers_of(size), meeting.hosts)
    settings = Settings(failure=work.failure)
    ports = Ports(
        clock=world.clock,
        transport=world.transport,
        processes=world.processes,
        books=DiskBooks(run) if meeting.opened is not None else UNPLUGGED,
        units=PlanUnits(run, plan, world.clock.now),
    )
    return assemble(
        world,
        ports,
        lambda name, describe: build_farm_role(settings, facts, farm, name, describe),
        roles=roles_of(facts.rank, size),
        settle=_nothing_to_settle,
        held=meeting.opened,
    )


def _open(world: Surroundings, directory: RunDirectory) -> DealerFiles:
    directory.create()
    lock = own_run(directory.lock, world.clock, world.processes.disown)
    return DealerFiles(lock, secrets.token_hex(8))


def _nothing_to_settle(patience: Seconds) -> bool:
    del patience
    return True
