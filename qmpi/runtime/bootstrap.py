"""From a bare MPI process to a rank with roles.

Theory of operation. Rank 0 hosts the coordinator. It locks the run directory, reads the journal,
and tells every other rank the few facts they cannot know (`Introduction`): over point-to-point
messages, like all else. If it cannot, it says why and everybody leaves; no rank waits for ever.
Only then is the rank written down among those of the host, and its roles start, the herald first.
"""

import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from qmpi.config.identity import ending_at, with_hyperparameters
from qmpi.config.load import settings_digest
from qmpi.config.settings import Settings
from qmpi.config.variables import HOSTS_LEFT_OUT
from qmpi.corpora.levels import clear_levels, open_levels
from qmpi.corpora.sources import Sources
from qmpi.corpora.tokenizer import find_kinds
from qmpi.driver.ports import UNPLUGGED, Ports
from qmpi.errors import ConfigError, StorageError
from qmpi.policy.devices import COMPUTING, device_number
from qmpi.policy.domains import domain_of
from qmpi.policy.hyperparameters import Log, log_of
from qmpi.policy.placement import Placement, place
from qmpi.policy.recipes import recipes_of
from qmpi.policy.reshaping import which_run
from qmpi.protocol.envelope import Address, RoleName
from qmpi.protocol.journal import JournalRecord, RunOpened
from qmpi.protocol.recipe import RecipeRequest
from qmpi.roles.build import Assignment, build_role
from qmpi.roles.coordinator.facts import RunFacts
from qmpi.runtime.address import reachable_address
from qmpi.runtime.books import DiskBooks
from qmpi.runtime.compile_cache import CompileCache
from qmpi.runtime.copies import FileCopies
from qmpi.runtime.copy_files import CopyFiles
from qmpi.runtime.data import FileData
from qmpi.runtime.engine import Means, Probes, TorchEngine
from qmpi.runtime.healing import why_relaunch_only
from qmpi.runtime.heap import keep_memory
from qmpi.runtime.meeting import COORDINATOR, Meeting, Surroundings, facts_of, meet
from qmpi.runtime.ownership import own_run
from qmpi.runtime.processes import waiting_request
from qmpi.runtime.rank import RankContext, assemble
from qmpi.runtime.same_run import (
    AS_IT_WAS,
    Continuation,
    begun_with,
    check_same_run,
    keep_settings,
    open_journal,
    refusal,
)
from qmpi.storage.cache import default_cache
from qmpi.storage.journal import JournalWriter
from qmpi.storage.noted_places import note_places, noted_places
from qmpi.storage.replay_file import read_replay
from qmpi.storage.run_directory import RunDirectory, RunLock
from qmpi.storage.snapshot_store import what_is_wrong
from qmpi.storage.trace_file import TraceFolder
from qmpi.units import Digest, Seconds

if TYPE_CHECKING:
    from qmpi.corpora.paper import Paper

logger = logging.getLogger(__name__)

TOPOLOGY = "SLURM_TOPOLOGY_ADDR"
"""Variable in which Slurm tells each host where it hangs in the network."""


class Start(Struct, frozen=True):
    """What every rank of a start is told on its command line.

    Attributes:
        settings: the job.
        run: directory of the run.
        from_scratch: begin at step 0 if no snapshot of the run can be read.
        died: why the start before this one ended, if the command knows.
        way: how the run goes on.
    """

    settings: Settings
    run: Path
    from_scratch: bool = False
    died: str = ""
    way: Continuation = AS_IT_WAS


class CoordinatorFiles(Struct):
    """What only rank 0 opens; the lock is held as long as this lives.

    Attributes:
        settings_digest: of the settings that the run was begun with.
        hyperparameters: the log of the starts before.
        back_to: step that this start goes back to; -1: none.
        asked: other weights that were asked for before this start; None: none were.
    """

    lock: RunLock
    journal: JournalWriter
    history: tuple[JournalRecord, ...]
    run_id: str
    settings_digest: Digest
    hyperparameters: Log
    back_to: int
    asked: RecipeRequest | None


def build_rank(world: Surroundings, start: Start) -> RankContext:
    """Meet the other ranks and build this one.

    Args:
        world: transport, clock, processes and environment.
        start: the job and its run.

    Returns:
        The rank, ready to run.

    Raises:
        QmpiError: the run cannot start; raised on every rank alike.
    """
    directory = RunDirectory(start.run)
    replayed = read_replay(directory.replay)
    settings = start.settings if replayed is None else ending_at(start.settings, replayed.steps)
    meeting: Meeting[CoordinatorFiles] = meet(
        world,
        directory,
        lambda: _open(world, directory, start),
        lambda host: domain_of(host, settings.hosts.domain, world.environ.get(TOPOLOGY, "")),
    )
    placement = _place(settings, meeting)
    opened = meeting.opened
    facts = facts_of(meeting, Address(COORDINATOR, RoleName.COORDINATOR))
    healing = why_relaunch_only(world.environ)
    if healing and opened is not None:
        logger.warning("no healing inside the job, by a relaunch only: %s", healing)
    run_facts = replace(
        _run_facts(start, meeting, placement),
        healing=healing,
        replayed=replayed,
        left_out=tuple(filter(None, world.environ.get(HOSTS_LEFT_OUT, "").split("\n"))),
    )
    assignment = Assignment(settings, facts, run_facts)
    files = CopyFiles(settings, meeting.run_id, facts.rank, directory)
    copies = FileCopies(files)
    places = [level.place for level in settings.memory.levels]
    clear_levels([*noted_places(directory, "level_dirs"), *places], meeting.run_id, start.run)
    data = FileData(
        settings,
        default_cache(world.environ),
        lambda: open_levels(settings, meeting.run_id, start.run, world.clock.now, Lock),
    )
    if set(COMPUTING) & set(placement.roles[facts.rank]):
        keep_memory()
    engine = TorchEngine(
        settings,
        lambda: reachable_address(meeting.hosts, facts.rank, world.environ),
        world.clock.now,
        files,
        Means(
            CompileCache(default_cache(world.environ), world.environ),
            device_number(meeting.hosts, placement.roles, facts.rank),
            lambda: _paper(settings, default_cache(world.environ)),
            lambda: find_kinds(settings, default_cache(world.environ)),
        ),
        Probes(
            world.clock.thread_seconds,
            TraceFolder(directory.profiles, facts.rank, facts.host),
        ),
    )
    ports = Ports(
        clock=world.clock,
        transport=world.transport,
        processes=world.processes,
        engine=engine,
        data=data,
        copies=copies,
        books=DiskBooks(start.run, opened.journal) if opened is not None else UNPLUGGED,
    )
    roles = (RoleName.HERALD, *placement.roles[facts.rank])
    return assemble(
        world,
        ports,
        lambda name, describe: build_role(assignment, name, describe),
        roles=roles,
        settle=lambda patience: _settled((copies.settle, data.close, engine.settle), patience),
        held=opened,
    )


def _settled(ports: Sequence[Callable[[Seconds], bool]], patience: Seconds) -> bool:
    # Each has its time, whatever became of the others.
    done = [settle(patience) for settle in ports]
    return all(done)


def _paper(settings: Settings, cache: Path) -> "Paper":
    # Problems need the code of generated text, which a rank that measures nothing shall not load.
    from qmpi.corpora.paper import make_paper

    wanted = settings.evaluation
    sources = Sources(settings, cache)
    return make_paper(settings, sources, wanted.tokens, wanted.problems, lambda *_: None)


def _place(settings: Settings, meeting: Meeting[CoordinatorFiles]) -> Placement:
    return place(
        meeting.hosts,
        settings.roles,
        settings.train.lanes,
        settings.parallel.team_size,
        meeting.domains,
    )


def _run_facts(start: Start, meeting: Meeting[CoordinatorFiles], placement: Placement) -> RunFacts:
    settings, opened = start.settings, meeting.opened
    history = opened.history if opened is not None else ()
    return RunFacts(
        run_id=meeting.run_id,
        settings_digest=opened.settings_digest if opened is not None else Digest(""),
        recipes=recipes_of(history, settings),
        expected=tuple(
            Address(rank, role)
            for rank, roles in zip(meeting.ranks, placement.roles, strict=True)
            for role in roles
        ),
        placement=placement.reason,
        hosts=meeting.hosts,
        domains=meeting.domains,
        teams=placement.teams,
        history=history,
        checkpoints=_checkpoints(start, meeting.run_id) if opened is not None else (),
        from_scratch=start.from_scratch,
        died=start.died,
        hyperparameters=opened.hyperparameters if opened is not None else (),
        replan=start.way.replan,
        back_to=opened.back_to if opened is not None else -1,
        directory=str(start.run),
        asked=opened.asked if opened is not None else None,
    )


def _checkpoints(start: Start, run_id: str) -> tuple[str, ...]:
    names = RunDirectory(start.run).checkpoint_names()
    return tuple(what_is_wrong(Path(name), run_id) for name in names)


def _open(world: Surroundings, directory: RunDirectory, start: Start) -> CoordinatorFiles:
    """Open the run's directory, on rank 0.

    Returns:
        Lock, journal and history.

    Raises:
        ConfigError: the run was begun with other settings.
        StorageError: its journal is gone, but checkpoints are there.
    """
    settings = start.settings
    directory.create()
    lock = own_run(directory.lock, world.clock, world.processes.disown)
    check_same_run(directory, settings, start.way)
    journal, history = open_journal(directory, settings)
    openings = [record for record in history if isinstance(record, RunOpened)]
    kept = directory.checkpoint_names()
    if not openings and kept and not start.from_scratch:
        raise StorageError(
            f"{directory.journal} is missing or empty, but there are checkpoints: "
            f"{', '.join(kept)}; without their journal they prove nothing: bring it back, or begin "
            "again at step 0 with `qmpi train --resume RUN --from-scratch`"
        )
    begun_as = which_run(history)
    run_id = begun_as.run_id if begun_as is not None else os.urandom(8).hex()
    first = (begun_with(directory) if openings else None) or settings
    log = log_of(history, first)
    begun = with_hyperparameters(
        settings, first.train.steps, first.optimizer, first.guard, first.batch
    )
    digest = settings_digest(begun)
    if begun_as is not None and begun_as.settings_digest != digest:
        raise ConfigError(refusal(directory, ()))
    keep_settings(directory, begun, is_new=not openings)
    note_places(directory, "ram_dirs", [settings.snapshot.ram_dir])
    note_places(directory, "level_dirs", [level.place for level in settings.memory.levels])
    back = start.way.step_back(len(openings))
    asked = waiting_request(directory.recipe_request)
    return CoordinatorFiles(lock, journal, tuple(history), run_id, digest, log, back, asked)
