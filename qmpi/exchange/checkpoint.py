"""The checkpoint of a run that somebody wants: the newest that is whole, or that of a step.

Theory of operation. Where several ranks hold a model, a checkpoint is a file for each position of a
team; it is whole if all are there, of one step and of one branch of the run. The run may be going
on: files come and go while they are looked for, so the directory is listed anew after each
checkpoint that cannot be read. A file that was copied in from another run is not this run's,
whatever its name: the journal says which run this is.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from qmpi.config.load import load_job
from qmpi.config.settings import Settings
from qmpi.errors import CorruptData, InputError, StorageError
from qmpi.policy.added_sources import added_of, with_added
from qmpi.policy.branches import stands
from qmpi.policy.reshaping import which_run
from qmpi.protocol.journal import RunOpened
from qmpi.protocol.membership import SnapshotFact
from qmpi.protocol.teams import whole_digest
from qmpi.storage.journal import glance_at, read_journal
from qmpi.storage.run_directory import RunDirectory
from qmpi.storage.snapshot_file import read_header, read_payload
from qmpi.storage.snapshot_format import SnapshotHeader
from qmpi.storage.snapshot_store import fact_of, snapshot_path, step_of
from qmpi.units import Digest, Step

Tell = Callable[[str], None]
"""Takes what people should hear, in words."""


class Checkpoint(Struct, frozen=True):
    """A state of a run, verified.

    Attributes:
        facts: of the file of each position, in order of position.
        run_id: identity of the run that wrote it.
        payloads: the state of each position, mapped into memory; stays when files are removed.
    """

    facts: tuple[SnapshotFact, ...]
    run_id: str
    payloads: tuple[memoryview, ...]

    @property
    def step(self) -> Step:
        """Weights are those before this step."""
        return self.facts[0].step

    @property
    def digest(self) -> Digest:
        """Digest of the state as it was written: that of its file, or of those of its files."""
        return whole_digest([fact.digest for fact in self.facts])


def run_settings(run: Path) -> Settings:
    """Return the job of a run.

    Args:
        run: directory of the run.

    Returns:
        Its settings.

    Raises:
        InputError: it is no run.
        ConfigError: its job file was broken by hand.
    """
    return load_job(RunDirectory(run).require_job())


def with_all_sources(settings: Settings, run: Path) -> Settings:
    """Return the job of a run with the sources that the run was given on its way.

    Args:
        settings: the job.
        run: directory of the run.

    Returns:
        The job; as it is if there is no journal.

    Raises:
        StorageError: the journal cannot be read.
    """
    journal = RunDirectory(run).journal
    return with_added(settings, added_of(glance_at(journal).told if journal.exists() else ()))


def read_checkpoint(
    run: Path, parts: int, step: int | None, tell: Tell, branches: Sequence[Step] = ()
) -> Checkpoint:
    """Read the checkpoint of a step, or the newest that is whole.

    Args:
        run: directory of the run.
        parts: ranks of a team, each of which writes a part.
        step: weights are those before this step; None: the newest.
        tell: told if newer ones are passed over.
        branches: as for `read_parts`.

    Returns:
        The checkpoint.

    Raises:
        InputError: there is none, or not that of the step.
        CorruptData: it is damaged or lacks a part, or all of them do.
        StorageError: it cannot be read.
    """
    directory = RunDirectory(run)
    run_id = run_id_of(directory, tell)
    if step is None:
        return _newest(directory, parts, run_id, tell, branches)
    files = files_of(directory, require_step(directory, step), parts)
    return read_parts(files, run_id, branches)


def checkpoint_steps(directory: RunDirectory) -> tuple[Step, ...]:
    """List the steps that there are files of, whole or not.

    Args:
        directory: of the run.

    Returns:
        Ascending, each once.

    Raises:
        StorageError: they cannot be listed.
    """
    names = directory.checkpoint_names()
    return tuple(Step(step) for step in sorted({step_of(Path(name).name) for name in names}))


def require_step(directory: RunDirectory, step: int) -> Step:
    """Return a step that there is a file of.

    Args:
        directory: of the run.
        step: that is asked for.

    Raises:
        InputError: there is none; says which there are.
    """
    steps = checkpoint_steps(directory)
    if step in steps:
        return Step(step)
    there = f"there are {', '.join(map(str, steps))}" if steps else "there is none yet"
    raise InputError(f"{directory.root} has no checkpoint of step {step}; {there}")


def files_of(directory: RunDirectory, step: Step, parts: int) -> tuple[Path, ...]:
    """Name the files of a checkpoint.

    Args:
        directory: of the run.
        step: of the checkpoint.
        parts: ranks of a team.

    Returns:
        One for each position, in order; they may not be there.
    """
    positions: list[int | None] = [None] if parts == 1 else [*range(parts)]
    return tuple(snapshot_path(directory.checkpoints, step, place) for place in positions)


def read_parts(files: tuple[Path, ...], run_id: str, branches: Sequence[Step] = ()) -> Checkpoint:
    """Read the files of a checkpoint.

    Args:
        files: of each position, in order.
        run_id: identity of the run; "" if it is not known.
        branches: steps that the run went back to, in order; what it has given up is not read.

    Returns:
        The checkpoint.

    Raises:
        CorruptData: a file is missing or damaged, they do not belong together, or they were given
            up.
        StorageError: one cannot be read.
    """
    missing = [path.name for path in files if not path.exists()]
    if missing and len(files) > 1:
        raise CorruptData(
            f"the checkpoint of step {step_of(files[0].name)} is not whole: of {len(files)} parts "
            f"it lacks {', '.join(missing)}"
        )
    heads = [(path, _head(path, run_id)) for path in files]
    facts = tuple(fact_of(header, "disk", path) for path, header in heads)
    for position, fact in enumerate(facts):
        if fact.position != position or fact.branch != facts[0].branch:
            raise CorruptData(
                f"snapshot {fact.path} is of position {fact.position} and branch {fact.branch}, "
                f"where position {position} of branch {facts[0].branch} is wanted"
            )
    if not stands(facts[0], branches):
        raise CorruptData(
            f"{facts[0].path} is of steps that the run has given up, when it went back"
        )
    payloads = tuple(read_payload(path, header.digest) for path, header in heads)
    return Checkpoint(facts, heads[0][1].run_id, payloads)


def _newest(
    directory: RunDirectory, parts: int, run_id: str, tell: Tell, branches: Sequence[Step]
) -> Checkpoint:
    faults: list[str] = []
    for files in _candidates(directory, parts):
        try:
            checkpoint = read_parts(files, run_id, branches)
        except StorageError as error:
            faults.append(str(error))
            continue
        if faults:
            tell(f"{'; '.join(faults)}; {files[0].name} is taken instead")
        return checkpoint
    if not faults:
        raise InputError(
            f"{directory.root} has no checkpoint yet; one is written every "
            "snapshot.disk_every_steps steps and at the end"
        )
    raise CorruptData(f"no checkpoint of {directory.root} can be read: {'; '.join(faults)}")


def _candidates(directory: RunDirectory, parts: int) -> Iterator[tuple[Path, ...]]:
    tried: set[Step] = set()
    while fresh := [step for step in checkpoint_steps(directory) if step not in tried]:
        tried.add(fresh[-1])
        yield files_of(directory, fresh[-1], parts)


def _head(path: Path, run_id: str) -> SnapshotHeader:
    header = read_header(path)
    if run_id not in {"", header.run_id}:
        raise CorruptData(f"snapshot {path} is of another run ({header.run_id}, not {run_id})")
    if step_of(path.name) != header.step:
        raise CorruptData(f"snapshot {path} is of step {header.step}, whatever its name says")
    return header


def run_id_of(directory: RunDirectory, tell: Tell) -> str:
    """Return the identity of a run, as its journal has it.

    Args:
        directory: of the run.
        tell: told if the journal is damaged.

    Returns:
        "" if it is not known.
    """
    if not directory.journal.exists():
        return ""
    try:
        first = next(read_journal(directory.journal), None)
    except StorageError as error:
        tell(f"{error}; so it is not known whether the checkpoints are of this run")
        return ""
    if not isinstance(first, RunOpened):
        return ""
    told = which_run(glance_at(directory.journal).told)
    return first.run_id if told is None else told.run_id
