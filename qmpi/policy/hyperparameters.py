"""The hyperparameter log: with which settings of the optimizer, and towards which end, a step goes.

Theory of operation. A run's identity is what it was begun with. Its length and the settings of the
optimizer may change, each time at the step where it goes on; the log says from which step on what
holds, as the recipe log does for data. A step that is done again after a failure is trained with
what held for it, so a failure around a change alters nothing. The user may also go back to an
earlier step: then the records from there on fall away with the steps.

A change of length or shape must not bend a schedule in silence: one that would have given trained
steps other rates is refused, unless it is to be planned anew from where the rate is.

Invariants of a log: the first record begins at step 0; first steps ascend; neighbours differ.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise

import msgspec
from msgspec.structs import replace

from qmpi.config.optimizer import OptimizerSettings, derived_warmup
from qmpi.config.schedule import extension, learning_rate, replan
from qmpi.config.settings import Settings
from qmpi.errors import ConfigError, InvariantError
from qmpi.policy.batch import batch_changes
from qmpi.protocol.batch import Batch, begun_batch, first_block, lanes_at, rule_of
from qmpi.protocol.hyperparameters import Hyperparameters, first_hyperparameters, rate_of
from qmpi.protocol.journal import HyperparametersChanged, JournalRecord, RunOpened, RunReshaped
from qmpi.protocol.staged import Staged
from qmpi.units import Step

SHAPE = ("schedule", "min_ratio", "warmup_steps", "decay_share", "power")
"""Settings of the optimizer that give the schedule its shape; a version may lack some."""

Log = tuple[Hyperparameters, ...]


def log_of(history: Iterable[JournalRecord], begun: Settings) -> Log:
    """Return the log of a run as its journal has it.

    Args:
        history: the journal, or what of it names a log.
        begun: settings that the run was begun with; what journals without a log mean.

    Returns:
        At least one record.
    """
    log: Log = ()
    for record in history:
        opens = isinstance(record, RunOpened | HyperparametersChanged | RunReshaped)
        if opens and record.hyperparameters:
            log = record.hyperparameters
    return log or (first_hyperparameters(begun),)


def hyperparameters_at(log: Sequence[Hyperparameters], step: int) -> Hyperparameters:
    """Find what holds for a step.

    Args:
        log: ascending by `first_step`.
        step: >= 0.

    Returns:
        The record that covers it.

    Raises:
        InvariantError: none does.
    """
    number = bisect_right(log, step, key=lambda record: record.first_step) - 1
    if number < 0:
        raise InvariantError(f"no hyperparameters cover step {step}; the log has {len(log)}")
    return log[number]


def rate_at(log: Sequence[Hyperparameters], step: int) -> float:
    """Return the learning rate of a step.

    Args:
        log: ascending by `first_step`.
        step: >= 0.
    """
    return rate_of(hyperparameters_at(log, step), step)


def lanes_of(log: Sequence[Hyperparameters], step: int, most: int) -> int:
    """Return how many lanes a step has.

    Args:
        log: ascending by `first_step`.
        step: >= 0.
        most: lanes of the job.
    """
    return lanes_at(hyperparameters_at(log, step).batch, step, most)


def block_of(log: Sequence[Hyperparameters], step: int, lane: int, most: int) -> int:
    """Return which block of the stream a lane trains on.

    Args:
        log: ascending by `first_step`.
        step: >= 0.
        lane: of the step.
        most: lanes of the job.
    """
    return first_block(hyperparameters_at(log, step).batch, step, most) + lane


def carried_on(
    log: Log, wanted: Settings, step: int, *, replanned: bool = False, keeps_later: bool = False
) -> Log:
    """Return the log of a run that goes on at a step with the settings wanted.

    Args:
        log: so far.
        wanted: the job as it shall go on.
        step: first step that is trained with them.
        replanned: plan a schedule anew whose shape would change, from the rate it has.
        keeps_later: the run does not go back, and what was decided for steps from `step` on holds
            if the settings do not differ; else such records fall away.

    Returns:
        The log, longer by a record if the settings differ from those that held.

    Raises:
        ConfigError: the run has more steps already, or its schedule would be bent; the message
            says what would happen and how to go on.
    """
    kept = held_before(log, step)
    last = kept[-1]
    newest, now = (log[-1], hyperparameters_at(log, step)) if keeps_later else (last, last)
    steps, optimizer = wanted.train.steps, wanted.optimizer
    if steps < step:
        anew = " --replan" if bends(log, wanted, steps) else ""
        raise ConfigError(
            f"train.steps = {steps}, but {step} steps are done; give more, or go back with "
            f"--back-to {steps}{anew}"
        )
    if _says(newest, wanted):
        return log if keeps_later else kept
    batch = _carried_batch(now, wanted, step)
    if step == 0:
        return (replace(first_hyperparameters(wanted), batch=batch),)
    onset, bent = last.onset, _bent(last, optimizer, step, steps)
    if bent and not replanned:
        raise ConfigError(bent)
    if bent:
        onset = replan(last.optimizer, step, last.steps, last.onset)
    guard, halvings = wanted.guard, now.halvings
    new = Hyperparameters(Step(step), steps, optimizer, onset, guard, batch, halvings, now.staged)
    if replace(last, first_step=new.first_step) == new:
        return kept
    return (*(record for record in kept if record.first_step < step), new)


def with_batch(log: Log, batch: Batch) -> Log:
    """Let the lanes become more.

    Args:
        log: ascending by `first_step`; no later record has a batch of its own.
        batch: the rule from `batch.since` on.

    Returns:
        The log.
    """
    step = batch.since
    new = replace(hyperparameters_at(log, step), first_step=step, batch=batch)
    later = (replace(record, batch=batch) for record in log if record.first_step > step)
    return (*(record for record in log if record.first_step < step), new, *later)


def with_staged(log: Log, staged: Staged | None, step: int) -> Log:
    """Set what the stage of a curriculum sets, from a step on.

    Args:
        log: ascending by `first_step`; no record begins behind the step.
        staged: what it sets.
        step: first step under it, of which nothing is handed out yet.

    Returns:
        The log.
    """
    held = hyperparameters_at(log, step)
    batch = held.batch
    if batch is not None and staged is not None and staged.lanes:
        block = first_block(batch, step, batch.most)
        batch = replace(batch, since=Step(step), block=block, lanes=staged.lanes)
    new = replace(held, first_step=Step(step), staged=staged, batch=batch)
    return (*(record for record in log if record.first_step < step), new)


def held_before(log: Log, step: int) -> Log:
    """Return what a run keeps of a log that goes back to a step.

    Args:
        log: ascending by `first_step`.
        step: first step to be done again.

    Returns:
        The records of earlier steps; and what a curriculum has set from the step itself on, for
        that follows from earlier steps.
    """
    kept = tuple(record for record in log if record.first_step < max(step, 1))
    last, at = kept[-1], hyperparameters_at(log, step)
    if at.staged == last.staged:
        return kept
    batch = at.batch if at.staged is not None and at.staged.lanes else last.batch
    return (*kept, replace(last, first_step=Step(step), staged=at.staged, batch=batch))


def with_halving(log: Log, step: int) -> Log:
    """Halve the microbatches from a step on.

    Args:
        log: ascending by `first_step`.
        step: first step with smaller microbatches.

    Returns:
        The log with a record from that step on; later records have no larger microbatches.
    """
    held = hyperparameters_at(log, step)
    new = replace(held, first_step=Step(step), halvings=held.halvings + 1)
    longer = [record for record in log if record.first_step < step]
    longer.append(new)
    for record in log:
        least = max(record.halvings, new.halvings)
        later = replace(record, halvings=least)
        if record.first_step > step and replace(longer[-1], first_step=later.first_step) != later:
            longer.append(later)
    return tuple(longer)


def bends(log: Log, wanted: Settings, step: int) -> bool:
    """Return whether a schedule must be planned anew to go on so.

    Args:
        log: as of `carried_on`; empty: nothing has changed yet.
        wanted: as of `carried_on`; at least as long as `step`.
        step: as of `carried_on`.
    """
    if step == 0 or not log:
        return False
    return bool(_bent(held_before(log, step)[-1], wanted.optimizer, step, wanted.train.steps))


def _says(held: Hyperparameters, wanted: Settings) -> bool:
    """Return whether a record holds what is wanted already."""
    same = (held.steps, held.optimizer, held.guard) == (
        wanted.train.steps,
        wanted.optimizer,
        wanted.guard,
    )
    return same and _same_rule(held.batch, wanted)


def _same_rule(held: Batch | None, wanted: Settings) -> bool:
    return wanted.batch.is_fixed if held is None else held.settings == rule_of(wanted.batch)


def _carried_batch(last: Hyperparameters, wanted: Settings, step: int) -> Batch | None:
    held = last.batch
    if _same_rule(held, wanted):
        return held
    batch = begun_batch(wanted, Step(step), first_block(held, step, wanted.train.lanes))
    if batch is not None and last.staged is not None and last.staged.lanes:
        return replace(batch, lanes=last.staged.lanes)
    return batch


def _bent(last: Hyperparameters, optimizer: OptimizerSettings, step: int, steps: int) -> str:
    """Return why trained steps would have had other rates; "" if they would not."""
    old, new = _shape(last.optimizer), _shape(optimizer)
    fixed = replace(last.optimizer, learning_rate=1.0), replace(optimizer, learning_rate=1.0)
    if old != new:
        before = learning_rate(fixed[0], step, last.steps, last.onset)
        after = learning_rate(fixed[1], step, steps, last.onset)
        if abs(before - after) <= 1e-12:
            return ""
        changed = [name for name in new if old.get(name) != new[name]]
        why = f"{', '.join(f'optimizer.{name}' for name in changed)} changes"
        if changed == ["warmup_steps"] and _follows(last.steps, steps, optimizer):
            warmups = f"from {last.optimizer.warmup_steps} to {optimizer.warmup_steps} steps"
            why = f"train.steps changes from {last.steps} to {steps}, and the warm-up {warmups}"
    else:
        extended = extension(last.optimizer, step, last.steps, steps, last.onset)
        if extended.verdict == "same":
            return ""
        before = learning_rate(fixed[0], step - 1, last.steps, last.onset)
        after = learning_rate(fixed[1], step, steps, last.onset)
        why = f"train.steps changes from {last.steps} to {steps}, and {extended.reason}"
    return f"the shape of the schedule would change: {why}. {_way_out(before, after, step, steps)}"


def _follows(old_steps: int, steps: int, optimizer: OptimizerSettings) -> bool:
    """Return whether the warm-up is that of the run's new length: nobody needs to have set it."""
    return old_steps != steps and optimizer.warmup_steps == derived_warmup(steps)


def _way_out(before: float, after: float, step: int, steps: int) -> str:
    if step == steps:
        return (
            f"The run would end here, with the rate at {before:.3g} of the peak. With --replan it "
            "does; without, keep the old settings"
        )
    return (
        f"Step {step} would be trained at {after:.3g} of the peak, where the rate is at "
        f"{before:.3g} now. With --replan the rate goes on from {before:.3g} and follows the new "
        f"schedule to step {steps}; without, keep the old settings"
    )


def _shape(optimizer: OptimizerSettings) -> dict[str, object]:
    fields = msgspec.structs.asdict(optimizer)
    return {name: fields[name] for name in SHAPE if name in fields}


def changes(log: Sequence[Hyperparameters]) -> tuple[str, ...]:
    """Say what changed at which step.

    Args:
        log: ascending by `first_step`.

    Returns:
        One sentence a record after the first.
    """
    return tuple(
        f"from step {new.first_step} on: {', '.join(_differences(old, new))}"
        for old, new in pairwise(log)
    )


def _differences(old: Hyperparameters, new: Hyperparameters) -> list[str]:
    told = [f"train.steps {old.steps} -> {new.steps}"] if old.steps != new.steps else []
    told += _unlike("optimizer", old.optimizer, new.optimizer)
    told += _unlike("guard", old.guard, new.guard)
    told += batch_changes(old.batch, new.batch, new.first_step)
    told += _staged_changes(old.staged or Staged(), new.staged or Staged())
    many = new.halvings - old.halvings
    if many:
        told.append("microbatches halved" if many == 1 else f"microbatches halved {many} times")
    if old.onset != new.onset and new.onset is not None:
        told.append(f"the schedule planned anew from {new.onset.top:.3g} of the peak")
    return told


def _staged_changes(old: Staged, new: Staged) -> list[str]:
    told = [f"rate times {old.rate:g} -> {new.rate:g}"] if old.rate != new.rate else []
    if old.tokens != new.tokens:
        lengths = [f"of {each.tokens} tokens" if each.tokens else "whole" for each in (old, new)]
        told.append(f"sequences {' -> '.join(lengths)}")
    return told


def _unlike(section: str, old: msgspec.Struct, new: msgspec.Struct) -> list[str]:
    before, after = msgspec.structs.asdict(old), msgspec.structs.asdict(new)
    return [
        f"{section}.{name} {before[name]} -> {value}"
        for name, value in after.items()
        if before[name] != value
    ]
