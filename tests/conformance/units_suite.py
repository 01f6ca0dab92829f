"""What the units of every farm must do: files whole or not there, in order, faults told."""

from collections.abc import Callable
from typing import Protocol

from conformance.asking import Moving, all_outcomes, get

from qmpi.errors import ExitCode
from qmpi.ports.base import Event, WorkCrashed
from qmpi.ports.units import (
    FinishWork,
    OpenStage,
    RunUnit,
    StageOpened,
    UnitAdvanced,
    UnitBroken,
    UnitDone,
    Units,
    WorkFinished,
)
from qmpi.protocol.work import UnitProgress, joined

STAGE_UNITS = (3, 2)
"""Units of each stage of the farm that a world offers."""


class World(Moving, Protocol):
    """One rank of a farm of `STAGE_UNITS`."""

    units: Units

    def exists(self, stage: int, unit: int) -> bool:
        """Return whether the result of a unit is there, whole."""
        ...

    def fill(self) -> None:
        """Leave no room for any result."""
        ...

    def free(self) -> None:
        """Give the disk room again."""
        ...

    def lose(self, stage: int, unit: int) -> None:
        """Lose a result."""
        ...

    def finished(self) -> bool:
        """Return whether what stands for the whole is there."""
        ...

    def reopen(self) -> None:
        """Open the plan anew, as another rank or a later job does."""
        ...


def do_stage(world: World, stage: int) -> None:
    for unit in range(STAGE_UNITS[stage]):
        done = results(outcomes(world, [RunUnit(stage, unit)]))
        assert isinstance(done[0], UnitDone)


def outcomes(world: World, works: list[RunUnit]) -> list[tuple[int, Event]]:
    """Ask for units; return their events, progress among them, when all have ended."""
    return all_outcomes(
        world, world.units.submit, works, lambda event: not isinstance(event, UnitAdvanced)
    )


def results(events: list[tuple[int, Event]]) -> list[Event]:
    return [event for _, event in events if not isinstance(event, UnitAdvanced)]


def check_a_new_stage_has_nothing_done(world: World) -> None:
    opened = get(world, world.units.submit, OpenStage(0), StageOpened)
    assert (opened.stage, opened.units, opened.done) == (0, STAGE_UNITS[0], ())
    assert opened.before == joined(())


def check_a_unit_ends_in_its_file(world: World) -> None:
    there: list[bool] = []
    events: list[Event] = []

    def reply(event: Event) -> None:
        events.append(event)
        there.append(world.exists(0, 1))

    assert not world.exists(0, 1)
    world.units.submit(RunUnit(0, 1), reply)
    assert world.drive(lambda: any(isinstance(e, UnitDone) for e in events))
    world.settle()
    assert isinstance(events[-1], UnitDone)
    assert (events[-1].stage, events[-1].unit) == (0, 1)
    assert there[-1]
    assert not world.exists(0, 0)


def check_progress_comes_before_the_result_and_names_its_unit(world: World) -> None:
    events = outcomes(world, [RunUnit(0, 2)])
    assert len(events) > 1, "a unit that takes seconds tells how far it is"
    for _, event in events[:-1]:
        assert isinstance(event, UnitAdvanced)
        assert (event.stage, event.unit) == (0, 2)
        assert event.progress != UnitProgress()
    assert isinstance(events[-1][1], UnitDone)


def check_units_run_one_after_the_other_in_order(world: World) -> None:
    events = outcomes(world, [RunUnit(0, unit) for unit in (2, 0, 1)])
    order = [event.unit for _, event in events if isinstance(event, UnitDone | UnitAdvanced)]
    ends = [event.unit for _, event in events if isinstance(event, UnitDone)]
    assert ends == [2, 0, 1]
    # Nothing is told of a unit before the one asked for before it has ended.
    assert sorted(order, key=[2, 0, 1].index) == order


def check_a_unit_may_be_done_twice(world: World) -> None:
    events = outcomes(world, [RunUnit(0, 0), RunUnit(0, 0)])
    first, second = results(events)
    assert isinstance(first, UnitDone)
    assert first == second
    assert world.exists(0, 0)


def check_what_is_done_is_found_again(world: World) -> None:
    done = results(outcomes(world, [RunUnit(0, 0), RunUnit(0, 2)]))
    world.reopen()
    opened = get(world, world.units.submit, OpenStage(0), StageOpened)
    assert opened.done == (0, 2)
    assert opened.before == joined(event.report for event in done if isinstance(event, UnitDone))
    world.lose(0, 2)
    world.reopen()
    assert get(world, world.units.submit, OpenStage(0), StageOpened).done == (0,)


def check_a_machines_fault_is_told_and_harms_no_other_unit(world: World) -> None:
    done_stage = results(outcomes(world, [RunUnit(0, 0)]))
    assert isinstance(done_stage[0], UnitDone)
    world.fill()
    events = outcomes(world, [RunUnit(0, 1), RunUnit(0, 2)])
    for unit, broken in enumerate(results(events), 1):
        assert isinstance(broken, UnitBroken)
        assert (broken.stage, broken.unit, broken.exit_code) == (0, unit, ExitCode.MACHINE)
        assert broken.reason
        assert not world.exists(0, unit)
    assert world.exists(0, 0)
    world.free()
    again = results(outcomes(world, [RunUnit(0, 1), RunUnit(0, 2)]))
    assert [type(event) for event in again] == [UnitDone, UnitDone]
    assert world.exists(0, 1)


def check_the_whole_stands_when_all_is_done(world: World) -> None:
    for stage in range(len(STAGE_UNITS)):
        do_stage(world, stage)
        opened = get(world, world.units.submit, OpenStage(stage), StageOpened)
        assert opened.done == tuple(range(STAGE_UNITS[stage]))
    assert not world.finished()
    first = get(world, world.units.submit, FinishWork(), WorkFinished)
    assert world.finished()
    assert get(world, world.units.submit, FinishWork(), WorkFinished) == first


def check_a_whole_that_cannot_be_written_is_told(world: World) -> None:
    for stage in range(len(STAGE_UNITS)):
        do_stage(world, stage)
    world.fill()
    crashed = get(world, world.units.submit, FinishWork(), WorkCrashed)
    assert crashed.exit_code == ExitCode.MACHINE
    assert crashed.reason
    assert not world.finished()
    world.free()
    get(world, world.units.submit, FinishWork(), WorkFinished)
    assert world.finished()


Check = Callable[[World], None]
CHECKS: tuple[Check, ...] = (
    check_a_new_stage_has_nothing_done,
    check_a_unit_ends_in_its_file,
    check_progress_comes_before_the_result_and_names_its_unit,
    check_units_run_one_after_the_other_in_order,
    check_a_unit_may_be_done_twice,
    check_what_is_done_is_found_again,
    check_a_machines_fault_is_told_and_harms_no_other_unit,
    check_the_whole_stands_when_all_is_done,
    check_a_whole_that_cannot_be_written_is_told,
)
