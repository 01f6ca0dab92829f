"""Does a run directory hold the run that is wanted? Asked by the command and by the ranks alike.

Theory of operation. The journal holds the digest of the settings that a run was begun with, and the
log of hyperparameters that held since; `begun.toml` holds the settings themselves: whoever edits
`job.toml`, which people do, is told which field may not change. What may change does so only for
who says so, and at the step where the run goes on. A run that has not trained a step yet binds
nobody: with other settings its journal begins anew.
"""

import logging
from pathlib import Path
from shlex import quote

from msgspec import Struct

from qmpi.config.identity import FREE, differences, with_hyperparameters
from qmpi.config.load import dump_toml, load_job, settings_digest
from qmpi.config.settings import Settings
from qmpi.errors import ConfigError
from qmpi.policy.hyperparameters import Log, carried_on, log_of
from qmpi.policy.reshaping import which_run
from qmpi.protocol.journal import JournalRecord, RunReshaped
from qmpi.protocol.replay import Replay
from qmpi.storage.atomic_file import write_atomic
from qmpi.storage.journal import Glance, JournalWriter, glance_at
from qmpi.storage.replay_file import read_replay
from qmpi.storage.run_directory import RunDirectory


class Continuation(Struct, frozen=True):
    """How a run shall go on.

    Attributes:
        changes: its hyperparameters may change where it goes on.
        replan: a schedule is planned anew whose shape would change.
        back_to: step that the user goes back to; -1: none.
        starts: starts that the journal knew when that was asked for: once there are more it has
            been done; -1: it is to be done in any case.
    """

    changes: bool = False
    replan: bool = False
    back_to: int = -1
    starts: int = -1

    def step_back(self, starts: int) -> int:
        """Return the step to go back to, if that is still to be done.

        Args:
            starts: that the journal knows now.

        Returns:
            The step, or -1.
        """
        return self.back_to if self.starts in (-1, starts) else -1


logger = logging.getLogger(__name__)

AS_IT_WAS = Continuation()

_NEW_LAYOUT = "For another [parallel] `qmpi reshape` makes a run that goes on from a checkpoint. "


def run_path(settings: Settings) -> Path:
    """Return the absolute directory of a run.

    Args:
        settings: the job.

    Returns:
        job.run_dir, or runs/NAME.
    """
    return Path(settings.job.run_dir or f"runs/{settings.job.name}").absolute()


def check_same_run(
    directory: RunDirectory, settings: Settings, way: Continuation = AS_IT_WAS
) -> bool:
    """Refuse to go on with a run under settings that it cannot go on with.

    Args:
        directory: of the run, if there is one yet.
        settings: those wanted.
        way: what may change.

    Returns:
        Whether the hyperparameters change, or the run goes back.

    Raises:
        ConfigError: names every field that differs, and what may; or says why the run cannot be
            extended so, or not go back.
    """
    replayed = read_replay(directory.replay)
    if replayed is not None:
        _check_replay(directory, replayed, settings, way)
        return False
    begun = begun_with(directory)
    if begun is None:
        if way.back_to > 0:
            raise ConfigError(_nothing_behind(directory))
        return False
    glance = glance_at(directory.journal)
    if _came_to_nothing(directory, glance):
        if way.back_to > 0:
            raise ConfigError(_nothing_behind(directory))
        return settings_digest(begun) != settings_digest(settings)
    log = log_of(glance.told, begun)
    if not way.changes:
        last = log[-1]
        rule = None if last.batch is None else last.batch.settings
        held = with_hyperparameters(begun, last.steps, last.optimizer, last.guard, rule)
        _refuse(directory, held, settings)
        return False
    as_begun = with_hyperparameters(
        settings, begun.train.steps, begun.optimizer, begun.guard, begun.batch
    )
    _refuse(directory, begun, as_begun)
    return _check_way(log, glance, settings, way)


def has_no_steps(directory: RunDirectory) -> bool:
    """Return whether a run was opened and has come to nothing: then its settings bind nobody.

    A start that its data refused must not be in the way of the same job once it is mended.

    Args:
        directory: of the run.

    Returns:
        Whether its journal tells of starts, none of which trained a step, and no checkpoint lies
        there.
    """
    journal = directory.journal
    return journal.exists() and _came_to_nothing(directory, glance_at(journal))


def _came_to_nothing(directory: RunDirectory, glance: Glance) -> bool:
    if not glance.openings or glance.trained or glance.committed:
        return False
    # Whoever made the directory of a replay, or of a run in another layout, has written it full.
    is_made = any(isinstance(record, RunReshaped) for record in glance.told)
    return not (is_made or directory.replay.exists() or directory.checkpoint_names())


def _nothing_behind(directory: RunDirectory) -> str:
    return f"the journal of {directory.root} tells of no step to go back to"


def _check_replay(
    directory: RunDirectory, replayed: Replay, settings: Settings, way: Continuation
) -> None:
    """Refuse whatever would make a replay a run of its own.

    Raises:
        ConfigError: the settings are others, or shall change.
    """
    is_its_job = settings_digest(settings) == replayed.settings_digest
    if not is_its_job or way.changes or way.back_to >= 0:
        raise ConfigError(
            f"{directory.root} replays {replayed.run} and goes by its records alone; `qmpi replay "
            f"{quote(replayed.run)} --to {replayed.steps} --run-dir {quote(str(directory.root))}` "
            "goes on with it. To train with other settings begin another run, with another "
            "--run-dir"
        )


def _check_way(log: Log, glance: Glance, settings: Settings, way: Continuation) -> bool:
    back = way.step_back(len(glance.openings))
    if back > glance.committed:
        raise ConfigError(f"--back-to {back}: the run has {glance.committed} steps only")
    step = back if back >= 0 else glance.committed
    went_on = carried_on(log, settings, step, replanned=way.replan, keeps_later=back < 0)
    return back >= 0 or went_on != log


def _refuse(directory: RunDirectory, held: Settings, wanted: Settings) -> None:
    if settings_digest(held) != settings_digest(wanted):
        raise ConfigError(refusal(directory, differences(held, wanted)))


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
        f"{fields}. It can go on with these fields as they were; what may change is {FREE}. "
        f"{_NEW_LAYOUT if 'parallel.' in fields else ''}For other settings begin another run, with "
        "another --run-dir"
    )


def open_journal(
    directory: RunDirectory, settings: Settings
) -> tuple[JournalWriter, list[JournalRecord]]:
    """Open the journal of a run that `check_same_run` let pass; the caller holds its lock.

    Args:
        directory: of the run.
        settings: those wanted. If others were, and no step was trained with them, the journal
            begins anew.

    Returns:
        The writer, and what the journal holds.

    Raises:
        StorageError: it cannot be opened, or is damaged.
    """
    history: list[JournalRecord] = []
    journal = JournalWriter.open(directory.journal, visit=history.append)
    begun_as = which_run(history)
    is_other = begun_as is not None and begun_as.settings_digest != settings_digest(settings)
    if not (is_other and has_no_steps(directory)):
        return journal, history
    logger.warning("the journal begins anew: no step was trained with the settings of before")
    journal.close()
    write_atomic(directory.journal, b"")
    return JournalWriter.open(directory.journal), []


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


def begun_with(directory: RunDirectory) -> Settings | None:
    """Return the settings that a run was begun with.

    Args:
        directory: of the run.

    Returns:
        None if nothing was trained: whatever lies there binds nobody.

    Raises:
        ConfigError: they cannot be read.
    """
    if not directory.journal.exists() or not directory.journal.stat().st_size:
        return None
    for path in (directory.begun, directory.job):
        if path.exists():
            return load_job(path)
    return None
