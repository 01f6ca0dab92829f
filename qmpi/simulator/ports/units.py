"""The units, modelled: work of a farm, and the files that it ends in.

A unit takes virtual time; its file appears at the end of it, whole, or not at all if the process is
gone by then.
"""

from collections import Counter
from collections.abc import Callable

from msgspec import Struct

from qmpi.errors import ExitCode, InvariantError, StorageError
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
from qmpi.protocol.work import UnitProgress, UnitReport
from qmpi.simulator.files import DISK
from qmpi.simulator.life import Life
from qmpi.simulator.surroundings import Surroundings
from qmpi.simulator.worker import Worker
from qmpi.units import Rank

UNIT_TOKENS = 1000


class FarmModel(Struct, frozen=True):
    """The work.

    Attributes:
        units: of each stage.
        unit_seconds: what a unit takes, +-20 %.
        open_seconds: to look at what is done.
        poison: unit that ends every process that does it; -1: none.
        refused: unit that a machine's fault stops on every rank; -1: none.
        slow_rank: rank on which units take `slow_factor` times as long; -1: none.
    """

    units: tuple[int, ...] = (40,)
    unit_seconds: float = 1.0
    open_seconds: float = 0.5
    poison: int = -1
    refused: int = -1
    slow_rank: int = -1
    slow_factor: float = 20.0


class FarmFiles:
    """Result files, which outlive every process.

    Invariants: a unit of a stage is written only when the stage before it is whole.
    """

    def __init__(self, model: FarmModel) -> None:
        """Start empty.

        Args:
            model: the work.
        """
        self.model = model
        self.written: Counter[tuple[int, int]] = Counter()
        self.finished = 0

    def write(self, stage: int, unit: int) -> None:
        """Write a result.

        Args:
            stage: its stage.
            unit: which.

        Raises:
            InvariantError: it is none, or comes too early.
        """
        if not 0 <= unit < self.model.units[stage]:
            raise InvariantError(f"unit {unit} of stage {stage} was done, which there is not")
        if stage and not self.whole(stage - 1):
            raise InvariantError(f"unit {unit} was done before stage {stage - 1} was whole")
        self.written[stage, unit] += 1

    def done(self, stage: int) -> tuple[int, ...]:
        """Return the units that exist.

        Args:
            stage: of which.
        """
        return tuple(sorted(unit for at, unit in self.written if at == stage))

    def whole(self, stage: int) -> bool:
        """Return True if every unit exists.

        Args:
            stage: of which.
        """
        return len(self.done(stage)) == self.model.units[stage]

    def finish(self) -> None:
        """Write what stands for the whole.

        Raises:
            InvariantError: a unit is missing.
        """
        for stage in range(len(self.model.units)):
            if not self.whole(stage):
                raise InvariantError(f"the work is finished, but stage {stage} is not whole")
        self.finished += 1


class SimulatedUnits:
    """The plan of a farm, as one rank opened it.

    One thread does units, another what concerns all of them.
    """

    def __init__(
        self,
        around: Surroundings,
        life: Life,
        rank: Rank,
        results: FarmFiles,
        kill: Callable[[Rank, str], None],
    ) -> None:
        """Open the plan.

        Args:
            around: the machine.
            life: of the process.
            rank: of the process.
            results: what is done.
            kill: ends a process.
        """
        self._around = around
        self._life = life
        self._rank = rank
        self._results = results
        self._kill = kill
        self._units = Worker(life, around.chance)
        self._whole = Worker(life, around.chance)

    def submit(self, work: UnitWork, reply: Reply) -> None:
        """Queue a piece of work.

        Args:
            work: what to do.
            reply: takes its events.

        Raises:
            InvariantError: it is no work of a farm.
        """
        model = self._results.model
        match work:
            case RunUnit():
                self._run(work, reply)
            case OpenStage(stage):
                self._whole.submit(model.open_seconds, lambda: self._open(stage), reply)
            case FinishWork():
                self._whole.submit(model.open_seconds, self._finish, reply)
            case _:
                raise InvariantError(f"{work!r} is no work of a farm")

    def _run(self, work: RunUnit, reply: Reply) -> None:
        model = self._results.model
        seconds = model.unit_seconds * (model.slow_factor if self._rank == model.slow_rank else 1)
        end = self._units.submit(seconds, lambda: self._do(work), reply)
        half = UnitAdvanced(work.stage, work.unit, UnitProgress(1, UNIT_TOKENS // 2))
        self._life.later(max(0.0, end - 0.4 * seconds), lambda: reply(half))

    def _do(self, work: RunUnit) -> Event:
        model = self._results.model
        machine = int(ExitCode.MACHINE)
        if work.unit == model.refused:
            return UnitBroken(work.stage, work.unit, "the disk is full", machine)
        if work.unit == model.poison:
            self._kill(self._rank, "the unit ended it")
            return UnitBroken(work.stage, work.unit, "nobody hears this", machine)
        try:
            self._around.files.check_room(DISK, f"unit {work.unit}")
        except StorageError as error:
            return UnitBroken(work.stage, work.unit, str(error), machine)
        self._results.write(work.stage, work.unit)
        self._around.onlooker.unit_written(len(self._results.written))
        return UnitDone(work.stage, work.unit, UnitReport(1, UNIT_TOKENS))

    def _open(self, stage: int) -> Event:
        results = self._results
        done = results.done(stage)
        before = UnitReport(len(done), len(done) * UNIT_TOKENS)
        return StageOpened(stage, results.model.units[stage], done, before)

    def _finish(self) -> Event:
        self._around.files.check_room(DISK, "what stands for the whole")
        self._results.finish()
        return WorkFinished("simulated")
