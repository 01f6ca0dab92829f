"""The checkpoint of a run that somebody wants: the newest that is whole, or that of a step.

Theory of operation. The run may be going on: files come and go while they are looked for, so the
directory is listed anew after each one that cannot be read. A file that was copied in from another
run is not this run's, whatever its name: the journal says which run this is.
"""

from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from qmpi.config.load import load_job
from qmpi.config.settings import Settings
from qmpi.errors import CorruptData, InputError, StorageError
from qmpi.protocol.journal import RunOpened
from qmpi.storage.journal import read_journal
from qmpi.storage.run_directory import RunDirectory
from qmpi.storage.snapshot_file import read_header, read_payload
from qmpi.storage.snapshot_format import SnapshotHeader
from qmpi.storage.snapshot_store import snapshot_path, step_of
from qmpi.units import Step

Tell = Callable[[str], None]
"""Takes what people should hear, in words."""


class Checkpoint(Struct, frozen=True):
    """A state of a run, verified.

    Attributes:
        path: the file.
        header: step, digest, run.
        payload: the state, mapped into memory; stays when the file is removed.
    """

    path: Path
    header: SnapshotHeader
    payload: memoryview


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


def read_checkpoint(run: Path, step: int | None, tell: Tell) -> Checkpoint:
    """Read the checkpoint of a step, or the newest that is whole.

    Args:
        run: directory of the run.
        step: weights are those before this step; None: the newest.
        tell: told if newer ones are passed over.

    Returns:
        The checkpoint.

    Raises:
        InputError: there is none, or not that of the step.
        CorruptData: it is damaged, or all of them are.
        StorageError: it cannot be read.
    """
    directory = RunDirectory(run)
    run_id = _run_id(directory, tell)
    if step is None:
        return _newest(directory, run_id, tell)
    path = snapshot_path(directory.checkpoints, Step(step))
    if not path.exists():
        raise InputError(f"{run} has no checkpoint of step {step}; {_steps_there(directory)}")
    return _read(path, run_id)


def _newest(directory: RunDirectory, run_id: str, tell: Tell) -> Checkpoint:
    tried: set[str] = set()
    faults: list[str] = []
    while fresh := [name for name in directory.checkpoint_names() if name not in tried]:
        path = Path(fresh[-1])
        tried.add(fresh[-1])
        try:
            checkpoint = _read(path, run_id)
        except StorageError as error:
            faults.append(str(error))
            continue
        if faults:
            tell(f"{'; '.join(faults)}; {path.name} is taken instead")
        return checkpoint
    if not faults:
        raise InputError(
            f"{directory.root} has no checkpoint yet; one is written every "
            "snapshot.disk_every_steps steps and at the end"
        )
    raise CorruptData(f"no checkpoint of {directory.root} can be read: {'; '.join(faults)}")


def _read(path: Path, run_id: str) -> Checkpoint:
    header = read_header(path)
    if run_id not in {"", header.run_id}:
        raise CorruptData(f"snapshot {path} is of another run ({header.run_id}, not {run_id})")
    if step_of(path.name) != header.step:
        raise CorruptData(f"snapshot {path} is of step {header.step}, whatever its name says")
    return Checkpoint(path, header, read_payload(path, header.digest))


def _run_id(directory: RunDirectory, tell: Tell) -> str:
    if not directory.journal.exists():
        return ""
    try:
        first = next(read_journal(directory.journal), None)
    except StorageError as error:
        tell(f"{error}; so it is not known whether the checkpoints are of this run")
        return ""
    return first.run_id if isinstance(first, RunOpened) else ""


def _steps_there(directory: RunDirectory) -> str:
    names = [Path(name).stem.removeprefix("step-") for name in directory.checkpoint_names()]
    steps = [str(int(name)) for name in names if name.isdecimal()]
    return f"there are {', '.join(steps)}" if steps else "there is none yet"
