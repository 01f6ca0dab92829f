"""Units port: the work of a farm, on two threads.

Theory of operation. A unit may run for minutes, and looking at what is done reads every result
file, so both run beside the driver, which goes on beating. Progress of a unit comes back a few
times a second at most.
"""

import logging
from collections.abc import Callable
from pathlib import Path

from qmpi.errors import ExitCode, InvariantError, QmpiError
from qmpi.ports.base import Event, Reply
from qmpi.ports.units import (
    FinishWork,
    OpenStage,
    RunUnit,
    StageOpened,
    UnitAdvanced,
    UnitBroken,
    UnitDone,
    UnitWork,
    WorkFinished,
)
from qmpi.protocol.work import UnitProgress, joined
from qmpi.protocol.work_plan import WorkPlan
from qmpi.runtime.worker import Task, Worker
from qmpi.storage.work_file import write_result
from qmpi.units import Seconds

logger = logging.getLogger(__name__)

PROGRESS_SECONDS = 0.5


class PlanUnits:
    """Units of a plan, as this rank opened it."""

    def __init__(self, directory: Path, plan: WorkPlan, now: Callable[[], Seconds]) -> None:
        """Start nothing yet.

        Args:
            directory: the work directory.
            plan: what is to be done.
            now: the clock; bounds how often progress is told.
        """
        self._directory = directory
        self._plan = plan
        self._now = now
        self._units = Worker("units")
        self._whole = Worker("whole")

    def submit(self, work: UnitWork, reply: Reply) -> None:
        """Queue a piece of work.

        Args:
            work: what to do.
            reply: takes its events.

        Raises:
            InvariantError: nobody knows such work.
        """
        match work:
            case RunUnit():
                self._units.submit(Task(lambda: self._run(work, reply), reply))
            case OpenStage(stage):
                self._whole.submit(Task(lambda: self._open(stage), reply))
            case FinishWork():
                self._whole.submit(Task(self._finish, reply))
            case _:
                raise InvariantError(f"no farm knows {work!r}")

    def _run(self, work: RunUnit, reply: Reply) -> UnitDone | UnitBroken:
        try:
            report = self._plan.run(work.stage, work.unit, self._progress(work, reply))
        except QmpiError as error:
            logger.warning("unit %d failed: %s", work.unit, error)
            return UnitBroken(work.stage, work.unit, str(error), int(error.exit_code))
        except (OSError, MemoryError) as error:
            # Wherever a plan met the machine without explaining it: another rank may do better.
            logger.exception("unit %d failed", work.unit)
            reason = str(error) or type(error).__name__
            return UnitBroken(work.stage, work.unit, reason, int(ExitCode.MACHINE))
        return UnitDone(work.stage, work.unit, report)

    def _progress(self, work: RunUnit, reply: Reply) -> Callable[[UnitProgress], None]:
        told = self._now()

        def tell(progress: UnitProgress) -> None:
            nonlocal told
            now = self._now()
            if now - told >= PROGRESS_SECONDS:
                told = now
                reply(UnitAdvanced(work.stage, work.unit, progress))

        return tell

    def _open(self, stage: int) -> Event:
        units, done = self._plan.units(stage), self._plan.done(stage)
        return StageOpened(stage, units, tuple(sorted(done)), joined(done.values()))

    def _finish(self) -> Event:
        result = self._plan.finish()
        write_result(self._directory, result)
        return WorkFinished(str(result.get("digest", "")))
