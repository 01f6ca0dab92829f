"""Units: in the order asked, progress now and then, a failure told with whose fault it is."""

import threading
from queue import SimpleQueue

import pytest

from qmpi.errors import ConfigError, StorageError
from qmpi.ports.base import WorkCrashed
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
from qmpi.runtime.units import PROGRESS_SECONDS, PlanUnits
from qmpi.storage.work_file import read_result


class Plan:
    """Two stages of five units; what a unit does is given."""

    stages = ("one", "two")

    def __init__(self, run):
        self._run = run
        self.begun = []

    def units(self, stage):
        return 5 + stage

    def done(self, stage):
        return {4: UnitReport(), 1: UnitReport()} if stage == 0 else {}

    def run(self, stage, unit, progress):
        self.begun.append((stage, unit))
        return self._run(unit, progress)

    def finish(self):
        return {"digest": "abc", "units": 11}


class Farm:
    def __init__(self, folder, run=lambda *_: UnitReport()):
        self.now = 0.0
        self.plan = Plan(run)
        self.port = PlanUnits(folder, self.plan, lambda: self.now)
        self.events = SimpleQueue()

    def ask(self, *work):
        for piece in work:
            self.port.submit(piece, self.events.put)

    def next(self):
        return self.events.get(timeout=10)


def raises(error):
    def run(*_):
        raise error

    return run


def test_a_stage_is_counted_with_what_is_done(tmp_path):
    farm = Farm(tmp_path)
    farm.ask(OpenStage(0))
    opened = farm.next()
    assert isinstance(opened, StageOpened)
    assert (opened.units, opened.done) == (5, (1, 4))


def test_units_are_done_in_the_order_asked(tmp_path):
    farm = Farm(tmp_path)
    farm.ask(*(RunUnit(0, unit) for unit in (3, 0, 2)))
    assert [farm.next() for _ in range(3)] == [
        UnitDone(0, unit, UnitReport()) for unit in (3, 0, 2)
    ]
    assert farm.plan.begun == [(0, 3), (0, 0), (0, 2)]


def test_the_whole_is_looked_at_beside_a_long_unit(tmp_path):
    held = threading.Event()
    farm = Farm(tmp_path, lambda *_: held.wait(10) and UnitReport())
    farm.ask(RunUnit(0, 0), OpenStage(1))
    assert isinstance(farm.next(), StageOpened)
    held.set()
    assert isinstance(farm.next(), UnitDone)


def test_progress_is_told_now_and_then_and_before_the_result(tmp_path):
    def run(_, progress):
        for _ in range(1000):
            farm.now += PROGRESS_SECONDS / 100
            progress(UnitProgress())
        return UnitReport()

    farm = Farm(tmp_path, run)
    farm.ask(RunUnit(0, 2))
    events = []
    while not events or not isinstance(events[-1], UnitDone):
        events.append(farm.next())
    assert set(map(type, events[:-1])) == {UnitAdvanced}
    assert 8 <= len(events) - 1 <= 10


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (StorageError("the disk is full"), 3),
        (ConfigError("no such mix"), 2),
        (PermissionError(13, "Permission denied"), 3),
        (MemoryError(), 3),
    ],
)
def test_a_unit_that_fails_is_told_and_the_next_is_done(tmp_path, error, code):
    farm = Farm(tmp_path, raises(error))
    farm.ask(RunUnit(1, 2), OpenStage(1))
    told = [farm.next(), farm.next()]
    (broken,) = (event for event in told if isinstance(event, UnitBroken))
    assert (broken.stage, broken.unit, broken.exit_code) == (1, 2, code)
    assert broken.reason


def test_a_bug_in_a_plan_is_a_crash(tmp_path):
    farm = Farm(tmp_path, raises(KeyError("x")))
    farm.ask(RunUnit(0, 0))
    crashed = farm.next()
    assert isinstance(crashed, WorkCrashed)
    assert crashed.exit_code == 4


def test_the_whole_is_on_disk_when_it_is_told(tmp_path):
    farm = Farm(tmp_path)
    farm.ask(FinishWork())
    assert farm.next() == WorkFinished("abc")
    assert read_result(tmp_path) == {"digest": "abc", "units": 11}
