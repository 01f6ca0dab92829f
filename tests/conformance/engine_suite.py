"""What every engine must do: one event for each work, the truth about what is held, equal weights."""

from collections.abc import Callable

from conformance.crew import LANES, Crew, World

from qmpi.errors import ExitCode
from qmpi.ports.base import WorkCrashed
from qmpi.ports.copies import SnapshotBroken, SnapshotTaken
from qmpi.ports.engine import (
    EngineAborted,
    EngineReady,
    PrepareEngine,
    StepApplied,
    TakeSnapshot,
)
from qmpi.units import Step

BOTH = (0, 1)


def taking(step: int, *, to_disk: bool = False) -> TakeSnapshot:
    return TakeSnapshot(Step(step), to_disk)


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
        assert (said.generation, said.step, said.redone) == (1, step, 0)
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
    crew.joined(2, who=[0])
    crew.applied(2, 0, [0])
    crew.joined(3, step=1, origin="live", receivers=[1])
    assert crew.applied(3, 1).weight_digest == wanted[1]
    crew.finish()


def check_a_snapshot_gives_the_state_back(world: World) -> None:
    crew = Crew(world)
    wanted = crew.undisturbed(3)
    crew.joined(2, who=[0])
    crew.applied(2, 0, [0])
    taken = crew.members[0].ask(taking(1)).end(SnapshotTaken)
    assert (taken.fact.step, taken.fact.place, taken.fault) == (1, "ram", "")
    assert taken.fact in crew.members[0].prepare().snapshots
    crew.applied(2, 1, [0])
    # Back to the snapshot: for the root from the file, for the other from the root.
    where = {"origin": taken.fact.path, "origin_digest": taken.fact.digest}
    crew.joined(3, step=1, receivers=[1], **where)
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


def check_nobody_applies_before_all_have_voted(world: World) -> None:
    crew = Crew(world)
    wanted = crew.undisturbed(1)
    crew.joined(2)
    world.hold(1, "voting")
    waits, stands = crew.step(2, 0)
    crew.standing(1)
    world.settle()
    assert waits.events == []
    world.release(1)
    assert [a.end(StepApplied).weight_digest for a in (waits, stands)] == wanted * 2
    crew.finish()


def check_nobody_votes_before_all_have_given(world: World) -> None:
    crew = Crew(world)
    crew.joined(1)
    world.hold(1, "computing")
    waits, stands = crew.step(1, 0)
    crew.standing(1)
    world.settle()
    assert waits.events == []
    crew.members[0].abort()
    assert not waits.end(EngineAborted).reduced
    world.release(1)
    crew.members[1].abort()
    assert not stands.end(EngineAborted).reduced
    crew.finish()


def check_an_abort_ends_what_is_queued(world: World) -> None:
    crew = Crew(world)
    wanted = crew.undisturbed(1)
    (waits,) = crew.join(2, absent=[1])
    (queued,) = crew.step(2, 0, [0])
    world.settle()
    assert waits.events == queued.events == []
    crew.members[0].abort()
    for asked in (waits, queued):
        said = asked.end(EngineAborted)
        assert (said.generation, said.reduced) == (2, False)
    crew.joined(3)
    assert crew.applied(3, 0).weight_digest == wanted[0]
    crew.finish()


def check_work_that_is_condemned_before_it_is_begun_changes_nothing(world: World) -> None:
    crew = Crew(world, 1)
    member = crew.members[0]
    crew.joined(1)
    crew.applied(1, 0)
    world.hold(0, "copying")
    member.ask(taking(1))
    crew.standing(0)
    late = [*crew.join(2, step=0), *crew.step(1, 1)]
    member.abort()
    world.release(0)
    for asked in late:
        said = asked.end(EngineAborted)
        assert (said.state_step, said.reduced, said.finished) == (1, False, None)
    crew.finish()


def check_an_abort_ends_a_join(world: World) -> None:
    crew = Crew(world)
    wanted = crew.undisturbed(1)
    (waits,) = crew.join(2, absent=[1])
    world.settle()
    assert waits.events == []
    crew.members[0].abort()
    said = waits.end(EngineAborted)
    assert (said.generation, said.reduced, said.finished) == (2, False, None)
    assert said.reason
    crew.joined(3)
    assert crew.applied(3, 0).weight_digest == wanted[0]
    crew.finish()


def check_an_abort_ends_a_transfer(world: World) -> None:
    crew = Crew(world)
    wanted = crew.undisturbed(2)
    crew.joined(2, who=[0])
    crew.applied(2, 0, [0])
    for stands, waits in (BOTH, BOTH[::-1]):
        world.hold(stands, "syncing")
        asked = crew.join(3 + stands, step=1, origin="live", receivers=[1])
        crew.standing(stands)
        world.settle()
        assert asked[waits].events == []
        crew.members[waits].abort()
        # The root keeps its state; whoever was to receive it has what it had: nothing.
        assert asked[waits].end(EngineAborted).state_step == (1 if waits == 0 else -1)
        world.release(stands)
        crew.members[stands].abort()
        assert asked[stands].end(EngineAborted).state_step == (1 if stands == 0 else -1)
    crew.joined(6, step=1, origin="live", receivers=[1])
    assert crew.applied(6, 1).weight_digest == wanted[1]
    crew.finish()


def check_an_abort_ends_the_computing(world: World) -> None:
    crew = Crew(world)
    wanted = crew.undisturbed(1)
    crew.joined(2)
    world.hold(1, "computing")
    waits, stands = crew.step(2, 0)
    crew.standing(1)
    for member in crew.members:
        member.abort()
    world.release(1)
    for asked in (waits, stands):
        said = asked.end(EngineAborted)
        assert (said.generation, said.state_step, said.reduced) == (2, 0, False)
    crew.joined(3, origin="live")
    assert crew.applied(3, 0).weight_digest == wanted[0]
    crew.finish()


def _reduced_by_both(crew: Crew, generation: int) -> None:
    """Break step 0 when both hold its reduced gradient and none has applied it."""
    world = crew.world
    world.hold(1, "voting")
    asked = crew.step(generation, 0)
    crew.standing(1)
    world.settle()
    for number in BOTH:
        crew.members[number].abort()
    world.release(1)
    for piece in asked:
        said = piece.end(EngineAborted)
        assert (said.generation, said.state_step, said.reduced) == (generation, 0, True)


def check_a_step_that_both_hold_is_finished_by_a_join(world: World) -> None:
    crew = Crew(world)
    wanted = crew.undisturbed(2)
    crew.joined(2)
    _reduced_by_both(crew, 2)
    joined = crew.joined(3, step=1, origin="live", finishers=BOTH)
    for said in joined:
        assert said.finished is not None
        assert (said.finished.step, said.finished.weight_digest) == (0, wanted[0])
        assert said.finished.generation == 3
    assert crew.applied(3, 1).weight_digest == wanted[1]
    crew.finish()


def check_a_step_that_both_hold_may_be_done_again(world: World) -> None:
    crew = Crew(world)
    wanted = crew.undisturbed(1)
    crew.joined(2)
    _reduced_by_both(crew, 2)
    crew.joined(3, origin="live")
    assert crew.applied(3, 0).weight_digest == wanted[0]
    crew.finish()


def check_a_join_that_breaks_tells_of_the_step_it_finished(world: World) -> None:
    crew = Crew(world)
    wanted = crew.undisturbed(2)
    crew.joined(2)
    _reduced_by_both(crew, 2)
    (waits,) = crew.join(3, absent=[1], step=1, origin="live", finishers=BOTH)
    world.settle()
    crew.members[0].abort()
    said = waits.end(EngineAborted)
    assert (said.state_step, said.reduced) == (1, False)
    assert said.finished is not None
    assert (said.finished.step, said.finished.weight_digest) == (0, wanted[0])
    # The other still holds it.
    crew.joined(4, step=1, origin="live", finishers=[1])
    assert crew.applied(4, 1).weight_digest == wanted[1]
    crew.finish()


def check_an_abort_while_applying_comes_too_late(world: World) -> None:
    crew = Crew(world)
    wanted = crew.undisturbed(2)
    crew.joined(2)
    world.hold(1, "applying")
    other, stands = crew.step(2, 0)
    crew.standing(1)
    assert other.end(StepApplied).weight_digest == wanted[0]
    crew.members[1].abort()
    world.release(1)
    assert stands.end(StepApplied).weight_digest == wanted[0]
    # It condemned that step, not the next.
    assert crew.applied(2, 1).weight_digest == wanted[1]
    crew.finish()


def check_an_abort_spares_a_snapshot(world: World) -> None:
    crew = Crew(world, 1)
    crew.joined(1)
    world.hold(0, "copying")
    asked = crew.members[0].ask(taking(0))
    crew.standing(0)
    crew.members[0].abort()
    world.release(0)
    asked.end(SnapshotTaken)
    crew.applied(1, 0)
    crew.finish()


def check_an_abort_spares_what_is_asked_after_it(world: World) -> None:
    crew = Crew(world, 1)
    crew.members[0].abort()
    crew.joined(1)
    crew.members[0].abort()
    crew.applied(1, 0)
    crew.members[0].abort()
    crew.members[0].ask(PrepareEngine()).end(EngineReady)
    crew.finish()


def check_a_death_ends_the_reduction_of_the_others(world: World) -> None:
    crew = Crew(world, 3)
    wanted = crew.undisturbed(1)
    crew.joined(2)
    world.hold(2, "computing")
    asked = crew.step(2, 0)
    crew.standing(2)
    world.kill(2)
    for number in BOTH:
        said = asked[number].end(EngineAborted)
        assert (said.state_step, said.reduced) == (0, False)
    crew.joined(3, who=BOTH, origin="live")
    assert crew.applied(3, 0, BOTH).weight_digest == wanted[0]
    crew.finish(2)


def check_a_death_before_the_vote_leaves_the_gradient_with_the_others(world: World) -> None:
    crew = Crew(world, 3)
    wanted = crew.undisturbed(2)
    crew.joined(2)
    world.hold(2, "voting")
    asked = crew.step(2, 0)
    crew.standing(2)
    world.settle()
    world.kill(2)
    for number in BOTH:
        said = asked[number].end(EngineAborted)
        assert (said.state_step, said.reduced) == (0, True)
    for said in crew.joined(3, who=BOTH, step=1, origin="live", finishers=BOTH):
        assert said.finished is not None
        assert said.finished.weight_digest == wanted[0]
    assert crew.applied(3, 1, BOTH).weight_digest == wanted[1]
    crew.finish(2)


def check_a_death_ends_a_transfer(world: World) -> None:
    crew = Crew(world)
    crew.joined(1, who=[0])
    world.hold(0, "syncing")
    asked = crew.join(2, origin="live", receivers=[1])
    crew.standing(0)
    world.kill(0)
    said = asked[1].end(EngineAborted)
    assert (said.state_step, said.reduced) == (-1, False)
    crew.joined(3, who=[1])
    crew.finish(0)


def check_work_that_raises_is_told_and_the_next_still_runs(world: World) -> None:
    crew = Crew(world, 1)
    member = crew.members[0]
    wanted = crew.undisturbed(2)
    crew.joined(2)
    bad = [
        member.ask(crew.running(2, 1, range(LANES))),
        *crew.join(3, step=5),
        *crew.join(4, origin="live", finishers=[0]),
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


Check = Callable[[World], None]
CHECKS: tuple[Check, ...] = (
    check_it_is_prepared_once_and_tells_the_same_again,
    check_a_step_says_what_it_did,
    check_any_number_of_members_gives_the_same_weights,
    check_a_newcomer_receives_the_state,
    check_a_snapshot_gives_the_state_back,
    check_work_is_done_in_the_order_asked,
    check_a_snapshot_of_another_step_is_broken,
    check_a_full_ram_costs_no_checkpoint,
    check_nobody_applies_before_all_have_voted,
    check_nobody_votes_before_all_have_given,
    check_an_abort_ends_what_is_queued,
    check_work_that_is_condemned_before_it_is_begun_changes_nothing,
    check_an_abort_ends_a_join,
    check_an_abort_ends_a_transfer,
    check_an_abort_ends_the_computing,
    check_a_step_that_both_hold_is_finished_by_a_join,
    check_a_step_that_both_hold_may_be_done_again,
    check_a_join_that_breaks_tells_of_the_step_it_finished,
    check_an_abort_while_applying_comes_too_late,
    check_an_abort_spares_a_snapshot,
    check_an_abort_spares_what_is_asked_after_it,
    check_a_death_ends_the_reduction_of_the_others,
    check_a_death_before_the_vote_leaves_the_gradient_with_the_others,
    check_a_death_ends_a_transfer,
    check_work_that_raises_is_told_and_the_next_still_runs,
    check_a_step_without_a_group_is_told_and_the_next_work_still_runs,
    check_a_damaged_snapshot_is_never_trained_on,
    check_a_snapshot_that_was_replaced_is_not_taken_for_the_old_one,
)
