"""The real units: a plan that writes small files, in a folder whose disk can be filled."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from conformance.real.full_disk import FullDisks, full_disks
from conformance.real.moving import Threads
from conformance.units_suite import STAGE_UNITS

from qmpi.protocol.work import UnitProgress, UnitReport
from qmpi.protocol.work_plan import Progress
from qmpi.runtime.units import PlanUnits
from qmpi.storage.atomic_file import write_atomic
from qmpi.storage.work_file import RESULT_NAME
from qmpi.units import Seconds

TOKENS = 30


class SmallPlan:
    """Each unit writes a file of its number."""

    stages = ("first", "second")

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, stage: int, unit: int) -> Path:
        return self._folder / f"unit-{stage}-{unit}"

    def units(self, stage: int) -> int:
        return STAGE_UNITS[stage]

    def done(self, stage: int) -> dict[int, UnitReport]:
        units = range(STAGE_UNITS[stage])
        return {unit: _report(unit) for unit in units if self.path(stage, unit).exists()}

    def run(self, stage: int, unit: int, progress: Progress) -> UnitReport:
        for documents in (1, 2):
            progress(UnitProgress(documents, TOKENS // 2 * documents))
        write_atomic(self.path(stage, unit), b"%d" % unit)
        return _report(unit)

    def finish(self) -> dict[str, object]:
        write_atomic(self._folder / "whole", b"all")
        return {"digest": "of all"}


def _report(unit: int) -> UnitReport:
    return UnitReport(2, TOKENS + unit)


class RealWorld(Threads):
    """One rank of a farm."""

    def __init__(self, folder: Path, disks: FullDisks, kind: type[PlanUnits]) -> None:
        self._folder = folder
        self._disks = disks
        self._kind = kind
        self.reopen()

    def reopen(self) -> None:
        # Every look at the clock finds it a second later: progress is told whenever it may be.
        ticks = count(1000)
        self._plan = SmallPlan(self._folder)
        self.units = self._kind(self._folder, self._plan, lambda: Seconds(float(next(ticks))))

    def exists(self, stage: int, unit: int) -> bool:
        path = self._plan.path(stage, unit)
        return path.exists() and path.read_bytes() == b"%d" % unit

    def fill(self) -> None:
        self._disks.fill(self._folder)

    def free(self) -> None:
        self._disks.free()

    def lose(self, stage: int, unit: int) -> None:
        self._plan.path(stage, unit).unlink()

    def finished(self) -> bool:
        return (self._folder / RESULT_NAME).exists()


@contextmanager
def real_world(folder: Path, kind: type[PlanUnits] = PlanUnits) -> Iterator[RealWorld]:
    """Offer units whose disk works; the caller may break it."""
    with full_disks() as disks:
        yield RealWorld(folder, disks, kind)
