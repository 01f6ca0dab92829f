"""Engines whose work is broken at every point: what ends, what is said of it, what is held.

Theory of operation. One member stands still at a point of the work; the others wait for it. Then
they are told to stop, or it dies. Whatever was broken, the weights that follow are those of one
member that trains alone and undisturbed.
"""

from collections.abc import Callable, Iterable

from conformance.crew import BOTH, Asked, Crew, World, taking

from qmpi.ports.copies import SnapshotTaken
from qmpi.ports.engine import EngineAborted, EngineReady, PrepareEngine, StepApplied


def check_nobody_applies_before_all_have_voted(world: World) -> None:
    crew = Crew(world)
    wanted = crew.undisturbed(1)
    crew.joined(2)
    waits, stands = _all_hold_the_gradient(crew, 2, [0])
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
    (waits,) = crew.join(2, absent=(1,))
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


def check_a_step_that_is_condemned_before_it_is_begun_keeps_the_gradient(world: World) -> None:
    crew = Crew(world)
    wanted = crew.undisturbed(1)
    crew.joined(2)
    _reduced_by_both(crew, 2)
    world.hold(0, "copying")
    crew.members[0].ask(taking(0))
    crew.standing(0)
    (late,) = crew.step(2, 0, [0])
    crew.members[0].abort()
    world.release(0)
    said = late.end(EngineAborted)
    assert (said.state_step, said.reduced) == (0, True)
    for joined in crew.joined(3, step=1, origin="live", finishers=BOTH):
        assert joined.finished is not None
        assert joined.finished.weight_digest == wanted[0]
    crew.finish()


def check_an_abort_ends_a_join(world: World) -> None:
    crew = Crew(world)
    wanted = crew.undisturbed(1)
    (waits,) = crew.join(2, absent=(1,))
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
    crew.joined(2, who=(0,))
    crew.applied(2, 0, [0])
    for stands, waits in (BOTH, BOTH[::-1]):
        world.hold(stands, "syncing")
        asked = crew.join(3 + stands, step=1, origin="live", receivers=(1,))
        crew.standing(stands)
        world.settle()
        assert asked[waits].events == []
        crew.members[waits].abort()
        # The root keeps its state; whoever was to receive it has what it had: nothing.
        assert asked[waits].end(EngineAborted).state_step == (1 if waits == 0 else -1)
        world.release(stands)
        crew.members[stands].abort()
        assert asked[stands].end(EngineAborted).state_step == (1 if stands == 0 else -1)
    crew.joined(6, step=1, origin="live", receivers=(1,))
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


def _all_hold_the_gradient(crew: Crew, generation: int, voters: Iterable[int]) -> list[Asked]:
    """Bring all members to step 0's vote, and let some go on to wait in it for the others."""
    asked = crew.hold_all("voting", lambda: crew.step(generation, 0))
    for number in voters:
        crew.world.release(number)
    crew.world.settle()
    return asked


def _reduced_by_both(crew: Crew, generation: int) -> None:
    """Break step 0 when both hold its reduced gradient and none has applied it."""
    asked = _all_hold_the_gradient(crew, generation, [0])
    for number in BOTH:
        crew.members[number].abort()
    crew.world.release(1)
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
    (waits,) = crew.join(3, absent=(1,), step=1, origin="live", finishers=BOTH)
    world.settle()
    crew.members[0].abort()
    said = waits.end(EngineAborted)
    assert (said.state_step, said.reduced) == (1, False)
    assert said.finished is not None
    assert (said.finished.step, said.finished.weight_digest) == (0, wanted[0])
    # The other still holds it.
    crew.joined(4, step=1, origin="live", finishers=(1,))
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


def _after_a_death(crew: Crew, asked: list[Asked], survivors: Iterable[int]) -> list[EngineAborted]:
    """Tell the survivors of it, as the coordinator does; some may have noticed by themselves."""
    crew.world.settle()
    for number in survivors:
        crew.members[number].abort()
    return [asked[number].end(EngineAborted) for number in survivors]


def check_a_death_ends_the_reduction_of_the_others(world: World) -> None:
    crew = Crew(world, 3)
    wanted = crew.undisturbed(1)
    crew.joined(2)
    world.hold(2, "computing")
    asked = crew.step(2, 0)
    crew.standing(2)
    world.kill(2)
    for said in _after_a_death(crew, asked, BOTH):
        assert (said.state_step, said.reduced) == (0, False)
    crew.joined(3, who=BOTH, origin="live")
    assert crew.applied(3, 0, BOTH).weight_digest == wanted[0]
    crew.finish(2)


def check_a_death_before_the_vote_leaves_the_gradient_with_the_others(world: World) -> None:
    crew = Crew(world, 3)
    wanted = crew.undisturbed(2)
    crew.joined(2)
    asked = _all_hold_the_gradient(crew, 2, BOTH)
    world.kill(2)
    for said in _after_a_death(crew, asked, BOTH):
        assert (said.state_step, said.reduced) == (0, True)
    for said in crew.joined(3, who=BOTH, step=1, origin="live", finishers=BOTH):
        assert said.finished is not None
        assert said.finished.weight_digest == wanted[0]
    assert crew.applied(3, 1, BOTH).weight_digest == wanted[1]
    crew.finish(2)


def check_a_death_ends_a_transfer(world: World) -> None:
    crew = Crew(world)
    crew.joined(1, who=(0,))
    world.hold(0, "syncing")
    asked = crew.join(2, origin="live", receivers=(1,))
    crew.standing(0)
    world.kill(0)
    (said,) = _after_a_death(crew, asked, [1])
    assert (said.state_step, said.reduced) == (-1, False)
    crew.joined(3, who=(1,))
    crew.finish(0)


def check_a_join_at_a_dead_lead_ends_with_an_abort(world: World) -> None:
    crew = Crew(world)
    crew.joined(1, who=(1,))
    world.kill(0)
    (asked,) = crew.join(2, absent=(0,), origin="live")
    (said,) = _after_a_death(crew, [asked, asked], [1])
    assert (said.generation, said.state_step, said.reduced) == (2, 0, False)
    crew.joined(3, who=(1,))
    crew.applied(3, 0, [1])
    crew.finish(0)


Check = Callable[[World], None]
CHECKS: tuple[Check, ...] = (
    check_nobody_applies_before_all_have_voted,
    check_nobody_votes_before_all_have_given,
    check_an_abort_ends_what_is_queued,
    check_work_that_is_condemned_before_it_is_begun_changes_nothing,
    check_a_step_that_is_condemned_before_it_is_begun_keeps_the_gradient,
    check_an_abort_ends_a_join,
    check_an_abort_ends_a_transfer,
    check_an_abort_ends_the_computing,
    check_a_step_that_both_hold_is_finished_by_a_join,
    check_a_step_that_both_hold_may_be_done_again,
    check_a_join_that_breaks_tells_of_the_step_it_finished,
    check_an_abort_while_applying_comes_too_late,
    check_an_abort_spares_a_snapshot,
    check_an_abort_spares_what_is_asked_after_it,
)

DEATHS: tuple[tuple[Check, int], ...] = (
    (check_a_death_ends_the_reduction_of_the_others, 2),
    (check_a_death_before_the_vote_leaves_the_gradient_with_the_others, 2),
    (check_a_death_ends_a_transfer, 0),
    (check_a_join_at_a_dead_lead_ends_with_an_abort, 0),
)
"""Checks that kill a member, with its number."""
