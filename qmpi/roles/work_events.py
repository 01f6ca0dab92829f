"""What can happen to the roles of a work farm; see `qmpi.roles.work_effects`."""

from msgspec import Struct

from qmpi.protocol.work import UnitProgress, UnitReport


class StageOpened(Struct, frozen=True):
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


class UnitAdvanced(Struct, frozen=True):
    """The unit under way has come this far; at most a few a second."""

    stage: int
    unit: int
    progress: UnitProgress


class UnitDone(Struct, frozen=True):
    """Result of `RunUnit`: its file is on disk."""

    stage: int
    unit: int
    report: UnitReport


class UnitBroken(Struct, frozen=True):
    """`RunUnit` failed; `exit_code` says whose fault it is."""

    stage: int
    unit: int
    reason: str
    exit_code: int


class WorkFinished(Struct, frozen=True):
    """Result of `FinishWork`: what stands for the whole is on disk."""

    digest: str
