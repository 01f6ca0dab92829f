"""What a plan must offer to run on the work farm.

Theory of operation. A plan is stages of units. Stage by stage, the farm asks how many units there
are and which are done already (their result files exist and verify), deals the others to the ranks,
and deals a unit again when its rank dies or falls silent. Each rank opens the plan itself, from the
same description, so nothing but numbers travels. All results are files; a job that was killed is
resumed by looking at them.
"""

from collections.abc import Callable
from typing import Any, Protocol

from qmpi.protocol.work import UnitProgress, UnitReport

__all__ = ["Progress", "UnitProgress", "UnitReport", "WorkPlan"]

Progress = Callable[[UnitProgress], None]
"""Told what a unit has come to so far; cheap, may be called thousands of times a second."""


class WorkPlan(Protocol):
    """Stages of units.

    Attributes:
        stages: their names, in order; at least one.
    """

    stages: tuple[str, ...]

    def units(self, stage: int) -> int:
        """Return the number of units of a stage; asked once the stage before it is done.

        Args:
            stage: number of the stage, from 0.
        """
        ...

    def done(self, stage: int) -> dict[int, UnitReport]:
        """Return the units whose result files exist and verify, and what each came to.

        Runs on the coordinator's rank before the stage is dealt, beside its loop; may take long.
        Damaged results are best removed here.

        Args:
            stage: number of the stage.
        """
        ...

    def run(self, stage: int, unit: int, progress: Progress) -> UnitReport:
        """Do a unit: write its result file whole or not at all.

        Two ranks may do the same unit at the same time; both must write the same bytes.

        Args:
            stage: number of the stage.
            unit: 0 <= unit < units(stage).
            progress: told how far it is.

        Returns:
            What it came to.

        Raises:
            QmpiError: it cannot be done. A machine's fault is tried on another rank, a user's or
                ours ends the job.
        """
        ...

    def finish(self) -> dict[str, Any]:
        """Write what stands for the whole (index, manifest); runs once, when all units are done.

        Returns:
            Plain JSON values for the command to show; "digest" goes into the end marker.

        Raises:
            QmpiError: it cannot be written; the job fails and can be resumed.
        """
        ...
