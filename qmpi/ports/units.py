"""Units: the work of a farm. Count a stage, do a unit, finish the whole.

Promises, held by one conformance suite. A unit is reported when its file is there, whole; one that
fails leaves none, says whose fault it is, and harms no other. Doing one twice does no harm. Units
of a rank run one after the other, in the order asked; progress is told before the result, never
after. What is done is found again by whoever opens the stage later. What stands for the whole is
reported when it is there; if it cannot be written, that ends in `WorkCrashed`.
"""

from typing import Protocol

from qmpi.ports.base import Effect, Event, Reply
from qmpi.protocol.work import UnitProgress, UnitReport


class UnitWork(Effect, frozen=True):
    """Work of a farm; it ends in an event."""


class OpenStage(UnitWork, frozen=True):
    """Count the units of a stage and verify those done; ends in `StageOpened`."""

    stage: int


class RunUnit(UnitWork, frozen=True):
    """Do a unit, after those asked for before; ends in `UnitDone` or `UnitBroken`."""

    stage: int
    unit: int


class FinishWork(UnitWork, frozen=True):
    """Write what stands for the whole; ends in `WorkFinished`."""


class StageOpened(Event, frozen=True):
    """Result of `OpenStage`.

    Attributes:
        units: units of the stage.
        done: those whose results exist already.
        before: what these came to, together.
    """

    stage: int
    units: int
    done: tuple[int, ...]
    before: UnitReport = UnitReport()


class UnitAdvanced(Event, frozen=True):
    """The unit under way has come this far; at most a few a second."""

    stage: int
    unit: int
    progress: UnitProgress


class UnitDone(Event, frozen=True):
    """Result of `RunUnit`: its file is on disk."""

    stage: int
    unit: int
    report: UnitReport


class UnitBroken(Event, frozen=True):
    """`RunUnit` failed; `exit_code` says whose fault it is."""

    stage: int
    unit: int
    reason: str
    exit_code: int


class WorkFinished(Event, frozen=True):
    """Result of `FinishWork`: what stands for the whole is on disk."""

    digest: str


class Units(Protocol):
    """The plan of a farm, as one rank opened it."""

    def submit(self, work: UnitWork, reply: Reply) -> None:
        """Queue a piece of work.

        Args:
            work: what to do.
            reply: takes its events.
        """
        ...
