"""A simulated rank of a work farm, and the files that its units end in.

The shipped dealer and worker run here, over the simulated network. A unit takes virtual time; its
file appears at the end of it, whole, or not at all if the process is gone by then.
"""

from collections import Counter
from typing import Protocol

from msgspec import Struct

from qmpi.errors import ExitCode, InvariantError
from qmpi.ports.base import Event
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
from qmpi.protocol.work import UnitProgress, UnitReport
from qmpi.roles.host import Perform
from qmpi.simulator.hardware import spread
from qmpi.simulator.process import SimulatedProcess, World
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


class FarmWorld(World, Protocol):
    """What surrounds a process of a farm."""

    results: FarmFiles

    def die(self, rank: Rank, reason: str) -> None:
        """End a process."""
        ...


class FarmProcess(SimulatedProcess):
    """One rank of a farm."""

    world: FarmWorld

    def _perform(self, perform: Perform) -> None:
        model, chance = self.world.results.model, self.world.chance
        match perform.effect:
            case RunUnit() as work:
                factor = model.slow_factor if self.rank == model.slow_rank else 1.0
                seconds = spread(model.unit_seconds * factor, chance)
                progress = UnitAdvanced(work.stage, work.unit, UnitProgress(1, UNIT_TOKENS // 2))
                owner, cause = perform.owner, perform.cause
                self.later(seconds / 2, lambda: self.handle(owner, progress, cause))
                self._work("units", seconds, perform, lambda: self._do(work))
            case OpenStage(stage):
                self._work("whole", model.open_seconds, perform, lambda: self._open(stage))
            case FinishWork():
                self._work("whole", model.open_seconds, perform, self._finish)
            case _:
                super()._perform(perform)

    def _do(self, work: RunUnit) -> Event:
        model = self.world.results.model
        if work.unit == model.refused:
            return UnitBroken(work.stage, work.unit, "the disk is full", int(ExitCode.MACHINE))
        if work.unit == model.poison:
            self.world.die(self.rank, "the unit ended it")
            return UnitBroken(work.stage, work.unit, "nobody hears this", int(ExitCode.MACHINE))
        self.world.results.write(work.stage, work.unit)
        self.world.invariants.progress(self.world.agenda.now)
        self.world.invariants.committed = len(self.world.results.written)
        return UnitDone(work.stage, work.unit, UnitReport(1, UNIT_TOKENS))

    def _open(self, stage: int) -> Event:
        results = self.world.results
        done = results.done(stage)
        before = UnitReport(len(done), len(done) * UNIT_TOKENS)
        return StageOpened(stage, results.model.units[stage], done, before)

    def _finish(self) -> Event:
        self.world.results.finish()
        return WorkFinished("simulated")
