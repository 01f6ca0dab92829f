"""Does a run directory hold the run that is wanted? Asked by the command and by the ranks alike.

Theory of operation. The journal holds the digest of the settings that a run was begun with, and
`begun.toml` the settings themselves: whoever edits `job.toml`, which people do, is told which field
may not change.
"""

from qmpi.config.identity import FREE, differences
from qmpi.config.load import dump_toml, load_job, settings_digest
from qmpi.config.settings import Settings
from qmpi.errors import ConfigError
from qmpi.storage.atomic_file import write_atomic
from qmpi.storage.run_directory import RunDirectory


def check_same_run(directory: RunDirectory, settings: Settings) -> None:
    """Refuse to go on with a run under other settings than it was begun with.

    Args:
        directory: of the run, if there is one yet.
        settings: those wanted.

    Raises:
        ConfigError: names every field that differs, and what may.
    """
    begun = _begun(directory)
    if begun is None or settings_digest(begun) == settings_digest(settings):
        return
    raise ConfigError(refusal(directory, differences(begun, settings)))


def refusal(directory: RunDirectory, apart: tuple[str, ...]) -> str:
    """Return why a run is not gone on with.

    Args:
        directory: of the run.
        apart: fields that differ, from `differences`; empty if they cannot be told any more.

    Returns:
        Text for people.
    """
    fields = "; ".join(apart) or f"which, {directory.begun.name} does not tell any more"
    return (
        f"the run in {directory.root} was begun with other settings of what decides its weights: "
        f"{fields}. It can go on with these fields as they were; what may change is {FREE}. For "
        "other settings begin another run, with another --run-dir"
    )


def keep_settings(directory: RunDirectory, settings: Settings, *, is_new: bool) -> None:
    """Write down what the run is begun with; the caller holds the lock of the run.

    Args:
        directory: of the run.
        settings: of its identity, as the journal has it.
        is_new: nothing has been trained yet.

    Raises:
        StorageError: the run directory takes no data.
    """
    text = dump_toml(settings).encode()
    if is_new or not directory.begun.exists():
        write_atomic(directory.begun, text)
    if not directory.job.exists():
        write_atomic(directory.job, text)


def _begun(directory: RunDirectory) -> Settings | None:
    if not directory.journal.exists() or not directory.journal.stat().st_size:
        return None  # nothing was trained: whatever lies there binds nobody
    for path in (directory.begun, directory.job):
        if path.exists():
            return load_job(path)
    return None
