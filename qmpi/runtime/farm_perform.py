"""Effects of a work farm's roles: units on one thread, looks at the whole on another.

A unit may run for minutes, and looking at what is done reads every result file, so both run beside
the loop, which goes on beating. Progress of a unit comes back a few times a second at most.
"""

import logging
from collections.abc import Callable
from pathlib import Path

from qmpi.errors import ExitCode, InvariantError, QmpiError
from qmpi.ports.base import Event
from qmpi.ports.books import WriteEnd, WriteStatus
from qmpi.ports.processes import FenceProcess, LeaveJob
from qmpi.ports.units import (
    FinishWork,
    OpenStage,
    RunUnit,
    StageOpened,
    UnitAdvanced,
    UnitBroken,
    UnitDone,
    WorkFinished,
)
from qmpi.protocol.envelope import RoleName
from qmpi.protocol.work import UnitProgress, joined
from qmpi.protocol.work_plan import WorkPlan
from qmpi.roles.host import Perform
from qmpi.runtime.clock import Clock
from qmpi.runtime.processes import fence_process
from qmpi.runtime.workers import Inbox, Job, Result, Worker
from qmpi.storage.status_file import write_end, write_status
from qmpi.storage.work_file import write_result
from qmpi.units import Seconds

logger = logging.getLogger(__name__)

PROGRESS_SECONDS = 0.5


class FarmPerformer:
    """Adapters of one rank of a farm.

    Attributes:
        exit_code: what the process returns, once `leaving`.
        reason: why it leaves.
    """

    def __init__(self, directory: Path, plan: WorkPlan, inbox: Inbox, clock: Clock) -> None:
        """Join the adapters.

        Args:
            directory: the work directory.
            plan: as this rank opened it.
            inbox: where results of work go.
            clock: the clock.
        """
        self._directory = directory
        self._plan = plan
        self._inbox = inbox
        self._clock = clock
        self._workers: dict[str, Worker] = {}
        self.leaving = False
        self.exit_code = 0
        self.reason = ""

    def perform(self, perform: Perform) -> Event | None:
        """Carry out an effect.

        Args:
            perform: effect, its role and its cause.

        Returns:
            None: results of work arrive in the inbox.

        Raises:
            InvariantError: an effect that a farm has no use for.
        """
        match perform.effect:
            case RunUnit() as work:
                self._submit("units", perform, lambda: self._run(work, perform))
            case OpenStage(stage):
                self._submit("whole", perform, lambda: self._open(stage))
            case FinishWork():
                self._submit("whole", perform, self._finish)
            case WriteStatus(report):
                write_status(self._directory, report)
            case WriteEnd(marker):
                write_end(self._directory, marker)
            case FenceProcess(pid, reason):
                fence_process(pid, reason)
            case LeaveJob(exit_code, reason):
                self.leaving, self.exit_code, self.reason = True, exit_code, reason
            case _:
                raise InvariantError(f"{perform.owner} wants {perform.effect!r} of a farm")
        return None

    def _run(self, work: RunUnit, perform: Perform) -> Event:
        told = Seconds(self._clock.now())

        def tell(progress: UnitProgress) -> None:
            nonlocal told
            now = self._clock.now()
            if now - told >= PROGRESS_SECONDS:
                told = now
                event = UnitAdvanced(work.stage, work.unit, progress)
                self._inbox.put(Result(RoleName(perform.owner), event, perform.cause))

        try:
            report = self._plan.run(work.stage, work.unit, tell)
        except QmpiError as error:
            logger.warning("unit %d failed: %s", work.unit, error)
            return UnitBroken(work.stage, work.unit, str(error), int(error.exit_code))
        except (OSError, MemoryError) as error:
            # Wherever a plan met the machine without explaining it: another rank may do better.
            reason = str(error) or type(error).__name__
            return UnitBroken(work.stage, work.unit, reason, int(ExitCode.MACHINE))
        return UnitDone(work.stage, work.unit, report)

    def _open(self, stage: int) -> Event:
        units, done = self._plan.units(stage), self._plan.done(stage)
        return StageOpened(stage, units, tuple(sorted(done)), joined(done.values()))

    def _finish(self) -> Event:
        result = self._plan.finish()
        write_result(self._directory, result)
        return WorkFinished(str(result.get("digest", "")))

    def _submit(self, worker: str, perform: Perform, run: Callable[[], Event]) -> None:
        if worker not in self._workers:
            self._workers[worker] = Worker(worker, self._inbox)
        self._workers[worker].submit(Job(RoleName(perform.owner), perform.cause, run))
