"""`qmpi replay`: a run trained anew from its journal, in a directory of its own, and compared.

Theory of operation. The journal tells what the steps that stand were trained with: the settings
that the run was begun with, and the log of what changed, whoever decided it. The replay begins at
step 0 with the same job and that whole log, on any ranks, and decides none of it again. So nothing
of failures, of memory or of chance is left in it, and it must come to the same bits. Steps that
were given up or done again are not part of the story; those that stand are.

What is replayed is written down beside the new run (`replay.json`) before its ranks start, so that
a replay that dies or is stopped goes on as one.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from shlex import quote

from msgspec import Struct
from msgspec.structs import replace

from qmpi.config.identity import differences, with_hyperparameters
from qmpi.config.load import load_job, settings_digest
from qmpi.config.settings import Settings
from qmpi.corpora.standing import StandingSteps, replay
from qmpi.errors import ConfigError, InputError
from qmpi.launch.train import default_ranks
from qmpi.policy.placement import place
from qmpi.policy.replay import Likeness, likeness, teams_of
from qmpi.protocol.journal import StepCommitted
from qmpi.protocol.replay import Replay
from qmpi.storage.journal import read_journal
from qmpi.storage.replay_file import read_replay, write_replay
from qmpi.storage.run_directory import RunDirectory
from qmpi.storage.status_file import read_end
from qmpi.units import Step


class Prepared(Struct, frozen=True):
    """A replay that is ready to start.

    Attributes:
        settings: the job of the new run.
        goes_by: what it repeats.
        steps: of the run that is replayed, as its journal told when it was read.
        done: nothing is left to train: it was replayed before.
        is_new: its directory was made for it just now.
    """

    settings: Settings
    goes_by: Replay
    steps: Mapping[int, StepCommitted]
    done: bool
    is_new: bool = False


def prepare_replay(
    run: Path,
    target: Path | None,
    to: int | None,
    overrides: tuple[str, ...],
    ranks: int | None = None,
) -> Prepared:
    """Read what a run was, and write down beside a new one that it shall repeat it.

    Args:
        run: directory of the run; it may still go on.
        target: directory of the replay; None: RUN-replay.
        to: steps to replay; None: all that are committed.
        overrides: as in `load_job`, of what decides no weights.
        ranks: to start; None: what the job asks for.

    Returns:
        The replay.

    Raises:
        InputError: there is no such run, or its journal does not tell enough.
        ConfigError: the replay would be another run, or its directory holds another; or its bits
            would prove nothing, since a float sum depends on the number of trainers.
        StorageError: a file cannot be read or written.
        CorruptData: the journal was changed.
    """
    directory = RunDirectory(run.absolute())
    beside = directory.root.with_name(f"{directory.root.name}-replay")
    new = RunDirectory((target or beside).absolute())
    standing = _standing(directory)
    begun = load_job(directory.begun if directory.begun.exists() else directory.require_job())
    wanted = goes_by(str(directory.root), standing, to)
    settings = _job(directory, new, begun, overrides)
    if settings_digest(settings) != wanted.settings_digest:
        told = "; ".join(differences(begun, settings)) or "job.toml is not that of its journal"
        raise ConfigError(f"a replay has the job of {run}, but {told}")
    if settings.train.reduction == "fast":
        teams = teams_of(read_journal(directory.journal), standing.steps, wanted.steps)
        _refuse_other_sums(settings, str(run), teams, ranks)
    is_new = not new.root.exists()
    return Prepared(settings, wanted, standing.steps, _claim(new, wanted), is_new)


@contextmanager
def unless_refused(prepared: Prepared) -> Iterator[None]:
    """Leave nothing of a replay whose ranks are never started.

    Args:
        prepared: the replay; what its start has written is never removed.

    Yields:
        Nothing, for the body to start it.
    """
    try:
        yield
    except BaseException:
        new = RunDirectory(Path(prepared.settings.job.run_dir))
        parts = (new.checkpoints, new.log_dir)
        with suppress(OSError):
            left = {path.name for path in new.root.iterdir()}
            if prepared.is_new and left <= {new.replay.name, *(part.name for part in parts)}:
                for part in parts:
                    part.rmdir()
                new.replay.unlink()
                new.root.rmdir()
        raise


def compare(prepared: Prepared) -> Likeness:
    """Compare a replay with the run.

    Args:
        prepared: the replay; it has been trained, perhaps not to its end.

    Returns:
        How far they agree.

    Raises:
        CorruptData: the replay's journal was changed.
        InputError: it contradicts itself.
    """
    journal = RunDirectory(Path(prepared.settings.job.run_dir)).journal
    if not journal.exists():
        return Likeness()
    replayed = replay(read_journal(journal))
    if replayed.fault:
        raise InputError(f"{journal} contradicts itself: {replayed.fault}")
    return likeness(prepared.steps, replayed.steps, prepared.goes_by.steps)


def _standing(directory: RunDirectory) -> StandingSteps:
    directory.require_job()
    if not directory.journal.exists():
        raise InputError(f"{directory.root} has no journal, so nothing of it can be replayed")
    return replay(read_journal(directory.journal))


def goes_by(run: str, standing: StandingSteps, to: int | None = None) -> Replay:
    """Return what a replay of a run goes by.

    Args:
        run: directory of the run, for messages.
        standing: its journal, read.
        to: steps to replay; None: all that are committed.

    Returns:
        All that the steps were trained with.

    Raises:
        InputError: the journal does not tell enough, or of too few steps.
    """
    opened, committed = standing.opened, len(standing.steps)
    if standing.fault:
        raise InputError(f"the journal of {run} contradicts itself: {standing.fault}")
    if opened is None or not standing.steps:
        raise InputError(f"{run} has no step yet that could be replayed")
    if standing.reshaped:
        cut = standing.reshaped[-1]
        raise InputError(
            f"{run} was {cut.reason}. No ranks train the steps before and behind it to the same "
            f"bits; `qmpi replay {quote(cut.run)}` proves those before"
        )
    if not standing.log:
        raise InputError(
            f"the journal of {run} is of a version that did not write down the settings of each "
            "step; it can be audited, not replayed"
        )
    steps = committed if to is None else to
    if steps > committed:
        raise InputError(f"--to {steps}: {run} has {committed} steps")
    return Replay(
        run=run,
        run_id=opened.run_id,
        settings_digest=opened.settings_digest,
        identity=opened.identity,
        sources=opened.sources,
        # What holds from a later step on, the replay does not come to.
        log=tuple(record for record in standing.log if record.first_step < steps),
        steps=Step(steps),
        # Of later steps likewise; what was passed over on the way stays.
        recipes=standing.recipes[: standing.steps[steps - 1].recipe + 1],
        added=standing.added,
    )


def _job(
    directory: RunDirectory, new: RunDirectory, begun: Settings, overrides: tuple[str, ...]
) -> Settings:
    place, job = os.fspath(new.root), directory.require_job()
    wanted, plain = load_job(job, overrides, place), load_job(job, (), place)
    for name in ("optimizer", "guard", "batch"):
        if getattr(wanted, name) != getattr(plain, name):
            raise ConfigError(f"[{name}] of a replay is what the journal of {directory.root} says")
    if wanted.train.steps != plain.train.steps:
        raise ConfigError(f"--to {wanted.train.steps} says how far to replay, not train.steps")
    return with_hyperparameters(
        wanted, begun.train.steps, begun.optimizer, begun.guard, begun.batch
    )


def _refuse_other_sums(
    settings: Settings, run: str, teams: tuple[int, ...], ranks: int | None
) -> None:
    told = 'train.reduction = "fast" promises the same bits on as many trainers alone'
    if len(teams) > 1:
        many = ", then ".join(map(str, teams))
        raise ConfigError(
            f"{told}, and {run} was trained by {many}, so that no replay can come to its bits; "
            "--to STEP replays the steps before the number changed"
        )
    number = default_ranks(settings) if ranks is None else ranks
    size = settings.parallel.team_size
    dealt = len(place(["here"] * number, settings.roles, settings.train.lanes, size).teams)
    if teams and dealt != teams[0]:
        each = f" teams of {size}" if size > 1 else ""
        raise ConfigError(
            f"{told}: {run} was trained by {teams[0]}{each}, and the replay would have {dealt}; "
            f"start as many, as with --set roles.trainer={teams[0] * size}"
        )


def _claim(new: RunDirectory, wanted: Replay) -> bool:
    """Write down what is replayed.

    Returns:
        Whether that was replayed to its end before.

    Raises:
        ConfigError: the directory holds another run, or the replay of another story.
    """
    if str(new.root) == wanted.run:
        raise ConfigError(f"{new.root} is the run itself; name another --run-dir for its replay")
    held, is_trained = read_replay(new.replay), new.journal.exists()
    if is_trained and held is None:
        raise ConfigError(f"{new.root} holds another run; name another --run-dir for the replay")
    if is_trained and held is not None and replace(held, run=wanted.run) != wanted:
        raise ConfigError(_other_story(new, held, wanted))
    if held != wanted:
        new.create()
        write_replay(new.replay, wanted)
    end = read_end(new.root) if is_trained else None
    return end is not None and end.state == "finished"


def _other_story(new: RunDirectory, held: Replay, wanted: Replay) -> str:
    if held.run_id == wanted.run_id and held.steps != wanted.steps:
        return (
            f"{new.root} replays {held.steps} steps: say --to {held.steps} to go on with that, or "
            f"name another --run-dir, as {quote(f'{new.root}-{wanted.steps}')}"
        )
    return (
        f"{new.root} replays {held.run} as it was then, which is another story; name another "
        "--run-dir"
    )
