"""Hyperparameters: what a window of steps is trained with. What may change while a run goes on."""

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from qmpi.config.guard import NO_GUARD, GuardSettings
from qmpi.config.optimizer import OptimizerSettings
from qmpi.config.schedule import Onset, learning_rate
from qmpi.config.train import TrainSettings
from qmpi.protocol.batch import Batch, begun_batch, rate_factor
from qmpi.protocol.staged import Staged, staged_of
from qmpi.units import Step

if TYPE_CHECKING:
    # Whoever only reads records does without: it costs the start of each command.
    from qmpi.config.settings import Settings


class Hyperparameters(Struct, frozen=True):
    """One record of the hyperparameter log; valid from `first_step` to the next record.

    Attributes:
        first_step: first step that it covers.
        steps: length of the run, as the schedule counts it.
        optimizer: section [optimizer] of the job.
        onset: where the schedule sets in; None: at the beginning of the run.
        guard: section [guard] of the job.
        batch: how many lanes a step has; None: all, always.
        halvings: how often microbatches were halved; each time a lane has twice as many of them.
        staged: what the stage of a curriculum sets; None: it sets nothing.
    """

    first_step: Step
    steps: int
    optimizer: OptimizerSettings
    onset: Onset | None = None
    guard: GuardSettings = NO_GUARD
    batch: Batch | None = None
    halvings: int = 0
    staged: Staged | None = None


def first_hyperparameters(settings: "Settings") -> Hyperparameters:
    """Open a hyperparameter log.

    Args:
        settings: those that the run is begun with.

    Returns:
        The record that covers every step from 0.
    """
    train, batch = settings.train, begun_batch(settings, Step(0), 0)
    first = Hyperparameters(Step(0), train.steps, settings.optimizer, None, settings.guard, batch)
    return replace(first, staged=staged_of(settings, 1))


def halved(train: TrainSettings, halvings: int) -> TrainSettings:
    """Return the microbatches of a lane after some halvings.

    Args:
        train: as the job has it.
        halvings: >= 0; `train.sequences` is a multiple of 2**halvings.

    Returns:
        The same rows of a lane, in smaller microbatches.
    """
    sequences, microbatches = train.sequences >> halvings, train.microbatches << halvings
    return replace(train, sequences=sequences, microbatches=microbatches)


def can_halve(train: TrainSettings, halvings: int) -> bool:
    """Return whether microbatches can be halved once more.

    Args:
        train: as the job has it.
        halvings: so far.
    """
    return (train.sequences >> halvings) % 2 == 0


def rate_of(held: Hyperparameters, step: int) -> float:
    """Return the learning rate of a step.

    Args:
        held: what the step is trained with.
        step: >= 0.
    """
    rate = learning_rate(held.optimizer, step, held.steps, held.onset)
    if held.staged is not None:
        rate *= held.staged.rate
    return rate * rate_factor(held.batch, step) if held.batch is not None else rate
