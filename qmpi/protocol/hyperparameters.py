"""Hyperparameters: what a window of steps is trained with. What may change while a run goes on."""

from msgspec import Struct

from qmpi.config.optimizer import OptimizerSettings
from qmpi.config.schedule import Onset
from qmpi.units import Step


class Hyperparameters(Struct, frozen=True):
    """One record of the hyperparameter log; valid from `first_step` to the next record.

    Attributes:
        first_step: first step that it covers.
        steps: length of the run, as the schedule counts it.
        optimizer: section [optimizer] of the job.
        onset: where the schedule sets in; None: at the beginning of the run.
    """

    first_step: Step
    steps: int
    optimizer: OptimizerSettings
    onset: Onset | None = None
