"""What the roles of a work farm may want done."""

from msgspec import Struct


class OpenStage(Struct, frozen=True):
    """Count the units of a stage and verify those done; ends in `StageOpened`."""

    stage: int


class RunUnit(Struct, frozen=True):
    """Do a unit, after those asked for before; ends in `UnitDone` or `UnitBroken`."""

    stage: int
    unit: int


class FinishWork(Struct, frozen=True):
    """Write what stands for the whole; ends in `WorkFinished`."""
