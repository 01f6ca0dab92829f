"""What every engine must do: one event for each work, the truth about what is held, equal weights.

Work that is broken off has its checks in `engine_breaks`; they belong to this suite.
"""

from conformance import engine_breaks
from conformance.crew import LANES, Crew, World, copying, measuring, taking
from conformance.engine_breaks import DEATHS, Check

from qmpi.errors import ExitCode
from qmpi.policy.scoring import added_up
from qmpi.ports.base import WorkCrashed
from qmpi.ports.copies import SnapshotBroken, SnapshotTaken
from qmpi.ports.engine import (
    CopyCutOff,
    EngineAborted,
    Evaluated,
    MomentsGiven,
    ProfileSteps,
    ProfileWritten,
    StepApplied,
)

__all__ = ["CHECKS", "DEATHS", "SHARED"]


def check_it_is_prepared_once_and_tells_the_same_again(world: World) -> None:
    crew = Crew(world, 1)
    first = crew.members[0].prepare()
    assert first.identity
    assert first.store_address
    assert first.snapshots == ()
    assert crew.members[0].prepare() == first
    crew.finish()


def check_a_step_says_what_it_did(world: World) -> None:
    crew = Crew(world, 1)
    (joined,) = crew.joined(1)
    assert (joined.generation, joined.step, joined.finished) == (1, 0, None)
    seen = set()
    for step in range(3):
        said = crew.applied(1, step)
        assert (said.generation, said.step) == (1, step)
        assert said.block_digests == tuple(world.block(step, lane)[1] for lane in range(LANES))
        assert len(said.lane_losses) == LANES
        seen.add(said.weight_digest)
    assert len(seen) == 3
    assert "" not in seen
    crew.finish()


def check_any_number_of_members_gives_the_same_weights(world: World) -> None:
    crew = Crew(world, 3)
    wanted = crew.undisturbed(2)
    for generation, who in ((2, (0, 1)), (3, (2, 0, 1)), (4, (1,))):
        crew.joined(generation, who=who)
        assert [crew.applied(generation, step, who).weight_digest for step in (0, 1)] == wanted
    crew.finish()


def check_a_newcomer_receives_the_state(world: World) -> None:
    crew = Crew(world)
    wanted = crew.undisturbed(2)
    crew.joined(2, who=(0,))
    crew.applied(2, 0, [0])
    crew.joined(3, step=1, origin="live", receivers=(1,))
    assert crew.applied(3, 1).weight_digest == wanted[1]
    crew.finish()


def check_a_snapshot_gives_the_state_back(world: World) -> None:
    crew = Crew(world)
    wanted = crew.undisturbed(3)
    crew.joined(2, who=(0,))
    crew.applied(2, 0, [0])
    taken = crew.members[0].ask(taking(1)).end(SnapshotTaken)
    assert (taken.fact.step, taken.fact.place, taken.fault) == (1, "ram", "")
    assert taken.fact in crew.members[0].prepare().snapshots
    crew.applied(2, 1, [0])
    # Back to the snapshot: for the root from the file, for the other from the root.
    where = {"origin": taken.fact.path, "origin_digest": taken.fact.digest}
    crew.joined(3, step=1, receivers=(1,), **where)
    assert [crew.applied(3, step).weight_digest for step in (1, 2)] == wanted[1:]
    crew.finish()


def check_work_is_done_in_the_order_asked(world: World) -> None:
    crew = Crew(world, 1)
    member = crew.members[0]
    crew.joined(1)
    first, taken, second = (
        member.ask(crew.running(1, 0, range(LANES))),
        member.ask(taking(1)),
        member.ask(crew.running(1, 1, range(LANES))),
    )
    second.end(StepApplied)
    # The state of step 1 was there for the snapshot alone: between the two.
    assert first.events
    assert taken.end(SnapshotTaken).fact.step == 1
    crew.finish()


def check_a_snapshot_of_another_step_is_broken(world: World) -> None:
    crew = Crew(world, 1)
    member = crew.members[0]
    assert member.ask(taking(0)).end(SnapshotBroken).step == 0
    crew.joined(1)
    crew.applied(1, 0)
    assert member.ask(taking(0)).end(SnapshotBroken).step == 0
    assert member.ask(taking(2)).end(SnapshotBroken).step == 2
    assert member.prepare().snapshots == ()
    member.ask(taking(1)).end(SnapshotTaken)
    crew.finish()


def check_a_full_ram_costs_no_checkpoint(world: World) -> None:
    crew = Crew(world, 1)
    member = crew.members[0]
    crew.joined(1)
    crew.applied(1, 0)
    older = member.ask(taking(1)).end(SnapshotTaken).fact
    crew.applied(1, 1)
    world.fill_ram()
    assert member.ask(taking(2)).end(SnapshotBroken).reason
    taken = member.ask(taking(2, to_disk=True)).end(SnapshotTaken)
    assert taken.fact.place == "disk"
    assert taken.fault
    assert set(member.prepare().snapshots) == {older, taken.fact}
    world.free()
    assert member.ask(taking(2, to_disk=True)).end(SnapshotTaken).fact.place == "ram"
    crew.finish()


def check_work_that_raises_is_told_and_the_next_still_runs(world: World) -> None:
    crew = Crew(world, 1)
    member = crew.members[0]
    wanted = crew.undisturbed(2)
    crew.joined(2)
    bad = [
        member.ask(crew.running(2, 1, range(LANES))),
        *crew.join(3, step=5),
        *crew.join(4, origin="live", finishers=(0,)),
    ]
    for asked in bad:
        crashed = asked.end(WorkCrashed)
        assert crashed.exit_code == ExitCode.BUG
        assert crashed.what
        assert crashed.reason
    crew.joined(5)
    assert [crew.applied(5, step).weight_digest for step in (0, 1)] == wanted
    crew.finish()


def check_a_step_without_a_group_is_told_and_the_next_work_still_runs(world: World) -> None:
    crew = Crew(world, 1)
    (asked,) = crew.step(1, 0)
    assert asked.end(WorkCrashed).exit_code == ExitCode.BUG
    crew.joined(2)
    crew.applied(2, 0)
    crew.finish()


def check_a_damaged_snapshot_is_never_trained_on(world: World) -> None:
    crew = Crew(world, 1)
    member = crew.members[0]
    crew.joined(1)
    for remove in (False, True):
        fact = member.ask(taking(0)).end(SnapshotTaken).fact
        world.harm(fact, remove=remove)
        (asked,) = crew.join(2, origin=fact.path, origin_digest=fact.digest)
        crashed = asked.end(WorkCrashed)
        assert crashed.exit_code == ExitCode.MACHINE
        assert fact.path in crashed.reason
        crew.joined(3)
    crew.applied(3, 0)
    crew.finish()


def check_a_snapshot_that_was_replaced_is_not_taken_for_the_old_one(world: World) -> None:
    crew = Crew(world, 1)
    member = crew.members[0]
    crew.joined(1)
    fact = member.ask(taking(0)).end(SnapshotTaken).fact
    (asked,) = crew.join(2, origin=fact.path, origin_digest="0" * 64)
    assert asked.end(WorkCrashed).exit_code == ExitCode.MACHINE
    crew.finish()


def check_a_profile_ends_after_its_steps_and_changes_no_weights(world: World) -> None:
    crew = Crew(world, 1)
    member = crew.members[0]
    wanted = crew.undisturbed(3)
    crew.joined(2)
    asked = member.ask(ProfileSteps("p", 2))
    weights = [crew.applied(2, 0).weight_digest]
    world.settle()
    assert asked.events == []
    weights += [crew.applied(2, step).weight_digest for step in (1, 2)]
    written = asked.end(ProfileWritten)
    assert (written.name, written.fault) == ("p", "")
    assert written.path
    assert weights == wanted
    crew.finish()


def check_a_second_profile_ends_the_first(world: World) -> None:
    crew = Crew(world, 1)
    member = crew.members[0]
    crew.joined(1)
    first = member.ask(ProfileSteps("first", 5))
    crew.applied(1, 0)
    second = member.ask(ProfileSteps("second", 1))
    crew.applied(1, 1)
    assert first.end(ProfileWritten).fault
    assert not second.end(ProfileWritten).fault
    crew.finish()


def check_an_evaluation_changes_no_weights_and_its_shares_add_up(world: World) -> None:
    crew = Crew(world)
    wanted = crew.undisturbed(3)
    crew.joined(2)
    crew.applied(2, 0)
    whole = crew.members[0].ask(measuring(2, 1)).end(Evaluated)
    assert (whole.generation, whole.step, whole.part, whole.parts) == (2, 1, 0, 1)
    assert whole.marks
    assert whole.fault == ""
    shares = [m.ask(measuring(2, 1, m.number, 2)).end(Evaluated).marks for m in crew.members]
    assert added_up(mark for marks in shares for mark in marks) == whole.marks
    assert crew.members[1].ask(measuring(2, 1)).end(Evaluated).marks == whole.marks
    assert [crew.applied(2, step).weight_digest for step in (1, 2)] == wanted[1:]
    later = crew.members[0].ask(measuring(2, 3)).end(Evaluated)
    assert later.marks != whole.marks
    crew.finish()


def check_an_evaluation_that_is_condemned_says_what_is_held(world: World) -> None:
    crew = Crew(world, 1)
    member = crew.members[0]
    crew.joined(1)
    wanted = crew.applied(1, 0).weight_digest
    world.hold(0, "copying")
    member.ask(taking(1))
    crew.standing(0)
    late = member.ask(measuring(1, 1))
    member.abort()
    world.release(0)
    said = late.end(EngineAborted)
    assert (said.generation, said.state_step, said.reduced) == (1, 1, False)
    crew.joined(2, step=1, origin="live")
    assert member.ask(measuring(2, 1)).end(Evaluated).marks
    assert crew.applied(2, 1).weight_digest != wanted
    crew.finish()


def check_a_step_that_fails_does_not_count_in_a_profile(world: World) -> None:
    crew = Crew(world, 1)
    member = crew.members[0]
    crew.joined(1)
    asked = member.ask(ProfileSteps("p", 1))
    assert member.ask(crew.running(1, 7, range(LANES))).end(WorkCrashed).what
    assert asked.events == []
    crew.joined(2)
    crew.applied(2, 0)
    assert not asked.end(ProfileWritten).fault
    crew.finish()


def check_a_step_without_memory_leaves_all_as_it_was(world: World) -> None:
    crew = Crew(world)
    wanted = crew.undisturbed(1)
    crew.joined(2)
    world.exhaust(0)
    short, waits = crew.step(2, 0)
    said = short.end(EngineAborted)
    assert (said.out_of_memory, said.reduced, said.state_step) == (True, False, 0)
    crew.members[1].abort()
    assert not waits.end(EngineAborted).out_of_memory
    crew.joined(3)
    assert crew.applied(3, 0).weight_digest == wanted[0]
    crew.finish()


def check_a_member_without_room_for_a_connection_says_so(world: World) -> None:
    crew = Crew(world)
    wanted = crew.undisturbed(1)
    world.refuse(1)
    other, short = crew.join(2)
    said = short.end(EngineAborted)
    assert (said.own_fault, said.reduced, said.state_step) == (True, False, 0)
    assert said.reason
    crew.members[0].abort()
    assert not other.end(EngineAborted).own_fault
    crew.joined(3)
    assert crew.applied(3, 0).weight_digest == wanted[0]
    crew.finish()


def check_members_take_a_copy_together_and_one_may_leave(world: World) -> None:
    crew = Crew(world, 3)
    wanted = crew.undisturbed(5)
    crew.joined(2)
    assert crew.applied(2, 0).weight_digest == wanted[0]
    *given, taken = copying(crew, 2, 1, keeper=2)
    fact = taken.end(SnapshotTaken).fact
    assert [asked.end(MomentsGiven).step for asked in given] == [1, 1]
    assert crew.applied(2, 1).weight_digest == wanted[1]
    crew.joined(3, step=2, origin="live", who=(2, 0))
    assert crew.applied(3, 2, (2, 0)).weight_digest == wanted[2]
    crew.joined(4, step=3, origin="live", who=(0, 1, 2), receivers=(1,))
    assert crew.applied(4, 3).weight_digest == wanted[3]
    where = {"origin": fact.path, "origin_digest": fact.digest}
    crew.joined(5, step=1, who=(2, 1, 0), receivers=(0, 1), **where)
    assert crew.applied(5, 1, (2, 1, 0)).weight_digest == wanted[1]
    crew.finish()


def check_a_copy_that_somebody_does_not_take_part_in_ends_when_it_is_condemned(
    world: World,
) -> None:
    crew = Crew(world, 3)
    wanted = crew.undisturbed(2)
    crew.joined(2)
    crew.applied(2, 0)
    # One is not asked: the others wait for it, until they are told to stop.
    waits = copying(crew, 2, 1, keeper=0, absent=1)
    world.settle()
    assert [one.events for one in waits] == [[], []]
    for member in crew.members:
        member.abort()
    assert {one.end(CopyCutOff).step for one in waits} == {1}
    crew.joined(3, step=1, origin="live")
    assert crew.applied(3, 1).weight_digest == wanted[1]
    crew.finish()


def check_what_lanes_keep_goes_where_they_go(world: World) -> None:
    crew = Crew(world, 3)
    wanted = crew.undisturbed(4)
    crew.joined(2)
    assert crew.applied(2, 0).weight_digest == wanted[0]
    *given, taken = copying(crew, 2, 1, keeper=2)
    fact = taken.end(SnapshotTaken).fact
    assert [asked.end(MomentsGiven).step for asked in given] == [1, 1]
    told = crew.joined(3, step=1, origin="live", who=(2, 0, 1))
    # What others compute now is held until they have it.
    assert [joined.kept for joined in told] == [((0, 2), (3, 4)), ((0, 3),), ((2, 4),)]
    assert crew.applied(3, 1, (2, 0, 1)).weight_digest == wanted[1]
    where = {"origin": fact.path, "origin_digest": fact.digest}
    crew.joined(4, step=1, who=(1,), **where)
    assert [crew.applied(4, step, (1,)).weight_digest for step in (1, 2)] == wanted[1:3]
    crew.joined(5, step=3, origin="live", who=(1, 0, 2), receivers=(0, 2))
    assert crew.applied(5, 3, (1, 0, 2)).weight_digest == wanted[3]
    crew.finish()


KEEPING: tuple[Check, ...] = (
    check_a_snapshot_gives_the_state_back,
    check_what_lanes_keep_goes_where_they_go,
    check_a_copy_that_somebody_does_not_take_part_in_ends_when_it_is_condemned,
)
"""What members must keep whose lanes keep something, too."""

SHARED: tuple[Check, ...] = (
    check_any_number_of_members_gives_the_same_weights,
    check_a_newcomer_receives_the_state,
    check_a_snapshot_gives_the_state_back,
    check_members_take_a_copy_together_and_one_may_leave,
    check_a_copy_that_somebody_does_not_take_part_in_ends_when_it_is_condemned,
)
"""What members must keep that share out moments, too."""

CHECKS: tuple[Check, ...] = (
    check_it_is_prepared_once_and_tells_the_same_again,
    check_a_step_says_what_it_did,
    check_any_number_of_members_gives_the_same_weights,
    check_a_newcomer_receives_the_state,
    check_a_snapshot_gives_the_state_back,
    check_work_is_done_in_the_order_asked,
    check_a_snapshot_of_another_step_is_broken,
    check_a_full_ram_costs_no_checkpoint,
    check_a_step_without_memory_leaves_all_as_it_was,
    check_a_member_without_room_for_a_connection_says_so,
    check_work_that_raises_is_told_and_the_next_still_runs,
    check_a_step_without_a_group_is_told_and_the_next_work_still_runs,
    check_a_damaged_snapshot_is_never_trained_on,
    check_a_snapshot_that_was_replaced_is_not_taken_for_the_old_one,
    check_a_profile_ends_after_its_steps_and_changes_no_weights,
    check_a_second_profile_ends_the_first,
    check_a_step_that_fails_does_not_count_in_a_profile,
    check_an_evaluation_changes_no_weights_and_its_shares_add_up,
    check_an_evaluation_that_is_condemned_says_what_is_held,
    check_members_take_a_copy_together_and_one_may_leave,
    *engine_breaks.CHECKS,
)
