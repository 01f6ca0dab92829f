"""`qmpi reshape`: a run that goes on from a checkpoint of another one, in another layout.

Theory of operation. The state of a checkpoint is put together and cut anew, a position at a time;
then the new files are read back, and the digest of the unsharded state must be that of the old one.
The new run has an identity of its own, and the old run's journal as the story so far, byte by byte,
with one record behind it that says where the story changes over. So data, settings and losses go on
as those of one run, and an audit derives all of its blocks. The old run stays as it is.
"""

import os
import shutil
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from qmpi.config.compression_checks import sends_less
from qmpi.config.identity import differences, with_hyperparameters
from qmpi.config.load import dump_toml, load_job, settings_digest
from qmpi.config.parallel import ParallelSettings
from qmpi.config.settings import Settings
from qmpi.errors import ConfigError, CorruptData, InputError, InvariantError, RunInUse
from qmpi.exchange.checkpoint import (
    Checkpoint,
    Tell,
    files_of,
    read_checkpoint,
    read_parts,
)
from qmpi.exchange.folder import OwnFiles, check_folder, new_folder
from qmpi.launch.train import default_ranks
from qmpi.policy.hyperparameters import held_before, log_of
from qmpi.policy.reshaping import layout_text, which_run
from qmpi.protocol.journal import JournalRecord, RunReshaped
from qmpi.roles.coordinator.record import Record
from qmpi.runtime.chosen_layout import Place, decide
from qmpi.runtime.clock import Clock
from qmpi.storage.atomic_file import write_atomic
from qmpi.storage.journal import JournalWriter, read_journal
from qmpi.storage.os_errors import explained
from qmpi.storage.replay_file import read_replay
from qmpi.storage.run_directory import RunDirectory
from qmpi.storage.run_lock import refusal_of
from qmpi.storage.snapshot_file import digest_of
from qmpi.storage.snapshot_folder import SnapshotFolder
from qmpi.units import Bytes, Digest, Step

if TYPE_CHECKING:
    from qmpi.training.whole_state import WholeState

NOTHING = OwnFiles((), "")
"""Of what a new run replaces."""


class Reshaped(Struct, frozen=True):
    """A run that was made.

    Attributes:
        run: its directory.
        step: that it goes on with.
        before: layout of the run that it comes from, in words.
        after: its own.
        state: digest of the unsharded state.
        given_up: steps that the other run has behind its checkpoint; this one trains them anew.
    """

    run: Path
    step: Step
    before: str
    after: str
    state: Digest
    given_up: int = 0


class _Plan(Struct, frozen=True):
    """What is cut, and for what."""

    old: RunDirectory
    new: RunDirectory
    held: Settings
    wanted: Settings
    begun: Settings
    record: Record
    history: tuple[JournalRecord, ...]


def reshape_run(
    run: Path, target: Path, step: int | None, overrides: tuple[str, ...], tell: Tell
) -> Reshaped:
    """Make a run that goes on from a checkpoint in another layout.

    Args:
        run: directory of a run that was stopped, has ended or died.
        target: directory to make.
        step: of the checkpoint; None: the newest that is whole.
        overrides: as in `load_job`: [parallel], and what decides no weights.
        tell: told if newer checkpoints are passed over, and why qmpi chose the layout if it did.

    Returns:
        What was made.

    Raises:
        InputError: no run, no checkpoint, the target is taken, or the state cannot be cut so.
        ConfigError: the new job contradicts itself, or is another in more than its layout.
        RunInUse: the run goes on.
        CorruptData: a checkpoint is damaged, or the journal tells of fewer steps.
        StorageError: damage, no room, no permission; nothing is left behind.
    """
    plan = _plan(run, target, overrides, tell)
    check_folder(target, NOTHING, replace=False)
    size = plan.held.parallel.team_size
    found = read_checkpoint(run, size, step, tell, tuple(plan.record.branches))
    if found.step > plan.record.committed:
        raise CorruptData(
            f"{run} has a checkpoint of step {found.step}, and its journal ends at step "
            f"{plan.record.committed}: bring back the whole journal, or take an older one with "
            "--step"
        )
    # Loaded here: torch takes seconds, and a wrong argument should be told at once.
    from qmpi.training.whole_state import WholeState

    whole = WholeState(plan.held, found.payloads)
    state = whole.digest()
    made = _record(plan, found.step, state)
    total = sum(payload.nbytes for payload in found.payloads)
    with new_folder(target, Bytes(total), NOTHING, replace=False) as part:
        place = RunDirectory(part)
        place.create()
        _write_parts(place, plan, found, whole, made.run_id)
        _check_parts(place, plan, found.step, made)
        write_atomic(place.begun, dump_toml(plan.begun).encode())
        write_atomic(place.job, dump_toml(plan.wanted).encode())
        _write_journal(place, plan, made)
    given_up = plan.record.committed - found.step
    return Reshaped(plan.new.root, found.step, made.before, made.after, state, given_up)


def _plan(run: Path, target: Path, overrides: tuple[str, ...], tell: Tell) -> _Plan:
    old, new = RunDirectory(run.absolute()), RunDirectory(target.absolute())
    job = old.require_job()
    if new.root.resolve().is_relative_to(old.root.resolve()):
        raise InputError(f"{target} lies within {run}, which stays as it is: name another place")
    if not old.journal.exists():
        raise InputError(f"{run} has no journal, so nothing goes on from it")
    if read_replay(old.replay) is not None:
        raise InputError(f"{run} is the replay of another run, and ends with it: reshape that one")
    for lock in (old.lock, old.supervisor_lock):
        if told := refusal_of(lock):
            raise RunInUse(told)
    begun = load_job(old.begun if old.begun.exists() else job)
    held = replace(load_job(job), parallel=begun.parallel)
    why: list[str] = []

    def chosen(settings: Settings) -> ParallelSettings:
        decision = decide(settings, Place(default_ranks(settings)))
        why.extend(decision.why)
        return decision.parallel

    wanted = load_job(job, overrides, os.fspath(new.root), chosen)
    history = tuple(read_journal(old.journal))
    for sentence in why:
        tell(f"layout: {sentence}")
    _check_job(old, begun, held, wanted, history)
    record = Record(1)
    record.replay(history)
    return _Plan(old, new, held, wanted, replace(begun, parallel=wanted.parallel), record, history)


def _check_job(
    old: RunDirectory,
    begun: Settings,
    held: Settings,
    wanted: Settings,
    history: tuple[JournalRecord, ...],
) -> None:
    """Refuse what is no other layout of the same job.

    Raises:
        ConfigError: the layout is the same, or more than it differs.
        InputError: the journal is of another job.
    """
    told = which_run(history)
    if told is None or told.settings_digest != settings_digest(_as_begun(held, begun)):
        raise InputError(f"{old.job} is not the job that the journal of {old.root} was opened with")
    apart = differences(held, replace(wanted, parallel=held.parallel))
    if apart:
        raise ConfigError(
            f"a run that is reshaped has the job of {old.root} but for [parallel], and {apart[0]}; "
            "`qmpi train --resume RUN --set ...` changes settings afterwards"
        )
    if sends_less(held.train):
        raise ConfigError(
            f"{old.root} cannot be reshaped: with train.reduction_bits or train.compression each "
            "lane keeps a part of its gradient, which belongs to this layout, and cannot be cut; "
            "go on in this layout, or begin a run with its weights (`qmpi export`, initial.weights)"
        )
    if _layout(wanted) == _layout(held):
        raise ConfigError(
            f"{old.root} has this layout already ({_layout(held)}), so nothing is to be cut: "
            "name another one with --set parallel.AXIS=N (tensor, pipeline, context, expert); "
            f"`qmpi train --resume {quote(str(old.root))}` goes on in this one"
        )


def _as_begun(settings: Settings, begun: Settings) -> Settings:
    return with_hyperparameters(
        settings, begun.train.steps, begun.optimizer, begun.guard, begun.batch
    )


def _layout(settings: Settings) -> str:
    return layout_text(settings.parallel)


def _record(plan: _Plan, step: Step, state: Digest) -> RunReshaped:
    log = log_of(plan.history, plan.begun)
    return RunReshaped(
        time=Clock().now(),
        run_id=os.urandom(8).hex(),
        settings_digest=settings_digest(_as_begun(plan.wanted, plan.begun)),
        step=step,
        hyperparameters=held_before(log, step),
        run=str(plan.old.root),
        before=_layout(plan.held),
        after=_layout(plan.wanted),
        state=state,
    )


def _write_parts(
    place: RunDirectory, plan: _Plan, found: Checkpoint, whole: "WholeState", run_id: str
) -> None:
    from qmpi.training.whole_state import cut_state

    folder = SnapshotFolder(place.checkpoints, run_id, keep=1, in_ram=False)
    size, fact = plan.wanted.parallel.team_size, found.facts[0]
    for position in range(size):
        payload = cut_state(whole, plan.wanted, position)
        folder.write(
            found.step,
            digest_of(payload),
            payload,
            position if size > 1 else None,
            branch=fact.branch,
            skipped=fact.skipped,
        )


def _check_parts(place: RunDirectory, plan: _Plan, step: Step, made: RunReshaped) -> None:
    from qmpi.training.whole_state import WholeState

    files = files_of(place, step, plan.wanted.parallel.team_size)
    written = WholeState(plan.wanted, read_parts(files, made.run_id).payloads).digest()
    if written != made.state:
        raise InvariantError(
            f"the state before step {step} has the digest {made.state[:16]}, and what was cut of "
            f"it {written[:16]}"
        )


def _write_journal(place: RunDirectory, plan: _Plan, made: RunReshaped) -> None:
    with explained("write", place.journal):
        shutil.copyfile(plan.old.journal, place.journal)
    with JournalWriter.open(place.journal) as journal:
        journal.append([made])
        journal.sync()
