"""A turn: what is taken in which order, what the roles are told, how long the rank rests."""

from itertools import pairwise

import pytest
from unit.driver.scripted import HERALD, SPARE, THERE, TRAINER, Rank1, ScriptedRole

from qmpi.driver.inbox import Result
from qmpi.driver.process import FIRST_PAUSE, LONGEST_PAUSE, POLL_LIMIT, POLLS
from qmpi.driver.router import Post
from qmpi.ports.base import Announce, BecomeRole, Event, RoleStarted, Started
from qmpi.ports.books import AppendJournal, BooksBroken
from qmpi.ports.clock import SetTimer, Slept, TimerFired
from qmpi.ports.copies import ForgetCopies
from qmpi.ports.processes import LeaveJob, StopRequested
from qmpi.ports.transport import Delivery, RankLost, Received, Send
from qmpi.protocol.envelope import Address, RoleName
from qmpi.protocol.membership import Leave
from qmpi.units import Seconds

LEAVE = Leave(0, "over")


class News(Event, frozen=True):
    """Something that one role tells the others."""

    number: int


def kinds(events):
    return [type(event) for event in events]


def starting_with(*effects):
    """An answer to `Started` alone."""
    return lambda event, _now: effects if isinstance(event, Started) else ()


def timer(name, after):
    return SetTimer(name, Seconds(1000.0 + after))


def one_of_each(rank):
    rank.inbox.put(Result(TRAINER, News(1), "work"))
    rank.transport.arrive(LEAVE, TRAINER)
    rank.transport.losing.append((THERE, "gone"))
    rank.processes.asked.append(StopRequested("a signal"))


def test_results_then_messages_losses_notices_timers():
    rank = Rank1(ScriptedRole(TRAINER, starting_with(timer("t", 1.0))))
    rank.start()
    rank.told(TRAINER)
    one_of_each(rank)
    rank.clock.time += 1.5
    rank.process.turn()
    assert kinds(rank.told(TRAINER)) == [News, Received, RankLost, StopRequested, TimerFired]


def test_a_gap_is_told_first_and_to_every_role():
    roles = ScriptedRole(TRAINER, starting_with(timer("t", 1.0))), ScriptedRole(HERALD)
    rank = Rank1(*roles)
    rank.start()
    rank.told(TRAINER), rank.told(HERALD)
    one_of_each(rank)
    rank.clock.time += 31.0
    rank.process.turn()
    told = rank.told(TRAINER)
    assert told[0] == Slept(Seconds(30.0))
    # Messages that waited during the gap come before anybody is judged by a timer.
    assert kinds(told)[1:] == [News, Received, RankLost, StopRequested, TimerFired]
    assert Slept(Seconds(30.0)) in rank.told(HERALD)


def test_who_stood_still_within_a_turn_judges_nobody_before_reading_what_came_meanwhile():
    def stands_still(event, _now):
        if isinstance(event, Received) and rank.clock.time < 1040.0:
            rank.clock.time += 40.0
            rank.transport.arrive(LEAVE, TRAINER)
        return (timer("t", 1.0),) if isinstance(event, Started) else ()

    rank = Rank1(ScriptedRole(TRAINER, stands_still))
    rank.start()
    rank.transport.arrive(LEAVE, TRAINER)
    rank.process.turn()
    assert kinds(rank.told(TRAINER)) == [Started, Received]
    rank.process.turn()
    assert kinds(rank.told(TRAINER)) == [Slept, Received, TimerFired]


def test_timers_fire_though_every_turn_is_slow():
    def slow(event, _now):
        if isinstance(event, News):
            rank.clock.time += 5.0
        return (timer("t", 1.0),) if isinstance(event, Started) else ()

    rank = Rank1(ScriptedRole(TRAINER, slow))
    rank.start()
    for number in range(3):
        rank.inbox.put(Result(TRAINER, News(number), "work"))
        rank.process.turn()
    assert TimerFired in kinds(rank.told(TRAINER))


def test_a_gap_is_told_once():
    rank = Rank1(ScriptedRole(TRAINER, starting_with(timer("t", 1.0))))
    rank.start()
    rank.clock.time += 31.0
    for _ in range(3):
        rank.process.turn()
    assert kinds(rank.told(TRAINER)).count(Slept) == 1


@pytest.mark.parametrize("late", [0.0, 1.9])
def test_a_late_timer_is_no_gap(late):
    rank = Rank1(ScriptedRole(TRAINER, starting_with(timer("t", 1.0))))
    rank.start()
    rank.clock.time += 1.0 + late
    rank.process.turn()
    assert kinds(rank.told(TRAINER)) == [Started, TimerFired]


def test_a_timer_that_was_replaced_is_no_gap():
    rank = Rank1(ScriptedRole(TRAINER, starting_with(timer("t", 1.0), timer("t", 100.0))))
    rank.start()
    rank.clock.time += 31.0
    rest = rank.process.turn()
    assert kinds(rank.told(TRAINER)) == [Started]
    assert rest.until == 1100.0


def test_a_rank_that_leaves_hears_of_no_gap_and_no_timer():
    rank = Rank1(ScriptedRole(TRAINER, starting_with(timer("t", 1.0), LeaveJob(0, "over"))))
    rank.start()
    assert rank.process.leaving
    rank.clock.time += 31.0
    rank.process.turn()
    assert kinds(rank.told(TRAINER)) == [Started]


def test_a_timer_fires_when_it_is_due_and_once():
    rank = Rank1(ScriptedRole(TRAINER, starting_with(timer("t", 1.0))))
    rank.start()
    rank.clock.time += 0.999
    assert rank.process.turn().until == 1001.0
    rank.clock.time += 0.001
    rank.process.turn()
    rank.clock.time += 1.0
    assert rank.process.turn().until is None
    assert rank.told(TRAINER) == [Started(), TimerFired("t")]


@pytest.mark.parametrize(("first", "second"), [(1.0, 2.0), (2.0, 1.0)])
def test_a_timer_replaces_one_of_its_name(first, second):
    rank = Rank1(ScriptedRole(TRAINER, starting_with(timer("t", first), timer("t", second))))
    rank.start()
    for _ in range(6):
        rank.clock.time += 0.5
        rank.process.turn()
        if rank.clock.time - 1000.0 < second:
            assert rank.roles[TRAINER].events == [Started()]
    assert rank.told(TRAINER) == [Started(), TimerFired("t")]


def test_timers_of_two_roles_are_apart():
    names = (TRAINER, HERALD)
    rank = Rank1(*(ScriptedRole(name, starting_with(timer("t", 1.0))) for name in names))
    rank.start()
    rank.clock.time += 1.0
    rank.process.turn()
    assert all(TimerFired("t") in rank.told(name) for name in names)


def test_a_timer_for_this_very_moment_does_not_hold_the_turn():
    rank = Rank1(ScriptedRole(TRAINER, lambda _event, now: [SetTimer("again", now)]))
    rank.start()
    for number in range(3):
        assert rank.process.turn().pause == 0.0
        assert len(rank.roles[TRAINER].events) == number + 2


def test_a_timer_set_anew_by_one_that_fires_with_it_waits():
    def answer(event, _now):
        if isinstance(event, Started):
            return [timer("a", 1.0), timer("b", 1.5)]
        return [timer("b", 9.0)] if event == TimerFired("a") else []

    rank = Rank1(ScriptedRole(TRAINER, answer))
    rank.start()
    rank.clock.time += 2.0
    assert rank.process.turn().until == 1009.0
    assert rank.told(TRAINER) == [Started(), TimerFired("a")]


def test_a_timer_dies_with_the_role_that_set_it():
    def spare(event, _now):
        if isinstance(event, Started):
            return [timer("t", 1.0)]
        return [BecomeRole(TRAINER, SPARE, "promoted")] if event == News(1) else []

    def trainer(event, _now):
        return [BecomeRole(SPARE, TRAINER, "set free")] if event == News(2) else []

    rank = Rank1(ScriptedRole(SPARE, spare), ScriptedRole(TRAINER, trainer))
    rank.start(SPARE)
    rank.inbox.put(Result(SPARE, News(1), ""))
    rank.process.turn()
    # A new spare: the same rank, the same name, not the one that set the timer.
    rank.roles[SPARE] = ScriptedRole(SPARE)
    rank.inbox.put(Result(TRAINER, News(2), ""))
    rank.process.turn()
    rank.clock.time += 1.5
    rank.process.turn()
    assert rank.told(SPARE) == [Started()]


def test_a_role_that_becomes_another_leaves_no_timer_behind():
    effects = [BecomeRole(TRAINER, SPARE, "promoted"), timer("t", 1.0)]
    rank = Rank1(ScriptedRole(SPARE, starting_with(*effects)), ScriptedRole(TRAINER))
    rank.start(SPARE)
    assert rank.process.turn().until is None


def test_idle_turns_rest_twice_as_long_each_time_up_to_a_bound():
    rank = Rank1(ScriptedRole(TRAINER))
    rank.start()
    pauses = [rank.process.turn().pause for _ in range(12)]
    assert pauses[0] == FIRST_PAUSE
    assert all(b == min(2 * a, LONGEST_PAUSE) for a, b in pairwise(pauses))
    assert pauses[-1] == LONGEST_PAUSE


@pytest.mark.parametrize("what", ["result", "message", "loss", "notice", "complaint"])
def test_news_ends_the_long_rests(what):
    rank = Rank1(ScriptedRole(TRAINER, starting_with(timer("t", 1.0))))
    rank.start()
    for _ in range(12):
        rank.process.turn()
    if what == "result":
        rank.inbox.put(Result(TRAINER, News(1), ""))
    elif what == "message":
        rank.transport.arrive(LEAVE, TRAINER)
    elif what == "loss":
        rank.transport.losing.append((THERE, "gone"))
    elif what == "notice":
        rank.processes.asked.append(StopRequested("now"))
    else:
        rank.transport.arriving.append(Delivery(THERE, b"\xff", ()))
    assert rank.process.turn().pause == 0.0
    assert rank.process.turn().pause == FIRST_PAUSE


def test_a_timer_alone_does_not_end_the_long_rests():
    rank = Rank1(ScriptedRole(TRAINER, starting_with(timer("t", 1.0))))
    rank.start()
    for _ in range(12):
        rank.process.turn()
    rank.clock.time += 1.0
    assert rank.process.turn().pause == LONGEST_PAUSE


def test_a_timer_is_not_slept_over():
    rank = Rank1(ScriptedRole(TRAINER, starting_with(timer("t", 1.0))))
    rank.start()
    for _ in range(12):
        rank.process.turn()
    rank.clock.time += 0.99
    assert rank.process.turn().pause == pytest.approx(0.01)


def test_a_rest_says_when_the_next_timer_is_due():
    rank = Rank1(ScriptedRole(TRAINER, starting_with(timer("far", 9.0), timer("near", 0.25))))
    rank.start()
    assert rank.process.turn().until == 1000.25
    rank.clock.time += 0.25
    assert rank.process.turn().until == 1009.0


def test_all_that_waits_is_taken_in_one_turn():
    rank = Rank1(ScriptedRole(TRAINER))
    rank.start()
    for _ in range(3 * POLL_LIMIT + 1):
        rank.transport.arrive(LEAVE, TRAINER)
    rank.process.turn()
    assert kinds(rank.told(TRAINER)).count(Received) == 3 * POLL_LIMIT + 1


def test_messages_without_end_do_not_starve_the_timers():
    rank = Rank1(ScriptedRole(TRAINER, starting_with(timer("t", 1.0))))
    rank.start()
    rank.transport.arrive(LEAVE, TRAINER)
    endless = list(rank.transport.arriving) * POLL_LIMIT
    rank.transport.poll = lambda limit: endless[:limit]
    rank.clock.time += 1.0
    rank.process.turn()
    told = kinds(rank.told(TRAINER))
    assert told.count(Received) == POLLS * POLL_LIMIT
    assert told[-1] is TimerFired


@pytest.mark.parametrize("data", [b"", b"\xff\xff", b"\x92\x01\x02", bytes(1000)])
def test_malformed_bytes_are_complained_of_and_harm_nothing(data):
    rank = Rank1(ScriptedRole(TRAINER))
    rank.start()
    rank.transport.arriving.append(Delivery(THERE, data, ()))
    rank.transport.arrive(LEAVE, TRAINER)
    rank.process.turn()
    assert kinds(rank.told(TRAINER)) == [Started, Received]
    (complaint,) = rank.complaints
    assert f"rank {THERE}" in complaint


def test_effects_are_performed_in_order_before_the_next_event():
    performed = []
    to = Address(THERE, RoleName.MEMORY)
    effects = [Announce(News(1)), Send(to, LEAVE), ForgetCopies(), AppendJournal(())]

    def herald(event, _now):
        performed.append(event)
        return []

    rank = Rank1(
        ScriptedRole(HERALD, herald),
        ScriptedRole(TRAINER, lambda event, _now: effects if event == News(0) else ()),
    )
    rank.start()
    rank.transport.send = lambda *_: performed.append("sent")
    rank.copies.submit = lambda *_: performed.append("copies")
    rank.books.write = lambda _: performed.append("books")
    performed.clear()
    rank.inbox.put(Result(TRAINER, News(0), ""))
    rank.process.turn()
    assert performed == ["sent", "copies", "books", News(1)]


def test_what_books_refuse_is_told_to_the_role_that_asked():
    rank = Rank1(
        ScriptedRole(RoleName.COORDINATOR, starting_with(AppendJournal(()))), ScriptedRole(HERALD)
    )
    rank.books.full = True
    rank.start()
    broken = BooksBroken("AppendJournal", "full", 3)
    assert rank.told(RoleName.COORDINATOR) == [Started(), broken, RoleStarted(HERALD)]
    assert rank.told(HERALD) == [Started()]


def test_every_event_is_observed_once_with_what_followed():
    became = BecomeRole(TRAINER, SPARE, "promoted")

    def spare(event, _now):
        return [Send(Address(THERE, RoleName.MEMORY), LEAVE), became] if event == News(0) else []

    rank = Rank1(ScriptedRole(HERALD), ScriptedRole(SPARE, spare), ScriptedRole(TRAINER))
    rank.start(HERALD, SPARE)
    rank.inbox.put(Result(SPARE, News(0), "work"))
    rank.process.turn()
    seen = [(handled.owner, handled.event) for handled in rank.handled]
    assert seen == [
        (HERALD, Started()), (SPARE, Started()), (HERALD, RoleStarted(SPARE)),
        (SPARE, News(0)), (TRAINER, Started()), (HERALD, RoleStarted(TRAINER)),
    ]  # fmt: skip
    (post, *_) = rank.handled[3].actions
    assert isinstance(post, Post)
    assert post.header.cause == "work"


def test_a_rank_needs_no_observer():
    rank = Rank1(ScriptedRole(TRAINER))
    rank.process._observe = rank.process._complain = None
    rank.start()
    rank.transport.arriving.append(Delivery(THERE, b"\xff", ()))
    rank.process.turn()
    assert rank.process.leaving is False
