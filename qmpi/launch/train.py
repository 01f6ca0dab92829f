"""From settings to a job that is ready to start: run directory, job file, data, launcher.

Everything that can be found wrong before ranks start is found here, in one process, where an error
is one clear message and not eight thousand.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from qmpi.config.data import CorpusSource
from qmpi.config.load import dump_toml, load_job
from qmpi.config.machine import load_machine
from qmpi.config.settings import Settings
from qmpi.corpora.builtin import resolve
from qmpi.corpora.sources import check_memory
from qmpi.corpora.tokenizer import (
    check_builtin_rows,
    check_size,
    check_written_with,
    tokenizer_facts,
)
from qmpi.errors import ConfigError, InputError, RunInUse
from qmpi.launch.allocation.deal import Wanted
from qmpi.launch.allocation.find import find_allocation, look_around
from qmpi.launch.allocation.muster import Muster
from qmpi.launch.mpirun import LaunchPlan, find_mpirun, rank_environment
from qmpi.policy.placement import place
from qmpi.protocol.status import EndMarker
from qmpi.runtime.clock import Clock
from qmpi.runtime.ownership import refusal_by_beating
from qmpi.runtime.same_run import (
    AS_IT_WAS,
    Continuation,
    begun_with,
    check_same_run,
    keep_settings,
    run_path,
)
from qmpi.storage.atomic_file import write_atomic
from qmpi.storage.cache import default_cache
from qmpi.storage.corpus import Corpus
from qmpi.storage.corpus_index import read_corpus_facts
from qmpi.storage.journal import glance_at
from qmpi.storage.noted_places import note_places
from qmpi.storage.run_directory import RunDirectory
from qmpi.storage.run_lock import refusal_of
from qmpi.storage.status_file import read_end
from qmpi.units import Seconds


class Asked(Struct, frozen=True):
    """What the command line says of ranks and hosts.

    Attributes:
        ranks: to start in all; None: what the batch system or the job says.
        per_host: to start on each host; None: as many as it takes.
        hostfile: file of hosts; None: those of the allocation.
        stop_before: seconds before the end of the allocation at which to stop in order; 0: never.
    """

    ranks: int | None = None
    per_host: int | None = None
    hostfile: Path | None = None
    stop_before: float = 0.0


def default_ranks(settings: Settings) -> int:
    """Return the ranks that a job asks for by its counts.

    Args:
        settings: the job.

    Returns:
        Sum of the counts.

    Raises:
        ConfigError: a role is given as a share, so the number of ranks must be named.
    """
    roles = settings.roles
    counts = (
        roles.coordinator,
        roles.generator,
        roles.memory,
        roles.trainer,
        roles.replica,
        roles.spare,
    )
    if any(isinstance(count, str) for count in counts):
        raise ConfigError("[roles] gives shares, so say how many ranks to start: -n N")
    return sum(count for count in counts if isinstance(count, int))


def find_hosts(
    settings: Settings, asked: Asked, environ: Mapping[str, str], clock: Clock
) -> Muster:
    """Find the hosts that the job may use; asks none of them yet.

    Args:
        settings: the job.
        asked: what the command line says.
        environ: environment of this process.
        clock: the clock.

    Returns:
        The hosts, to be asked before each start.

    Raises:
        InputError: what names the hosts cannot be read or understood.
    """
    found = find_allocation(look_around(environ, clock.now()), asked.hostfile)
    shares = any(isinstance(count, str) for count in msgspec.structs.astuple(settings.roles))
    wanted = Wanted(asked.ranks, asked.per_host, None if shares else default_ranks(settings))
    return Muster(found, wanted, RunDirectory(run_path(settings)), environ, clock)


def stop_time(end: Seconds | None, before: float, now: Seconds) -> Seconds | None:
    """Return when to stop in order, so that the batch system need not end the job.

    Args:
        end: when it will; None: not known.
        before: seconds to stop ahead of that; 0: never.
        now: clock.

    Returns:
        A time; at least three quarters of what is left are used, so that a short job does not stop
        before it begins.
    """
    if end is None or before <= 0.0:
        return None
    return Seconds(end - min(before, 0.25 * max(0.0, end - now)))


def prepare_run(
    settings: Settings,
    ranks: int | None,
    environ: Mapping[str, str],
    way: Continuation = AS_IT_WAS,
) -> LaunchPlan:
    """Check the run directory and the data, find the launcher; writes nothing into the run.

    Args:
        settings: the job.
        ranks: processes to start; None: what the job asks for.
        environ: environment of this process.
        way: how the run goes on, if there is one.

    Returns:
        The job, ready to be claimed and started.

    Raises:
        ConfigError: the run directory holds another run, or this one cannot go on so; or the job
            names no machine that is known.
        RunInUse: likewise, and a job is at it.
        InputError: the weights that it begins with are not there, or do not fit its model; or so it
            is with the reference that it is to be held against.
    """
    number = ranks if ranks is not None else default_ranks(settings)
    if number < 1:
        raise ConfigError(f"-n {number}: start at least 1 rank")
    place(["here"] * number, settings.roles, settings.train.lanes, settings.parallel.team_size)
    _check_place(run_path(settings))
    if settings.machine.name:
        load_machine(settings.machine.name)  # for whoever plans or submits the job later
    mpirun = find_mpirun(environ)
    check_sources(settings, default_cache(environ))
    directory = RunDirectory(run_path(settings))
    try:
        check_same_run(directory, settings, way)
    except ConfigError as error:
        _refuse_in_use(directory, error)
        raise
    if settings.curriculum.reference and not directory.journal.exists():
        from qmpi.launch.specialisation import check_reference

        check_reference(settings)
    if settings.initial.weights and not directory.checkpoint_names():
        from qmpi.training.initial_weights import check_weights

        check_weights(Path(settings.initial.weights), settings.model)
    return LaunchPlan(
        mpirun=mpirun,
        ranks=number,
        job=directory.job,
        run=directory.root,
        environment=rank_environment(settings, environ),
        options=options_of(way),
    )


def _refuse_in_use(directory: RunDirectory, cause: ConfigError) -> None:
    # Whoever meets a run that is in use has mistaken the directory more likely than the settings.
    for lock in (directory.supervisor_lock, directory.lock):
        if told := refusal_by_beating(lock, Clock()):
            raise RunInUse(told) from cause


def options_of(way: Continuation) -> tuple[str, ...]:
    """Return the arguments by which ranks are told how the run goes on.

    Args:
        way: how.
    """
    flags = {"--change": way.changes, "--replan": way.replan}
    told = tuple(name for name, given in flags.items() if given)
    return (*told, "--back-to", f"{way.back_to}:{way.starts}") if way.back_to >= 0 else told


def will_change(settings: Settings, way: Continuation) -> bool:
    """Return whether a run would change by going on so, or go back.

    Args:
        settings: the job as it shall go on.
        way: how.

    Raises:
        ConfigError: it cannot go on so.
    """
    return check_same_run(RunDirectory(run_path(settings)), settings, way)


def finished_before(settings: Settings, way: Continuation) -> EndMarker | None:
    """Return how a run ended that has nothing left to do.

    Args:
        settings: the job as it shall go on.
        way: how.

    Returns:
        Its end marker, if nobody is at it, all steps are done, the checkpoint of the last one is
        there and what is asked for changes neither them nor what is measured; else None.

    Raises:
        ConfigError: it cannot go on so.
        StorageError: what it has written cannot be read.
    """
    directory = RunDirectory(run_path(settings))
    end, steps = read_end(directory.root), settings.train.steps
    if end is None or end.state != "finished" or end.step != steps:
        return None
    if refusal_of(directory.supervisor_lock) or refusal_of(directory.lock):
        return None
    names = (Path(name).name for name in directory.checkpoint_names())
    is_kept = any(name.startswith(f"step-{steps:019d}") for name in names)
    is_whole = directory.journal.exists() and glance_at(directory.journal).committed == steps
    if not (is_kept and is_whole) or will_change(settings, way):
        return None
    before = load_job(directory.job, (), os.fspath(directory.root))
    return end if before.evaluation == settings.evaluation else None


def way_on(run: Path, *, replan: bool = False, back_to: int | None = None) -> Continuation:
    """Return how a run goes on that the user resumes.

    Args:
        run: its directory.
        replan: a schedule may be planned anew.
        back_to: step to go back to; None: none.

    Returns:
        Its hyperparameters may change; going back is done once, whatever dies meanwhile.
    """
    journal = RunDirectory(run).journal
    starts = len(glance_at(journal).openings) if journal.exists() else 0
    step = -1 if back_to is None else back_to
    return Continuation(changes=True, replan=replan, back_to=step, starts=starts)


def claim_run(settings: Settings, way: Continuation = AS_IT_WAS) -> None:
    """Write the job that the ranks read; the caller holds the supervisor's lock of the run.

    Args:
        settings: the job.
        way: how the run goes on, if there is one.

    Raises:
        ConfigError: the run directory holds another run, begun since `prepare_run` looked.
        StorageError: it takes no data.
    """
    directory = RunDirectory(run_path(settings))
    check_same_run(directory, settings, way)
    begun = begun_with(directory)
    if begun is not None:
        keep_settings(directory, begun, is_new=False)  # old versions knew job.toml alone
    note_places(directory, "ram_dirs", [*_ram_dir_before(directory), settings.snapshot.ram_dir])
    write_atomic(directory.job, dump_toml(settings).encode())


def check_claimed(run: Path, way: Continuation = AS_IT_WAS) -> None:
    """Check what the ranks of a claimed run would read if they were started again.

    Args:
        run: directory of the run.
        way: as it was claimed with.

    Raises:
        ConfigError: the job file in it was broken by hand, or is another's now.
    """
    directory = RunDirectory(run)
    check_same_run(directory, load_job(directory.job, (), os.fspath(run)), way)


def _ram_dir_before(directory: RunDirectory) -> list[str]:
    try:
        return [load_job(directory.job).snapshot.ram_dir] if directory.job.exists() else []
    except ConfigError:
        return []  # about to be replaced


def _check_place(run: Path) -> None:
    for path in (run, *run.parents):
        if path.exists() and not path.is_dir():
            raise ConfigError(
                f"{run} cannot be the directory of a run: {path} is a file; name another with "
                "--run-dir"
            )


def check_sources(settings: Settings, cache: Path) -> None:
    """Look at every source, making the built-in corpus on first use.

    Args:
        settings: the job.
        cache: directory of built-in corpora.

    Raises:
        InputError: a source is missing, too small or written with another tokenizer than the job's,
            or the model has fewer rows than that has ids.
    """
    check_builtin_rows(settings)
    check_memory(settings)
    length = settings.train.sequence_tokens
    corpora = [source for source in settings.data.sources if isinstance(source, CorpusSource)]
    written = {source.name: read_corpus_facts(resolve(source.path, cache)) for source in corpora}
    for name, facts in written.items():
        if facts.tokens <= length:
            raise InputError(
                f"source {name!r} has {facts.tokens} tokens, less than one sequence of "
                f"{length} + 1; ingest more text"
            )
    digest, ids = tokenizer_facts(settings, cache)
    check_size(settings, ids)
    for name, facts in written.items():
        check_written_with(name, facts, digest)
    if settings.data.packing == "best_fit":
        # Before the job, so that its ranks need not wait for one of them.
        from qmpi.corpora.packing import open_packed  # loads numpy

        for source in corpora:
            open_packed(Corpus.open(resolve(source.path, cache)), length, cache)


def resume_settings(run: Path, overrides: tuple[str, ...]) -> Settings:
    """Return the settings of a run that shall go on.

    Args:
        run: directory of the run.
        overrides: as in `load_job`; of the run's identity only the hyperparameters may change.

    Returns:
        Its job.

    Raises:
        InputError: there is no run.
    """
    return load_job(RunDirectory(run).require_job(), overrides, os.fspath(run.absolute()))
